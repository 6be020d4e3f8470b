"""A model that another server runs is held against its manifest at the start; keys, certificates and processes."""

from __future__ import annotations

import asyncio
import os
import ssl
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
import trustme

from lockgate_models import shelf
from lockgate_models.backend import padded
from lockgate_models.errors import DeviceError
from lockgate_models.kserve import KserveBackend
from oip_server import OUTPUTS, Model, described, grpc_served, rest, served
from tiny_model import write_model

IDS, MASK = padded([[2, 5, 3], [2, 4, 6, 9, 10, 3]])
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(params=["rest", "grpc"])
def either(request: pytest.FixtureRequest) -> Iterator[Model]:
    """Where it does not matter how tensors are written."""
    with served(request.param) as found:
        yield found


def test_a_model_that_is_not_ready_refuses_to_load(either: Model) -> None:
    either.ready = False
    with pytest.raises(DeviceError, match="not ready"):
        KserveBackend(either.url, OUTPUTS)


def test_a_model_that_is_not_there_refuses_to_load(either: Model) -> None:
    with pytest.raises(DeviceError, match=r"tiny/versions/7: the server has no such model"):
        KserveBackend(f"{either.url}/versions/7", OUTPUTS)
    with pytest.raises(DeviceError, match=r"/other: the server has no such model"):
        KserveBackend(either.url.replace("tiny", "other"), OUTPUTS)


def changed(side: str, which: str, **changes: Any) -> dict[str, list[dict[str, Any]]]:
    """The metadata with one tensor changed."""
    said = described()
    said[side] = [{**each, **changes} if each["name"] == which else each for each in said[side]]
    return said


@pytest.mark.parametrize(
    ("metadata", "says"),
    [
        ({"inputs": [], "outputs": []}, "name no inputs and no outputs; declare them"),
        (changed("inputs", "attention_mask", name="mask"), "has no input attention_mask"),
        (
            {**described(), "inputs": [*described()["inputs"], {"name": "types", "datatype": "INT64", "shape": [-1]}]},
            "an input more, types, for which",
        ),
        (changed("inputs", "input_ids", datatype="INT32"), r"input input_ids is not INT64 of the shape \[-1, -1\]"),
        (changed("inputs", "input_ids", shape=[-1]), "input input_ids is not INT64"),
        (changed("outputs", "embedding", name="vector"), "has no output embedding"),
        (changed("outputs", "labels", datatype="INT64"), "output labels is not FP16, FP32, FP64"),
        (changed("outputs", "labels", shape=[-1, 7]), r"labels is not of the shape \[-1, 5\].*is it another model\?"),
        (changed("outputs", "names", shape=[-1, 5]), r"names is not of the shape \[-1, -1, 5\]"),
    ],
)
def test_a_model_that_does_not_fit_refuses_to_load(
    either: Model, metadata: dict[str, list[dict[str, Any]]], says: str
) -> None:
    either.metadata = metadata
    with pytest.raises(DeviceError, match=says):
        KserveBackend(either.url, OUTPUTS)
    assert either.runs == 0


def test_a_model_that_does_not_do_as_it_says_refuses_to_load(either: Model) -> None:
    either.change = lambda tensors: {**tensors, "labels": tensors["labels"][:, :3]}
    with pytest.raises(DeviceError, match=r"labels has the shape \[2, 3\], and not \[2, 5\]"):
        KserveBackend(either.url, OUTPUTS)


def test_a_busy_server_refuses_to_load(either: Model) -> None:
    either.says = "busy"
    with pytest.raises(DeviceError, match="too much to do; start again later"):
        KserveBackend(either.url, OUTPUTS)


@pytest.mark.parametrize("way", ["rest", "grpc"])
def test_a_server_that_is_not_there_refuses_to_load(way: str) -> None:
    with served(way) as model:
        url = model.url
    with pytest.raises(DeviceError, match=r"localhost:\d+/.*tiny: can't be reached"):
        KserveBackend(url, OUTPUTS)


def test_a_deadline_must_be_one() -> None:
    with pytest.raises(DeviceError, match="timeout must be more than 0 seconds"):
        KserveBackend("grpc://localhost:1/tiny", OUTPUTS, timeout=0)


@pytest.mark.parametrize(
    ("module", "url"), [("grpc", "grpc://localhost:1/tiny"), ("httpcore2", "http://localhost:1/v2/models/tiny")]
)
def test_what_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch, module: str, url: str) -> None:
    for name in ("grpc", "rest"):
        monkeypatch.delitem(sys.modules, f"lockgate_models.oip.{name}", raising=False)
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(DeviceError, match=rf"there is no {module}; install lockgate\[kserve\]"):
        KserveBackend(url, OUTPUTS)


# --- Keys and certificates -------------------------------------------------------------------------------------------


def test_a_key_goes_with_every_call_and_is_shown_nowhere(either: Model, tmp_path: Path) -> None:
    options = shelf.Options(endpoint=either.url, key="sk-very-secret")
    assert "very-secret" not in repr(options)
    classifier = shelf.load(write_model(tmp_path), options)
    asyncio.run(classifier.scores(["attack"]))
    assert set(either.keys) == {"Bearer sk-very-secret"}
    classifier.close()


@pytest.mark.parametrize("url", ["http://models.example/v2/models/tiny", "grpc://127.models.example:8001/tiny"])
def test_a_key_is_sent_over_tls_or_not_at_all(url: str) -> None:
    with pytest.raises(DeviceError, match="a key is sent over TLS only") as caught:
        KserveBackend(url, OUTPUTS, key="sk-very-secret")
    assert "very-secret" not in str(caught.value)


@pytest.mark.parametrize("key", ["two\nlines", "a key", "schlüssel"])
def test_a_key_that_is_none_is_an_error_that_does_not_show_it(key: str) -> None:
    with pytest.raises(DeviceError, match="the key has characters that no key has") as caught:
        KserveBackend("https://models.example/v2/models/tiny", OUTPUTS, key=key)
    assert key not in str(caught.value)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(params=["rest", "grpc"])
def over_tls(request: pytest.FixtureRequest, authority: trustme.CA) -> Iterator[Model]:
    certificate = authority.issue_cert("localhost")
    if request.param == "rest":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        certificate.configure_cert(context)
        with rest(Model(), tls=context) as model:
            yield model
    else:
        pair = (certificate.private_key_pem.bytes(), certificate.cert_chain_pems[0].bytes())
        with grpc_served(Model(), tls=grpc.ssl_server_credentials([pair])) as model:
            yield model


def test_a_servers_certificate_is_held_against_the_authority(
    over_tls: Model, authority: trustme.CA, tmp_path: Path
) -> None:
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    backend = KserveBackend(over_tls.url, OUTPUTS, ca=tmp_path / "ca.pem", key="sk-1", timeout=30)
    assert backend.run(IDS, MASK)["labels"].shape == (2, 5)
    backend.close()
    trustme.CA().cert_pem.write_to_path(tmp_path / "other.pem")
    with pytest.raises(DeviceError, match=r"certificate is not trusted|can't be reached"):
        KserveBackend(over_tls.url, OUTPUTS, ca=tmp_path / "other.pem")


@pytest.mark.parametrize("url", ["https://localhost:1/v2/models/tiny", "grpcs://localhost:1/tiny"])
def test_a_file_without_certificates_is_named(url: str, tmp_path: Path) -> None:
    with pytest.raises(DeviceError, match=r"none\.pem: "):
        KserveBackend(url, OUTPUTS, ca=tmp_path / "none.pem")


# --- Processes -------------------------------------------------------------------------------------------------------


def test_a_process_that_forks_after_the_start_has_connections_of_its_own(either: Model, tmp_path: Path) -> None:
    write_model(tmp_path)
    script = textwrap.dedent("""
        import asyncio, os, sys
        from pathlib import Path
        from lockgate_models import shelf
        classifier = shelf.load(Path(sys.argv[1]), shelf.Options(endpoint=sys.argv[2], timeout=30))
        def ask(text):
            (found,) = asyncio.run(classifier.scores([text]))
            assert found.labels["injection"] > 0.9
        children = []
        for text in ("attack", "attack calm"):
            if not (child := os.fork()):
                ask(text)
                os._exit(0)
            children.append(child)
        assert [os.waitpid(child, 0)[1] for child in children] == [0, 0]
        ask("calm attack")
        classifier.close()
        print("all answered")
    """)
    path = os.pathsep.join([str(ROOT / "models"), *sys.path])
    done = subprocess.run(
        [sys.executable, "-c", script, tmp_path, either.url],
        env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.stdout == "all answered\n", done.stderr


def test_it_needs_no_onnx_runtime(tmp_path: Path) -> None:
    write_model(tmp_path)
    with rest(Model()) as model:
        script = textwrap.dedent("""
            import sys
            sys.modules["onnxruntime"] = None
            from pathlib import Path
            from lockgate_models import shelf
            shelf.load(Path(sys.argv[1]), shelf.Options(endpoint=sys.argv[2])).close()
            print("grpc" in sys.modules)
        """)
        path = os.pathsep.join([str(ROOT / "models"), *sys.path])
        done = subprocess.run(
            [sys.executable, "-c", script, tmp_path, model.url],
            env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
    assert done.stdout == "False\n", done.stderr
