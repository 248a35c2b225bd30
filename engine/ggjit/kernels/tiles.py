"""What the integer products and those who feed them have to agree on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ..formats import Format, IntLanes
from ..simd import target
from ..simd.dot import in_words

# Forms of quantized activations: of 8 bits; of 16, with a scale every 32 columns; of 16 bits, with
# one every 256, for products that sum so many as integers.
BYTES, WIDE, BLOCKS = 1, 2, 3

# Beside quantized activations lies what the product needs of every 32 columns of every token:
# scale, sum of quants, sum of the first 16, as [block, 3, token], so that one block's scales of
# neighbouring tokens are neighbours. All are floats: a tile reads others of them as scales behind
# the last token, and integers would be subnormal floats, at which many processors stall.
META = 12  # bytes per block and token
SPARE = 16  # tokens behind the last: the last tile reads them and drops what comes of it

# In blocks integers are [block, token, 4, 128]: 64 high bytes, then 64 low ones. A record is two
# cache lines, as [block, token]: the scale, the sums of every 32 columns; of their first 16, of the
# others. A sum is two words: of low bytes, and of high ones.
BLOCK, BLOCK_RUNS, BLOCK_BYTES = 256, 8, 512
RECORD, RUN_SUMS, HALF_SUMS = 128, 4, 64  # bytes; where sums begin


def form_of(formats: Iterable[Format], wide: bool) -> int:
    """Return the form of activations that products with matrices of these formats read."""
    if not wide:
        return BYTES
    each = [fmt.lanes for fmt in formats]
    by_block = all(isinstance(lanes, IntLanes) and lanes.of_block for lanes in each)
    return BLOCKS if by_block and target.current().has_tiles else WIDE


def meta_bytes(form: int, n_columns: int) -> int:
    """Return the bytes of scales and sums of a token."""
    return n_columns // BLOCK * RECORD if form == BLOCKS else n_columns // 32 * META


def column_bytes(form: int) -> int:
    """Return the bytes of an activation."""
    return 1 if form == BYTES else 2


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


def kernel_name(fmt: Format, form: int, mapped: bool) -> str:
    """Name a product's kernel."""
    activations = {BYTES: "a8", WIDE: "a16", BLOCKS: "a16_blocks"}[form]
    return f"linear_{fmt.name}_{activations}{'_mapped' if mapped else ''}"
