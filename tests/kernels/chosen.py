"""Which formats tests go through closely: each way that lanes differ. The others are tried once."""

from __future__ import annotations

import pytest

from ggjit.formats import all_formats
from ggjit.formats.base import IntLanes

CLOSELY = ("f16", "q4_0", "q4_1", "q8_0", "q2_k", "q6_k")
FORMATS = list(all_formats().values())
CHOSEN = [fmt for fmt in FORMATS if fmt.name in CLOSELY]
OTHERS = [fmt for fmt in FORMATS if fmt.name not in CLOSELY]
every_type = pytest.mark.every_type  # left out on other instruction sets: these compile for minutes


def name_of(value: object) -> str | None:
    return getattr(value, "name", None)


def with_bits(formats: list, bits: tuple[int, ...]) -> list:
    """Return (format, bits of activations), 0 for formats that take floats."""
    integers = [isinstance(fmt.lanes, IntLanes) for fmt in formats]
    return [
        (fmt, n)
        for fmt, is_int in zip(formats, integers, strict=True)
        for n in (bits if is_int else (0,))
    ]


each = pytest.mark.parametrize("fmt", FORMATS, ids=name_of)
chosen = pytest.mark.parametrize("fmt", CHOSEN, ids=name_of)
products = pytest.mark.parametrize(("fmt", "bits"), with_bits(CHOSEN, (8, 16)), ids=name_of)
integer_products = pytest.mark.parametrize(
    ("fmt", "bits"), [c for c in with_bits(CHOSEN, (8, 16)) if c[1]], ids=name_of
)
other_products = pytest.mark.parametrize(("fmt", "bits"), with_bits(OTHERS, (16,)), ids=name_of)
