"""IQ2_XXS: eight columns are one of 256 vectors and an even number of minus signs."""

from __future__ import annotations

from ggjit.formats.iq2_xxs import GRID, SIZES
from ggjit.gguf import GGMLType

from .encoder import Encoder
from .grid import Grid
from .picked import n_scratch
from .weights import by_importance, by_size
from .words import with_words

VECTORS = Grid(GRID, [size / 8 for size in SIZES])
encoding = with_words(VECTORS, 6, 8)

ENCODER = Encoder(
    GGMLType.IQ2_XXS,
    encoding(by_size(32, 0.3)),
    encoding(by_importance(32, 1.0)),
    n_scratch(VECTORS),
)
