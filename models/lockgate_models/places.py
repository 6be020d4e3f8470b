"""Where model folders stand. Needs no runtime."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from lockgate_models.errors import ManifestError
from lockgate_models.manifest import NAME

_SHIPPED = "_shipped"  # where a wheel has them, in the package


def folders(extra: Sequence[Path] = ()) -> list[Path]:
    """Where model folders are looked for: the places given, then the source tree's, or those that were installed."""
    package = Path(__file__).resolve().parent
    root = package.parent
    return [*extra, root if (root.parent / "pyproject.toml").is_file() else package / _SHIPPED]


def models(places: Sequence[Path]) -> Iterator[Path]:
    """Every model folder in `places`, each name once, the nearest place's."""
    seen: set[str] = set()
    for place in places:
        for path in sorted(place.glob(f"*/{NAME}")) if place.is_dir() else ():
            if path.parent.name not in seen:
                seen.add(path.parent.name)
                yield path.parent


def find(name: str, places: Sequence[Path]) -> Path:
    """The folder of a model, by its name or path. Raises ManifestError that lists what there is."""
    direct = Path(name)
    if (direct / NAME).is_file():
        return direct
    there = {path.name: path for path in models(places)}
    if name not in there:
        raise ManifestError(f"there is no model {name!r}; there are: {', '.join(sorted(there)) or 'none'}")
    return there[name]
