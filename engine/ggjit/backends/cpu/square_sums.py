"""An executor that adds up squares of what its matrices multiply: how much columns matter."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ...gguf import Tensor
from ...graph import Graph, Linear
from ...kernels import squares
from .. import Progress
from .executor import CPUExecutor
from .lower import Lowering
from .lower_experts import Groups, make_step
from .memory import address, aligned
from .steps import Operands, Step
from .storage import Rows


@dataclass(frozen=True, eq=False)
class SquareSums:
    """Sums of squares by column of a stack of matrices, and of how many rows they are.

    Shapes: sums [n_stack, n_columns], n_rows [n_stack].
    """

    sums: npt.NDArray[np.float64]
    n_rows: npt.NDArray[np.int64]

    @classmethod
    def of(cls, n_stack: int, n_columns: int) -> SquareSums:
        """Return sums of nothing; memory has room for whole groups of 16 columns."""
        padded = (n_columns + 15) // 16 * 16
        sums = aligned(n_stack * padded, np.float64).reshape(n_stack, padded)
        return cls(sums[:, :n_columns], aligned(n_stack, np.int64))


class SummingLowering(Lowering):
    """Puts before each product a step that adds up squares of what it multiplies."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.sums: dict[str, SquareSums] = {}
        self._zero = aligned(1, np.int64)

    def linear(self, op: Linear) -> Iterable[Step]:
        group: Operands = {"starts": address(self._zero), "counts": self._count(op.x)}
        yield self._add_squares(op.weight, self.storage.rows[op.x], group, 1)
        yield from super().linear(op)

    def _products(
        self, weight: Tensor, bias: Tensor | None, groups: Groups, rows: Rows, holds: object,
        out: Rows,
    ) -> Iterable[Step]:  # fmt: skip
        where = groups.operands("starts", "counts")
        yield self._add_squares(weight, rows, where, weight.shape[0], groups)
        yield from super()._products(weight, bias, groups, rows, holds, out)

    def _add_squares(
        self, weight: Tensor, rows: Rows, where: Operands, n_stack: int, *more_reads: object
    ) -> Step:
        n_columns = weight.shape[-1]
        of = self.sums.setdefault(weight.name, SquareSums.of(n_stack, n_columns))
        operands = {
            "x": rows.address, "stride": rows.stride, "n_stack": n_stack, "n_columns": n_columns,
            "sums": address(of.sums), "sums_step": of.sums.strides[0], "totals": address(of.n_rows),
            **where, **self._scratch_of(squares.SCRATCH),
        }  # fmt: skip
        return make_step(squares.add_squares, operands, [rows, *more_reads], [of])


class SummingExecutor(CPUExecutor):
    """Runs a graph; `square_sums` are of all that it has run, by names of matrices."""

    lowering = SummingLowering
    _lowering: SummingLowering

    def __init__(
        self, graph: Graph, n_context: int, n_threads: int | None = None,
        progress: Progress | None = None,
    ) -> None:  # fmt: skip
        # where latent attention is expanded, its matrices have no products
        super().__init__(graph, n_context, n_threads, progress, latent="absorbed")

    @property
    def square_sums(self) -> dict[str, SquareSums]:
        return self._lowering.sums
