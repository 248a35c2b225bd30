"""Float8 with scales of blocks (DeepSeek), of rows or of a whole tensor.

"Inverse" scales multiply as well: they are the inverse of what the weights were multiplied by.
"""

from __future__ import annotations

import re

from .parts import scaled, taken
from .settings import Settings, Tensors

SCALE = re.compile(r"(.*)(?:_scale_inv|(weight)_scale|qscale_(weight))")
# Scales of activations and caches, which are not quantized here
UNUSED = re.compile(
    r"[._]activation_scale$|\.(input|output|k|v|q)_scale(_ub)?$|\.input_global_scale$|\.qscale_act$"
)


def fold(tensors: Tensors, settings: Settings) -> Tensors:
    return with_scales(tensors, settings.block_size("weight_block_size"))


def of_weights(tensors: Tensors) -> Tensors:
    """Leave out what is not of weights."""
    return {name: a for name, a in tensors.items() if not UNUSED.search(name)}


def with_scales(tensors: Tensors, block: tuple[int, ...]) -> Tensors:
    """Multiply tensors by their scales. Raises: ValueError if they do not fit."""
    out = of_weights(tensors)
    for name in [name for name in out if SCALE.fullmatch(name)]:
        found = SCALE.fullmatch(name)
        assert found
        weight = found[1] + (found[2] or found[3] or "")
        scale = taken(out, name)
        if weight not in out:
            raise ValueError(f"tensor {weight[:96]!r} is missing, which {name[:96]!r} scales")
        out[weight] = scaled(out[weight], scale, block)
    return out
