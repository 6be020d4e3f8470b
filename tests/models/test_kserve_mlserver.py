"""Against a server that is not ours: MLServer, in an environment of its own, which `scripts/ci-deps` makes."""

from __future__ import annotations

import asyncio
import json
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from lockgate_models import shelf
from lockgate_models.errors import BackendError, DeviceError
from oip_server import described
from tiny_model import write_model

ROOT = Path(__file__).resolve().parents[2]
SERVER = ROOT / ".venv-mlserver" / "bin" / "mlserver"


def free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


@pytest.fixture(scope="module")
def endpoints(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Scheme → URL of the tiny model, ready."""
    if not SERVER.exists():
        pytest.skip(f"there is no {SERVER}: see scripts/ci-deps")
    folder = tmp_path_factory.mktemp("mlserver")
    write_model(folder / "files")
    shutil.copy(Path(__file__).parent / "mlserver_runtime.py", folder)
    http, grpc, metrics = free_ports(3)
    settings = {
        "host": "127.0.0.1", "http_port": http, "grpc_port": grpc, "metrics_port": metrics, "parallel_workers": 0,
    }  # fmt: skip
    (folder / "settings.json").write_text(json.dumps(settings))
    model = {
        "name": "tiny",
        "implementation": "mlserver_runtime.OnnxRuntime",
        "parameters": {"uri": str(folder / "files" / "int8.onnx"), "version": "1"},
        **described(),
    }
    (folder / "model-settings.json").write_text(json.dumps(model))
    with (folder / "log").open("w") as log:
        server = subprocess.Popen([SERVER, "start", "."], cwd=folder, stdout=log, stderr=log)
    found = {"http": f"http://127.0.0.1:{http}/v2/models/tiny", "grpc": f"grpc://127.0.0.1:{grpc}/tiny"}
    try:
        nap = threading.Event()
        for _ in range(600):
            assert server.poll() is None, (folder / "log").read_text()
            if all(answers(url, folder / "files") for url in found.values()):
                break
            nap.wait(0.1)
        else:
            pytest.fail((folder / "log").read_text())
        yield found
    finally:
        server.terminate()
        server.wait(30)


def answers(url: str, folder: Path) -> bool:
    try:
        shelf.load(folder, shelf.Options(endpoint=url)).close()
    except DeviceError:
        return False
    return True


@pytest.mark.full
@pytest.mark.parametrize("version", ["", "/versions/1"])
@pytest.mark.parametrize("scheme", ["http", "grpc"])
def test_it_answers_as_the_model_does_here(
    endpoints: dict[str, str], scheme: str, version: str, tmp_path: Path
) -> None:
    here = shelf.load(write_model(tmp_path))
    there = shelf.load(tmp_path, shelf.Options(endpoint=endpoints[scheme] + version, timeout=30, parallel=2))
    texts = ["calm attack", "ada king in paris " * 9, "law", "bomb"]
    expected, found = (asyncio.run(classifier.scores(texts)) for classifier in (here, there))
    for mine, theirs in zip(expected, found, strict=True):
        assert theirs.labels == pytest.approx(mine.labels, abs=1e-6)
        assert theirs.names == mine.names
        assert mine.embedding is not None
        assert theirs.embedding is not None
        assert theirs.embedding.tolist() == pytest.approx(mine.embedding.tolist())
    here.close()
    there.close()


@pytest.mark.full
@pytest.mark.parametrize("scheme", ["http", "grpc"])
def test_what_is_no_number_is_an_error(endpoints: dict[str, str], scheme: str, tmp_path: Path) -> None:
    there = shelf.load(write_model(tmp_path), shelf.Options(endpoint=endpoints[scheme], timeout=30))
    with pytest.raises(BackendError):
        asyncio.run(there.scores(["endless"]))
    assert asyncio.run(there.scores(["attack"]))[0].labels["injection"] > 0.9
    there.close()


@pytest.mark.full
@pytest.mark.parametrize("scheme", ["http", "grpc"])
def test_a_model_that_it_has_not_refuses_to_load(endpoints: dict[str, str], scheme: str, tmp_path: Path) -> None:
    with pytest.raises(DeviceError, match=r"no such model|answered UNKNOWN"):  # over gRPC it has no better word
        shelf.load(write_model(tmp_path), shelf.Options(endpoint=endpoints[scheme].replace("tiny", "other")))
