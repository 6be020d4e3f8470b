from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lockgate_models import shelf
from lockgate_models.backend import padded
from lockgate_models.batcher import Batcher
from lockgate_models.errors import BackendError, OverloadedError
from lockgate_models.kserve import KserveBackend
from lockgate_models.onnx import OnnxBackend
from oip_server import OUTPUTS, WAYS, WORDS_OF_FAILURE, Model, grpc_served, rest, served
from tiny_model import write_model

IDS, MASK = padded([[2, 5, 3], [2, 4, 6, 9, 10, 3]])


@pytest.fixture(params=WAYS)
def model(request: pytest.FixtureRequest) -> Iterator[Model]:
    with served(request.param) as found:
        yield found


@pytest.fixture(params=["rest", "grpc"])
def either(request: pytest.FixtureRequest) -> Iterator[Model]:
    """Where it does not matter how tensors are written."""
    with served(request.param) as found:
        yield found


def test_it_answers_as_the_model_does_here(model: Model, tmp_path: Path) -> None:
    here = OnnxBackend(write_model(tmp_path) / "int8.onnx", ["labels", "names", "embedding"])
    there = KserveBackend(model.url, OUTPUTS)
    expected, found = here.run(IDS, MASK), there.run(IDS, MASK)
    assert list(found) == ["labels", "names", "embedding"]
    for name in expected:
        assert found[name].dtype == np.float32
        np.testing.assert_allclose(found[name], expected[name], atol=1e-6)
    there.close()


@pytest.mark.parametrize(
    ("way", "datatype"), [("rest", "FP64"), ("rest-binary", "FP16"), ("grpc", "FP16"), ("grpc-values", "FP64")]
)
def test_other_floats_are_read(way: str, datatype: str) -> None:
    with served(way, datatype=datatype) as model:
        backend = KserveBackend(model.url, OUTPUTS)
        np.testing.assert_allclose(backend.run(IDS, MASK)["labels"][0], [3, -4, -4, 0, -4], rtol=1e-3)
        backend.close()


def test_a_version_can_be_named(either: Model) -> None:
    KserveBackend(f"{either.url}/versions/1", OUTPUTS).close()


def test_a_model_off_the_shelf_runs_there_without_its_file(model: Model, tmp_path: Path) -> None:
    here = shelf.load(write_model(tmp_path / "here"))
    (write_model(tmp_path / "there") / "int8.onnx").unlink()
    there = shelf.load(tmp_path / "there", shelf.Options(endpoint=model.url.replace("tiny", "{model}")))
    texts = ["calm attack", "ada king in paris " * 9, "law"]
    expected, found = (asyncio.run(classifier.scores(texts)) for classifier in (here, there))
    for mine, theirs in zip(expected, found, strict=True):
        assert theirs.labels == pytest.approx(mine.labels, abs=1e-6)
        assert [(name.start, name.end, name.label) for name in theirs.names] == [
            (name.start, name.end, name.label) for name in mine.names
        ]
        assert theirs.embedding is not None
    here.close()
    there.close()


# --- At work ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda t: {**t, "labels": t["labels"][:1]}, r"labels has the shape \[1, 5\], and not \[2, 5\]"),
        (lambda t: {**t, "names": t["names"][:, :-1]}, r"names has the shape \[2, 15, 5\], and not \[2, 16, 5\]"),
        (lambda t: {**t, "embedding": t["embedding"][:, 0]}, r"embedding has the shape \[2\], and not \[2, any\]"),
        (lambda t: {name: t[name] for name in ("labels", "names")}, "answer has no embedding"),
    ],
)
def test_an_answer_of_another_shape_is_an_error(model: Model, change: Any, says: str) -> None:
    backend = KserveBackend(model.url, OUTPUTS)
    model.change = change
    with pytest.raises(BackendError, match=says):
        backend.run(IDS, MASK)
    backend.close()


def test_what_is_no_number_fails_the_text_it_belongs_to_and_no_other(model: Model, tmp_path: Path) -> None:
    def spoiled(tensors: dict[str, Any]) -> dict[str, Any]:
        at = np.flatnonzero(tensors["embedding"][:, 9])  # who say "ada"
        tensors["embedding"][at, 0] = np.nan
        return tensors

    classifier = shelf.load(write_model(tmp_path), shelf.Options(endpoint=model.url))
    model.change = spoiled

    async def both() -> list[Any]:
        asked = (classifier.scores([text]) for text in ("ada", "endless", "attack"))
        return await asyncio.gather(*asked, return_exceptions=True)

    first, second, third = asyncio.run(both())
    assert isinstance(first, BackendError)
    assert isinstance(second, BackendError)
    assert third[0].labels["injection"] > 0.9
    classifier.close()


@pytest.mark.parametrize("says", ["busy", "away"])
def test_a_server_that_has_too_much_to_do_is_overload(either: Model, says: Any) -> None:
    batcher = Batcher(KserveBackend(either.url, OUTPUTS), budget=1000)
    either.says = says
    with pytest.raises(OverloadedError):
        batcher.submit([[2, 5, 3]])[0].result(30)
    either.says = ""
    assert batcher.submit([[2, 5, 3]])[0].result(30)["labels"][0] == 3
    batcher.close()


@pytest.mark.parametrize(
    ("says", "message"), [("broken", "tiny: the server answered (500|INTERNAL)"), ("key", "refuses the key")]
)
def test_a_failing_servers_words_are_not_repeated(either: Model, says: Any, message: str) -> None:
    backend = KserveBackend(either.url, OUTPUTS)
    either.says = says
    with pytest.raises(BackendError, match=message) as caught:
        backend.run(IDS, MASK)
    assert WORDS_OF_FAILURE not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__
    backend.close()


def test_a_run_has_a_deadline_and_the_next_one_a_connection(either: Model) -> None:
    backend = KserveBackend(either.url, OUTPUTS, timeout=0.2)
    either.hold = threading.Event()
    with pytest.raises(BackendError, match=r"no answer within 0\.2 s"):
        backend.run(IDS, MASK)
    either.hold.set()
    patient = KserveBackend(either.url, OUTPUTS, timeout=30)
    assert patient.run(IDS, MASK)["labels"].shape == (2, 5)
    backend._timeout = 30
    assert backend.run(IDS, MASK)["labels"].shape == (2, 5)
    backend.close()
    patient.close()


@pytest.mark.parametrize("way", ["rest", "grpc"])
def test_a_server_that_went_away_is_found_again(way: str) -> None:
    with served(way) as model:
        backend = KserveBackend(model.url, OUTPUTS, timeout=30)
        backend.run(IDS, MASK)
        port = int(model.url.split(":")[2].split("/")[0])
    with pytest.raises(BackendError, match=r"can't be reached|connection broke"):
        backend.run(IDS, MASK)
    with grpc_served(model, port=port) if way == "grpc" else rest(model, port=port):
        nap = threading.Event()
        for _ in range(200):
            try:
                assert backend.run(IDS, MASK)["labels"].shape == (2, 5)
                break
            except BackendError:  # gRPC looks again after a moment
                nap.wait(0.05)
        else:
            pytest.fail("it was not found again")
        backend.close()


def test_connections_are_bounded_and_kept(either: Model) -> None:
    batcher = Batcher(KserveBackend(either.url, OUTPUTS, parallel=2, timeout=30), budget=32)
    either.peers.clear()
    futures = [future for _ in range(20) for future in batcher.submit([[2, 5, 3]] * 2)]
    assert {future.result(30)["labels"][0] for future in futures} == {3}
    batcher.close()
    assert 1 <= len(either.peers) <= 2


def test_no_proxy_of_the_environment_sees_the_texts(either: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "grpc_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
        monkeypatch.setenv(name.upper(), "http://127.0.0.1:9")
    KserveBackend(either.url, OUTPUTS).close()


def test_a_closed_backend_closes_again(either: Model) -> None:
    backend = KserveBackend(either.url, OUTPUTS)
    backend.run(IDS, MASK)
    backend.close()
    backend.close()
