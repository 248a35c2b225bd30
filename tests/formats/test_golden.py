"""Stored blocks and the numbers in them: golden.json, which make_golden_blocks.py made.

Made with ggml 0.25.3 (October 2026) and gguf-py 0.19.0, not with this project's code; the Q8_1
blocks are decoded by their definition alone.
"""

import json
from pathlib import Path

import numpy as np
import pytest

from ggjit.formats import all_formats

FILE = Path(__file__).with_name("golden.json")
PLAIN = {  # numbers to bytes
    "f16": lambda v: v.astype("<f2"), "f32": lambda v: v.astype("<f4"),
    "f64": lambda v: v.astype("<f8"), "i8": lambda v: v.astype("<i1"),
    "i16": lambda v: v.astype("<i2"), "i32": lambda v: v.astype("<i4"),
    "i64": lambda v: v.astype("<i8"), "bf16": lambda v: v.astype("<f4").view("<u2")[1::2],
}  # fmt: skip


def source(n):
    """Numbers from -4 to 4, in no order."""
    return ((np.arange(n) * 101 % 256) - 128).astype(np.float32) / np.float32(32)


@pytest.fixture(scope="module")
def golden():
    return json.loads(FILE.read_text(encoding="ascii"))


@pytest.mark.parametrize("fmt", all_formats().values(), ids=lambda f: f.name)
def test_stored_blocks_decode_to_the_stored_numbers(golden, fmt):
    """A new format is not done before it has its golden blocks."""
    stored = golden[fmt.name]
    expected = np.array(stored["values"].split(), np.float32)
    got = fmt.decode_rows(np.frombuffer(bytes.fromhex(stored["blocks"]), np.uint8), len(expected))
    np.testing.assert_array_equal(got[0], expected)


@pytest.mark.parametrize("fmt", all_formats().values(), ids=lambda f: f.name)
def test_the_first_block_is_near_what_it_was_made_from(golden, fmt):
    values = np.array(golden[fmt.name]["values"].split(), np.float32)
    if fmt.name in PLAIN:
        wanted = source(8) * (32 if fmt.name[0] == "i" else 1)
        np.testing.assert_array_equal(values, wanted)
        return
    wanted = source(fmt.n_columns)
    n_bits = 8 * fmt.n_bytes / fmt.n_columns
    error = np.sqrt(np.mean((values[: fmt.n_columns] - wanted) ** 2))
    assert error < 3 * wanted.std() / 2**n_bits
