"""Tensors that are read a few rows at a time: what checkpoints give, and transforms of them.

Nothing is read before it is asked for and nothing is kept, so that memory does not grow with a
model. Shapes are NumPy's: the last axis is contiguous.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from ggjit.gguf import GGMLType

Floats = npt.NDArray[np.float32]
Bytes = npt.NDArray[np.uint8]

INTEGERS = {GGMLType.I8: "i1", GGMLType.I16: "<i2", GGMLType.I32: "<i4", GGMLType.I64: "<i8"}


class Array(Protocol):
    """A tensor of a checkpoint, or one made of others.

    `name` is the checkpoint's own, for messages; `type` holds all its values exactly: F32, F16,
    BF16, F64, a block type such as MXFP4, or one of INTEGERS.
    """

    @property
    def name(self) -> str: ...
    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def type(self) -> GGMLType: ...

    def rows(self, start: int, stop: int) -> Floats:
        """Return part of the first axis. Shapes: returns [stop - start, *shape[1:]]."""

    def blocks(self, start: int, stop: int) -> Bytes:
        """Return part of the first axis as `type` stores it. Shapes: [stop - start, ..., bytes]."""


@runtime_checkable
class Mapped(Protocol):
    """An `Array` over a mapped file."""

    def forget(self) -> None:
        """Give back the memory that its elements took when they were read."""


def made_of(a: Array) -> Iterator[Array]:
    """Yield an array, and all that it is made of."""
    waiting = [a]
    while waiting:
        yield (a := waiting.pop())
        waiting += getattr(a, "sources", ())


def forget(a: Array) -> None:
    """Give back the memory of all mapped files that an array was read from."""
    for one in made_of(a):
        if isinstance(one, Mapped):
            one.forget()
