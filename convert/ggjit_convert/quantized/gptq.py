"""GPTQ: integers of 2, 3, 4 or 8 bits, those of a group of inputs with a scale and a zero point.

Words hold neighbouring inputs of a weight, and neighbouring outputs of zero points, which the
first format (checkpoint_format "gptq") stores less 1. `g_idx` is each input's group; without it
groups are neighbours.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..arrays import Array, Floats
from ..transforms import Combined
from .parts import Integers, check_shape, codes, groups_of, integers, taken, taken_integers
from .settings import Settings, Tensors

WHOLE = 32  # numbers of any width that fill words


def fold(tensors: Tensors, settings: Settings) -> Tensors:
    bits = settings.one_of("bits", (2, 3, 4, 8), 4)
    less = settings.one_of("checkpoint_format", ("gptq", "gptq_v2"), "gptq") == "gptq"
    is_ordered = settings.values.get("desc_act") is not True
    out = dict(tensors)
    for name in [name for name in out if name.endswith(".qweight")]:
        base = name.removesuffix(".qweight")
        weight, zeros = (taken_integers(out, f"{base}.{part}") for part in ("qweight", "qzeros"))
        scales = taken(out, f"{base}.scales")
        sources = [weight, zeros, scales]
        if f"{base}.g_idx" in out or not is_ordered:
            sources.append(taken(out, f"{base}.g_idx"))
            groups = groups_of(sources[-1], scales.shape[0])
        else:
            groups = _neighbours(WHOLE * weight.shape[0] // bits, scales, settings)
        out[f"{base}.weight"] = dequantized(sources, groups, bits, int(less))
    return out


def _neighbours(n_in: int, scales: Array, settings: Settings) -> Integers:
    """Return each input's group. Raises: ValueError if there are not so many."""
    size = n_in if settings.values.get("group_size") == -1 else settings.number("group_size", 128)
    check_shape(scales, -(-n_in // size), scales.shape[-1])
    return np.arange(n_in) // size


def dequantized(sources: Sequence[Array], group: Integers, bits: int, less: int) -> Array:
    """Shapes: weight [n_in / per word, n_out], zeros [n_groups, n_out / per word], scales."""
    weight, zeros, scales = sources[:3]
    check_shape(scales, zeros.shape[0], weight.shape[-1])
    n_in, (n_groups, n_out) = len(group), scales.shape
    if n_in * bits % WHOLE or n_out * bits % WHOLE:
        problem = f"is of {n_in} inputs and {n_out} outputs, which fill no words of {bits} bits"
        raise ValueError(f"tensor {weight.name!r} {problem}")
    check_shape(weight, n_in * bits // WHOLE, n_out)
    check_shape(zeros, n_groups, n_out * bits // WHOLE)

    def read(start: int, stop: int) -> Floats:
        numbers = codes(integers(weight)[:, start:stop].T, bits).astype(np.int32)
        first, last = start // WHOLE, -(-stop // WHOLE)
        words = integers(zeros)[:, first * bits : last * bits]
        offsets = codes(words, bits)[:, start - first * WHOLE :][:, : stop - start].T
        offsets = offsets.astype(np.int32) + less
        scale = scales.rows(0, n_groups)[:, start:stop].T
        return scale[:, group] * (numbers - offsets[:, group]).astype(np.float32)

    return Combined(weight.name, (n_out, n_in), read, sources, "decoded")
