"""What the integer products and those who feed them have to agree on."""

from __future__ import annotations

from dataclasses import dataclass

from ..formats import Format
from ..simd import target
from ..simd.dot import in_words

# Beside quantized activations lies what the product needs of every 32 columns of every token:
# scale, sum of quants, sum of the first 16, as [block, 3, token], so that one block's scales of
# neighbouring tokens are neighbours. All are floats: a tile reads others of them as scales behind
# the last token, and integers would be subnormal floats, at which many processors stall.
META = 12  # bytes per block and token
SPARE = 16  # tokens behind the last: the last tile reads them and drops what comes of it


def run_bytes(wide: bool) -> int:
    """Return the bytes of 32 activations."""
    return 64 if wide else 32


def half_run_bytes(wide: bool) -> int:
    """Return how far behind the first the 17th of 32 activations is."""
    return 32 if in_words(wide) else 16


def n_tile() -> int:
    """Return how many tokens share each loaded weight: what fits the machine's registers."""
    return target.current().n_tokens


@dataclass(frozen=True)
class TileShape:
    """How the products of several tokens are cut."""

    n_groups: int  # of 16 rows, 1 or 2, in registers at a time
    n_tokens: int  # in registers at a time
    panel: int  # tokens whose activations stay in the nearest caches while weights pass

    def __str__(self) -> str:
        return f"{self.n_groups}x{self.n_tokens}"


def tile_shape() -> TileShape:
    """Return the target's shape."""
    return TileShape(*target.current().tiles[0], 96)


def kernel_name(fmt: Format, wide: bool, mapped: bool) -> str:
    """Name a product's kernel."""
    return f"linear_{fmt.name}_a{16 if wide else 8}{'_mapped' if mapped else ''}"
