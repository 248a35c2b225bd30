"""GPTQ: integers of 2, 4 or 8 bits, those of a group of inputs with a scale and a zero point.

Words hold neighbouring inputs of a weight, and neighbouring outputs of zero points, which the
first format (checkpoint_format "gptq") stores less 1. `g_idx` is each input's group.
"""

from __future__ import annotations

import numpy as np

from ..arrays import Array, Floats
from ..transforms import Combined
from .parts import Integers, check_shape, groups_of, integers, taken, unpacked
from .settings import Settings, Tensors


def fold(tensors: Tensors, settings: Settings) -> Tensors:
    bits = settings.one_of("bits", (2, 4, 8), 4)
    less = settings.one_of("checkpoint_format", ("gptq", "gptq_v2"), "gptq") == "gptq"
    out = dict(tensors)
    for name in [name for name in out if name.endswith(".qweight")]:
        base = name.removesuffix(".qweight")
        weight, zeros, scales, groups = (
            taken(out, f"{base}.{part}") for part in ("qweight", "qzeros", "scales", "g_idx")
        )
        out[f"{base}.weight"] = dequantized(weight, zeros, scales, groups, bits, int(less))
    return out


def dequantized(
    weight: Array, zeros: Array, scales: Array, groups: Array, bits: int, less: int
) -> Array:
    """Shapes: weight [n_in / per word, n_out], zeros [n_groups, n_out / per word]."""
    check_shape(scales, zeros.shape[0], weight.shape[-1])
    n_in, (n_groups, n_out) = groups.shape[0], scales.shape
    shifts = np.arange(0, 32, bits)
    check_shape(weight, n_in // len(shifts), n_out)
    check_shape(zeros, n_groups, n_out // len(shifts))
    group = groups_of(groups, n_groups)

    def read(start: int, stop: int) -> Floats:
        words: Integers = integers(weight)[:, start:stop]
        codes = unpacked(words, shifts, bits).swapaxes(1, 2).reshape(n_in, -1).astype(np.int32)
        first, last = start // len(shifts), -(-stop // len(shifts))
        offsets = unpacked(integers(zeros)[:, first:last], shifts, bits).reshape(n_groups, -1)
        skipped = start - first * len(shifts)
        offsets = offsets[:, skipped : skipped + stop - start].astype(np.int32) + less
        scale = scales.rows(0, n_groups)[:, start:stop]
        return (scale[group] * (codes - offsets[group]).astype(np.float32)).T

    return Combined(weight.name, (n_out, n_in), read, (weight, zeros, scales, groups), "decoded")
