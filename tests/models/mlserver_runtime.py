"""What MLServer runs in the test with it: an ONNX model on ONNX Runtime. Lives in an environment of its own."""

from __future__ import annotations

import onnxruntime as ort
from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceRequest, InferenceResponse


class OnnxRuntime(MLModel):  # type: ignore[misc]
    async def load(self) -> bool:
        assert self.settings.parameters is not None
        self._session = ort.InferenceSession(self.settings.parameters.uri, providers=["CPUExecutionProvider"])
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        inputs = {tensor.name: NumpyCodec.decode_input(tensor) for tensor in payload.inputs}
        names = [tensor.name for tensor in payload.outputs or []]
        values = self._session.run(names, inputs)
        outputs = [NumpyCodec.encode_output(name, each) for name, each in zip(names, values, strict=True)]
        return InferenceResponse(model_name=self.name, outputs=outputs)
