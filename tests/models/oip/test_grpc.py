"""What a server may answer over gRPC. How calls go well, and how servers fail, is in test_kserve.py."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import grpc
import numpy as np
import pytest
from google.protobuf import descriptor_pb2, descriptor_pool

from lockgate_models.errors import BackendError, OverloadedError
from lockgate_models.oip.endpoint import read_endpoint
from lockgate_models.oip.grpc import SERVICE, GrpcWire
from lockgate_models.oip.messages_pb2 import InferTensorContents, ModelInferResponse
from oip_server import WORDS_OF_FAILURE

IDS = np.ones((1, 2), np.int64)
Labels = ModelInferResponse.InferOutputTensor


@contextmanager
def answering(answer: bytes | grpc.StatusCode) -> Iterator[GrpcWire]:
    """Connections to a server that answers every run so."""

    def handle(_: bytes, context: grpc.ServicerContext) -> bytes:
        if isinstance(answer, bytes):
            return answer
        context.abort(answer, WORDS_OF_FAILURE)
        raise AssertionError

    handlers: Any = {"ModelInfer": grpc.unary_unary_rpc_method_handler(handle)}
    with ThreadPoolExecutor(1) as threads:
        server = grpc.server(threads)
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))
        wire = GrpcWire(read_endpoint(f"grpc://localhost:{server.add_insecure_port('localhost:0')}/tiny"))
        server.start()
        yield wire
        wire.close()
        server.stop(None).wait(30)


def test_every_status_is_an_error_that_does_not_repeat_its_words() -> None:
    overload = {grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.UNAVAILABLE}
    for code in set(grpc.StatusCode) - {grpc.StatusCode.OK}:
        kind = OverloadedError if code in overload else BackendError
        with answering(code) as wire, pytest.raises(kind) as caught:
            wire.infer(IDS, IDS, ["labels"], 30)
        assert WORDS_OF_FAILURE not in str(caught.value)
        assert caught.value.__suppress_context__


@pytest.mark.parametrize(
    ("code", "says"),
    [
        (grpc.StatusCode.NOT_FOUND, "^the server has no such model$"),
        (grpc.StatusCode.PERMISSION_DENIED, r"^the server refuses the key \(it answered PERMISSION_DENIED\)$"),
        (grpc.StatusCode.INVALID_ARGUMENT, "^the server answered INVALID_ARGUMENT$"),
    ],
)
def test_a_status_is_said_plainly(code: grpc.StatusCode, says: str) -> None:
    with answering(code) as wire, pytest.raises(BackendError, match=says):
        wire.infer(IDS, IDS, ["labels"], 30)


def label(*shape: int, datatype: str = "FP32", **more: Any) -> ModelInferResponse.InferOutputTensor:
    return Labels(name="labels", datatype=datatype, shape=shape, **more)


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (ModelInferResponse(outputs=[label(1, 2)], raw_output_contents=[bytes(4)]), "labels does not have the values"),
        (ModelInferResponse(outputs=[label(1, 2)], raw_output_contents=[bytes(7)]), "end in the middle of a value"),
        (ModelInferResponse(outputs=[label(1)], raw_output_contents=[bytes(4)] * 2), "not one of the Open Inference"),
        (ModelInferResponse(outputs=[label(1, 2)]), "labels does not have the values"),
        (
            ModelInferResponse(outputs=[label(1, datatype="INT64", contents=InferTensorContents(int64_contents=[1]))]),
            "labels is of the type 'INT64'",
        ),
    ],
)
def test_tensors_that_do_not_fit_are_errors(answer: ModelInferResponse, says: str) -> None:
    with answering(answer.SerializeToString()) as wire, pytest.raises(BackendError, match=says):
        wire.infer(IDS, IDS, ["labels"], 30)


def test_bytes_that_are_no_message_are_an_error() -> None:
    with answering(b"\xff\xff\xff") as wire, pytest.raises(BackendError, match="the server answered INTERNAL"):
        wire.infer(IDS, IDS, ["labels"], 30)


def test_our_messages_leave_the_protocols_own_name_to_others() -> None:
    theirs = descriptor_pb2.FileDescriptorProto(name="their.proto", package="inference", syntax="proto3")
    theirs.message_type.add(name="ModelInferRequest")
    pool = descriptor_pool.Default()
    assert pool.AddSerializedFile(theirs.SerializeToString()).package == "inference"
