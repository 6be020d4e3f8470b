from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from lockgate_models.backend import padded
from lockgate_models.errors import BackendError, DeviceError, ManifestError
from lockgate_models.onnx import OnnxBackend, providers
from tiny_model import network, tables


@pytest.fixture
def file(tmp_path: Path) -> Path:
    onnx.save(network(), tmp_path / "m.onnx")
    return tmp_path / "m.onnx"


def test_it_runs_what_the_file_says(file: Path) -> None:
    backend = OnnxBackend(file, ["labels", "names", "embedding"])
    ids, mask = padded([[2, 5, 3], [2, 4, 6, 4, 3]])
    out = backend.run(ids, mask)
    labels, tags, _ = tables()
    np.testing.assert_allclose(out["labels"][0], labels[[2, 5, 3]].max(0))
    np.testing.assert_allclose(out["labels"][1], labels[[2, 4, 6, 4, 3]].max(0))
    np.testing.assert_allclose(out["names"][1, :5], tags[[2, 4, 6, 4, 3]])
    backend.close()


def test_a_gpu_that_is_not_there_is_an_error_and_not_a_slow_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("onnxruntime.get_available_providers", lambda: ["CPUExecutionProvider"])
    with pytest.raises(DeviceError, match=r"no CUDA provider; install lockgate\[gpu\]"):
        providers("gpu")


def test_the_best_provider_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    there = ["CPUExecutionProvider", "CUDAExecutionProvider", "TensorrtExecutionProvider"]
    monkeypatch.setattr("onnxruntime.get_available_providers", lambda: there)
    assert providers("gpu") == ["TensorrtExecutionProvider", "CUDAExecutionProvider"]
    assert providers("cpu") == ["CPUExecutionProvider"]


def test_a_file_that_is_no_model_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "m.onnx").write_bytes(b"not a model")
    with pytest.raises(ManifestError, match=r"m\.onnx: onnxruntime can't load it"):
        OnnxBackend(tmp_path / "m.onnx", ["labels"])


def test_a_run_that_fails_says_no_text(file: Path) -> None:
    backend = OnnxBackend(file, ["labels"])
    with pytest.raises(BackendError, match="the model's run failed"):
        backend.run(np.array([[99]]), np.array([[1]]))  # no such word
