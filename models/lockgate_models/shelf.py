"""Where models stand, and how one is taken off the shelf: manifest, verified files, session, batcher."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from lockgate_models.batcher import Batcher
from lockgate_models.classifier import TextClassifier
from lockgate_models.errors import DeviceError, ManifestError
from lockgate_models.manifest import NAME, Manifest, Precision, read_manifest, verify
from lockgate_models.onnx import Device, OnnxBackend, providers
from lockgate_models.tokens import Windower

OUTPUTS = ("labels", "names", "embedding")


@dataclass(frozen=True, slots=True)
class Options:
    """How a model is run. `threads` of one run, `parallel` runs at once, `budget` of padded tokens a batch, `room` of
    tokens that may wait, `cache` of texts."""

    device: Device = "cpu"
    precision: Precision | None = None
    threads: int = 1
    parallel: int = 1
    budget: int = 2048
    room: int = 1 << 18
    cache: int = 8192


def folders(extra: Sequence[Path] = ()) -> list[Path]:
    """Where model folders are looked for: the places given, and the source tree's, where this is one."""
    root = Path(__file__).resolve().parents[1]
    return [*extra, root] if (root.parent / "pyproject.toml").is_file() else list(extra)


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


def load(folder: Path, options: Options | None = None) -> TextClassifier:
    """A model, ready. Every file is verified first. Raises ManifestError, DeviceError."""
    options = options or Options()
    _one_runtime()
    manifest = read_manifest(folder)
    device, precision = _device(manifest, options)
    try:
        file = manifest.file(precision)
    except KeyError:
        raise ManifestError(f"has no {precision} file", where=str(folder / NAME)) from None
    windower = Windower(verify(folder, manifest.tokenizer), longest=manifest.window, overlap=manifest.overlap)
    outputs = OUTPUTS if manifest.tags else ("labels",)
    backend = OnnxBackend(
        verify(folder, file), outputs, device=device, threads=options.threads, parallel=options.parallel
    )
    return TextClassifier(
        manifest,
        windower,
        Batcher(backend, budget=options.budget, room=options.room),
        cache=options.cache,
    )


def _device(manifest: Manifest, options: Options) -> tuple[Device, Precision]:
    """Where to run, and which file. The CPU stands in for a GPU only where the manifest allows it."""
    device = options.device
    try:
        providers(device)
    except DeviceError:
        if not manifest.cpu_instead_of_gpu:
            raise
        device = "cpu"
    return device, options.precision or ("fp16" if device == "gpu" else "int8")


def _one_runtime() -> None:
    """Onnxruntime and onnxruntime-gpu share one import name, and whichever was installed last has overwritten the
    other."""
    there = []
    for name in ("onnxruntime", "onnxruntime-gpu"):
        try:
            metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue
        there.append(name)
    if len(there) == 2:
        raise DeviceError("onnxruntime and onnxruntime-gpu are both installed; uninstall both, then install one")
    if importlib.util.find_spec("onnxruntime") is None:
        raise DeviceError("no ONNX Runtime; install lockgate[cpu] or lockgate[gpu]")
