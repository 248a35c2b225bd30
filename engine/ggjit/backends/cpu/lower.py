"""From operations to steps: which kernel, on which addresses, and which storage it touches."""

from __future__ import annotations

from collections.abc import Iterable

from ...formats import IntLanes, find
from ...graph import (
    Add,
    Embed,
    Gated,
    Gelu,
    LayerNorm,
    Linear,
    Op,
    RMSNorm,
    Rope,
    Scale,
    Select,
    SigmoidGate,
    Softcap,
    Temper,
)
from ...kernels import (
    activation,
    embed,
    gates,
    gelu,
    linear_float,
    linear_int8,
    norm,
    rope,
    scale,
)
from .lower_attention import AttentionLowering
from .memory import address
from .steps import Operands, Split, Step


def reads_integers(op: Op) -> bool:
    """Tell whether an operation reads its input as integers."""
    if not isinstance(op, Linear):
        return False
    return isinstance(find(op.weight).lanes, IntLanes)


def _columns(op: Op) -> Split:
    return "columns", op.out.width


class Lowering(AttentionLowering):
    """Makes the steps of operations."""

    def lower(self, op: Op) -> list[Step]:
        """Return the steps of one operation."""
        return list(getattr(self, type(op).__name__.lower())(op))

    # -- one method an operation ----------------------------------------------------------------

    def embed(self, op: Embed) -> Iterable[Step]:
        fmt = find(op.weight)
        operands = {
            "tokens": self.batch.address_of(op.of),
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
            **self._rows("out", op.out),
        }
        if op.n_heads > 1:
            operands |= {"n_heads": op.n_heads, "head_dim": op.out.width // op.n_heads}
            yield self._step(op, norm.head_norm, operands, by=self._tokens(op))
            yield from self._quantize(op.out)
            return
        operands |= {"residual": self._at(op.residual) if op.residual else 0}
        operands |= {"n_columns": op.out.width, **self._integers(op.out)}
        yield self._step(op, norm.rms_norm, operands, by=self._tokens(op))

    def layernorm(self, op: LayerNorm) -> Iterable[Step]:
        operands = {
            "x": self._at(op.x),
            "weight": address(self.weights.vector(op.weight)),
            "bias": address(self.weights.vector(op.bias)) if op.bias is not None else 0,
            "eps": op.eps,
            "n_columns": op.out.width,
            **self._rows("out", op.out),
            **self._integers(op.out),
        }
        yield self._step(op, norm.layer_norm, operands, by=self._tokens(op))

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
            operands |= self._scratch_of(
                linear_int8.scratch_bytes(fmt, q.form, op.x.width, self.shape)
            )
            kernel = linear_int8.linear_int8(fmt, q.form, mapped, self.shape)
        else:
            operands |= self._rows("x", op.x, "x_stride")
            operands |= self._scratch_of(linear_float.scratch_bytes(fmt, op.x.width))
            kernel = linear_float.linear_float(fmt, mapped)
        n_pieces = self._pieces(self.weights.n_bytes(op.weight))
        by = None if n_pieces else _columns(op)
        yield self._step(op, kernel, operands, writes_by=by, n_pieces=n_pieces)
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
        yield from self._quantize(op.out)

    def gated(self, op: Gated) -> Iterable[Step]:
        operands = {
            "n_columns": op.out.width,
            **self._rows("gate", op.gate, "gate_stride"),
            **self._rows("up", op.up, "up_stride"),
            **self._rows("out", op.out),
            **self._integers(op.out),
        }
        yield self._step(op, gates.gated(op.unit), operands, by=self._runs(op))

    def gelu(self, op: Gelu) -> Iterable[Step]:
        operands: Operands = {"x": self._at(op.x), "n_columns": op.out.width}
        operands |= self._rows("out", op.out) | self._integers(op.out)
        yield self._step(op, gelu.gelu, operands, by=self._runs(op))

    def _runs(self, op: Op) -> Split | None:
        """Return how threads divide columns that they quantize: blocks are not divided so."""
        return None if self._in_blocks(op.out) else _columns(op)

    def scale(self, op: Scale) -> Iterable[Step]:
        operands = {"x": self._at(op.x), "by": op.by, "n_columns": op.out.width}
        yield self._step(op, scale.scale, operands | self._rows("out", op.out), by=_columns(op))
        yield from self._quantize(op.out)

    def softcap(self, op: Softcap) -> Iterable[Step]:
        operands = {"x": self._at(op.x), "cap": op.cap, "n_columns": op.out.width}
        yield self._step(op, scale.softcap, operands | self._rows("out", op.out), by=_columns(op))
        yield from self._quantize(op.out)

    def temper(self, op: Temper) -> Iterable[Step]:
        positions = self.batch.address_of("positions")
        operands = {"x": self._at(op.x), "by": op.by, "span": op.span, "positions": positions}
        operands |= {"offset": op.offset, **self._rows("out", op.out)}
        yield self._step(op, scale.temper, operands, by=self._tokens(op))
        yield from self._quantize(op.out)

    def sigmoidgate(self, op: SigmoidGate) -> Iterable[Step]:
        operands = {
            **self._rows("gate", op.gate, "gate_stride"),
            **self._rows("x", op.x, "x_stride"),
            **self._rows("out", op.out),
        }
        yield self._step(op, activation.sigmoid_gate, operands)
        yield from self._quantize(op.out)

    def add(self, op: Add) -> Iterable[Step]:
        operands = {"a": self._at(op.a), "b": self._at(op.b), **self._rows("out", op.out)}
        yield self._step(op, activation.add, operands)
        yield from self._quantize(op.out)

    def select(self, op: Select) -> Iterable[Step]:
        rows = self.batch.address_of("selected")
        operands = {"x": self._at(op.x), "rows": rows, **self._rows("out", op.out)}
        yield self._step(op, activation.select, operands)
        yield from self._quantize(op.out)
