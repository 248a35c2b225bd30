"""IQ3_XXS: four columns are one of 256 vectors, eight have an even number of minus signs."""

from __future__ import annotations

from ggjit.formats.iq3_xxs import GRID, SIZES
from ggjit.gguf import GGMLType

from .encoder import Encoder
from .grid import Grid
from .picked import n_scratch
from .weights import by_importance, by_size
from .words import with_words

VECTORS = Grid(GRID, [size / 4 for size in SIZES])
encoding = with_words(VECTORS, 66, 4)

ENCODER = Encoder(
    GGMLType.IQ3_XXS,
    encoding(by_size(32, 0.3)),
    encoding(by_importance(32, 2.0)),
    n_scratch(VECTORS),
)
