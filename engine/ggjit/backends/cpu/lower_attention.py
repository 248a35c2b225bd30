"""Steps of attention: over the cache, or over keys and values that are expanded from it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ...formats import find
from ...gguf import Tensor
from ...graph import Attention, Buffer, Op
from ...kernels import attention, expand, panels
from ...kernels.attention_store import store_kv, store_latent
from .latent import ExpandedAttention
from .lower_experts import make_step
from .lower_recurrent import RecurrentLowering
from .memory import address, aligned
from .steps import Operands, Step

MOST = 256 << 20  # bytes of expanded keys and values: of as many heads at a time as fit


@dataclass(frozen=True, eq=False)
class Room:
    """Room for some heads' matrices as floats, and for their keys and values of a whole context."""

    k_panels: npt.NDArray[Any]  # [n_heads, bytes], and values' behind each head's
    v_panels: npt.NDArray[Any]
    chunks: npt.NDArray[Any]  # [n_chunks, n_heads, bytes]
    v_offset: int  # of values behind a head's keys
    table: npt.NDArray[np.int64]  # where chunks begin
    tables: npt.NDArray[np.int64]  # of the only part of a batch: where the table is
    at: npt.NDArray[np.int64]  # where that list is, as a batch's header says it

    @classmethod
    def of(cls, op: ExpandedAttention, n_chunks: int) -> Room:
        """Return room for as many heads as are expanded at a time."""
        n, (v_offset, v_bytes) = _n_together(op, n_chunks), _head_bytes(op)
        head, of_k = v_offset + v_bytes, expand.n_panels(op.n_plain)
        floats = aligned(n * _matrix_bytes(op), np.uint8).reshape(n, -1)
        of_keys, of_values = np.split(floats, [of_k * panels.panel_bytes(op.n_latent)], axis=1)
        chunks = aligned(n_chunks * n * head, np.uint8).reshape(n_chunks, n, head)
        table, tables, at = (aligned(k, np.int64) for k in (n_chunks, 1, 1))
        table[:] = address(chunks) + np.arange(n_chunks) * chunks.strides[0]
        tables[0], at[0] = address(table), address(tables)
        return cls(of_keys, of_values, chunks, v_offset, table, tables, at)

    @property
    def n_heads(self) -> int:
        return len(self.k_panels)


def expanded_bytes(ops: list[Op], n_chunks: int) -> int:
    """Bytes that latent attention is expanded into; all layers of the same sizes share them."""
    each = {op.sizes: op for op in ops if isinstance(op, ExpandedAttention)}.values()
    return sum(
        _n_together(op, n_chunks) * (n_chunks * sum(_head_bytes(op)) + _matrix_bytes(op))
        for op in each
    )


def _n_together(op: ExpandedAttention, n_chunks: int) -> int:
    """Return how many heads are expanded at a time: in equal shares if not all."""
    n_turns = -(-op.n_heads // max(1, MOST // (n_chunks * sum(_head_bytes(op)))))
    return -(-op.n_heads // n_turns)


def _head_bytes(op: ExpandedAttention) -> tuple[int, int]:
    """Bytes of a head's keys in a chunk, and of its values."""
    return expand.EXPANDED.key_bytes(op.k_dim), expand.EXPANDED.value_bytes(op.v_dim)


def _matrix_bytes(op: ExpandedAttention) -> int:
    """Bytes of a head's matrices as floats."""
    return _n_panels(op) * panels.panel_bytes(op.n_latent)


def _n_panels(op: ExpandedAttention) -> int:
    return expand.n_panels(op.n_plain) + expand.n_panels(op.v_dim)


class AttentionLowering(RecurrentLowering):
    """Makes the steps of attention."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._rooms: dict[tuple[int, ...], Room] = {}

    def attention(self, op: Attention) -> Iterable[Step]:
        stored, formats = self.cache.layers[op.layer], self.cache.formats_of(op)
        where: Operands = {
            "k_offset": stored.k_offset, "v_offset": stored.v_offset, "k_head": stored.k_head,
            "v_head": stored.v_head, "n_kv_heads": op.n_kv_heads, "k_dim": op.k_dim,
            "v_dim": op.v_dim, "table_offset": stored.table_offset,
            "batch_tables": self.batch.address_of("tables"),
        }  # fmt: skip
        yield self._store(op, op.v, where)
        # where a head is whole runs, its thread can round it
        fused = op.v_dim % 32 == 0 and not self._in_blocks(op.out)
        of_op = {
            "n_heads": op.n_heads,
            "window": -op.window if op.window and op.chunked else op.window or attention.EVERYTHING,
            "cap": op.softcap or 0.0,
            "sinks": address(self.weights.vector(op.sinks)) if op.sinks else 0,
            **self._rows("q", op.q, "q_stride"),
            **self._rows("out", op.out),
            **self._integers(op.out if fused else None, "q8"),
        }
        kernel = attention.attention(*formats, op.n_heads // op.n_kv_heads, op.latent > 0)
        yield self._attend(op, kernel, where | of_op, stored)
        if not fused:
            yield from self._quantize(op.out)

    def expandedattention(self, op: ExpandedAttention) -> Iterable[Step]:
        stored, room = self.cache.layers[op.layer], self._room_of(op)
        where: Operands = {
            "k_offset": stored.k_offset, "v_offset": stored.v_offset, "k_head": stored.k_head,
            "v_head": stored.v_head, "n_kv_heads": 1, "k_dim": op.k.width, "v_dim": op.n_latent,
            "table_offset": stored.table_offset, "batch_tables": self.batch.address_of("tables"),
        }  # fmt: skip
        yield self._store(op, op.k, where)
        for first in range(0, op.n_heads, room.n_heads):
            n = min(room.n_heads, op.n_heads - first)
            yield self._panels(op.k_b, first, n, room.k_panels, turned=True)
            yield self._panels(op.v_b, first, n, room.v_panels, turned=False)
            yield self._expand(op, n, room)
            yield self._attend_expanded(op, first, n, room)
        yield from self._quantize(op.out)

    # -- pieces -----------------------------------------------------------------------------------

    def _store(self, op: Attention | ExpandedAttention, v: Buffer, where: Operands) -> Step:
        """Make the step that keeps a batch's keys and values, or latent keys alone."""
        of_latents = not isinstance(op, Attention) or op.latent
        formats = self.cache.k_format, self.cache.v_format
        store = store_latent(formats[0]) if of_latents else store_kv(*formats)
        operands = where | self._rows("k", op.k, "k_stride") | self._rows("v", v, "v_stride")
        operands |= {"batch_positions": self.batch.address_of("positions")}
        stored = self.cache.layers[op.layer]
        return self._step(op, store, operands, by=self._tokens(op), writes=[stored])

    def _attend(
        self, op: Attention | ExpandedAttention, kernel: Any, operands: Operands, reads: object
    ) -> Step:
        spans = self._spans_of(attention.shared_bytes(op.v_dim, self.cache.n_context))
        attend = {
            "scale": op.scale,
            "work_bytes": attention.work_bytes(op.k_dim),
            "shared": address(spans),
            "batch_positions": self.batch.address_of("positions"),
            "batch_starts": self.batch.address_of("starts"),
            "part_count": self.batch.address_of("n_parts"),
            **self._scratch_of(attention.scratch_bytes(op.k_dim, op.v_dim)),
            **operands,
        }
        writes = [*self._storages(op.out), spans]
        return self._step(op, kernel, attend, more_reads=[reads], writes=writes)

    def _room_of(self, op: ExpandedAttention) -> Room:
        """Return the memory that all layers of the same sizes expand into."""
        if op.sizes not in self._rooms:
            self._rooms[op.sizes] = Room.of(op, self.cache.n_chunks)
        return self._rooms[op.sizes]

    def _panels(
        self, weight: Tensor, first: int, n: int, to: npt.NDArray[Any], *, turned: bool
    ) -> Step:
        """Make the step that decodes the matrices of n heads."""
        fmt, strides = find(weight), self.weights.strides(weight)
        operands = self.weights.operands(weight)
        operands |= {
            "weights": operands["weights"] + first * strides["stack_step"],
            "stack_step": strides["stack_step"], "out": address(to), "out_step": to.strides[0],
            "n_stack": n,
            **self._scratch_of(panels.scratch_bytes(fmt, weight.shape[-1])),
        }  # fmt: skip
        kernel = panels.panels(fmt, self.weights.is_mapped(weight), turned)
        return make_step(kernel, operands, [], [to])

    def _expand(self, op: ExpandedAttention, n: int, room: Room) -> Step:
        """Make the step that turns all latent vectors so far into keys and values of n heads."""
        stored = self.cache.layers[op.layer]
        operands = {
            "panels": address(room.k_panels), "panels_step": room.k_panels.strides[0],
            "out": address(room.chunks), "chunk_step": room.chunks.strides[0],
            "head_step": room.chunks.strides[1], "v_offset": room.v_offset, "n_heads": n,
            "n_latent": op.n_latent, "n_rot": op.n_rot, "n_plain": op.n_plain, "v_dim": op.v_dim,
            "k_offset": stored.k_offset, "table_offset": stored.table_offset,
            "batch_tables": self.batch.address_of("tables"),
            "batch_positions": self.batch.address_of("positions"),
            **self._scratch_of(expand.scratch_bytes(op.k.width, _n_panels(op))),
        }  # fmt: skip
        reads = [stored, room.k_panels, room.v_panels]
        kernel = expand.expand(self.cache.k_format)
        return self._step(op, kernel, operands, more_reads=reads, writes=[room.chunks])

    def _attend_expanded(self, op: ExpandedAttention, first: int, n: int, room: Room) -> Step:
        head = room.chunks.strides[1]
        operands = {
            "k_offset": 0, "v_offset": room.v_offset, "k_head": head, "v_head": head,
            "n_heads": n, "n_kv_heads": n, "k_dim": op.k_dim, "v_dim": op.v_dim,
            "table_offset": 0, "batch_tables": address(room.at), "window": attention.EVERYTHING,
            "cap": 0.0, "sinks": 0, **self._rows("q", op.q, "q_stride"),
            **self._rows("out", op.out), **self._integers(None, "q8"),
        }  # fmt: skip
        operands["q"] += 4 * first * op.k_dim
        operands["out"] += 4 * first * op.v_dim
        kernel = attention.attention(expand.EXPANDED, expand.EXPANDED, 1)
        return self._attend(op, kernel, operands, room.chunks)
