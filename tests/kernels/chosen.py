"""Which formats tests go through closely: each way that lanes differ. The others are tried once."""

from __future__ import annotations

import pytest

from ggjit.formats import all_formats
from ggjit.formats.base import IntLanes
from ggjit.kernels.tiles import BLOCKS, BYTES, WIDE, form_of

CLOSELY = ("f16", "q4_0", "q4_1", "q8_0", "q2_k", "q4_k", "q6_k")
FORMATS = list(all_formats().values())
CHOSEN = [fmt for fmt in FORMATS if fmt.name in CLOSELY]
OTHERS = [fmt for fmt in FORMATS if fmt.name not in CLOSELY]
every_type = pytest.mark.every_type  # left out on other instruction sets: these compile for minutes


def name_of(value: object) -> str | None:
    return getattr(value, "name", None)


def with_forms(formats: list, *forms: int) -> list:
    """Return (format, form of activations), 0 for formats that take floats."""
    integers = [fmt for fmt in formats if isinstance(fmt.lanes, IntLanes)]
    by_block = [fmt for fmt in integers if form_of([fmt], wide=True) == BLOCKS]
    floats = [(fmt, 0) for fmt in formats if fmt not in integers]
    return floats + [(f, n) for f in integers for n in forms] + [(f, BLOCKS) for f in by_block]


each = pytest.mark.parametrize("fmt", FORMATS, ids=name_of)
chosen = pytest.mark.parametrize("fmt", CHOSEN, ids=name_of)
of_chosen, of_others = with_forms(CHOSEN, BYTES, WIDE), with_forms(OTHERS, WIDE)
products = pytest.mark.parametrize(("fmt", "form"), of_chosen, ids=name_of)
integer_products = pytest.mark.parametrize(
    ("fmt", "form"), [c for c in of_chosen if c[1]], ids=name_of
)
other_products = pytest.mark.parametrize(("fmt", "form"), of_others, ids=name_of)
