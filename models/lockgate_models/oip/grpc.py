"""The protocol over gRPC, with tensors as bytes."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

import grpc
from google.protobuf.message import Message

from lockgate_models.backend import Batch, Outputs
from lockgate_models.errors import BackendError, DeviceError, OverloadedError
from lockgate_models.oip.endpoint import Endpoint
from lockgate_models.oip.messages_pb2 import (
    ModelInferRequest,
    ModelInferResponse,
    ModelMetadataRequest,
    ModelMetadataResponse,
    ModelReadyRequest,
    ModelReadyResponse,
)
from lockgate_models.oip.wire import MOST, NOT_PROTOCOL, Metadata, Tensor, from_bytes, from_values

SERVICE = "inference.GRPCInferenceService"

_OPTIONS: list[tuple[str, Any]] = [
    ("grpc.max_receive_message_length", MOST),
    ("grpc.max_send_message_length", MOST),
    ("grpc.enable_http_proxy", 0),  # texts go to the server that was named, and nowhere else
    ("grpc.use_local_subchannel_pool", 1),  # each channel a connection of its own
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 2000),
]
_MOMENT = 1.0
"""Seconds in which a channel must have said what it is at."""

_Answer = TypeVar("_Answer", bound=Message)


class GrpcWire:
    """As many connections as calls were ever under way at once, each used by one call at a time. `key` goes as a bearer
    token; `ca` is a file of certificates to trust in place of gRPC's. Raises DeviceError for a file that can't be read."""

    def __init__(self, endpoint: Endpoint, *, key: str = "", ca: Path | None = None) -> None:
        self._endpoint = endpoint
        self._metadata = (("authorization", f"Bearer {key}"),) if key else ()
        self._roots = _read(ca) if ca is not None else None
        self._lock = threading.Lock()
        self._lines: list[_Line] = []
        self._left_behind: list[_Line] = []
        self._process = os.getpid()

    def ready(self, timeout: float) -> None:
        request = ModelReadyRequest(name=self._endpoint.model, version=self._endpoint.version)
        if not self._call(lambda line: line.ready, request, timeout).ready:
            raise BackendError("the model is not ready")

    def metadata(self, timeout: float) -> Metadata:
        request = ModelMetadataRequest(name=self._endpoint.model, version=self._endpoint.version)
        found = self._call(lambda line: line.metadata, request, timeout)
        return Metadata(
            *(
                [Tensor(t.name, t.datatype, tuple(t.shape)) for t in tensors]
                for tensors in (found.inputs, found.outputs)
            )
        )

    def infer(self, ids: Batch, mask: Batch, outputs: Sequence[str], timeout: float) -> Outputs:
        named = (("input_ids", ids), ("attention_mask", mask))
        request = ModelInferRequest(
            model_name=self._endpoint.model,
            model_version=self._endpoint.version,
            inputs=[
                ModelInferRequest.InferInputTensor(name=name, datatype="INT64", shape=values.shape)
                for name, values in named
            ],
            outputs=[ModelInferRequest.InferRequestedOutputTensor(name=name) for name in outputs],
            raw_input_contents=[values.astype("<i8").tobytes() for _, values in named],
        )
        answer = self._call(lambda line: line.infer, request, timeout)
        raw = answer.raw_output_contents
        if raw and len(raw) != len(answer.outputs):
            raise BackendError(NOT_PROTOCOL)
        return {
            t.name: from_bytes(t.name, t.datatype, t.shape, raw[i])
            if raw
            else from_values(t.name, t.datatype, t.shape, t.contents.fp32_contents or t.contents.fp64_contents)
            for i, t in enumerate(answer.outputs)
        }

    def close(self) -> None:
        if self._process == os.getpid():
            while self._lines:
                self._lines.pop().channel.close()

    def _call(
        self, method: Callable[[_Line], grpc.UnaryUnaryMultiCallable[Any, _Answer]], request: Message, timeout: float
    ) -> _Answer:
        if self._process != os.getpid():
            self._after_fork()
        line = self._take()
        try:
            answer = method(line)(request, timeout=timeout, metadata=self._metadata)
        except grpc.RpcError as error:
            failure = _failure(error, timeout, line.channel)
            if error.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
                line.channel.close()  # it may lead to a machine that is gone, which TCP notices after minutes
            else:
                self._lines.append(line)
            raise failure from None
        self._lines.append(line)
        return answer

    def _take(self) -> _Line:
        try:
            return self._lines.pop()
        except IndexError:
            return self._dial()

    def _dial(self) -> _Line:
        target = f"dns:///{self._endpoint.address}"
        if not self._endpoint.is_secure:
            return _Line.on(grpc.insecure_channel(target, _OPTIONS))
        return _Line.on(grpc.secure_channel(target, grpc.ssl_channel_credentials(self._roots), _OPTIONS))

    def _after_fork(self) -> None:
        """The parent's connections are kept, so that nobody closes them from here."""
        with self._lock:
            if self._process != os.getpid():
                self._left_behind += self._lines
                self._lines = []
                self._process = os.getpid()


@dataclass(frozen=True, slots=True, eq=False)
class _Line:
    """A channel, and the methods on it."""

    channel: grpc.Channel
    ready: grpc.UnaryUnaryMultiCallable[ModelReadyRequest, ModelReadyResponse]
    metadata: grpc.UnaryUnaryMultiCallable[ModelMetadataRequest, ModelMetadataResponse]
    infer: grpc.UnaryUnaryMultiCallable[ModelInferRequest, ModelInferResponse]

    @classmethod
    def on(cls, channel: grpc.Channel) -> _Line:
        def method(name: str, answer: type[Message]) -> Any:
            return channel.unary_unary(
                f"/{SERVICE}/{name}",
                request_serializer=lambda message: message.SerializeToString(),
                response_deserializer=answer.FromString,
            )

        return cls(
            channel,
            method("ModelReady", ModelReadyResponse),
            method("ModelMetadata", ModelMetadataResponse),
            method("ModelInfer", ModelInferResponse),
        )


def _failure(error: grpc.RpcError, timeout: float, channel: grpc.Channel) -> BackendError | OverloadedError:
    """What a status means. Its details are the server's own words, and may repeat what it was sent."""
    code = error.code()
    if code is grpc.StatusCode.RESOURCE_EXHAUSTED:
        return OverloadedError()
    if code is grpc.StatusCode.UNAVAILABLE:
        # The server's own word for "not now", which is 503 in HTTP; also what the client says if there is no server.
        return OverloadedError() if _is_connected(channel) else BackendError("can't be reached")
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return BackendError(f"no answer within {timeout:g} s")
    if code is grpc.StatusCode.NOT_FOUND:
        return BackendError("the server has no such model")
    if code in {grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED}:
        return BackendError(f"the server refuses the key (it answered {code.name})")
    return BackendError(f"the server answered {code.name}")


def _is_connected(channel: grpc.Channel) -> bool:
    states: SimpleQueue[grpc.ChannelConnectivity] = SimpleQueue()
    tell = states.put
    channel.subscribe(tell)
    try:
        return states.get(timeout=_MOMENT) is grpc.ChannelConnectivity.READY
    except Empty:
        return False
    finally:
        channel.unsubscribe(tell)


def _read(ca: Path) -> bytes:
    try:
        return ca.read_bytes()
    except OSError as error:
        raise DeviceError(f"can't be read: {type(error).__name__}", where=str(ca)) from None
