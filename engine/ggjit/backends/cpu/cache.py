"""The KV cache: blocks of 64 positions, shared by sequences; each has a table of those it reads.

Layers that see everything have one pool of blocks, those of each window one of their own: what
no later token can see goes back there.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ...graph import Attention, Op
from ...kernels.cache_formats import BLOCK, CHUNK, CacheFormat
from .memory import address, aligned
from .pool import BlockPool
from .states import N_KEPT, Recurrent, StateLayout


@dataclass(frozen=True, eq=False)
class LayerCache:
    """Where one layer's keys and values lie, in bytes: of a sequence's tables, of a block."""

    table_offset: int
    k_offset: int
    v_offset: int
    k_head: int  # from head to head
    v_head: int


class BlockLayout:
    """The block of the layers that see as far back, and its pool."""

    def __init__(
        self, layers: list[Attention], window: int | None, number: int, cache: CacheLayout
    ) -> None:
        self.window, self.block_bytes = window, 0
        self.kept = None if window is None else window + cache.n_batch  # positions
        for op in layers:
            k, v = cache.head_bytes(op)
            offset, n = self.block_bytes, op.n_kv_heads
            table, v_offset = 8 * number * cache.n_chunks, 0 if op.latent else n * k
            cache.layers[op.layer] = LayerCache(table, offset, offset + v_offset, k, v)
            self.block_bytes += n * (k if op.latent else k + v)
        self.block_bytes = (self.block_bytes + 63) // 64 * 64
        most = cache.n_context if self.kept is None else self.kept + cache.n_batch
        self.n_blocks = chunks(min(most, cache.n_context)) + (window is not None)
        self.pool = BlockPool(self.block_bytes, self.n_blocks * cache.n_sequences)

    def first_needed(self, n_past: int) -> int:
        """Return the first chunk that a token behind `n_past` others sees."""
        return 0 if self.window is None else max(0, n_past + 1 - self.window) // CHUNK

    def first_kept(self, n_past: int) -> int:
        """Return the first chunk that is kept: some more, for the last batch to be taken back."""
        return 0 if self.kept is None else max(0, n_past + 1 - self.kept) // CHUNK


class CacheLayout:
    """How layers lie in blocks, and where the blocks come from."""

    def __init__(
        self, ops: list[Op], n_context: int, n_batch: int, k_format: CacheFormat,
        v_format: CacheFormat, n_sequences: int = 1,
    ) -> None:  # fmt: skip
        """Prepare for sequences of `n_context` tokens, `n_batch` of them at a time.

        Pools grow by what `n_sequences` need.
        """
        self.n_context, self.n_batch, self.n_sequences = n_context, n_batch, n_sequences
        self.k_format, self.v_format = k_format, v_format
        self.n_chunks = chunks(n_context)
        self.layers: dict[int, LayerCache] = {}
        attention = [op for op in ops if isinstance(op, Attention)]
        for op in attention:
            _check(k_format, op.k_dim, f"the keys of layer {op.layer}")
            if op.latent:
                continue
            _check(v_format, op.v_dim, f"the values of layer {op.layer}")
        windows = list(dict.fromkeys(op.window for op in attention))
        self.blocks = [
            BlockLayout([op for op in attention if op.window == window], window, i, self)
            for i, window in enumerate(windows)
        ]
        self.states = StateLayout(ops, 8 * len(self.blocks) * self.n_chunks, n_sequences)

    def formats_of(self, op: Attention) -> tuple[CacheFormat, CacheFormat]:
        """Return the types of a layer's keys and values."""
        return self.k_format, self.k_format if op.latent else self.v_format

    def head_bytes(self, op: Attention) -> tuple[int, int]:
        """Return the bytes of a head's keys and values in a chunk; latent ones are the same."""
        if op.latent:
            return (self.k_format.value_bytes(op.k_dim),) * 2
        return self.k_format.key_bytes(op.k_dim), self.v_format.value_bytes(op.v_dim)

    def take(self, blocks: BlockLayout) -> int:
        """Return the address of a block that nobody uses. Raises: MemoryError."""
        try:
            return blocks.pool.take()
        except MemoryError:
            n_tokens, n_bytes = self.n_sequences * self.n_context, self.n_sequences * self.n_bytes
            text = f"the cache for {n_tokens} tokens needs {n_bytes >> 20} MB"
            raise MemoryError(f"{text}: -c (context=) makes it smaller") from None

    @property
    def n_bytes(self) -> int:
        """Bytes of one full sequence."""
        caches = sum(b.n_blocks * b.block_bytes for b in self.blocks)
        return caches + (1 + N_KEPT) * self.states.block_bytes

    def bytes_read(self, n_past: int) -> int:
        """Bytes of the keys and values that a token behind `n_past` others sees, its own too."""
        n, blocks = n_past + 1, self.blocks
        caches = sum(min(n, b.window or n) * b.block_bytes // CHUNK for b in blocks)
        return caches + self.states.block_bytes


def _check(fmt: CacheFormat, dim: int, what: str) -> None:
    """Raise ValueError for a head that does not consist of whole blocks."""
    if fmt.has_scales and dim % BLOCK:
        text = f"{what} have heads of {dim} columns"
        raise ValueError(f"cache type {fmt.name} needs a multiple of {BLOCK} columns, {text}")


def chunks(n: int) -> int:
    """Return how many chunks n positions take."""
    return (n + CHUNK - 1) // CHUNK


class CPUState:
    """One sequence: how many tokens it holds, and which blocks hold their keys and values."""

    def __init__(self, layout: CacheLayout) -> None:
        self.n_past = 0
        self._layout = layout
        shape = len(layout.blocks), layout.n_chunks
        # an address a chunk, 0: none; layers with different windows have rows of their own; then
        # the address of recurrent layers' states
        self._addresses: npt.NDArray[np.int64] = aligned(shape[0] * shape[1] + 1, np.int64)
        self._tables = self._addresses[:-1].reshape(shape)
        self._recurrent = Recurrent(layout.states)
        self.address = address(self._addresses)

    def truncate(self, n: int) -> int:
        """Forget all but the first `n` tokens; return how many remain.

        None remain if blocks are gone that a window would have to show again.
        """
        assert 0 <= n <= self.n_past
        if self._layout.states and n < self.n_past:
            n = self._recurrent.go_back(n)
        if not self._reaches(n):
            n = self._recurrent.go_back(0)
        self.n_past = n
        for layout, table in self._rows():
            self._drop(layout, table[chunks(self.n_past) :])
        return self.n_past

    def fork(self, n: int | None = None) -> CPUState:
        """Return a sequence that begins with the first `n` tokens of this one (default: all).

        It shares their blocks; as in `truncate`, it may be empty.
        """
        made = CPUState(self._layout)
        n = self.n_past if n is None else n
        assert 0 <= n <= self.n_past
        if self._layout.states:
            made._recurrent = self._recurrent.copy()
            n = n if n == self.n_past else made._recurrent.go_back(n)
        if self._reaches(n):
            made.n_past = n
            for (layout, ours), table in zip(self._rows(), made._tables, strict=True):
                table[: chunks(n)] = ours[: chunks(n)]
                layout.pool.share(table[table != 0].tolist())
        else:
            made._recurrent.clear()
        return made

    def reserve(self, n_new: int) -> None:
        """Provide blocks of its own for the next `n_new` tokens."""
        first, last = self.n_past // CHUNK, chunks(self.n_past + n_new)
        for layout, table in self._rows():
            for chunk in range(first, last):
                held = int(table[chunk])
                if not held:
                    table[chunk] = self._layout.take(layout)
                elif layout.pool.is_shared(held):
                    table[chunk] = self._layout.take(layout)
                    ctypes.memmove(int(table[chunk]), held, layout.block_bytes)
                    layout.pool.give_back([held])
        if self._layout.states:
            self._recurrent.reserve()
            self._addresses[-1] = self._recurrent.block

    def advance(self, n: int) -> None:
        """Count `n` more tokens, and give back what no window will show again."""
        self.n_past += n
        if self._layout.states and n > 1:  # a prompt ends here
            self._recurrent.keep(self.n_past)
        for layout, table in self._rows():
            if layout.window is not None:
                self._drop(layout, table[: layout.first_kept(self.n_past)])

    def _reaches(self, n: int) -> bool:
        """Tell whether everything is there that a token behind `n` others sees."""
        return all(
            table[layout.first_needed(n) : chunks(n)].all() for layout, table in self._rows()
        )

    def _rows(self) -> Iterable[tuple[BlockLayout, npt.NDArray[np.int64]]]:
        return zip(self._layout.blocks, self._tables, strict=True)

    def _drop(self, layout: BlockLayout, table: npt.NDArray[np.int64]) -> None:
        held = table[table != 0]
        layout.pool.give_back(held.tolist())
        table[:] = 0

    def __del__(self) -> None:
        if hasattr(self, "address"):
            self._recurrent.clear()
            for layout, table in self._rows():
                self._drop(layout, table)
