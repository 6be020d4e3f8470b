"""From a fitted encoder to the files that ship: ONNX, fused, as fp16 for GPUs and int8 for CPUs.

python -m lockgate_models.train.export --base DIR --fit DIR --out models/lockgate-text
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
from pathlib import Path

import onnx
import torch
from onnxruntime.quantization import QuantType, quantize_dynamic
from onnxruntime.transformers.fusion_options import FusionOptions
from onnxruntime.transformers.onnx_model import OnnxModel
from onnxruntime.transformers.optimizer import optimize_model

from lockgate_models.train.base import packaged_base
from lockgate_models.train.network import TextEncoder

OUTPUTS = ("labels", "names", "embedding")
_OPSET = 17


def export(model: TextEncoder, path: Path) -> None:
    """The network as plain fp32 ONNX. Inputs: input_ids, attention_mask (batch, tokens) int64."""
    model.eval()
    ids = torch.ones((2, 16), dtype=torch.long)
    mask = torch.ones_like(ids)
    mask[1, 9:] = 0
    axes = {"input_ids": {0: "batch", 1: "tokens"}, "attention_mask": {0: "batch", 1: "tokens"}}
    axes |= {"labels": {0: "batch"}, "names": {0: "batch", 1: "tokens"}, "embedding": {0: "batch"}}
    with torch.no_grad():
        torch.onnx.export(
            model,
            (ids, mask),
            str(path),
            input_names=["input_ids", "attention_mask"],
            output_names=list(OUTPUTS),
            dynamic_axes=axes,
            opset_version=_OPSET,
            do_constant_folding=True,
            dynamo=False,
        )


def fuse(path: Path, *, heads: int, width: int) -> OnnxModel:
    """The graph with attention, layer norm and gelu as single nodes. Raises RuntimeError if attention was not fused:
    the file would be several times slower without a word."""
    options = FusionOptions("bert")
    options.enable_embed_layer_norm = False  # its int8 form wants token types
    fused = optimize_model(
        str(path), model_type="bert", num_heads=heads, hidden_size=width, opt_level=0, optimization_options=options
    )
    counts = fused.get_fused_operator_statistics()
    if not counts.get("Attention") and not counts.get("MultiHeadAttention"):
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
        extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT, "MatMulConstBOnly": True},
    )


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base", type=Path, help="folder of the base encoder, in place of the packaged one")
    parser.add_argument("--fit", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    work = given.fit / "onnx"
    work.mkdir(exist_ok=True)
    base = given.base or packaged_base()
    model = TextEncoder(base, attention="eager")
    model.load_state_dict(torch.load(given.fit / "checkpoint.pt", weights_only=True)["model"])
    export(model, work / "plain.onnx")
    config = model.encoder.config
    fused = fuse(work / "plain.onnx", heads=config.num_attention_heads, width=config.hidden_size)
    fused.save_model_to_file(str(work / "fused.onnx"))
    quantise(work / "fused.onnx", given.out / "int8.onnx")
    fused.convert_float_to_float16(keep_io_types=True)
    fused.save_model_to_file(str(given.out / "fp16.onnx"))
    shutil.copyfile(base / "tokenizer.json", given.out / "tokenizer.json")
    for name in ("int8.onnx", "fp16.onnx", "tokenizer.json"):
        path = given.out / name
        print(name, path.stat().st_size, digest(path))


if __name__ == "__main__":
    main()
