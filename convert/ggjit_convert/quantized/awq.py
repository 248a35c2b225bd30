"""AWQ: integers of 4 bits, those of a group of inputs with a scale and a zero point.

Words hold eight neighbouring outputs, the even ones first: nibbles 0 to 7 are the outputs
0, 2, 4, 6, 1, 3, 5 and 7. Source: the paper's llm-awq, quantize/qmodule.py ("gemm").
"""

from __future__ import annotations

import numpy as np

from ..arrays import Array, Floats
from ..transforms import Combined
from .parts import check_shape, integers, taken, taken_integers, unpacked
from .settings import Settings, Tensors

BITS = 4
SHIFTS = BITS * np.array([0, 4, 1, 5, 2, 6, 3, 7])  # of outputs 0 to 7


def fold(tensors: Tensors, settings: Settings) -> Tensors:
    settings.one_of("bits", (BITS,), BITS)
    settings.one_of("version", ("gemm", "GEMM"), "gemm")
    out = dict(tensors)
    for name in [name for name in out if name.endswith(".qweight")]:
        base = name.removesuffix(".qweight")
        weight, zeros = (taken_integers(out, f"{base}.{part}") for part in ("qweight", "qzeros"))
        scales = taken(out, f"{base}.scales")
        out[f"{base}.weight"] = dequantized(weight, zeros, scales)
    return out


def dequantized(weight: Array, zeros: Array, scales: Array) -> Array:
    """Shapes: weight [n_in, n_out / 8], zeros [n_groups, n_out / 8], scales [n_groups, n_out]."""
    check_shape(scales, zeros.shape[0], 8 * weight.shape[-1])
    n_in, (n_groups, n_out) = weight.shape[0], scales.shape
    check_shape(weight, n_in, n_out // 8)
    check_shape(zeros, n_groups, n_out // 8)
    if not n_groups or n_in % n_groups:
        raise ValueError(f"tensor {scales.name!r} has the shape {scales.shape}, odd for {n_in}")

    def read(start: int, stop: int) -> Floats:
        first, last = start // 8, -(-stop // 8)

        def outputs(a: Array) -> Floats:
            codes = unpacked(integers(a)[:, first:last], SHIFTS, BITS)
            whole = codes.reshape(a.shape[0], -1)
            return whole[:, start - 8 * first : stop - 8 * first].astype(np.float32)

        codes, offsets = outputs(weight).reshape(n_groups, n_in // n_groups, -1), outputs(zeros)
        values = (codes - offsets[:, None]) * scales.rows(0, n_groups)[:, None, start:stop]
        return values.reshape(n_in, -1).T

    return Combined(weight.name, (n_out, n_in), read, (weight, zeros, scales), "decoded")
