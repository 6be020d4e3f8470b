"""The network as it ships: the same answers from fewer nodes, and a sentence embedding that the fit did not spoil."""

from __future__ import annotations

import hashlib

import torch
from torch import Tensor, nn

from lockgate_models.train.meaning import Meaning
from lockgate_models.train.network import TextEncoder


class Shipped(nn.Module):
    """A fitted encoder with its heads laid side by side: one product over all tokens for where to look and for names, one
    for all poolings, two for all labels. `meaning` makes the embedding, of unit length; without it there is none, and
    without tags no names."""

    choose: Tensor

    def __init__(self, fitted: TextEncoder, meaning: Meaning | None) -> None:
        super().__init__()
        heads = fitted.heads
        width = heads.look.in_features
        self.encoder = fitted.encoder
        self.tokens = _linear([heads.look, heads.names] if fitted.tags else [heads.look])
        said = _linear(list(heads.say.values()))
        labels = said.out_features
        self.pooled = nn.Linear(width, labels, bias=False)
        self.first = nn.Linear(width, labels)
        with torch.no_grad():
            self.pooled.weight.copy_(said.weight[:, :width])
            self.first.weight.copy_(said.weight[:, width:])
            self.first.bias.copy_(said.bias)
        choose = torch.zeros(len(heads.say), labels)
        at = 0
        for number, layer in enumerate(heads.say.values()):
            choose[number, at : at + layer.out_features] = 1.0
            at += layer.out_features
        self.register_buffer("choose", choose)
        self._tags = bool(fitted.tags)
        self._low = 0
        self.map: nn.Linear | None = None
        if meaning is not None:
            self._low = meaning.low
            self.map = nn.Linear(*reversed(meaning.weight.shape))
            with torch.no_grad():
                self.map.weight.copy_(torch.from_numpy(meaning.weight))
                self.map.bias.copy_(torch.from_numpy(meaning.bias))
        self.eval()

    @property
    def outputs(self) -> tuple[str, ...]:
        names = ("names",) if self._tags else ()
        return ("labels", *names, "embedding") if self.map is not None else ("labels", *names)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> tuple[Tensor, ...]:
        """As `TextEncoder`, but for the embedding."""
        out = self.encoder(input_ids=input_ids, attention_mask=attention_mask, output_hidden_states=True)
        hidden = out.last_hidden_state
        seen = attention_mask.to(hidden.dtype).unsqueeze(-1)  # (B, T, 1)
        families = self.choose.shape[0]
        looks = self.tokens(hidden)
        weights = (looks[..., :families] + (seen - 1.0) * 30000.0).softmax(dim=1)
        share = seen / seen.sum(1, keepdim=True).clamp(min=1.0)
        if self.map is not None:
            weights = torch.cat([weights, share], dim=-1)
        pooled = torch.matmul(weights.transpose(1, 2), hidden)  # (B, F + 1, H)
        labels = (self.pooled(pooled[:, :families]) * self.choose).sum(1) + self.first(hidden[:, 0])
        if self.map is None:
            return (labels, looks[..., families:]) if self._tags else (labels,)
        low = (out.hidden_states[self._low] * share).sum(1)
        embedding = self.map(torch.cat([pooled[:, families], low], dim=-1))
        return labels, looks[..., families:], nn.functional.normalize(embedding, dim=-1)

    def digest(self) -> str:
        """SHA-256 of all weights, in hexadecimal."""
        found = hashlib.sha256()
        for name, values in sorted(self.state_dict().items()):
            found.update(name.encode())
            found.update(values.detach().cpu().contiguous().numpy().tobytes())
        return found.hexdigest()


def _linear(layers: list[nn.Linear]) -> nn.Linear:
    """The layers as one, their outputs one after another."""
    joined = nn.Linear(layers[0].in_features, sum(layer.out_features for layer in layers))
    with torch.no_grad():
        joined.weight.copy_(torch.cat([layer.weight for layer in layers]))
        joined.bias.copy_(torch.cat([layer.bias for layer in layers]))
    return joined
