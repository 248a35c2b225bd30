"""Kernels: functions that a tape can call, all with one machine signature.

A kernel's parameters are addresses and integers (`int`) or numbers (`float`), then `thread` and
`n_threads`. A call finds the values in an array of eight-byte slots, in the order of the
parameters; `Kernel.operands` makes that array.
"""

from __future__ import annotations

import inspect
import struct
from collections.abc import Callable
from typing import Any

import numba
import numpy as np
import numpy.typing as npt

from ..simd import target


class Kernel:
    """A function to compile, under a name that is its own."""

    def __init__(self, name: str, function: Callable[..., None]) -> None:
        self.name, self.function = name, function
        parameters = inspect.signature(function, eval_str=True).parameters
        assert list(parameters)[-2:] == ["thread", "n_threads"], name
        self.slots = {n: p.annotation for n, p in list(parameters.items())[:-2]}
        assert all(kind in (int, float) for kind in self.slots.values()), name

    def operands(self, **values: float) -> npt.NDArray[np.int64]:
        """Return the slots of one call; every parameter by name, none left out."""
        assert values.keys() == self.slots.keys(), (self.name, values.keys() ^ self.slots.keys())
        return np.array([slot(self.slots[n], values[n]) for n in self.slots], np.int64)

    def __repr__(self) -> str:
        return f"Kernel({self.name})"


def slot(kind: type, value: float) -> int:
    """Return the eight bytes of a number as an integer."""
    return struct.unpack("<q", struct.pack("<d", value))[0] if kind is float else int(value)


def kernel(function: Callable[..., None], name: str | None = None) -> Kernel:
    """Make a kernel of a function; `name` tells variants made by one factory apart."""
    return Kernel(name or function.__name__, function)


def device(function: Callable[..., Any]) -> Any:
    """Make a function that kernels call, always inlined."""
    target.current()  # Numba settles on a CPU with the first function it is given
    options: Any = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}  # never called by Python
    return numba.njit(error_model="numpy", forceinline=True, **options)(function)
