"""Steps of operations with experts: rows sorted by expert, and each expert's are one product."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from ...formats import IntLanes, find
from ...gguf import Tensor
from ...graph import Buffer, Combine, ExpertLinear, Route
from ...jit import Kernel
from ...kernels import experts, linear_float, linear_int8, route
from ...kernels.tiles import column_bytes, form_of, meta_bytes
from .memory import address, aligned
from .steps import Operands, Pieces, Step
from .storage import Quantized, Rows, Storage, new_quantized, new_rows

Lowering = TypeVar("Lowering", bound="ExpertLowering")


@dataclass(frozen=True, eq=False)
class Groups:
    """Which rows are which expert's: see `route.group_tokens`."""

    starts: npt.NDArray[np.int64]
    counts: npt.NDArray[np.int64]
    tokens: npt.NDArray[np.int64]
    weights: npt.NDArray[np.float32]
    places: npt.NDArray[np.int64]

    @classmethod
    def of(cls, n_groups: int, n_rows: int) -> Groups:
        """Return room for so many groups and rows."""
        starts, counts = aligned(n_groups + 1, np.int64), aligned(n_groups, np.int64)
        tokens, places = aligned(n_rows, np.int64), aligned(n_rows, np.int64)
        return cls(starts, counts, tokens, aligned(n_rows, np.float32), places)

    def operands(self, *names: str) -> Operands:
        """Return where some of it is."""
        return {name: address(getattr(self, name)) for name in names}


class ExpertLowering(Pieces):
    """Makes the steps of operations with experts; all of one size share the memory between them."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._groups: dict[tuple[int, int], Groups] = {}
        self._of_routes: dict[Buffer, Groups] = {}
        self._sorted: dict[tuple[tuple[int, int], str], Rows] = {}
        self._sorted_integers: dict[tuple[int, int, int], Quantized] = {}
        self._holds: dict[int, object] = {}  # what such memory was last filled with

    def beside(self: Lowering, storage: Storage) -> Lowering:
        other = super().beside(storage)
        other._of_routes, other._holds = {}, {}
        return other

    def route(self, op: Route) -> Iterable[Step]:
        n_experts, r = op.logits.width, op.routing
        choose = {
            "bias": address(self.weights.vector(op.bias)) if op.bias is not None else 0,
            "n_experts": n_experts, "n_used": r.n_used, "score": route.SCORES.index(r.score),
            "normalize": r.normalize, "scale": r.scale, "n_groups": r.n_groups,
            "n_groups_used": r.n_groups_used, "n_best": r.n_best,
            **self._rows("logits", op.logits), **self._rows("out", op.out, "out_stride"),
            **self._scratch_of(route.scratch_bytes(n_experts)),
        }  # fmt: skip
        yield self._step(op, route.route, choose, by=self._tokens(op))
        groups = self._groups_of(n_experts, r.n_used)
        self._of_routes[op.out] = groups
        sort = {
            "n_experts": n_experts, "n_used": r.n_used,
            **self._rows("routes", op.out, "routes_stride"),
            **groups.operands("starts", "counts", "tokens", "weights", "places"),
        }  # fmt: skip
        yield self._step(op, route.group_tokens, sort, writes=[groups])

    def expertlinear(self, op: ExpertLinear) -> Iterable[Step]:
        groups, rows = self._of_routes[op.routes], self.storage.rows[op.x]
        holds: object = op.x
        if not op.x.n_chosen:
            holds = (op.x, op.routes, op.weigh)
            rows = self._sorted_rows(op.out.n_chosen, op.x.width)
            if self._fills(rows, holds):
                yield self._gather(op, groups, rows)
        out = self.storage.rows[op.out]
        yield from self._products(op.weight, op.bias, groups, rows, holds, out)

    def combine(self, op: Combine) -> Iterable[Step]:
        groups = self._of_routes[op.routes]
        operands = {
            "weigh": op.weigh, "n_used": op.x.n_chosen,
            **self._rows("x", op.x, "x_stride"), **self._rows("routes", op.routes, "routes_stride"),
            **groups.operands("places"), **self._rows("out", op.out),
        }  # fmt: skip
        yield self._step(op, experts.combine, operands, more_reads=[groups])
        yield from self._quantize(op.out)

    # -- pieces -----------------------------------------------------------------------------------

    def _gather(self, op: ExpertLinear, groups: Groups, rows: Rows) -> Step:
        """Make the step that brings each expert its tokens' rows."""
        operands = {
            "out": rows.address, "stride": rows.stride, "n_stack": len(groups.counts),
            **self._rows("x", op.x, "x_stride"), **groups.operands("tokens", "weights", "starts"),
        }  # fmt: skip
        if not op.weigh:
            operands["weights"] = 0
        return make_step(experts.gather, operands, [self.storage.rows[op.x], groups], [rows])

    def _products(
        self, weight: Tensor, bias: Tensor | None, groups: Groups, rows: Rows, holds: object,
        out: Rows,
    ) -> Iterable[Step]:  # fmt: skip
        """Yield the steps that multiply sorted rows, which hold something, by stacked matrices."""
        fmt, mapped = find(weight), self.weights.is_mapped(weight)
        n_columns, n_stack = weight.shape[-1], len(groups.counts)
        sort = {"n_stack": n_stack, **groups.operands("starts", "counts")}
        operands = {
            "bias": 0 if bias is None else address(self.weights.vector(bias)),
            "bias_step": 4 * ((weight.shape[-2] + 15) // 16 * 16),
            "out": out.address, "stride": out.stride, **sort,
            **self.weights.operands(weight), **self.weights.strides(weight),
        }  # fmt: skip
        reads: list[object] = [groups, rows]
        if isinstance(fmt.lanes, IntLanes):
            form = form_of([fmt], self.storage.wide)
            q = self._integers_of(rows, n_columns, form)
            q_step, meta_step = column_bytes(form) * n_columns, meta_bytes(form, n_columns)
            if self._fills(q, holds):
                x = {"x": rows.address, "stride": rows.stride, "n_columns": n_columns, **sort}
                x |= {"q": address(q.q), "q_step": q_step, "form": form}
                x |= {"meta": address(q.meta), "meta_step": meta_step}
                yield make_step(experts.quantize_groups, x, reads, [q])
            reads = [groups, q]
            operands |= {"x": address(q.q), "x_step": q_step, "panel": self.shape.panel}
            operands |= {"meta": address(q.meta), "meta_step": meta_step}
            n_scratch = linear_int8.scratch_bytes(fmt, form, n_columns, self.shape)
            kernel = experts.experts_int8(fmt, form, mapped, self.shape)
        else:
            operands |= {"x": rows.address, "x_stride": rows.stride}
            n_scratch = linear_float.scratch_bytes(fmt, n_columns)
            kernel = experts.experts_float(fmt, mapped)
        yield make_step(kernel, operands | self._scratch_of(n_scratch), reads, [out])

    def _fills(self, memory: object, holds: object) -> bool:
        """Note what memory is to hold; tell whether it has to be filled for that."""
        before = self._holds.get(id(memory))
        self._holds[id(memory)] = holds
        return before != holds

    def _groups_of(self, n_groups: int, n_chosen: int) -> Groups:
        key = n_groups, n_chosen * self.n_rows
        if key not in self._groups:
            self._groups[key] = Groups.of(*key)
        return self._groups[key]

    def _sorted_rows(self, n_chosen: int, width: int, use: str = "x") -> Rows:
        size = width, n_chosen * self.n_rows
        if (size, use) not in self._sorted:
            self._sorted[size, use] = new_rows(*size)
        return self._sorted[size, use]

    def _integers_of(self, rows: Rows, width: int, form: int) -> Quantized:
        key = width, len(rows.array), form
        if key not in self._sorted_integers:
            self._sorted_integers[key] = new_quantized(*key)
        return self._sorted_integers[key]


def make_step(
    kernel: Kernel, operands: Operands, reads: Iterable[object], writes: Iterable[object]
) -> Step:
    """Make a step that threads divide as it pleases them."""
    return Step(kernel, operands, frozenset(map(id, reads)), frozenset(map(id, writes)))
