"""A model that another server runs: Triton, KServe, MLServer or any other that speaks the Open Inference Protocol.

Only the computing is there. The manifest and the tokeniser are here, and so are windows, batches and the cache.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lockgate_models.backend import Batch, Outputs
from lockgate_models.errors import BackendError, DeviceError, OverloadedError
from lockgate_models.oip.endpoint import Endpoint, read_endpoint
from lockgate_models.oip.wire import FLOATS, Metadata, Tensor, Wire

INPUTS = ("input_ids", "attention_mask")

_AT_START = 30.0
"""Seconds for each question at the start: a first run may have to prepare much."""

_TRIAL = np.ones((2, 16), np.int64)


@dataclass(frozen=True, slots=True)
class Output:
    """An output that must be there: (batch, size), or (batch, tokens, size). `size` None: any."""

    name: str
    size: int | None
    per_token: bool = False


class KserveBackend:
    """The model at `url`: `http[s]://HOST:PORT/v2/models/NAME` or `grpc[s]://HOST:PORT/NAME`, each with
    `/versions/VERSION` behind it if one is wanted. A call ends within `timeout` seconds; at most `parallel` are under
    way, each on a connection of its own. `key` is sent as a bearer token; `ca` is a file of certificates to trust.

    Made only if the model is ready, has the inputs and `outputs`, and gives them their shapes in a trial run. Raises
    DeviceError. A run raises BackendError, or OverloadedError where the server says that it has too much to do.
    """

    def __init__(
        self,
        url: str,
        outputs: Sequence[Output],
        *,
        timeout: float = 2.0,
        parallel: int = 1,
        key: str = "",
        ca: Path | None = None,
    ) -> None:
        self.parallel = parallel
        self._outputs = outputs
        self._names = [output.name for output in outputs]
        self._timeout = timeout
        self._endpoint = read_endpoint(url)
        if timeout <= 0:
            raise DeviceError(f"timeout must be more than 0 seconds, and is {timeout:g}")
        _check_key(self._endpoint, key)
        self._wire = _wire(self._endpoint, parallel, key, ca)
        try:
            self._wire.ready(_AT_START)
            problem = _unfit(self._wire.metadata(_AT_START), outputs)
            if not problem:
                self._ask(_TRIAL, _TRIAL, _AT_START)
        except OverloadedError:
            problem = "the server has too much to do; start again later"
        except BackendError as error:
            problem = str(error)
        finally:
            self._wire.close()  # a process that forks after the start has no connection to share
        if problem:
            raise DeviceError(problem, where=str(self._endpoint))

    def run(self, ids: Batch, mask: Batch) -> Outputs:
        try:
            return self._ask(ids, mask, self._timeout)
        except BackendError as error:
            raise BackendError(f"{self._endpoint}: {error}") from None

    def close(self) -> None:
        self._wire.close()

    def _ask(self, ids: Batch, mask: Batch, timeout: float) -> Outputs:
        found = self._wire.infer(ids, mask, self._names, timeout)
        for output in self._outputs:
            if output.name not in found:
                raise BackendError(f"the server's answer has no {output.name}")
            shape = found[output.name].shape
            wanted = [*(ids.shape if output.per_token else ids.shape[:1]), output.size]
            if len(shape) != len(wanted) or any(w not in {None, s} for w, s in zip(wanted, shape, strict=True)):
                said = ", ".join("any" if size is None else str(size) for size in wanted)
                raise BackendError(f"{output.name} has the shape {list(shape)}, and not [{said}]")
        return {name: found[name] for name in self._names}


def _check_key(endpoint: Endpoint, key: str) -> None:
    if key and not (endpoint.is_secure or endpoint.is_near):
        raise DeviceError(f"a key is sent over TLS only; write {endpoint.scheme}s://", where=str(endpoint))
    if not (key.isascii() and key.isprintable()) or " " in key:
        raise DeviceError("the key has characters that no key has; is it one line?", where=str(endpoint))


def _wire(endpoint: Endpoint, parallel: int, key: str, ca: Path | None) -> Wire:
    try:
        if endpoint.is_grpc:
            from lockgate_models.oip.grpc import GrpcWire

            return GrpcWire(endpoint, key=key, ca=ca)
        from lockgate_models.oip.rest import RestWire

        return RestWire(endpoint, parallel=parallel, key=key, ca=ca)
    except ModuleNotFoundError as error:
        raise DeviceError(f"there is no {error.name}; install lockgate[kserve]", where=str(endpoint)) from None


def _unfit(metadata: Metadata, outputs: Sequence[Output]) -> str:
    """Why a model that describes itself so can't be used; empty if it can."""
    inputs = {tensor.name: tensor for tensor in metadata.inputs}
    given = {tensor.name: tensor for tensor in metadata.outputs}
    if not inputs and not given:
        return "the model's metadata name no inputs and no outputs; declare them on the server"
    if missing := [name for name in INPUTS if name not in inputs]:
        return f"the model has no input {missing[0]}"
    if more := sorted(set(inputs) - set(INPUTS)):
        return f"the model has an input more, {more[0]}, for which there is nothing to send"
    for name in INPUTS:
        if inputs[name].datatype != "INT64" or not _may_be(inputs[name], (None, None)):
            return f"the input {name} is not INT64 of the shape [-1, -1]"
    for output in outputs:
        if output.name not in given:
            return f"the model has no output {output.name}"
        if given[output.name].datatype not in FLOATS:
            return f"the output {output.name} is not {', '.join(FLOATS)}"
        shape = (None, None, output.size) if output.per_token else (None, output.size)
        if not _may_be(given[output.name], shape):
            said = ", ".join("-1" if size is None else str(size) for size in shape)
            return (
                f"the output {output.name} is not of the shape [{said}], as the manifest has it; is it another model?"
            )
    return ""


def _may_be(tensor: Tensor, shape: Sequence[int | None]) -> bool:
    """Whether the tensor's shape admits this one."""
    return len(tensor.shape) == len(shape) and all(
        size is None or there in {-1, size} for there, size in zip(tensor.shape, shape, strict=True)
    )
