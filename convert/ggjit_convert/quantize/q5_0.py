"""Q5_0: as Q4_0 with 32 levels; the fifth bits of the quants are a word of their own."""

from ggjit.gguf import GGMLType
from ggjit.jit import device

from .columns import put_fives
from .encoder import Encoder
from .q4_0 import fill, fit


@device
def plain(x, importance, out, scratch):  # type: ignore[no-untyped-def]
    fill(x, out, 16)
    put_fives(x, out, 2)


@device
def weighted(x, importance, out, scratch):  # type: ignore[no-untyped-def]
    fit(x, importance, out, scratch, 16)
    put_fives(x, out, 2)


ENCODER = Encoder(GGMLType.Q5_0, plain, weighted, n_scratch=32)
