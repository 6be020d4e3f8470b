from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest

pytestmark = pytest.mark.train


def given(base: Path, tmp_path: Path, steps: int) -> argparse.Namespace:
    return argparse.Namespace(
        data=None, own=tmp_path / "own", base=base, out=tmp_path / "out", steps=steps, budget=256, longest=32,
        rate=3e-3, save=20, seed=1, threads=1, bf16=False, warm=5, cool=20, frozen=0, compile=False, form="text", start=None,
        keep=0.5, hard=10, sample=60,
    )  # fmt: skip


def families(folder: Path) -> None:
    folder.mkdir()
    said = [
        {"family": f"f{i}", "labels": {"injection": i % 2}, "texts": ["attack calm" if i % 2 else "calm law"] * 3}
        for i in range(40)
    ]
    said.append({"family": "n1", "labels": {}, "texts": ["calm [[PERSON:Ada King]] law"]})
    (folder / "own.jsonl").write_text("\n".join(map(json.dumps, said)))


def test_it_learns_and_goes_on_where_it_stopped(base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import torch
    from tokenizers import Tokenizer

    from lockgate_models.labels import LABELS
    from lockgate_models.train.fit import fit
    from lockgate_models.train.network import TextEncoder

    families(tmp_path / "own")
    fit(given(base, tmp_path, 40))
    said = capsys.readouterr().out
    assert "step 40/40" in said
    assert "hard rows" in said
    fit(given(base, tmp_path, 60))
    said = capsys.readouterr().out
    assert "step 50/60" in said
    assert "step 40/60" not in said
    model = TextEncoder(base)
    model.load_state_dict(torch.load(tmp_path / "out/checkpoint.pt", weights_only=True)["model"])
    model.eval()
    tokenizer = Tokenizer.from_file(str(base / "tokenizer.json"))
    scores = []
    for text in ("attack calm", "calm law"):
        ids = torch.tensor([tokenizer.encode(text).ids])
        with torch.no_grad():
            scores.append(model(ids, torch.ones_like(ids))[0][0, LABELS.index("injection")].item())
    assert scores[0] > 0 > scores[1]


def test_staying_near_the_base_keeps_what_it_means(base: Path, tmp_path: Path) -> None:
    import torch
    from tokenizers import Tokenizer

    from lockgate_models.train.batches import collate, encode
    from lockgate_models.train.fit import fit, kept_base
    from lockgate_models.train.network import TextEncoder
    from lockgate_models.train.rows import Row

    families(tmp_path / "own")
    tokenizer = Tokenizer.from_file(str(base / "tokenizer.json"))
    batch = collate([encode(Row("1", "s", "g", "attack calm law", {}), tokenizer, 32)])
    near = []
    for weight in (0.0, 2.0):
        chosen = given(base, tmp_path, 40)
        chosen.keep, chosen.out = weight, tmp_path / str(weight)
        fit(chosen)
        model = TextEncoder(base).eval()
        model.load_state_dict(torch.load(chosen.out / "checkpoint.pt", weights_only=True)["model"])
        with torch.no_grad():
            meant = model(batch.ids, batch.mask)[2]
        near.append(torch.nn.functional.cosine_similarity(meant, kept_base(base)(batch)).item())
    assert near[1] > near[0]


def test_the_rate_goes_up_and_then_down() -> None:
    from lockgate_models.train.fit import rate

    rates = [rate(step, 100, 10, 90) for step in range(101)]
    assert rates[0] == 0
    assert max(rates) == rates[10] == 1
    assert rates[-1] < 1e-9
    assert rates[10:] == sorted(rates[10:], reverse=True)
