"""MLX: integers of 2 to 8 bits, those of a group of inputs with a scale and what is added to it.

Words hold neighbouring inputs, the first lowest; of 3, 5 and 6 bits some go on in the next word.
Source: mlx `mlx/backend/metal/kernels/quantized.h`, mlx-lm `utils.py` for what config.json says.
"""

from __future__ import annotations

import re

import numpy as np

from ..arrays import Array, Floats
from ..errors import CheckpointError
from ..transforms import Combined
from .parts import check_matrix, check_shape, codes, integers, taken, taken_integers
from .settings import Settings, Tensors

BITS = (2, 3, 4, 5, 6, 8)
# Families whose tensors MLX keeps as they are; of others it moves axes, or adds 1 to norms.
KINDS = (
    "gemma", "gemma2", "gemma3", "gemma3_text", "glm4", "granite", "llama", "minicpm", "mistral",
    "mistral3", "mixtral", "olmo2", "olmo3", "phi3", "qwen2", "qwen2_moe", "qwen3", "qwen3_moe",
    "smollm3",
)  # fmt: skip
STACKED = re.compile(r"\.(mlp|block_sparse_moe)\.switch_mlp\.")  # experts, all in one


def fold(tensors: Tensors, settings: Settings) -> Tensors:
    settings.one_of("mode", ("affine",), "affine")
    if settings.model_type not in KINDS:
        problem = f"is {settings.model_type[:40]!r}, of MLX are read: {', '.join(KINDS)}"
        raise CheckpointError(problem, path=settings.path, field="model_type")
    out = dict(tensors)
    for name in [name for name in out if name.endswith(".scales")]:
        base = name.removesuffix(".scales")
        own = settings.values.get(base)  # of one layer, where it has its own
        size = (settings.below(base, own) if own else settings).number("group_size", 64)
        weight = taken_integers(out, f"{base}.weight")
        scales, biases = (taken(out, f"{base}.{part}") for part in ("scales", "biases"))
        out[f"{base}.weight"] = dequantized(weight, scales, biases, size)
    return {STACKED.sub(".mlp.experts.", name): a for name, a in out.items()}


def dequantized(weight: Array, scales: Array, biases: Array, group_size: int) -> Array:
    """Shapes: weight [..., n_in / per word], scales and biases [..., n_groups]."""
    check_matrix(scales)
    check_shape(biases, *scales.shape)
    n_in = scales.shape[-1] * group_size
    bits = 32 * weight.shape[-1] // max(n_in, 1)
    if bits not in BITS:
        expected = f"expected {n_in} inputs of {', '.join(map(str, BITS))} bits"
        raise ValueError(f"tensor {weight.name!r} has {weight.shape[-1]} words, {expected}")
    check_shape(weight, *scales.shape[:-1], n_in * bits // 32)
    shape = (*scales.shape[:-1], n_in)

    def read(start: int, stop: int) -> Floats:
        numbers = codes(integers(weight, start, stop), bits).astype(np.float32)
        groups = numbers.reshape(stop - start, *scales.shape[1:], group_size)
        scale, bias = (a.rows(start, stop)[..., None] for a in (scales, biases))
        return (groups * scale + bias).reshape(stop - start, *shape[1:])

    return Combined(weight.name, shape, read, (weight, scales, biases), "decoded")
