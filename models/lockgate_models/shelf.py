"""How a model is taken off the shelf: manifest, verified files, session, batcher. `places.py` says where they stand."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path

from lockgate_models.backend import Backend, Device
from lockgate_models.batcher import Batcher
from lockgate_models.classifier import TextClassifier
from lockgate_models.errors import DeviceError, ManifestError
from lockgate_models.kserve import KserveBackend, Output
from lockgate_models.manifest import NAME, Manifest, Precision, read_manifest, verify
from lockgate_models.tokens import Windower

_BUDGET = 16_384


@dataclass(frozen=True, slots=True)
class Options:
    """How a model is run. `threads` of one run, `parallel` runs at once, `budget` of padded tokens a batch (on a CPU
    each sequence is run alone), `room` of tokens that may wait, `cache` of texts.

    With an `endpoint` the model runs there, and `device`, `precision` and `threads` are that server's affair; `parallel`
    is then also the number of connections. The folder's manifest and tokeniser are still needed, its model files not.
    `timeout` (seconds of a run), `key` and `ca`, as well as the endpoint's form, are those of `KserveBackend`; `{model}`
    in it stands for the manifest's name.
    """

    device: Device = "cpu"
    precision: Precision | None = None
    threads: int = 1
    parallel: int = 1
    budget: int | None = None
    room: int = 1 << 16
    cache: int = 8192
    endpoint: str = ""
    timeout: float = 2.0
    key: str = field(default="", repr=False)
    ca: Path | None = None


def load(folder: Path, options: Options | None = None) -> TextClassifier:
    """A model, ready. Every file that is used is verified first. Raises ManifestError, DeviceError."""
    options = options or Options()
    manifest = read_manifest(folder)
    windower = Windower(
        verify(folder, manifest.tokenizer), longest=manifest.window, overlap=manifest.overlap, lead=manifest.lead
    )
    backend = _far(manifest, options) if options.endpoint else _near(folder, manifest, options)
    return TextClassifier(
        manifest,
        windower,
        Batcher(backend, budget=options.budget or _BUDGET, most=_most(options), room=options.room),
        cache=options.cache,
    )


def _most(options: Options) -> int:
    """Sequences in a batch. An int8 model measures the range of its activations over the whole batch, so what else is in
    it would change a score: each is run alone. On a CPU that costs next to nothing, and nobody waits for others' rows."""
    return 1 if options.device == "cpu" and not options.endpoint else 64


def _near(folder: Path, manifest: Manifest, options: Options) -> Backend:
    _one_runtime()
    from lockgate_models.onnx import OnnxBackend

    device, precision = _device(manifest, options)
    try:
        file = manifest.file(precision)
    except KeyError:
        raise ManifestError(f"has no {precision} file", where=str(folder / NAME)) from None
    wanted = manifest.outputs
    return OnnxBackend(verify(folder, file), wanted, device=device, threads=options.threads, parallel=options.parallel)


def _far(manifest: Manifest, options: Options) -> Backend:
    shapes = {
        "labels": Output("labels", len(manifest.labels)),
        "names": Output("names", len(manifest.tags), per_token=True),
        "embedding": Output("embedding", None),
    }
    return KserveBackend(
        options.endpoint.replace("{model}", manifest.name),
        [shapes[name] for name in manifest.outputs],
        timeout=options.timeout,
        parallel=options.parallel,
        key=options.key,
        ca=options.ca,
    )


def _device(manifest: Manifest, options: Options) -> tuple[Device, Precision]:
    """Where to run, and which file. The CPU stands in for a GPU only where the manifest allows it."""
    from lockgate_models.onnx import providers

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
