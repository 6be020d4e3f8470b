"""Fits the text encoder. Resumable: `python -m lockgate_models.train.fit --own DIR --out DIR [--data DIR]`.

A run draws from the mixture until its steps are done, saves a checkpoint every so often, and goes on from the last one
when it is started again with the same folder.
"""

from __future__ import annotations

import argparse
import math
import random
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch
from tokenizers import Tokenizer
from torch import Tensor, nn
from transformers import AutoModel

from lockgate_models.labels import ALL, EXCLUSIVE, FAMILIES, FORMS
from lockgate_models.train.base import packaged_base
from lockgate_models.train.batches import IGNORED, Batch, Drawer
from lockgate_models.train.hard import hardest
from lockgate_models.train.mixture import rows_for
from lockgate_models.train.network import TextEncoder

_SMOOTH = 0.02
_KEPT = 4  # of so many steps one also looks at the base


def loss_of(labels: Tensor, names: Tensor, batch: Batch, families: Mapping[str, Sequence[str]] = FAMILIES) -> Tensor:
    """Mean over what is known: independent labels by binary, exclusive ones by categorical cross entropy, names by token."""
    total = labels.new_zeros(())
    at = 0
    for family, members in families.items():
        logits = labels[:, at : at + len(members)].float()
        place = slice(ALL.index(members[0]), ALL.index(members[0]) + len(members))
        target, known = batch.target[:, place], batch.known[:, place]
        at += len(members)
        if family in EXCLUSIVE:
            rows = known[:, 0] > 0
            if rows.any():
                lost = nn.functional.cross_entropy(logits[rows], target[rows].argmax(-1), reduction="none")
                total = total + (lost * known[rows, 0]).sum() / len(known)
        elif (known > 0).any():
            soft = target * (1 - _SMOOTH) + _SMOOTH / 2
            lost = nn.functional.binary_cross_entropy_with_logits(logits, soft, reduction="none")
            each = (lost * known).sum(-1) / known.gt(0).sum(-1).clamp(min=1) ** 0.5
            total = total + each.sum() / len(known)
    if (batch.tags != IGNORED).any():
        lost = nn.functional.cross_entropy(
            names.float().flatten(0, 1), batch.tags.flatten(), ignore_index=IGNORED, reduction="mean"
        )
        share = (batch.tags != IGNORED).any(1).float().mean()
        total = total + lost * share
    return total


def kept_base(folder: Path) -> Callable[[Batch], Tensor]:
    """What the base says a batch means, before any fit: (B, H). Its mean is what `topic` compares."""
    original = AutoModel.from_pretrained(str(folder), add_pooling_layer=False).eval()

    def meaning(batch: Batch) -> Tensor:
        with torch.no_grad():
            hidden = original(input_ids=batch.ids, attention_mask=batch.mask).last_hidden_state
            seen = batch.mask.to(hidden.dtype).unsqueeze(-1)
            found: Tensor = (hidden * seen).sum(1) / seen.sum(1)
            return found

    return meaning


def rate(step: int, steps: int, warm: int, cool: int) -> float:
    """The learning rate's factor: up in `warm` steps, level, then down to nothing in the last `cool` by a cosine. Level,
    so that a run can be lengthened, and go on with more data, before it cools."""
    if step < warm:
        return step / warm
    if step < steps - cool:
        return 1.0
    return 0.5 * (1 + math.cos(math.pi * (step - (steps - cool)) / max(1, cool)))


def fit(given: argparse.Namespace) -> None:
    torch.manual_seed(given.seed)
    torch.set_num_threads(given.threads)
    given.out.mkdir(parents=True, exist_ok=True)
    base_folder = given.base or packaged_base()
    tokenizer = Tokenizer.from_file(str(base_folder / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    form = FORMS[given.form]
    longest = given.longest or form.longest
    rows = [row for row in rows_for(given.form, given.data, given.own) if row.split == "train"]
    print(f"{len(rows)} rows", flush=True)
    model = TextEncoder(base_folder, families=form.families, tags=form.tags)
    if given.start is not None:
        model.begin_from(torch.load(given.start, weights_only=True)["model"], FAMILIES)
    model.freeze(given.frozen)
    model.train()
    run = torch.compile(model, dynamic=True) if given.compile else model
    heads = list(model.heads.parameters())
    body = [p for p in model.encoder.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(
        [{"params": body, "lr": given.rate}, {"params": heads, "lr": given.rate * 5}], weight_decay=0.01, fused=True
    )
    bases = [group["lr"] for group in optimiser.param_groups]
    step = 0
    checkpoint = given.out / "checkpoint.pt"
    if checkpoint.exists():
        saved = torch.load(checkpoint, weights_only=True)
        model.load_state_dict(saved["model"])
        optimiser.load_state_dict(saved["optimiser"])
        step = saved["step"]
    drawer = Drawer(rows, tokenizer, longest=longest, seed=given.seed + step, lead=form.lead)
    original = kept_base(base_folder) if given.keep and not form.lead else None
    begin, seen, running, like = time.time(), 0, 0.0, 0.0
    for batch in drawer.batches(given.budget, pool=256):
        if step >= given.steps:
            break
        if given.hard and step and (step % given.hard == 0 or not drawer.hard) and step < given.steps - given.cool // 2:
            chosen = random.Random(given.seed + step)  # noqa: S311 - which rows, no secret
            drawer.hard = hardest(model, rows, tokenizer, chosen, longest=longest, lead=form.lead, sample=given.sample)
            print(f"{len(drawer.hard)} hard rows", flush=True)
        for group, base in zip(optimiser.param_groups, bases, strict=True):
            group["lr"] = base * rate(step, given.steps, given.warm, given.cool)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=given.bf16):
            labels, names, meaning = run(batch.ids, batch.mask)
        lost = loss_of(labels, names, batch, form.families)
        if original is not None and step % _KEPT == 0:
            away = 1 - nn.functional.cosine_similarity(meaning, original(batch), dim=-1).mean()
            lost = lost + given.keep * _KEPT * away
            like = 0.9 * like + 0.1 * (1 - away.item()) if like else 1 - away.item()
        optimiser.zero_grad(set_to_none=True)
        lost.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        step += 1
        seen += len(batch.ids)
        running = 0.98 * running + 0.02 * lost.item() if running else lost.item()
        if step % 10 == 0:
            pace = seen / (time.time() - begin)
            print(f"step {step}/{given.steps} loss {running:.4f} like base {like:.3f} {pace:.1f} texts/s", flush=True)
        if step % given.save == 0 or step == given.steps:
            torch.save({"model": model.state_dict(), "optimiser": optimiser.state_dict(), "step": step}, checkpoint)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="labelled rows of others; without it, our families alone")
    parser.add_argument("--form", choices=tuple(FORMS), default="text")
    parser.add_argument("--start", type=Path, help="checkpoint of a text encoder to begin from")
    parser.add_argument("--own", type=Path, required=True, help="our families")
    parser.add_argument("--base", type=Path, help="folder of the base encoder, in place of the packaged one")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=2600)
    parser.add_argument("--warm", type=int, default=150)
    parser.add_argument("--cool", type=int, default=900)
    parser.add_argument(
        "--frozen", type=int, default=2, help="lowest layers that stay as they are, with the embeddings"
    )
    parser.add_argument("--budget", type=int, default=2048, help="padded tokens a step")
    parser.add_argument("--longest", type=int, help="tokens of a row; the form's own unless said")
    parser.add_argument("--rate", type=float, default=2e-4)
    parser.add_argument("--keep", type=float, default=0.5, help="weight of staying near the base's embedding")
    parser.add_argument(
        "--hard", type=int, default=500, help="steps of a round, after which the hardest rows are sought"
    )
    parser.add_argument("--sample", type=int, default=4000, help="rows among which they are sought")
    parser.add_argument("--save", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--bf16", action="store_true", help="only where the CPU has it: else twenty times as slow")
    parser.add_argument("--compile", action="store_true", help="by torch.compile: a fifth faster after a minute")
    fit(parser.parse_args())


if __name__ == "__main__":
    main()
