from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from tiny_model import network

pytestmark = [pytest.mark.train, pytest.mark.filterwarnings("default")]  # torch warns of what we do on purpose


def test_the_exported_files_say_what_the_network_says(base: Path, tmp_path: Path) -> None:
    import onnxruntime as ort
    import torch

    from lockgate_models.train.export import export, fuse, quantise
    from lockgate_models.train.network import TextEncoder

    torch.manual_seed(2)
    model = TextEncoder(base, attention="eager").eval()
    ids = torch.randint(4, 12, (3, 9))
    mask = torch.ones_like(ids)
    mask[2, 5:] = 0
    with torch.no_grad():
        wanted = [out.numpy() for out in model(ids, mask)]
    export(model, tmp_path / "plain.onnx")
    fused = fuse(tmp_path / "plain.onnx", heads=2, width=32)
    fused.save_model_to_file(str(tmp_path / "fused.onnx"))
    quantise(tmp_path / "fused.onnx", tmp_path / "int8.onnx")
    fused.convert_float_to_float16(keep_io_types=True)
    fused.save_model_to_file(str(tmp_path / "fp16.onnx"))
    for name, near in (("plain", 1e-4), ("fused", 1e-3), ("fp16", 2e-2), ("int8", 0.5)):
        session = ort.InferenceSession(str(tmp_path / f"{name}.onnx"), providers=["CPUExecutionProvider"])
        said = session.run(["labels", "names", "embedding"], {"input_ids": ids.numpy(), "attention_mask": mask.numpy()})
        for i in (0, 2):
            np.testing.assert_allclose(said[i], wanted[i], atol=near, err_msg=name)
        np.testing.assert_allclose(said[1][2, :5], wanted[1][2, :5], atol=near, err_msg=name)


def test_attention_that_is_not_fused_is_an_error(tmp_path: Path) -> None:
    from lockgate_models.train.export import fuse

    onnx.save(network(), tmp_path / "plain.onnx")  # it has none
    with pytest.raises(RuntimeError, match="attention was not fused"):
        fuse(tmp_path / "plain.onnx", heads=2, width=32)
