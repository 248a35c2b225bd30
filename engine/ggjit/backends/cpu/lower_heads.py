"""Steps of operations on heads: their columns are moved, and each head's rows are one product."""

from __future__ import annotations

from collections.abc import Iterable

from ...graph import Buffer, Columns, HeadLinear, Join
from ...kernels import heads
from .lower_experts import ExpertLowering, make_step
from .steps import Operands, Step


class HeadLowering(ExpertLowering):
    """Makes the steps of multi-head latent attention, but for the attention itself."""

    def columns(self, op: Columns) -> Iterable[Step]:
        yield self._copy(op, op.x, op.start, op.out.width // op.n_heads, op.n_heads)
        yield from self._quantize(op.out)

    def join(self, op: Join) -> Iterable[Step]:
        n_a, n_b = (b.width // op.n_heads for b in (op.a, op.b))
        yield self._copy(op, op.a, 0, n_a, op.n_heads)
        yield self._copy(op, op.b, 0, n_b, op.n_heads, n_a)
        yield from self._quantize(op.out)

    def headlinear(self, op: HeadLinear) -> Iterable[Step]:
        n_heads, n_rows, n_columns = op.weight.shape
        assert not op.transposed, "weights are transposed before"
        groups = self._groups_of(n_heads, n_heads)
        rows = self._sorted_rows(n_heads, n_columns)
        holds = op.x, n_heads, n_columns
        if self._fills(rows, holds):
            gather = {
                "out": rows.address, "stride": rows.stride, "x_head": 4 * op.x.width // n_heads,
                "n_heads": n_heads, "n_columns": n_columns, "count": self._count(op.x),
                **self._rows("x", op.x, "x_stride"), **groups.operands("starts", "counts"),
            }  # fmt: skip
            reads = [self.storage.rows[op.x]]
            yield make_step(heads.gather_heads, gather, reads, [rows, groups])
        products = self._sorted_rows(n_heads, n_rows, "out")
        yield from self._products(op.weight, None, groups, rows, holds, products)
        scatter = {
            "x": products.address, "x_stride": products.stride, "out_head": 4 * n_rows,
            "n_heads": n_heads, "n_columns": n_rows, "count": self._count(op.out),
            **self._rows("out", op.out),
        }  # fmt: skip
        out = self.storage.rows[op.out]
        yield make_step(heads.scatter_heads, scatter, [products], [out])
        yield from self._quantize(op.out)

    def _copy(
        self, op: Columns | Join, x: Buffer, start: int, n: int, n_heads: int, to: int = 0
    ) -> Step:
        """Make the step that copies n columns of each head, from `start` in x to `to`."""
        x_head, out_head = x.width // n_heads, op.out.width // n_heads
        operands: Operands = {
            "x": self._at(x) + 4 * start, "x_stride": self.storage.rows[x].stride,
            "x_head": 4 * x_head, "out": self._at(op.out) + 4 * to,
            "stride": self.storage.rows[op.out].stride, "out_head": 4 * out_head,
            "n_heads": n_heads, "n_columns": n,
        }  # fmt: skip
        return self._step(op, heads.copy_heads, operands, by=self._tokens(op))
