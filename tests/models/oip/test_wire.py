from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate_models.errors import BackendError
from lockgate_models.oip.wire import from_bytes, from_values


@given(
    st.sampled_from(["FP16", "FP32", "FP64"]),
    st.lists(st.integers(0, 4), min_size=1, max_size=3),
    st.randoms(use_true_random=False),
)
def test_bytes_and_values_say_the_same(datatype: str, shape: list[int], random: Any) -> None:
    kind = {"FP16": "<f2", "FP32": "<f4", "FP64": "<f8"}[datatype]
    values = np.array([random.randint(-50, 50) / 4 for _ in range(int(np.prod(shape)))], kind).reshape(shape)
    for found in (
        from_bytes("x", datatype, shape, values.tobytes()),
        from_values("x", datatype, shape, values.ravel().tolist()),
        from_values("x", datatype, shape, values.tolist()),
    ):
        assert found.dtype == np.float32
        np.testing.assert_array_equal(found, values)


def test_what_is_no_finite_number_is_kept_for_the_reader_to_refuse() -> None:
    assert np.isnan(from_values("x", "FP32", [3], [None, "NaN", float("nan")])).all()
    assert np.isinf(from_values("x", "FP32", [3], ["Infinity", 1e300, float("-inf")])).all()


@pytest.mark.parametrize(
    "shape", [[3], [2, 2], [-1], [-1, -3], [0, 10**30], [2**63, 0], [1] * 99 + [3], ["a"], [None], [[2]]]
)
def test_a_shape_that_does_not_fit_is_an_error(shape: list[Any]) -> None:
    with pytest.raises(BackendError, match="x does not have the values that its shape says"):
        from_values("x", "FP32", shape, [1.0, 2.0])
    with pytest.raises(BackendError, match="x does not have the values that its shape says"):
        from_bytes("x", "FP32", shape, bytes(8))


def test_bytes_that_end_too_soon_are_an_error() -> None:
    with pytest.raises(BackendError, match="end in the middle of a value"):
        from_bytes("x", "FP32", [2], bytes(9))


@pytest.mark.parametrize("datatype", ["BF16", "INT64", "BYTES", "fp32", ""])
def test_other_types_are_errors(datatype: str) -> None:
    with pytest.raises(BackendError, match=f"x is of the type '{datatype}', and not FP16, FP32, FP64"):
        from_bytes("x", datatype, [1], bytes(8))
    with pytest.raises(BackendError, match=f"x is of the type '{datatype}'"):
        from_values("x", datatype, [1], [1])


@pytest.mark.parametrize("values", [["secret"], [10**400], [{}], [[1], [2, 3]], {"a": 1}, "secret"])
def test_values_that_are_no_numbers_are_not_shown(values: Any) -> None:
    with pytest.raises(BackendError, match=r"^the values of x are no numbers$") as caught:
        from_values("x", "FP32", [1], values)
    assert caught.value.__suppress_context__
