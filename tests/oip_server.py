"""Servers on the loopback that speak the Open Inference Protocol and run the tiny model: one over REST, one over gRPC."""

from __future__ import annotations

import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent import futures
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal, cast

import grpc
import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from lockgate_models.kserve import Output
from lockgate_models.oip.grpc import SERVICE
from lockgate_models.oip.messages_pb2 import (
    InferTensorContents,
    ModelInferRequest,
    ModelInferResponse,
    ModelMetadataRequest,
    ModelMetadataResponse,
    ModelReadyRequest,
    ModelReadyResponse,
)
from tiny_model import TAGS, WORDS, network

Tensors = dict[str, NDArray[Any]]
Says = Literal["", "busy", "broken", "away", "key"]

STATUS: Mapping[Says, int] = {"busy": 429, "broken": 500, "away": 503, "key": 401}
CODES: Mapping[Says, grpc.StatusCode] = {
    "busy": grpc.StatusCode.RESOURCE_EXHAUSTED,
    "broken": grpc.StatusCode.INTERNAL,
    "away": grpc.StatusCode.UNAVAILABLE,
    "key": grpc.StatusCode.UNAUTHENTICATED,
}
WORDS_OF_FAILURE = "the words of a failing server, which repeats what it was sent"
OUTPUTS = [Output("labels", 5), Output("names", len(TAGS), per_token=True), Output("embedding", None)]
_TYPES = {"FP16": np.float16, "FP32": np.float32, "FP64": np.float64}


def described() -> dict[str, list[dict[str, Any]]]:
    """What the tiny model takes and gives, as metadata."""

    def tensor(name: str, datatype: str, *shape: int) -> dict[str, Any]:
        return {"name": name, "datatype": datatype, "shape": list(shape)}

    return {
        "inputs": [tensor(name, "INT64", -1, -1) for name in ("input_ids", "attention_mask")],
        "outputs": [
            tensor("labels", "FP32", -1, 5),
            tensor("names", "FP32", -1, -1, len(TAGS)),
            tensor("embedding", "FP32", -1, len(WORDS)),
        ],
    }


@dataclass
class Model:
    """The tiny model on a server, and how that server behaves. `hold`: answers only when it is set."""

    binary: bool = False
    raw: bool = True
    ready: bool = True
    datatype: str = "FP32"
    says: Says = ""
    metadata: dict[str, list[dict[str, Any]]] = field(default_factory=described)
    change: Callable[[Tensors], Tensors] = lambda tensors: tensors
    hold: threading.Event | None = None
    url: str = ""
    peers: set[str] = field(default_factory=set)
    keys: list[str] = field(default_factory=list)
    runs: int = 0

    def __post_init__(self) -> None:
        self._session = ort.InferenceSession(network().SerializeToString(), providers=["CPUExecutionProvider"])

    def infer(self, inputs: Tensors) -> Tensors:
        """The outputs in the order of the metadata."""
        self.runs += 1
        if self.hold is not None:
            self.hold.wait(30)
        names = ["labels", "names", "embedding"]
        values = self._session.run(names, inputs)
        return self.change(
            {name: np.asarray(each, _TYPES[self.datatype]) for name, each in zip(names, values, strict=True)}
        )


# --- REST ------------------------------------------------------------------------------------------------------------


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    @property
    def model(self) -> Model:
        return cast("_Server", self.server).model

    def do_GET(self) -> None:
        self.seen()
        answers: dict[str, Any] = {
            "/v2": {"name": "tiny-server", "extensions": ["binary_tensor_data"] if self.model.binary else []},
            "/v2/models/tiny": {"name": "tiny", "versions": ["1"], "platform": "onnx", **self.model.metadata},
        }
        if self.path.endswith("/ready"):
            ready = self.model.ready and self.path.startswith("/v2/models/tiny/")
            self.answer(200 if ready else 400, b"")
        elif (said := answers.get(self.path.replace("/versions/1", ""))) is not None:
            self.answer(200, json.dumps(said).encode())
        else:
            self.answer(404, b'{"error": "no such thing"}')

    def do_POST(self) -> None:
        self.seen()
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.model.says:
            self.answer(STATUS[self.model.says], json.dumps({"error": WORDS_OF_FAILURE}).encode())
            return
        head = int(self.headers.get("inference-header-content-length", len(body)))
        asked, at, inputs = json.loads(body[:head]), head, {}
        for each in asked["inputs"]:
            if size := each.get("parameters", {}).get("binary_data_size"):
                inputs[each["name"]] = np.frombuffer(body[at : at + size], "<i8").reshape(each["shape"])
                at += size
            else:
                inputs[each["name"]] = np.array(each["data"], np.int64).reshape(each["shape"])
        assert at == len(body)
        said, raw = [], b""
        for name, values in self.model.infer(inputs).items():
            each = {"name": name, "datatype": self.model.datatype, "shape": list(values.shape)}
            if self.model.binary:
                raw += values.tobytes()
                said.append({**each, "parameters": {"binary_data_size": values.nbytes}})
            else:
                said.append({**each, "data": values.ravel().tolist()})
        answer = json.dumps({"model_name": "tiny", "outputs": said}).encode()
        self.answer(200, answer + raw, len(answer) if self.model.binary else None)

    def answer(self, status: int, body: bytes, head: int | None = None) -> None:
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        if head is not None:
            self.send_header("inference-header-content-length", str(head))
        self.end_headers()
        self.wfile.write(body)

    def seen(self) -> None:
        self.model.peers.add(":".join(map(str, self.client_address)))
        self.model.keys.append(self.headers.get("authorization", ""))

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name that the library gives it
        pass


class _Server(ThreadingHTTPServer):
    model: Model
    daemon_threads = False  # so that closing waits for them

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.connections: list[socket.socket] = []

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = super().get_request()
        self.connections.append(connection)
        return connection, address

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that has left is no error here."""


@contextmanager
def rest(
    model: Model, *, tls: ssl.SSLContext | None = None, port: int = 0, handler: type[_Handler] = _Handler
) -> Iterator[Model]:
    """The model at its `url`."""
    with _Server(("127.0.0.1", port), handler) as server:
        server.model = model
        if tls is not None:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        model.url = f"http{'s' if tls else ''}://localhost:{server.server_address[1]}/v2/models/tiny"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield model
        finally:
            server.shutdown()
            thread.join(30)
            for connection in server.connections:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)


class RawHandler(_Handler):
    """Answers the first run as it should; then sends the bytes of `script`, a piece at a time, for as long as the client
    stays."""

    script: Iterator[bytes]

    def do_POST(self) -> None:
        if not self.model.runs:
            super().do_POST()
            return
        for piece in self.script:
            self.wfile.write(piece)
            self.wfile.flush()
        self.close_connection = True


# --- gRPC ------------------------------------------------------------------------------------------------------------


def _infer(model: Model, request: ModelInferRequest, context: grpc.ServicerContext) -> ModelInferResponse:
    if model.says:
        context.abort(CODES[model.says], WORDS_OF_FAILURE)
    inputs = {
        each.name: np.frombuffer(raw, "<i8").reshape(tuple(each.shape))
        for each, raw in zip(request.inputs, request.raw_input_contents, strict=True)
    }
    outputs = model.infer(inputs)
    kind = "fp64_contents" if model.datatype == "FP64" else "fp32_contents"
    return ModelInferResponse(
        model_name="tiny",
        outputs=[
            ModelInferResponse.InferOutputTensor(
                name=name,
                datatype=model.datatype,
                shape=values.shape,
                contents=None if model.raw else InferTensorContents(**{kind: values.ravel().tolist()}),
            )
            for name, values in outputs.items()
        ],
        raw_output_contents=[values.tobytes() for values in outputs.values()] if model.raw else [],
    )


def _describe(model: Model, _: ModelMetadataRequest, __: grpc.ServicerContext) -> ModelMetadataResponse:
    inputs, outputs = (
        [ModelMetadataResponse.TensorMetadata(**tensor) for tensor in model.metadata[side]]
        for side in ("inputs", "outputs")
    )
    return ModelMetadataResponse(name="tiny", inputs=inputs, outputs=outputs)


def _ready(model: Model, request: ModelReadyRequest, context: grpc.ServicerContext) -> ModelReadyResponse:
    if request.name != "tiny" or request.version not in {"", "1"}:
        context.abort(grpc.StatusCode.NOT_FOUND, WORDS_OF_FAILURE)
    return ModelReadyResponse(ready=model.ready)


@contextmanager
def grpc_served(model: Model, *, tls: grpc.ServerCredentials | None = None, port: int = 0) -> Iterator[Model]:
    """The model at its `url`."""

    def method(does: Callable[..., Any], request: type[Any]) -> Any:
        def handle(message: Any, context: grpc.ServicerContext) -> Any:
            model.peers.add(context.peer())
            model.keys.append(str(dict(context.invocation_metadata()).get("authorization", "")))
            return does(model, message, context)

        return grpc.unary_unary_rpc_method_handler(
            handle, request_deserializer=request.FromString, response_serializer=lambda said: said.SerializeToString()
        )

    methods = {
        "ModelReady": method(_ready, ModelReadyRequest),
        "ModelMetadata": method(_describe, ModelMetadataRequest),
        "ModelInfer": method(_infer, ModelInferRequest),
    }
    with futures.ThreadPoolExecutor(4) as threads:
        server = grpc.server(threads, options=[("grpc.so_reuseport", 0)])
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, methods),))
        address = f"localhost:{port}"
        number = server.add_secure_port(address, tls) if tls is not None else server.add_insecure_port(address)
        model.url = f"grpc{'s' if tls else ''}://localhost:{number}/tiny"
        server.start()
        try:
            yield model
        finally:
            server.stop(None).wait(30)


# --- Both --------------------------------------------------------------------------------------------------------------


WAYS: Mapping[str, dict[str, Any]] = {
    "rest": {},
    "rest-binary": {"binary": True},
    "grpc": {},
    "grpc-values": {"raw": False},
}


def served(way: str, **changes: Any) -> AbstractContextManager[Model]:
    model = Model(**{**WAYS[way], **changes})
    return grpc_served(model) if way.startswith("grpc") else rest(model)
