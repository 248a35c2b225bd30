"""Tensors that lie in a mapped file as they are, in any strides."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ggjit.gguf import GGMLType

from ..arrays import Bytes, Floats
from .elements import Element, Values, as_bytes
from .files import forget_pages

MAX_ELEMENTS = 1 << 48


def is_sane(shape: tuple[int, ...]) -> bool:
    """Tell whether the bytes of a shape can be counted, zeros in it aside."""
    return math.prod(n or 1 for n in shape) <= MAX_ELEMENTS


@dataclass(frozen=True, eq=False)
class Stored:
    """An `Array` over a view of a mapped file; `data` has the elements as the file does.

    A scalar has the shape (1,).
    """

    name: str
    data: Values
    element: Element

    @property
    def shape(self) -> tuple[int, ...]:
        return self.data.shape

    @property
    def type(self) -> GGMLType:
        return self.element.type

    def rows(self, start: int, stop: int) -> Floats:
        return self.element.floats(self.data[start:stop])

    def blocks(self, start: int, stop: int) -> Bytes:
        return as_bytes(self.element.stored(self.data[start:stop]))

    def forget(self) -> None:
        forget_pages(self.data)
