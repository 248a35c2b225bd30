"""The vectors that IQ2 and IQ3 types pick by number, and the search for the nearest.

Where ggml rounds and then looks at neighbours, all vectors are compared here: the costs of every
first and every second half are tabled, so that a vector costs one addition.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import float32, uint16

from ggjit.jit import device
from ggjit.simd.lookup import staircase, table
from ggjit.simd.ops import (
    bit_field,
    bits,
    fma,
    gather,
    load,
    minimum,
    put_above,
    root,
    shift_right,
    splat,
    store,
    to_f32,
    zeros,
)
from ggjit.simd.types import f32x16, i32x16

from .columns import column


class Grid:
    """The vectors of a type: `codes` are integers whose bytes number values."""

    def __init__(self, codes: npt.NDArray[Any], values: Sequence[float]) -> None:
        self.n_columns, self.n_values, self.top = codes.dtype.itemsize, len(values), max(values)
        numbers = codes.view(np.uint8).reshape(-1, self.n_columns).astype(np.int64)
        self.n_vectors, self.n_half = len(codes), self.n_columns // 2
        places = self.n_values ** np.arange(self.n_half)
        halves = numbers.reshape(-1, 2, self.n_half) @ places + [0, self.n_values**self.n_half]
        self.offsets = table((64 * halves).astype(np.uint16))
        self.nibbles = table((numbers << 4 * np.arange(self.n_columns)).sum(1).astype(np.uint32))
        self.values = table(np.array(values, np.float32))
        floats, halves_way = tuple(map(float, values)), [(a + b) / 2 for a, b in pairwise(values)]
        self.value_of = staircase(tuple(k + 0.5 for k in range(self.n_values - 1)), floats)
        self.nearest_value = staircase(tuple(halves_way), floats)

    @property
    def n_room(self) -> int:
        """Vectors of room that the search needs."""
        return int(2 * self.n_values**self.n_half)

    def nearest(self) -> Any:
        """Return the device function that finds the nearest vector.

        It takes the addresses of columns, of weights and of room, the scale, and what is added to
        every value before it is multiplied by that.
        """
        n_half, n_values, n_vectors = self.n_half, self.n_values, self.n_vectors
        n_bits, values, offsets = (n_vectors - 1).bit_length(), self.values, self.offsets
        second = 64 * n_values**n_half

        @device
        def cost_halves(x, w, scale, shift, room):  # type: ignore[no-untyped-def]
            """Write the cost of every half: the first column's number counts the fewest."""
            store(room, zeros(f32x16))
            size, value = 64, values()
            for i in range(n_half):
                v, wi = column(x, i), root(column(w, i))
                for k in range(n_values - 1, -1, -1):
                    apart = scale * (shift + load(float32, value + 4 * k)) - v
                    cost = wi * apart * apart
                    for at in range(0, size, 64):
                        store(room + k * size + at, load(f32x16, room + at) + cost)
                size *= n_values

        @device
        def nearest(x, w, scale, shift, room):  # type: ignore[no-untyped-def]
            """Return its number and cost: costs carry the number in their lowest bits."""
            cost_halves(x, w, scale, shift, room)
            cost_halves(x + 64 * n_half, w + 64 * n_half, scale, shift, room + second)
            least, at = splat(i32x16, 0x7FFFFFFF), offsets()
            for g in range(n_vectors):
                first, other = load(uint16, at + 4 * g), load(uint16, at + 4 * g + 2)
                cost = load(f32x16, room + first) + load(f32x16, room + other)
                high = shift_right(bits(i32x16, cost), n_bits)
                least = minimum(put_above(splat(i32x16, g), high, n_bits), least)
            return bit_field(least, 0, n_bits), bits(f32x16, least)

        return nearest

    def sums(self) -> Any:
        """Return the device function for the sums of w times q * x and q * q of a vector."""
        n_columns, nibbles, value_of = self.n_columns, self.nibbles, self.value_of

        @device
        def sums(x, w, number, shift):  # type: ignore[no-untyped-def]
            a, b, word = zeros(f32x16), zeros(f32x16), gather(i32x16, nibbles(), number)
            for i in range(n_columns):
                q = value_of(to_f32(bit_field(word, 4 * i, 4))) + shift
                wq = column(w, i) * q
                a, b = fma(wq, column(x, i), a), fma(wq, q, b)
            return a, b

        return sums
