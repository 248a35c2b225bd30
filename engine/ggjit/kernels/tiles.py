"""What the integer products and those who feed them have to agree on."""

from __future__ import annotations

from ..simd import target

# Beside quantized activations lies what the product needs of every 32 columns of every token:
# scale, sum of quants, sum of the first 16 (int32), as [block, 3, token], so that one block's
# scales of neighbouring tokens are neighbours.
META = 12  # bytes per block and token
PANEL = 48  # tokens whose activations stay in the nearest caches while weights pass


def n_tile() -> int:
    """Return how many tokens share each loaded weight: what fits the machine's registers."""
    return target.current().n_tokens


def tile_shape() -> tuple[int, int]:
    """Return the groups of 16 rows (1 or 2) and the tokens that are multiplied in registers."""
    return (2, 6) if n_tile() >= 8 else (1, n_tile())
