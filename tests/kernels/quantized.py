"""Quantized activations in memory under test, in any form that kernels leave them in."""

from __future__ import annotations

from typing import Any

import numpy as np
from guarded import Guarded

from ggjit.kernels.tiles import (
    BLOCK,
    BLOCK_RUNS,
    BLOCKS,
    BYTES,
    HALF_SUMS,
    RECORD,
    RUN_SUMS,
    SPARE,
    column_bytes,
    meta_bytes,
)
from ggjit.simd.dot import in_words


class Quantized:
    """Integer rows [T, C] in some form, and beside them records."""

    def __init__(self, n_tokens: int, n_columns: int, form: int = BYTES) -> None:
        self.n_tokens, self.n_columns, self.form = n_tokens, n_columns, form
        self.rows = Guarded((n_tokens + SPARE, column_bytes(form) * n_columns), np.int8)
        shape = n_columns // 32, 3, n_tokens
        if form == BLOCKS:
            shape = n_columns // BLOCK, n_tokens, RECORD // 4
        assert int(np.prod(shape)) * 4 == n_tokens * meta_bytes(form, n_columns)
        self.meta = Guarded(shape, np.float32)

    @property
    def by_block(self) -> Any:
        """The bytes of blocks: block, token, 64 columns, high or low."""
        n_blocks = self.n_columns // BLOCK
        return self.rows.array[: self.n_tokens].reshape(n_blocks, self.n_tokens, 4, 2, 64)

    @property
    def q(self) -> Any:
        """Shapes: returns int32 [T, C]."""
        parts = self.rows.array[: self.n_tokens].astype(np.int32)
        if self.form == BYTES:
            return parts
        if self.form == BLOCKS:
            high, low = self.by_block.astype(np.int32).transpose(3, 1, 0, 2, 4)
            return (256 * high + low).reshape(self.n_tokens, -1)
        if in_words(True):  # of every four, the second and third exchanged
            words = self.rows.array[: self.n_tokens].view(np.int16).astype(np.int32)
            return words.reshape(-1, 4)[:, [0, 2, 1, 3]].reshape(self.n_tokens, -1)
        blocks = parts.reshape(self.n_tokens, -1, 2, 32)
        return (256 * blocks[:, :, 0] + blocks[:, :, 1]).reshape(self.n_tokens, -1)

    @property
    def scale(self) -> Any:
        """Shapes: returns float32 [T, C / 32]."""
        if self.form == BLOCKS:
            return np.repeat(self.meta.array[..., 0].T, BLOCK_RUNS, axis=1)
        return self.meta.array[:, 0].T

    @property
    def sum(self) -> Any:
        """Shapes: returns float32 [T, C / 32]."""
        return self.sums(0) if self.form == BLOCKS else self.meta.array[:, 1].T

    @property
    def first_sum(self) -> Any:
        """Of the first 16 columns of each block. Shapes: returns float32 [T, C / 32]."""
        return self.sums(1) if self.form == BLOCKS else self.meta.array[:, 2].T

    def sums(self, kind: int) -> Any:
        """Of whole runs of 32, of their first 16, or of the others; of blocks."""
        start = (RUN_SUMS, HALF_SUMS, HALF_SUMS + 4 * BLOCK_RUNS)[kind] // 4
        words = self.meta.array[..., start : start + BLOCK_RUNS].view(np.int32)
        words = words.transpose(1, 0, 2).reshape(self.n_tokens, -1)
        return 256 * (words >> 16) + (words << 16 >> 16)

    def values(self) -> Any:
        """The numbers that the integers stand for, exactly (float64)."""
        return self.q * np.repeat(self.scale.astype(np.float64), 32, axis=1)

    def only(self, tokens: slice) -> Quantized:
        """A copy of some tokens."""
        n_tokens = len(range(*tokens.indices(self.n_tokens)))
        made = Quantized(n_tokens, self.n_columns, self.form)
        if self.form == BLOCKS:
            made.by_block[:] = self.by_block[:, tokens]
            made.meta.array[:] = self.meta.array[:, tokens]
        else:
            made.rows.array[:n_tokens] = self.rows.array[: self.n_tokens][tokens]
            made.meta.array[:] = self.meta.array[..., tokens]
        return made

    def check(self) -> None:
        """Fail if something was written beside the tokens' rows or records."""
        self.rows.check()
        self.meta.check()
        assert np.all(self.rows.array[self.n_tokens :] == -1), "written behind the last token"

    def operands(self, name: str) -> dict[str, float]:
        return {name: self.rows.address, "form": self.form, "meta": self.meta.address}


def assert_same_integers(got: Quantized, expected: Quantized) -> None:
    got.check()
    np.testing.assert_array_equal(got.rows.array, expected.rows.array)
    np.testing.assert_array_equal(got.meta.array.view(np.int32), expected.meta.array.view(np.int32))


def integers_of(shape: tuple[int, int], form: int) -> Quantized | None:
    return Quantized(*shape, form) if form else None


def quantized_operands(out: Quantized | None, name: str = "q") -> dict[str, float]:
    return out.operands(name) if out else {name: 0, "form": 0, "meta": 0}


def guarded_parts(out: Quantized | None) -> tuple[Quantized, ...]:
    return (out,) if out else ()
