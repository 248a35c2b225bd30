"""compressed-tensors: integers of 2 to 8 bits in words, int8 and float8 with scales, FP4.

Words hold neighbouring inputs of a weight, and neighbouring outputs of zero points; without those
the middle of the range is zero.
"""

from __future__ import annotations

import numpy as np

from ..arrays import Array, Floats
from ..transforms import Combined
from . import mxfp4, nvfp4
from .float8 import of_weights, with_scales
from .parts import Integers, check_shape, groups_of, integers, taken, unpacked
from .settings import Settings, Tensors

IN_4_BITS = {
    "mxfp4-pack-quantized": mxfp4.fold_packed, "nvfp4-pack-quantized": nvfp4.fold_packed,
}  # fmt: skip
WITH_SCALES = ("float-quantized", "int-quantized", "naive-quantized")


def fold(tensors: Tensors, settings: Settings) -> Tensors:
    kind = settings.one_of("format", ("pack-quantized", *IN_4_BITS, *WITH_SCALES))
    if kind in IN_4_BITS:
        return IN_4_BITS[kind](of_weights(tensors))
    groups = settings.below("config_groups", settings.values.get("config_groups")).values
    if len(groups) != 1:
        raise settings.error("config_groups", f"has {len(groups)} groups, one is read")
    group = settings.below("config_groups", next(iter(groups.values())))
    weights = group.below("weights", group.values.get("weights"))
    if kind == "pack-quantized":
        return _packed(tensors, weights.one_of("num_bits", (2, 4, 8)))
    weights.one_of("strategy", ("tensor", "channel", "block"))
    odd = next((name for name in tensors if name.endswith("_zero_point")), None)
    if odd:
        raise ValueError(f"tensor {odd[:96]!r} has zero points, which {kind} is not read with")
    return with_scales(tensors, weights.block_size("block_structure"))


def _packed(tensors: Tensors, bits: int) -> Tensors:
    out = of_weights(tensors)
    for name in [name for name in out if name.endswith(".weight_packed")]:
        base = name.removesuffix("_packed")
        words, scales, shape = (taken(out, base + part) for part in ("_packed", "_scale", "_shape"))
        zeros, groups = out.pop(f"{base}_zero_point", None), out.pop(f"{base}_g_idx", None)
        out[base] = dequantized(words, scales, integers(shape).tolist(), zeros, groups, bits)
    return out


def dequantized(
    words: Array, scales: Array, shape: list[int], zeros: Array | None, order: Array | None,
    bits: int,
) -> Array:  # fmt: skip
    """Shapes: words [n_out, n_in / per word], scales [n_out, n_groups], zeros [n_out / .., ..]."""
    if len(shape) != 2 or len(scales.shape) != 2 or min(shape) < 1:
        raise ValueError(f"tensor {words.name!r} has the shape {shape}, expected a matrix")
    (n_out, n_in), n_groups, shifts = shape, scales.shape[1], np.arange(0, 32, bits)
    check_shape(words, n_out, -(-n_in // len(shifts)))
    check_shape(scales, n_out, n_groups)
    if zeros is not None:
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
