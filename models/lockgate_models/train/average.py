"""The mean of two checkpoints of one run, by weights. It often generalises better than either: what the later one has learned by
heart of its rows is halved, what both know stays.

python -m lockgate_models.train.average EARLIER.pt LATER.pt --share 0.65 --out DIR
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor


def averaged(earlier: Mapping[str, Tensor], later: Mapping[str, Tensor], share: float) -> dict[str, Tensor]:
    """`share` of the later one's weights, the rest of the earlier one's. What is no number with a point is the later one's.
    Raises ValueError where they are not of one network."""
    if earlier.keys() != later.keys() or any(earlier[name].shape != later[name].shape for name in later):
        raise ValueError("the checkpoints are not of one network")
    return {
        name: torch.lerp(earlier[name], weight, share) if weight.is_floating_point() else weight
        for name, weight in later.items()
    }


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("earlier", type=Path)
    parser.add_argument("later", type=Path)
    parser.add_argument("--share", type=float, default=0.5, help="of the later one")
    parser.add_argument("--out", type=Path, required=True, help="folder for checkpoint.pt, as `fit` writes one")
    given = parser.parse_args(arguments)
    first, second = (torch.load(path, weights_only=True) for path in (given.earlier, given.later))
    given.out.mkdir(parents=True, exist_ok=True)
    made: dict[str, Any] = {
        "model": averaged(first["model"], second["model"], given.share),
        "step": second["step"],
        "averaged": [first["step"], second["step"], given.share],
    }
    torch.save(made, given.out / "checkpoint.pt")
    print(
        f"{given.out / 'checkpoint.pt'}: {1 - given.share:.0%} of step {first['step']}, {given.share:.0%} of {second['step']}"
    )


if __name__ == "__main__":
    main()
