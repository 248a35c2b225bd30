"""Q5_1: as Q4_1 with 32 levels; the fifth bits of the quants are a word of their own."""

from ggjit.gguf import GGMLType
from ggjit.jit import device

from .columns import put_fives
from .encoder import Encoder
from .q4_1 import fill, fitting

fit = fitting(31)


@device
def plain(x, importance, out, scratch):  # type: ignore[no-untyped-def]
    fill(x, out, 31)
    put_fives(x, out, 4)


@device
def weighted(x, importance, out, scratch):  # type: ignore[no-untyped-def]
    fit(x, importance, out, scratch)
    put_fives(x, out, 4)


ENCODER = Encoder(GGMLType.Q5_1, plain, weighted, n_scratch=64)
