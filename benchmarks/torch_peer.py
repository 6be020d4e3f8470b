"""What users run today, in PyTorch, as a process: it takes one line of JSON for each measurement, and answers with one.

    echo '{"batch": 1, "tokens": 128, "seconds": 2}' | python benchmarks/torch_peer.py --network deberta

Weights are random; the time does not depend on them. Needs torch and transformers; `own` also `lockgate_models`.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn
from transformers import BertConfig, BertModel, DebertaV2Config, DebertaV2ForSequenceClassification

import rig

_SIDE = 8192
_PRODUCTS = 20
_WARM = 3


def deberta() -> nn.Module:
    """DeBERTa-v3-base with two classes: what most published guards of its size are."""
    config = DebertaV2Config(
        vocab_size=128100,
        hidden_size=768,
        num_hidden_layers=12,
        num_attention_heads=12,
        intermediate_size=3072,
        relative_attention=True,
        position_buckets=256,
        norm_rel_ebd="layer_norm",
        share_att_key=True,
        pos_att_type=["p2c", "c2p"],
        position_biased_input=False,
        pooler_hidden_size=768,
        num_labels=2,
    )
    made: nn.Module = DebertaV2ForSequenceClassification(config)
    return made


def own() -> nn.Module:
    """The text encoder that ships, before it is exported: MiniLM-L6 with all heads."""
    from lockgate_models.train.network import TextEncoder

    config = BertConfig(
        vocab_size=30522, hidden_size=384, num_hidden_layers=6, num_attention_heads=12, intermediate_size=1536
    )
    with tempfile.TemporaryDirectory() as folder:
        BertModel(config).save_pretrained(folder)
        made: nn.Module = TextEncoder(Path(folder))
    return made


NETWORKS: dict[str, Callable[[], nn.Module]] = {"deberta": deberta, "own": own}


def forward(network: nn.Module, device: str, batch: int, tokens: int) -> Callable[[], object]:
    """A pass over so many texts: from token numbers in memory to answers in memory, as whoever asks has them."""
    ids = torch.randint(1000, 30000, (batch, tokens))
    mask = torch.ones_like(ids)

    def call() -> object:
        with torch.inference_mode():
            said = network(input_ids=ids.to(device), attention_mask=mask.to(device))
            answers = said if isinstance(said, tuple) else (said.logits,)
            return [answer.float().cpu() for answer in answers]

    return call


def product() -> float:
    """TFLOP/s of a large fp16 product: what the card does at best."""
    a: Tensor = torch.randn(_SIDE, _SIDE, dtype=torch.float16, device="cuda")
    for _ in range(_WARM):
        a @ a
    torch.cuda.synchronize()
    begin = time.perf_counter()
    for _ in range(_PRODUCTS):
        a @ a
    torch.cuda.synchronize()
    return 2 * _SIDE**3 * _PRODUCTS / (time.perf_counter() - begin) / 1e12


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--network", choices=NETWORKS, required=True)
    parser.add_argument("--gpu", action="store_true", help="on a GPU, as fp16")
    given = parser.parse_args()
    torch.set_num_threads(1)
    network = NETWORKS[given.network]().eval()
    device = "cuda" if given.gpu else "cpu"
    if given.gpu:
        network = network.half().to(device)
    print(json.dumps({"torch": torch.__version__, "product": product() if given.gpu else None}), flush=True)
    for line in sys.stdin:
        asked = json.loads(line)
        call = forward(network, device, asked["batch"], asked["tokens"])
        for _ in range(_WARM if given.gpu else 1):
            call()
        cpu, wall = rig.clocked(call, asked["seconds"])
        print(json.dumps({"cpu": cpu, "wall": wall}), flush=True)


if __name__ == "__main__":
    main()
