"""ONNX Runtime, on the CPU or a GPU."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import onnxruntime as ort

from lockgate_models.backend import Batch, Device, Outputs
from lockgate_models.errors import BackendError, DeviceError, ManifestError

_GPU = ("TensorrtExecutionProvider", "CUDAExecutionProvider")
_SLOWER = ["SkipLayerNormFusion"]
"""The CPU's node for a sum with the layer norm behind it takes three times as long as the two apart: an eighth of a run."""


def providers(device: Device) -> list[str]:
    """What to run on, best first. Raises DeviceError where a GPU is asked for and none can be used: the CPU would do
    it without a word, at a hundredth of the pace."""
    there = ort.get_available_providers()
    if device == "cpu":
        return ["CPUExecutionProvider"]
    found = [name for name in _GPU if name in there]
    if not found:
        raise DeviceError(
            "device: gpu was asked for, but this onnxruntime has no CUDA provider; install lockgate[gpu] in place of"
            " lockgate[cpu], or say device: cpu"
        )
    return found


class OnnxBackend:
    """One session of one model file. `threads` is what one run uses; `parallel` runs may be under way at once.

    Raises ManifestError for a file that can't be loaded, DeviceError for a device that is not there.
    """

    def __init__(
        self, path: Path, outputs: Sequence[str], *, device: Device = "cpu", threads: int = 1, parallel: int = 1
    ) -> None:
        self.parallel = parallel
        self._outputs = list(outputs)
        wanted = providers(device)
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # an idle guard leaves its cores alone
        options.log_severity_level = 3
        try:
            self._session = ort.InferenceSession(
                str(path), options, providers=wanted, disabled_optimizers=_SLOWER if device == "cpu" else []
            )
        except Exception as error:  # noqa: BLE001 - the runtime's own classes differ from build to build
            raise ManifestError(f"onnxruntime can't load it: {type(error).__name__}", where=str(path)) from None
        running = self._session.get_providers()
        if device == "gpu" and running[0] not in _GPU:
            raise DeviceError("device: gpu was asked for, but the model came up on the CPU; see that CUDA is installed")
        self._device = device

    def run(self, ids: Batch, mask: Batch) -> Outputs:
        try:
            if self._device == "gpu":
                return self._bound(ids, mask)
            values = self._session.run(self._outputs, {"input_ids": ids, "attention_mask": mask})
        except Exception as error:  # noqa: BLE001 - the runtime's own classes differ from build to build
            raise BackendError(f"the model's run failed: {type(error).__name__}") from None
        return dict(zip(self._outputs, values, strict=True))

    def _bound(self, ids: Batch, mask: Batch) -> Outputs:
        """With outputs bound: they are copied from the device once, when all are there."""
        binding = self._session.io_binding()
        binding.bind_cpu_input("input_ids", ids)
        binding.bind_cpu_input("attention_mask", mask)
        for name in self._outputs:
            binding.bind_output(name, "cuda")
        self._session.run_with_iobinding(binding)
        return dict(zip(self._outputs, binding.copy_outputs_to_cpu(), strict=True))

    def close(self) -> None:
        del self._session
