"""compressed-tensors: integers of 2 to 8 bits in words, int8 and float8 with scales, FP4.

Words hold neighbouring inputs of a weight, and neighbouring outputs of zero points; without those
the middle of the range is zero.
"""

from __future__ import annotations

import json
import re

import numpy as np

from ..arrays import Array, Floats
from ..transforms import Combined
from . import mxfp4, nvfp4
from .float8 import of_weights, with_scales
from .parts import (
    Integers,
    check_integers,
    check_shape,
    groups_of,
    integers,
    taken,
    taken_integers,
    unpacked,
)
from .settings import Settings, Tensors

PACKED, MXFP4, NVFP4 = "pack-quantized", "mxfp4-pack-quantized", "nvfp4-pack-quantized"
WITH_SCALES = ("float-quantized", "int-quantized", "naive-quantized")
FORMATS = (PACKED, MXFP4, NVFP4, *WITH_SCALES)
MIXED = "mixed-precision"  # each group has its own


def fold(tensors: Tensors, settings: Settings) -> Tensors:
    _check_rotations(settings)
    groups = _groups(settings)
    kinds = {kind for kind, _ in groups}
    bits = {weights.one_of("num_bits", (2, 4, 8)) for kind, weights in groups if kind == PACKED}
    blocks = {_block(weights) for kind, weights in groups if kind in WITH_SCALES}
    if not groups or len(bits) > 1 or len(blocks) > 1:
        problem = f"has {len(groups)} groups, those of one number of bits and one block are read"
        raise settings.error("config_groups", problem)
    out = of_weights(tensors)
    out = nvfp4.fold_packed(out) if NVFP4 in kinds else out
    out = _packed(out, bits.pop()) if bits else out
    out = mxfp4.fold_packed(out) if MXFP4 in kinds else out
    odd = next((name for name in out if name.endswith(".weight_packed")), None)
    if odd:
        raise ValueError(f"tensor {odd[:96]!r} has no shape, nor scales of another format")
    return _scaled(out, blocks.pop()) if blocks else out


def _check_rotations(settings: Settings) -> None:
    """Raise CheckpointError for rotations of what goes in or out, which are not in the weights."""
    given = json.dumps(settings.values.get("transform_config"))
    if odd := re.search(r'"location": "(input|output)"', given):
        raise settings.error("transform_config", f"has rotations at run time, of the {odd[1]}")


def _groups(settings: Settings) -> list[tuple[str, Settings]]:
    """Return the format of each group of layers, and what is said of its weights."""
    kind = settings.one_of("format", (*FORMATS, MIXED))
    given = settings.below("config_groups", settings.values.get("config_groups"))
    groups = [given.below(name, group) for name, group in given.values.items()]
    return [
        (
            group.one_of("format", FORMATS) if kind == MIXED else kind,
            group.below("weights", group.values.get("weights")),
        )
        for group in groups
    ]


def _block(weights: Settings) -> tuple[int, ...]:
    weights.one_of("strategy", ("tensor", "channel", "block"))
    return weights.block_size("block_structure")


def _scaled(tensors: Tensors, block: tuple[int, ...]) -> Tensors:
    odd = next((name for name in tensors if name.endswith("_zero_point")), None)
    if odd:
        raise ValueError(f"tensor {odd[:96]!r} has zero points, which only packed integers have")
    return with_scales(tensors, block)


def _packed(tensors: Tensors, bits: int) -> Tensors:
    out = dict(tensors)
    for name in [name for name in out if name.endswith(".weight_shape")]:
        base = name.removesuffix("_shape")
        words, shape = (taken_integers(out, base + part) for part in ("_packed", "_shape"))
        scales = taken(out, f"{base}_scale")
        zeros, order = out.pop(f"{base}_zero_point", None), out.pop(f"{base}_g_idx", None)
        if order and integers(order).min(initial=0) < 0:
            order = None  # of -1, as it is made: nobody set it
        sizes = integers(shape).tolist() if shape.shape == (2,) else []
        out[base] = dequantized(words, scales, sizes, zeros, order, bits)
    return out


def dequantized(
    words: Array, scales: Array, shape: list[int], zeros: Array | None, order: Array | None,
    bits: int,
) -> Array:  # fmt: skip
    """Shapes: words [n_out, n_in / per word], scales [n_out, n_groups], zeros [n_out / .., ..]."""
    if len(shape) != 2 or len(scales.shape) != 2 or min(shape) < 1:
        sizes = f"{shape} and {list(scales.shape)}"
        raise ValueError(f"tensor {words.name!r} and its scales are {sizes}, expected matrices")
    (n_out, n_in), n_groups, shifts = shape, scales.shape[1], np.arange(0, 32, bits)
    check_shape(words, n_out, -(-n_in // len(shifts)))
    check_shape(scales, n_out, n_groups)
    if zeros is not None:
        check_integers(zeros)
        check_shape(zeros, -(-n_out // len(shifts)), n_groups)
    if order is None and (not n_groups or n_in % n_groups):
        raise ValueError(f"tensor {scales.name!r} has {n_groups} groups, odd for {n_in} inputs")
    if order is not None:
        check_shape(order, n_in)
    group = groups_of(order, n_groups) if order else np.arange(n_in) // (n_in // n_groups)

    def offsets(start: int, stop: int) -> Integers:
        if zeros is None:
            return np.array(1 << (bits - 1), np.int32)
        first = start // len(shifts)
        packed = integers(zeros, first, -(-stop // len(shifts)))
        all_of = unpacked(packed, shifts, bits).swapaxes(1, 2).reshape(-1, n_groups)
        skipped = start - first * len(shifts)
        return all_of[skipped : skipped + stop - start].astype(np.int32)[:, group]

    def read(start: int, stop: int) -> Floats:
        codes = unpacked(integers(words, start, stop), shifts, bits)
        codes = codes.reshape(stop - start, words.shape[1] * len(shifts))
        values = codes[:, :n_in].astype(np.int32) - offsets(start, stop)
        return values.astype(np.float32) * scales.rows(start, stop)[:, group]

    sources = [a for a in (words, scales, zeros, order) if a is not None]
    return Combined(words.name, (n_out, n_in), read, sources, "decoded")
