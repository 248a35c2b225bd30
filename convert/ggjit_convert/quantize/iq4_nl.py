"""IQ4_NL: the scale that leaves the least squared error with a table of 16 values."""

from __future__ import annotations

from typing import Any

from ggjit.gguf import GGMLType
from ggjit.jit import device

from .columns import inverse, mean_square, put_half, put_nibbles
from .encoder import Encoder
from .nonlinear import replace, search
from .weights import by_importance, by_square


def encoding(weigh: Any) -> Any:
    """Return the device function that encodes with given weights."""

    @device
    def encode(x, importance, out, scratch):  # type: ignore[no-untyped-def]
        weigh(x, importance, mean_square(x, 32), scratch)
        d = search(x, scratch)
        put_half(out, 0, d)
        replace(x, 32, inverse(d))
        put_nibbles(x, out, 2)

    return encode


ENCODER = Encoder(
    GGMLType.IQ4_NL, encoding(by_square(32)), encoding(by_importance(32, 2.0)), n_scratch=32
)
