"""From operations to steps: which kernel, on which addresses, and which storage it touches."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from ...formats import IntLanes, find
from ...graph import (
    Add,
    Attention,
    Buffer,
    Embed,
    Linear,
    Op,
    RMSNorm,
    Rope,
    RopeSpec,
    Select,
    SiluMul,
)
from ...jit import Kernel
from ...kernels import (
    activation,
    attention,
    embed,
    linear_float,
    linear_int8,
    norm,
    quantize,
    rope,
)
from ...kernels.attention_store import store_kv
from ...kernels.tiles import TileShape, tile_shape
from .batch import Batch
from .cache import CacheLayout
from .memory import address, aligned
from .storage import Storage
from .weights import PackedWeights

Operands = dict[str, float]


Split = tuple[str, int]  # how threads divide something: ("tokens", count) or ("columns", width)


@dataclass(frozen=True)
class Step:
    """One kernel call. `reads` and `writes` are identities of storage; `reads_by` and `writes_by`
    tell which part of them a thread keeps to, None that it may be any."""

    kernel: Kernel
    operands: Operands
    reads: frozenset[int]
    writes: frozenset[int]
    reads_by: Split | None = None
    writes_by: Split | None = None


def reads_integers(op: Op) -> bool:
    """Tell whether an operation reads its input as integers."""
    if not isinstance(op, Linear):
        return False
    return isinstance(find(op.weight).lanes, IntLanes)


def _columns(op: Op) -> Split:
    return "columns", op.out.width


class Lowering:
    """Makes steps, given where everything lies."""

    def __init__(
        self, storage: Storage, weights: PackedWeights, batch: Batch, cache: CacheLayout,
        n_rows: int, n_threads: int, shape: TileShape | None = None,
    ) -> None:
        self.storage, self.weights, self.batch, self.cache = storage, weights, batch, cache
        self.n_rows, self.n_threads, self.shape = n_rows, n_threads, shape or tile_shape()
        self._kept: list[object] = []  # what steps know by address or identity
        self._angles: dict[int, np.ndarray] = {}
        self._scratch: dict[int, np.ndarray] = {}
        self._spans: dict[int, np.ndarray] = {}

    def lower(self, op: Op) -> list[Step]:
        """Return the steps of one operation."""
        return list(getattr(self, type(op).__name__.lower())(op))

    # -- one method an operation ----------------------------------------------------------------

    def embed(self, op: Embed) -> Iterable[Step]:
        fmt = find(op.weight)
        operands = {
            "tokens": self.batch.address_of("tokens"),
            **self.weights.operands(op.weight),
            **self._rows("out", op.out),
            **self._scratch_of(embed.scratch_bytes(fmt, op.out.width)),
        }
        kernel = embed.embed(fmt, self.weights.is_mapped(op.weight))
        yield self._step(op, kernel, operands, by=self._tokens(op))
        yield from self._quantize(op.out)

    def rmsnorm(self, op: RMSNorm) -> Iterable[Step]:
        operands = {
            "x": self._at(op.x),
            "weight": address(self.weights.vector(op.weight)),
            "eps": op.eps,
            "n_columns": op.out.width,
            **self._rows("out", op.out),
            **self._integers(op.out),
        }
        yield self._step(op, norm.rms_norm, operands, by=self._tokens(op))

    def linear(self, op: Linear) -> Iterable[Step]:
        fmt, mapped = find(op.weight), self.weights.is_mapped(op.weight)
        operands = {
            "bias": address(self.weights.vector(op.bias)) if op.bias is not None else 0,
            "residual": self._at(op.residual) if op.residual else 0,
            **self.weights.operands(op.weight),
            **self._rows("out", op.out),
        }
        if isinstance(fmt.lanes, IntLanes):
            q = self.storage.quantized[op.x]
            operands |= {"x": address(q.q), "meta": address(q.meta)}
            operands |= {"panel": self.shape.panel}
            operands |= self._scratch_of(linear_int8.scratch_bytes(fmt, op.x.width, self.shape))
            kernel = linear_int8.linear_int8(fmt, q.parts == 2, mapped, self.shape)
        else:
            operands |= self._rows("x", op.x, "x_stride")
            operands |= self._scratch_of(linear_float.scratch_bytes(fmt, op.x.width))
            kernel = linear_float.linear_float(fmt, mapped)
        yield self._step(op, kernel, operands, writes_by=_columns(op))
        yield from self._quantize(op.out)

    def rope(self, op: Rope) -> Iterable[Step]:
        spec = op.spec
        if id(spec) not in self._angles:
            yield self._angles_step(spec)
        angles = self._angles[id(spec)]
        first, second = (2, 1) if spec.interleaved else (1, spec.n_pairs)
        operands = {
            "x": self._at(op.x),
            "angles": address(angles),
            "n_heads": op.x.width // op.head_dim,
            "head_dim": op.head_dim,
            "n_pairs": spec.n_pairs,
            "first_step": first,
            "second_offset": second,
            **self._rows("out", op.out),
        }
        yield self._step(op, rope.rope, operands, by=self._tokens(op), more_reads=[angles])

    def attention(self, op: Attention) -> Iterable[Step]:
        stored = self.cache.layers[op.layer]
        formats = self.cache.k_format, self.cache.v_format
        shared = {
            "k_offset": stored.k_offset,
            "v_offset": stored.v_offset,
            "k_head": stored.k_head,
            "v_head": stored.v_head,
            "n_kv_heads": op.n_kv_heads,
            "k_dim": op.k_dim,
            "v_dim": op.v_dim,
            "table_offset": stored.table_offset,
            "batch_tables": self.batch.address_of("tables"),
            "batch_positions": self.batch.address_of("positions"),
        }
        keep = shared | self._rows("k", op.k, "k_stride") | self._rows("v", op.v, "v_stride")
        yield self._step(op, store_kv(*formats), keep, by=self._tokens(op), writes=[stored])
        spans = self._spans_of(attention.shared_bytes(op.v_dim, self.cache.n_context))
        fused = op.v_dim % 32 == 0  # a head is whole blocks: its thread can round it
        attend = {
            "n_heads": op.n_heads,
            "scale": op.scale,
            "window": op.window or attention.EVERYTHING,
            "cap": op.softcap or 0.0,
            "sinks": address(self.weights.vector(op.sinks)) if op.sinks else 0,
            "work_bytes": attention.work_bytes(op.k_dim),
            "shared": address(spans),
            "batch_starts": self.batch.address_of("starts"),
            "part_count": self.batch.address_of("n_parts"),
            **shared,
            **self._rows("q", op.q, "q_stride"),
            **self._rows("out", op.out),
            **self._scratch_of(attention.scratch_bytes(op.k_dim, op.v_dim)),
            **self._integers(op.out if fused else None, "q8"),
        }
        kernel = attention.attention(*formats, op.n_heads // op.n_kv_heads)
        writes = [*self._storages(op.out), spans]
        yield self._step(op, kernel, attend, more_reads=[stored], writes=writes)
        if not fused:
            yield from self._quantize(op.out)

    def silumul(self, op: SiluMul) -> Iterable[Step]:
        operands = {
            "n_columns": op.out.width,
            **self._rows("gate", op.gate, "gate_stride"),
            **self._rows("up", op.up, "up_stride"),
            **self._rows("out", op.out),
            **self._integers(op.out),
        }
        yield self._step(op, activation.silu_mul, operands, by=_columns(op))

    def add(self, op: Add) -> Iterable[Step]:
        operands = {"a": self._at(op.a), "b": self._at(op.b), **self._rows("out", op.out)}
        yield self._step(op, activation.add, operands)
        yield from self._quantize(op.out)

    def select(self, op: Select) -> Iterable[Step]:
        rows = self.batch.address_of("selected")
        operands = {"x": self._at(op.x), "rows": rows, **self._rows("out", op.out)}
        yield self._step(op, activation.select, operands)
        yield from self._quantize(op.out)

    # -- pieces -----------------------------------------------------------------------------------

    def _step(
        self, op: Op, kernel: Kernel, operands: Operands, *, by: Split | None = None,
        writes_by: Split | None = None, more_reads: Iterable[object] = (),
        writes: Iterable[object] | None = None,
    ) -> Step:
        """Make a step that reads the operation's inputs and writes its output, or `writes`."""
        touched = {id(s) for b in (*op.inputs(), op.out) for s in self._storages(b)}
        written = self._storages(op.out) if writes is None else writes
        return Step(
            kernel, {"count": self._count(op.out), **operands},
            frozenset(touched | {id(s) for s in more_reads}), frozenset(id(s) for s in written),
            by, writes_by or by,
        )  # fmt: skip

    def _quantize(self, x: Buffer) -> Iterable[Step]:
        """Yield the step that makes a buffer's integer form, if something wants it."""
        if x not in self.storage.quantized:
            return
        operands: Operands = {"n_columns": x.width, "count": self._count(x)}
        operands |= self._rows("x", x) | self._integers(x)
        reads, writes = {id(self.storage.rows[x])}, {id(self.storage.quantized[x])}
        yield Step(quantize.quantize, operands, frozenset(reads), frozenset(writes))

    def _angles_step(self, spec: RopeSpec) -> Step:
        """Make the step that computes a batch's angles, once for all layers."""
        angles = self._angles[id(spec)] = aligned(2 * self.n_rows * spec.n_pairs, np.float32)
        self._kept += [spec, spec.frequencies]
        operands = {
            "frequencies": address(spec.frequencies),
            "n_pairs": spec.n_pairs,
            "scale": spec.magnitude,
            "positions": self.batch.address_of("positions"),
            "out": address(angles),
            "count": self.batch.address_of("n_tokens"),
        }
        by = ("tokens", self.batch.address_of("n_tokens"))
        return Step(rope.rope_angles, operands, frozenset(), frozenset({id(angles)}), by, by)

    def _tokens(self, op: Op) -> Split:
        return "tokens", self._count(op.out)

    def _count(self, out: Buffer) -> int:
        """Return the address of the number of rows."""
        return self.batch.address_of("n_selected" if out.selected else "n_tokens")

    def _storages(self, buffer: Buffer) -> list[object]:
        quantized = self.storage.quantized.get(buffer)
        return [self.storage.rows[buffer], *([quantized] if quantized else [])]

    def _at(self, buffer: Buffer) -> int:
        return self.storage.rows[buffer].address

    def _rows(self, name: str, buffer: Buffer, stride: str = "stride") -> Operands:
        return {name: self._at(buffer), stride: self.storage.rows[buffer].stride}

    def _integers(self, buffer: Buffer | None, name: str = "q") -> Operands:
        """Return where the integer form goes; zeros if nothing wants it."""
        quantized = self.storage.quantized.get(buffer) if buffer else None
        if quantized is None:
            return {name: 0, "parts": 0, "meta": 0}
        meta = address(quantized.meta)
        return {name: address(quantized.q), "parts": quantized.parts, "meta": meta}

    def _scratch_of(self, n_bytes: int) -> Operands:
        """Return memory that is each thread's own, valid within a step."""
        step = (n_bytes + 127) // 64 * 64
        if step not in self._scratch:
            self._scratch[step] = aligned(step * self.n_threads, np.uint8)
        return {"scratch": address(self._scratch[step]), "scratch_step": step}

    def _spans_of(self, n_bytes: int) -> np.ndarray:
        """Return memory where threads that attend together meet; a step leaves its start zero."""
        if n_bytes not in self._spans:
            self._spans[n_bytes] = aligned(n_bytes, np.uint8)
        return self._spans[n_bytes]
