"""NVFP4: numbers of 4 bits, 16 with a float8 scale, all with another; as Model Optimizer has it.

Bytes hold neighbouring inputs, the first lower. Source: OCP's E2M1, NVIDIA's Model Optimizer
(`modelopt/torch/quantization/qtensor/nvfp4_tensor.py`).
"""

from __future__ import annotations

import numpy as np

from ..arrays import Array, Floats
from ..transforms import Combined
from .float8 import with_scales
from .parts import check_matrix, check_shape, integers, nibbles, taken, taken_integers
from .settings import Settings, Tensors

GROUP = 16
SIZES = (0, 0.5, 1, 1.5, 2, 3, 4, 6)
VALUES = np.array([*SIZES, *(-size for size in SIZES)], np.float32)


def fold(tensors: Tensors, settings: Settings) -> Tensors:
    """Fold what Model Optimizer made, in float8 or NVFP4. Raises: CheckpointError for the rest."""
    settings.one_of("quant_algo", ("FP8", "NVFP4", "W4A16_NVFP4", "MIXED_PRECISION"))
    out = dict(tensors)
    for name in [name for name in out if name.endswith(".weight_scale_2")]:
        base = name.removesuffix("_scale_2")
        scales = (taken(out, base + part) for part in ("_scale", "_scale_2"))
        out[base] = dequantized(taken_integers(out, base), *scales, is_inverse=False)
    return with_scales(out, ())


def fold_packed(tensors: Tensors) -> Tensors:
    """Fold what compressed-tensors has, whose scale of all is what weights were multiplied by."""
    out = dict(tensors)
    for name in [name for name in out if name.endswith(".weight_global_scale")]:
        base = name.removesuffix("_global_scale")
        scales = (taken(out, base + part) for part in ("_scale", "_global_scale"))
        out[base] = dequantized(taken_integers(out, f"{base}_packed"), *scales, is_inverse=True)
    return out


def dequantized(pairs: Array, scales: Array, whole: Array, *, is_inverse: bool) -> Array:
    """Shapes: pairs [..., n_in / 2], scales [..., n_in / 16], whole [1], which may be inverse."""
    check_matrix(scales)
    check_shape(pairs, *scales.shape[:-1], scales.shape[-1] * GROUP // 2)
    check_shape(whole, 1)
    shape = (*scales.shape[:-1], scales.shape[-1] * GROUP)

    def read(start: int, stop: int) -> Floats:
        numbers = VALUES[nibbles(integers(pairs, start, stop))]
        by, scale = whole.rows(0, 1), scales.rows(start, stop)
        scale = scale / by if is_inverse else scale * by
        groups = numbers.reshape(*scale.shape, GROUP) * scale[..., None]
        return groups.reshape(stop - start, *shape[1:])

    return Combined(pairs.name, shape, read, (pairs, scales, whole), "decoded")
