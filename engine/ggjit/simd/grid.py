"""Grids of registers: groups of 16 rows by tokens, every group meeting every token."""

from __future__ import annotations

from functools import cache
from typing import Any

from numba import types

from .dot import products
from .emit import Builder, Value, at, op, pointer, registers, tiled
from .types import I64, Grid, u8x64


@op(lambda kind, value: kind)
def by_token(b: Builder, kinds: Any, _: Value, value: Value) -> Value:
    """Give every group the registers of the tokens."""
    return tiled(b, kinds[0], registers(b, kinds[1], value) * kinds[0].n_groups)


@op(lambda kind, value: kind)
def by_group(b: Builder, kinds: Any, _: Value, value: Value) -> Value:
    """Give every token the registers of the groups."""
    groups = registers(b, kinds[1], value)
    return tiled(b, kinds[0], [v for v in groups for _ in range(kinds[0].n_tokens)])


def _places(b: Builder, kind: Grid, address: Value, group_step: Value, token_step: Value) -> Any:
    """Return a pointer for every register."""
    groups = [at(b, address, g, group_step) for g in range(kind.n_groups)]
    rows = [at(b, start, t, token_step) for start in groups for t in range(kind.n_tokens)]
    return [pointer(b, row, kind.vec.ll) for row in rows]


@op(lambda kind, address, group_step, token_step: kind)
def load_grid(b: Builder, kinds: Any, _: Value, address: Value, *steps: Value) -> Value:
    """Read each register."""
    places = _places(b, kinds[0], address, *steps)
    return tiled(b, kinds[0], [b.load(p, align=1) for p in places])


@op(lambda address, group_step, token_step, value: types.void)
def store_grid(b: Builder, kinds: Any, address: Value, *rest: Value) -> None:
    """Write each register."""
    *steps, value = rest
    places = _places(b, kinds[3], address, *steps)
    for place, v in zip(places, registers(b, kinds[3], value), strict=True):
        b.store(v, place, align=1)


@cache
def dot_grid(n_registers: int, n_bits: int, wide: bool) -> Any:
    """Return the operation that adds the products with `n_registers` of weights from memory.

    Weights are below 2**n_bits, 64 bytes a register, groups `group_step` bytes apart; `x` is where
    the first token's bytes are, tokens `token_step` bytes apart. `wide`: activations of 16 bits.
    """

    @op(lambda acc, weights, group_step, x, token_step: acc)
    def dot(
        b: Builder, kinds: Any, acc: Value, weights: Value, group_step: Value, x: Value, step: Value
    ) -> Value:
        shape = kinds[0]
        starts = [at(b, weights, g, group_step) for g in range(shape.n_groups)]
        groups = [pointer(b, start, u8x64.ll) for start in starts]
        tokens = [at(b, x, t, step) for t in range(shape.n_tokens)]

        def loaded(j: int) -> list[Value]:
            return [b.load(b.gep(group, [I64(j)]), align=1) for group in groups]

        accs = registers(b, shape, acc)
        return tiled(b, shape, products(b, accs, n_registers, loaded, tokens, n_bits, wide))

    return dot
