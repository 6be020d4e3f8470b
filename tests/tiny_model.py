"""A model small enough to know its answers: a label's logit is that of the text's strongest word."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

WORDS = [
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    "calm",
    "attack",
    "bomb",
    "law",
    "doctor",
    "ada",
    "king",
    "paris",
    "endless",
]
FAMILIES = {"injection": ["injection"], "harm": ["harm", "harm.weapons"], "advice": ["advice.none", "advice.legal"]}
TAGS = ["O", "B-PERSON", "I-PERSON", "B-LOCATION", "I-LOCATION"]
_LOW = -4.0


def tables() -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Word → logits of labels, of tags, and embedding."""
    labels = np.full((len(WORDS), 5), _LOW, np.float32)
    labels[:, 3] = 0.0
    labels[WORDS.index("attack"), 0] = 3.0
    labels[WORDS.index("bomb"), 1:3] = 2.0
    labels[WORDS.index("law"), 4] = 5.0
    labels[WORDS.index("endless")] = np.inf
    tags = np.zeros((len(WORDS), len(TAGS)), np.float32)
    tags[:, 0] = 3.0
    for word, tag in (("ada", 1), ("king", 2), ("paris", 3)):
        tags[WORDS.index(word)] = 0.0
        tags[WORDS.index(word), tag] = 5.0
    embedding = np.eye(len(WORDS), dtype=np.float32)
    return labels, tags, embedding


def network() -> onnx.ModelProto:
    """Inputs (batch, tokens); outputs `labels`, `names`, `embedding`. Padding counts for nothing."""
    labels, tags, embedding = tables()
    constants = [
        numpy_helper.from_array(labels, "label_table"),
        numpy_helper.from_array(tags, "tag_table"),
        numpy_helper.from_array(embedding, "embedding_table"),
        numpy_helper.from_array(np.array([2], np.int64), "last"),
        numpy_helper.from_array(np.array([1], np.int64), "tokens_axis"),
        numpy_helper.from_array(np.array(1.0, np.float32), "one"),
        numpy_helper.from_array(np.array(100.0, np.float32), "far"),
    ]
    nodes = [
        helper.make_node("Cast", ["attention_mask"], ["mask"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["mask", "last"], ["seen"]),
        helper.make_node("Sub", ["one", "seen"], ["unseen"]),
        helper.make_node("Mul", ["unseen", "far"], ["away"]),
        helper.make_node("Gather", ["label_table", "input_ids"], ["each"]),
        helper.make_node("Sub", ["each", "away"], ["kept"]),
        helper.make_node("ReduceMax", ["kept", "tokens_axis"], ["labels"], keepdims=0),
        helper.make_node("Gather", ["tag_table", "input_ids"], ["names"]),
        helper.make_node("Gather", ["embedding_table", "input_ids"], ["embedded"]),
        helper.make_node("Mul", ["embedded", "seen"], ["embedded_seen"]),
        helper.make_node("ReduceSum", ["embedded_seen", "tokens_axis"], ["embedding"], keepdims=0),
    ]

    def value(name: str, kind: int, *shape: str | int) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(name, kind, shape)

    graph = helper.make_graph(
        nodes,
        "tiny",
        [value(name, TensorProto.INT64, "batch", "tokens") for name in ("input_ids", "attention_mask")],
        [
            value("labels", TensorProto.FLOAT, "batch", 5),
            value("names", TensorProto.FLOAT, "batch", "tokens", len(TAGS)),
            value("embedding", TensorProto.FLOAT, "batch", len(WORDS)),
        ],
        constants,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


def tokenizer() -> Tokenizer:
    """Lower-case words; [CLS] and [SEP] around them."""
    made = Tokenizer(models.WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token="[UNK]"))
    made.normalizer = normalizers.Lowercase()
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    return made


def write_model(folder: Path, **changes: Any) -> Path:
    """A model folder; `changes` to its manifest, None to leave a key out."""
    folder.mkdir(parents=True, exist_ok=True)
    onnx.save(network(), folder / "int8.onnx")
    tokenizer().save(str(folder / "tokenizer.json"))
    said: dict[str, Any] = {
        "name": "tiny",
        "revision": "1",
        "files": [{**_file(folder, "int8.onnx"), "precision": "int8"}],
        "tokenizer": _file(folder, "tokenizer.json"),
        "window": 16,
        "overlap": 4,
        "families": FAMILIES,
        "exclusive": ["advice"],
        "tags": TAGS,
        "embedding": True,
        "thresholds": {"injection": {"low": {"at": 0.9}, "normal": {"at": 0.5}}},
        **changes,
    }
    (folder / "manifest.yaml").write_text(json.dumps({k: v for k, v in said.items() if v is not None}))
    return folder


def write_honest(folder: Path, **changes: Any) -> Path:
    """The same as a model of honesty: "attack" is not supported, "ada" the span; "bomb" flatters and hedges, "law" is a
    false premise."""
    heads = ("groundedness", "sycophancy", "hedging", "unanswerable", "false_premise")
    return write_model(
        folder,
        form="pair",
        lead=6,
        families={head: [head] for head in heads},
        exclusive=[],
        embedding=None,
        tags=["O", "I-unsupported", "I-unsupported", "I-x", "I-x"],
        thresholds={head: {"normal": {"at": 0.6}} for head in heads},
        **changes,
    )


def _file(folder: Path, name: str) -> Mapping[str, str]:
    return {"name": name, "sha256": hashlib.sha256((folder / name).read_bytes()).hexdigest()}
