"""From a fitted encoder to the files that ship: ONNX, fused, as fp16 for GPUs and int8 for CPUs.

python -m lockgate_models.train.export --own DIR [--data DIR] --fit DIR --out models/lockgate-text
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnxruntime.quantization import QuantType, quantize_dynamic
from onnxruntime.transformers.fusion_options import FusionOptions
from onnxruntime.transformers.onnx_model import OnnxModel
from onnxruntime.transformers.optimizer import optimize_model
from torch import nn

from lockgate_models.labels import FORMS
from lockgate_models.train.base import packaged_base
from lockgate_models.train.families import read_families
from lockgate_models.train.manifest import digest
from lockgate_models.train.meaning import Meaning, fit_meaning, sample
from lockgate_models.train.network import TextEncoder
from lockgate_models.train.rows import read_sources
from lockgate_models.train.shipped import Shipped

OUTPUTS = ("labels", "names", "embedding")
DONE = "export.json"
_PER_TOKEN = frozenset({"names"})
_OPSET = 17
_SMALL = 64
"""A product with fewer columns gains nothing from int8: measuring its input costs as much as the product."""


def export(model: nn.Module, path: Path, outputs: Sequence[str] = OUTPUTS) -> None:
    """The network as plain fp32 ONNX. Inputs: input_ids, attention_mask (batch, tokens) int64."""
    model.eval()
    ids = torch.ones((2, 16), dtype=torch.long)
    mask = torch.ones_like(ids)
    mask[1, 9:] = 0
    axes = {"input_ids": {0: "batch", 1: "tokens"}, "attention_mask": {0: "batch", 1: "tokens"}}
    axes |= {name: {0: "batch", 1: "tokens"} if name in _PER_TOKEN else {0: "batch"} for name in outputs}
    with torch.no_grad():
        torch.onnx.export(
            model,
            (ids, mask),
            str(path),
            input_names=["input_ids", "attention_mask"],
            output_names=list(outputs),
            dynamic_axes=axes,
            opset_version=_OPSET,
            do_constant_folding=True,
            dynamo=False,
        )


def fuse(path: Path, *, heads: int, width: int, layers: int | None, norms: bool) -> OnnxModel:
    """The graph with attention and gelu as single nodes, and with `norms` also the layer norm with the sum before it.
    Raises RuntimeError if not all `layers` have their attention fused: the file would be several times slower without a
    word. None where that may be."""
    options = FusionOptions("bert")
    options.enable_embed_layer_norm = False  # its int8 form wants token types
    options.enable_skip_layer_norm = norms
    options.enable_bias_skip_layer_norm = norms
    fused = optimize_model(
        str(path), model_type="bert", num_heads=heads, hidden_size=width, opt_level=0, optimization_options=options
    )
    counts = fused.get_fused_operator_statistics()
    if layers is not None and counts.get("Attention", 0) + counts.get("MultiHeadAttention", 0) != layers:
        raise RuntimeError("attention was not fused")
    return fused


def quantise(fused: Path, out: Path) -> None:
    """int8 weights, a scale for each column; activations are measured as they come. Weights keep seven bits: CPUs
    without VNNI add pairs of products in 16 bits, and eight would overflow."""
    quantize_dynamic(
        str(fused),
        str(out),
        weight_type=QuantType.QInt8,
        per_channel=True,
        reduce_range=True,
        op_types_to_quantize=["MatMul", "Attention", "Gather", "Gemm"],
        nodes_to_exclude=small_products(onnx.load(str(fused), load_external_data=False)),
        extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT, "MatMulConstBOnly": True},
    )


def small_products(model: onnx.ModelProto) -> list[str]:
    """The nodes whose weights have fewer than 64 columns: the heads."""
    shapes = {weight.name: list(weight.dims) for weight in model.graph.initializer}
    return [
        name
        for node in model.graph.node
        for name in (node.name, f"{node.name}_MatMul")  # what a Gemm becomes before it is quantised
        if node.op_type in {"MatMul", "Gemm"}
        and (shape := shapes.get(node.input[1]))
        and shape[0 if any(a.name == "transB" and a.i for a in node.attribute) else -1] < _SMALL
    ]


def write_files(model: nn.Module, config: Any, work: Path, out: Path, outputs: Sequence[str] = OUTPUTS) -> None:
    """`int8.onnx` and `fp16.onnx` in `out`, and their plain and fused fp32 forms in `work`."""
    sizes = {"heads": config.num_attention_heads, "width": config.hidden_size, "layers": config.num_hidden_layers}
    export(model, work / "plain.onnx", outputs)
    # The CPU's node for a sum with a layer norm takes three times as long as the two apart; the GPU's is the faster one.
    fuse(work / "plain.onnx", **sizes, norms=False).save_model_to_file(str(work / "fused.onnx"))
    quantise(work / "fused.onnx", out / "int8.onnx")
    halved = fuse(work / "plain.onnx", **sizes, norms=True)
    halved.convert_float_to_float16(keep_io_types=True)
    halved.save_model_to_file(str(out / "fp16.onnx"))


def meaning_of(fitted: TextEncoder, base: Path, given: argparse.Namespace) -> Meaning:
    """The map to the base's embedding; kept beside the fit, and fitted anew when that has changed."""
    kept = given.fit / "meaning.npz"
    key = f"{digest(given.fit / 'checkpoint.pt')}/{given.texts}/{given.seed}"
    if kept.exists():
        with np.load(kept) as said:
            if str(said["key"]) == key:
                return Meaning(
                    said["weight"], said["bias"], int(said["low"]), float(said["cosine"]), float(said["plain"])
                )
    rows = [*(read_sources(given.data) if given.data is not None else ()), *read_families(given.own)]
    chosen = sample([row for row in rows if row.split == "train"], given.texts, given.seed)
    found = fit_meaning(fitted, base, chosen, held=max(1, min(500, len(chosen) // 10)))
    np.savez(
        kept,
        key=key,
        weight=found.weight,
        bias=found.bias,
        low=found.low,
        cosine=found.cosine,
        plain=found.plain,
    )
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--own", type=Path, required=True, help="our families")
    parser.add_argument("--data", type=Path, help="labelled rows of others")
    parser.add_argument("--base", type=Path, help="folder of the base encoder, in place of the packaged one")
    parser.add_argument("--form", choices=tuple(FORMS), default="text")
    parser.add_argument("--fit", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--texts", type=int, default=8000, help="from which the map to the base's embedding is fitted")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args(arguments)
    given.out.mkdir(parents=True, exist_ok=True)
    work = given.fit / "onnx"
    work.mkdir(exist_ok=True)
    base = given.base or packaged_base()
    form = FORMS[given.form]
    fitted = TextEncoder(base, families=form.families, tags=form.tags, attention="eager")
    saved = torch.load(given.fit / "checkpoint.pt", weights_only=True)
    fitted.load_state_dict(saved["model"])
    meaning = meaning_of(fitted, base, given) if given.form == "text" else None
    model = Shipped(fitted, meaning)
    write_files(model, fitted.encoder.config, work, given.out, model.outputs)
    shutil.copyfile(base / "tokenizer.json", given.out / "tokenizer.json")
    for name in ("int8.onnx", "fp16.onnx", "tokenizer.json"):
        path = given.out / name
        print(name, path.stat().st_size, digest(path))
    said: dict[str, Any] = {"form": given.form, "weights": model.digest(), "steps": saved["step"]}
    if "averaged" in saved:
        said["averaged"] = saved["averaged"]
    if meaning is not None:
        print(f"embedding: mean cosine with the base's {meaning.cosine:.4f}, without the map {meaning.plain:.4f}")
        said |= {"cosine": round(meaning.cosine, 4), "plain": round(meaning.plain, 4)}
    (given.fit / DONE).write_text(json.dumps(said, indent=1))


if __name__ == "__main__":
    main()
