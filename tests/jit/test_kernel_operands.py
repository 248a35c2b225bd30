"""How a call's values reach a kernel."""

import math
import struct

import numpy as np
import pytest
from compiled import compiled
from guarded import Guarded, run

from ggjit.jit import Kernel, kernel
from ggjit.jit.kernel import slot
from ggjit.simd.ops import store


@compiled
def report_values(out: int, a: float, b: int, c: float, thread: int, n_threads: int) -> None:
    store(out, a)
    store(out + 4, b)
    store(out + 12, c)
    store(out + 16, thread)
    store(out + 20, n_threads)


@pytest.mark.parametrize("a", [0.0, -1.5, math.pi, 1e-5, 3e38])
@pytest.mark.parametrize("b", [0, -1, 1 << 40, -(1 << 62)])
def test_numbers_arrive(a, b):
    out = Guarded(24, np.uint8)
    run(report_values, 3, out, out=out.address, a=a, b=b, c=2.0)
    expected = np.array([a, 2.0], np.float32)
    got = struct.unpack("<fqfii", out.array.tobytes())
    assert got == (expected[0], b, expected[1], 0, 3)


def test_slots_are_in_the_order_of_the_parameters():
    slots = report_values.operands(c=2.0, b=7, a=1.0, out=5)
    assert slots.dtype == np.int64
    assert slots.tolist() == [5, slot(float, 1.0), 7, slot(float, 2.0)]


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"out": 1, "a": 1.0, "b": 2}, "c"),
        ({"out": 1, "a": 1.0, "b": 2, "c": 2.0, "d": 3}, "d"),
        ({}, "out"),
        ({"out": 1, "a": 1.0, "b": 2, "c": 2.0, "thread": 0}, "thread"),
    ],
)
def test_every_operand_is_given_by_name(values, named):
    with pytest.raises(AssertionError, match=f"{report_values.name}.*'{named}'"):
        report_values.operands(**values)


def test_numpy_numbers_and_bools_are_numbers():
    slots = report_values.operands(out=np.int64(1 << 40), a=np.float32(0.5), b=True, c=1)
    assert slots.tolist() == [1 << 40, slot(float, 0.5), 1, slot(float, 1.0)]


def test_parameters_end_with_the_threads():
    def bad(x: int, thread: int) -> None: ...

    with pytest.raises(AssertionError):
        kernel(bad)


def test_parameters_are_integers_or_floats():
    def bad(x: str, thread: int, n_threads: int) -> None: ...

    with pytest.raises(AssertionError, match="bad"):
        kernel(bad)


def test_names():
    def plain(x: int, thread: int, n_threads: int) -> None: ...

    assert kernel(plain).name == "plain"
    assert kernel(plain, "variant").name == "variant"
    assert repr(Kernel("variant", plain)) == "Kernel(variant)"
