"""What will be written: every tensor by GGUF's name with its type."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ggjit.gguf import GGMLType

from .arrays import Array, Floats
from .quantize.policy import that_fits


@dataclass(frozen=True, eq=False)
class Planned:
    """A tensor of the file to be, the type it should have, and how much its columns matter.

    Shapes: importance [n_matrices, n_columns].
    """

    name: str
    source: Array
    wanted: GGMLType
    importance: Floats | None = None

    @property
    def type(self) -> GGMLType:
        """What it will have."""
        return that_fits(self.wanted, self.shape[-1])

    @property
    def shape(self) -> tuple[int, ...]:
        return self.source.shape

    @property
    def n_elements(self) -> int:
        return math.prod(self.shape)

    @property
    def n_bytes(self) -> int:
        type, n_rows = self.type, math.prod(self.shape[:-1])
        return n_rows * (self.shape[-1] // type.n_columns) * type.n_bytes
