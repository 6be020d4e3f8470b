"""The network: one small encoder, one attention pooling a family, one linear layer a family; a token head for names.

Shapes: B texts, T tokens, H = 384 wide. All outputs are logits but the embedding.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from transformers import AutoModel

from lockgate_models.labels import FAMILIES, TAGS


class Heads(nn.Module):
    """What stands on the encoder. Each family reads the text with weights of its own: an attack is a sentence somewhere,
    a tone is everywhere."""

    def __init__(self, width: int, families: Mapping[str, Sequence[str]], tags: int, dropout: float = 0.1) -> None:
        super().__init__()
        self.look = nn.Linear(width, len(families))
        self.say = nn.ModuleDict({name: nn.Linear(2 * width, len(labels)) for name, labels in families.items()})
        self.names = nn.Linear(width, max(1, tags))
        self.drop = nn.Dropout(dropout)

    def forward(self, hidden: Tensor, mask: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Hidden (B, T, H), mask (B, T) → labels (B, len(LABELS)), names (B, T, len(TAGS)), embedding (B, H)."""
        seen = mask.to(hidden.dtype).unsqueeze(-1)
        mean = (hidden * seen).sum(1) / seen.sum(1).clamp(min=1.0)
        wide = self.drop(hidden)
        attention = self.look(wide).masked_fill(mask.unsqueeze(-1) == 0, -30000.0).softmax(dim=1)  # (B, T, F)
        pooled = torch.matmul(attention.transpose(1, 2), wide)  # (B, F, H)
        said = [layer(torch.cat([pooled[:, i], wide[:, 0]], dim=-1)) for i, layer in enumerate(self.say.values())]
        return torch.cat(said, dim=-1), self.names(wide), mean


class TextEncoder(nn.Module):
    """The encoder with its heads."""

    def __init__(
        self,
        base: Path | str,
        *,
        families: Mapping[str, Sequence[str]] = FAMILIES,
        tags: Sequence[str] = TAGS,
        attention: str = "sdpa",
    ) -> None:
        super().__init__()
        self.encoder = AutoModel.from_pretrained(str(base), add_pooling_layer=False, attn_implementation=attention)
        self.families = {name: tuple(labels) for name, labels in families.items()}
        self.tags = tuple(tags)
        self.heads = Heads(self.encoder.config.hidden_size, families, len(self.tags))

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        hidden = self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        said: tuple[Tensor, Tensor, Tensor] = self.heads(hidden, attention_mask)
        return said

    def begin_from(self, state: Mapping[str, Tensor], families: Mapping[str, Sequence[str]]) -> None:
        """Begin where another encoder of these `families` has come to: the encoder, and the heads that both have."""
        mine = self.state_dict()
        mine |= {name: value for name, value in state.items() if name in mine and value.shape == mine[name].shape}
        theirs = list(families)
        rows = [theirs.index(name) for name in self.families if name in theirs]
        if len(rows) < len(self.families):
            self.load_state_dict(mine)
            return
        mine["heads.look.weight"] = state["heads.look.weight"][rows]
        mine["heads.look.bias"] = state["heads.look.bias"][rows]
        self.load_state_dict(mine)

    def freeze(self, layers: int) -> None:
        """The embeddings and the lowest `layers` stay as they are: nothing flows back through them, and what they know
        of words that our rows don't hold is kept."""
        self.encoder.embeddings.requires_grad_(False)
        for number, layer in enumerate(self.encoder.encoder.layer):
            layer.requires_grad_(number >= layers)
