"""Products of two factors, and what becomes of the factors as a family rearranges their product.

Rows of b @ a move as those of b do, columns as those of a; and as nothing that moves rows cuts the
last axis, what was to take rows of the product takes rows of b as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ggjit.gguf import GGMLType

from ..arrays import Array, Bytes, Floats
from ..transforms import Computed, Moved, Read, Transposed, Values, of_one_type, stacked, transposed

Factors = tuple[Array, Array]  # b and a


@dataclass(frozen=True, eq=False)
class LowRank:
    """An `Array`, the product of two. Shapes: b [n_rows, r], a [r, n_columns]."""

    name: str
    b: Array
    a: Array
    type: GGMLType = GGMLType.F32

    @property
    def shape(self) -> tuple[int, ...]:
        return self.b.shape[0], self.a.shape[1]

    def rows(self, start: int, stop: int) -> Floats:
        product: Floats = self.b.rows(start, stop) @ self.a.rows(0, self.a.shape[0])
        return product

    def blocks(self, start: int, stop: int) -> Bytes:
        return self.rows(start, stop).view("u1")


def factors(x: Array) -> Factors:
    """Return b and a of what was made of products. Raises: ValueError if it is no product.

    Shapes: of a stack, b [n, n_rows, r] and a [n, r, n_columns].
    """
    if isinstance(x, LowRank):
        return x.b, x.a
    if isinstance(x, Transposed):
        b, a = factors(x.source)
        return transposed(a), transposed(b)
    if isinstance(x, Computed) and x.moves_columns:
        b, a = factors(x.source)
        return b, replace(x, source=a, shape=a.shape)
    if isinstance(x, Moved) and x.sources and x.shape[-1] == x.sources[0].shape[-1]:
        bs, ways = zip(*map(factors, x.sources), strict=True)
        if len({b.shape[-1] for b in bs}) == 1:
            if len(x.shape) == len(x.sources[0].shape) and all(a is ways[0] for a in ways):
                return _moved(x, bs), ways[0]
            if x.shape == (len(bs), *x.sources[0].shape):
                return stacked(bs), stacked(ways)
    raise ValueError(f"tensor {x.name!r} ({getattr(x, 'what', 'as it is')}) has no factors")


def _moved(x: Moved, bs: Sequence[Array]) -> Array:
    """Return left factors, moved as their products were."""
    bs = of_one_type(bs)
    by_product = {id(source): b for source, b in zip(x.sources, bs, strict=True)}

    def take(read: Read, start: int, stop: int) -> Values:
        return x.take(lambda a, *part: read(by_product[id(a)], *part), start, stop)

    shape = (*x.shape[:-1], bs[0].shape[-1])
    return Moved(x.name, shape, bs[0].type, take, x.what, bs)
