from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest

from tiny_model import network

pytestmark = [pytest.mark.train, pytest.mark.filterwarnings("default")]  # torch warns of what we do on purpose

ATTENTION = {"Attention", "QAttention"}


def test_the_exported_files_say_what_the_network_says(base: Path, tmp_path: Path) -> None:
    import onnxruntime as ort
    import torch

    from lockgate_models.train.export import write_files
    from lockgate_models.train.meaning import Meaning
    from lockgate_models.train.network import TextEncoder
    from lockgate_models.train.shipped import Shipped

    torch.manual_seed(2)
    fitted = TextEncoder(base, attention="eager").eval()
    weight = torch.randn(32, 64).numpy()
    model = Shipped(fitted, Meaning(weight, torch.randn(32).numpy(), 1, 0.0, 0.0))
    ids = torch.randint(4, 12, (3, 9))
    mask = torch.ones_like(ids)
    mask[2, 5:] = 0
    with torch.no_grad():
        wanted = [out.numpy() for out in model(ids, mask)]
    write_files(model, fitted.encoder.config, tmp_path, tmp_path, model.outputs)
    for name, near in (("plain", 1e-4), ("fused", 1e-3), ("fp16", 2e-2), ("int8", 0.5)):
        session = ort.InferenceSession(str(tmp_path / f"{name}.onnx"), providers=["CPUExecutionProvider"])
        said = session.run(list(model.outputs), {"input_ids": ids.numpy(), "attention_mask": mask.numpy()})
        for i in (0, 2):
            np.testing.assert_allclose(said[i], wanted[i], atol=near, err_msg=name)
        np.testing.assert_allclose(said[1][2, :5], wanted[1][2, :5], atol=near, err_msg=name)
    for name in ("int8", "fp16"):
        nodes = [node.op_type for node in onnx.load(tmp_path / f"{name}.onnx").graph.node]
        assert sum(node in ATTENTION for node in nodes) == 2
        assert ("SkipLayerNormalization" in nodes) == (name == "fp16")


def test_the_heads_are_not_quantised(base: Path, tmp_path: Path) -> None:
    from lockgate_models.train.export import export, small_products
    from lockgate_models.train.network import TextEncoder
    from lockgate_models.train.shipped import Shipped

    model = Shipped(TextEncoder(base, tags=(), attention="eager"), None)
    export(model, tmp_path / "plain.onnx", model.outputs)
    graph = onnx.load(tmp_path / "plain.onnx")
    assert {name.split("/")[1] for name in small_products(graph)} >= {"tokens", "pooled", "first"}
    assert [out.name for out in graph.graph.output] == ["labels"]


def test_attention_that_is_not_fused_is_an_error(tmp_path: Path) -> None:
    from lockgate_models.train.export import fuse

    onnx.save(network(), tmp_path / "plain.onnx")  # it has none
    with pytest.raises(RuntimeError, match="attention was not fused"):
        fuse(tmp_path / "plain.onnx", heads=2, width=32, layers=2, norms=True)


def test_the_step_keeps_its_map_until_the_fit_changes(
    base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import torch

    from lockgate_models.train.export import main
    from lockgate_models.train.network import TextEncoder

    (tmp_path / "own").mkdir()
    families = [{"family": f"f{i}", "labels": {"injection": 0}, "texts": ["calm law doctor"]} for i in range(40)]
    (tmp_path / "own/own.jsonl").write_text("\n".join(map(json.dumps, families)))
    fit = tmp_path / "fit"
    fit.mkdir()
    arguments = ["--own", str(tmp_path / "own"), "--base", str(base), "--fit", str(fit), "--out", str(tmp_path / "m")]
    said, kept = [], []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        torch.save({"model": TextEncoder(base).state_dict(), "step": 3}, fit / "checkpoint.pt")
        main([*arguments, "--texts", "30"])
        said.append(json.loads((fit / "export.json").read_text()))
        kept.append((fit / "meaning.npz").stat().st_mtime_ns)
    assert said[0] == said[1]
    assert said[0]["weights"] != said[2]["weights"]
    assert kept[0] == kept[1] < kept[2]
    assert said[0]["steps"] == 3
    assert {path.name for path in (tmp_path / "m").iterdir()} == {"int8.onnx", "fp16.onnx", "tokenizer.json"}
    assert "mean cosine" in capsys.readouterr().out
