"""Python's own signs for vectors: `a * b + c` is `add(mul(a, b), c)`, and scalars fill a vector.

Each sign is one operation, in the order written: nothing is fused or reordered.
"""

from __future__ import annotations

import operator
from typing import Any

from numba import types
from numba.extending import lower_builtin, type_callable

from .emit import Builder, Value, each, filled, widest
from .types import Tile, Vec, f32x16

SIGNS = {
    operator.add: ("fadd", "add"),
    operator.sub: ("fsub", "sub"),
    operator.mul: ("fmul", "mul"),
    operator.truediv: ("fdiv", None),
}
SCALARS = (types.Float, types.Integer)
LANES = (Vec, Tile)


def _vec(kind: Any) -> Vec:
    return getattr(kind, "vec", kind)


def _meets(a: Any, b: Any) -> bool:
    """Tell whether two operands make a vector: one is, the other is of its kind or a number."""
    if isinstance(a, LANES) and isinstance(b, LANES):
        return _vec(a) == _vec(b)
    return (isinstance(a, LANES + SCALARS) and isinstance(b, LANES)) or (
        isinstance(a, LANES) and isinstance(b, SCALARS)
    )


def _define(sign: Any, floating: str, integer: str | None) -> None:
    @type_callable(sign)
    def typing(context: Any) -> Any:
        def typer(a: Any, b: Any) -> Any:
            if _meets(a, b):
                return widest(*(k for k in (a, b) if isinstance(k, LANES)))
            return None

        return typer

    def lower(context: Any, builder: Builder, signature: Any, values: Any) -> Value:
        vec = _vec(signature.return_type)
        kinds = [k if isinstance(k, LANES) else vec for k in signature.args]
        vectors = [
            v if isinstance(k, LANES) else filled(builder, vec, v)
            for k, v in zip(signature.args, values, strict=True)
        ]
        name = floating if vec == f32x16 else integer
        return each(builder, kinds, vectors, getattr(builder, str(name)))

    for first in LANES + SCALARS:
        for second in LANES + SCALARS if first in LANES else LANES:
            lower_builtin(sign, first, second)(lower)


for _sign, (_floating, _integer) in SIGNS.items():
    _define(_sign, _floating, _integer)
