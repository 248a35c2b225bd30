"""bitsandbytes: 4 bits into a table of 16 values (NF4, FP4), or int8 with a scale for each row.

Bytes of 4 bits hold neighbours, the first higher; blocks go on from row to row. Their scales may be
bytes into another table, in blocks of their own. Source: bitsandbytes `functional.py`, QuantState
for the names of tensors, dequantize_4bit and int8_vectorwise_dequant for the formulas.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable

import numpy as np

from ..arrays import Array, Floats
from ..sources.strict_json import parse_object
from ..transforms import Combined
from .parts import check_integers, check_shape, integers, nibbles, taken, taken_integers
from .settings import Settings, Tensors

STATE = re.compile(r"(.*)\.quant_state\.bitsandbytes__(nf4|fp4)")
MOST_TEXT = 1 << 16  # bytes of JSON; there are some 200
INT8_SCALE = np.float32(1 / 127)
Scales = Callable[[int, int], Floats]


def fold(tensors: Tensors, settings: Settings) -> Tensors:
    out = dict(tensors)
    for name in list(out):
        if found := STATE.fullmatch(name):
            state = _state(taken(out, name), settings)
            out[found[1]] = four_bits(out, found[1], state)
        elif name.endswith(".SCB"):
            base = name.removesuffix("SCB")
            form = out.pop(f"{base}weight_format", None)
            if form and integers(form).any():
                raise ValueError(f"tensor {form.name!r} is not 0, rows as they are")
            out[f"{base}weight"] = of_int8(taken_integers(out, f"{base}weight"), taken(out, name))
    return out


def _state(a: Array, settings: Settings) -> Settings:
    """Return the JSON that a tensor has for bytes."""
    if a.shape[0] > MOST_TEXT:
        raise ValueError(f"tensor {a.name[:96]!r} has {a.shape[0]} bytes, at most {MOST_TEXT}")
    folder, text = settings.path.parent, integers(a).astype(np.uint8).tobytes()
    within = f"tensor {a.name[:96]!r}"
    return Settings(folder, parse_object(text, folder, within), within=within)


def four_bits(tensors: Tensors, name: str, state: Settings) -> Array:
    """Return a tensor of which parts are below its name, and take those out."""
    shape, size = state.block_size("shape"), state.number("blocksize", 64)
    table, largest = (taken(tensors, name + end) for end in (".quant_map", ".absmax"))
    pairs = taken_integers(tensors, name)
    if len(shape) != 2:
        raise state.error("shape", f"is {list(shape)}, expected a matrix")
    n, n_in = math.prod(shape), shape[1]
    check_shape(pairs, -(-n // 2), 1)
    check_shape(table, 16)
    check_shape(largest, -(-n // size))
    scales, sources = _scales(tensors, name, largest, state)

    def read(start: int, stop: int) -> Floats:
        first, last = start * n_in, stop * n_in
        bytes = integers(pairs, first // 2, -(-last // 2))[:, 0]
        numbers = nibbles(bytes[:, None])[:, ::-1].reshape(-1)[first % 2 :][: last - first]
        block = first // size
        each = scales(block, -(-last // size))[np.arange(first, last) // size - block]
        return (table.rows(0, 16)[numbers] * each).reshape(-1, n_in)

    return Combined(name, shape, read, (pairs, table, *sources), "decoded")


def _scales(
    tensors: Tensors, name: str, largest: Array, state: Settings
) -> tuple[Scales, tuple[Array, ...]]:
    """Return what reads some blocks' scales, and what it reads them from."""
    if f"{name}.nested_absmax" not in tensors:
        return largest.rows, (largest,)
    above, table = (taken(tensors, name + end) for end in (".nested_absmax", ".nested_quant_map"))
    size, offset = state.number("nested_blocksize", 256), state.real("nested_offset")
    check_shape(table, 256)
    check_integers(largest)
    check_shape(above, -(-largest.shape[0] // size))

    def read(start: int, stop: int) -> Floats:
        by = above.rows(0, above.shape[0])[np.arange(start, stop) // size]
        values: Floats = table.rows(0, 256)[integers(largest, start, stop)] * by + offset
        return values

    return read, (largest, above, table)


def of_int8(weight: Array, scales: Array) -> Array:
    """Shapes: weight [n_out, n_in], scales [n_out], of what is 127."""
    check_shape(scales, weight.shape[0])
    check_shape(weight, weight.shape[0], weight.shape[-1])

    def read(start: int, stop: int) -> Floats:
        numbers = integers(weight, start, stop).astype(np.float32)
        values: Floats = numbers * scales.rows(start, stop)[:, None] * INT8_SCALE
        return values

    return Combined(weight.name, weight.shape, read, (weight, scales), "decoded")
