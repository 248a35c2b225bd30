"""From GGML blocks to lanes."""

import naive
import numpy as np
import pytest
from blocks import random_blocks
from calls import as_packed, pack_and_check, pack_matrix

from ggjit.backends.cpu.packing import pack_blocks
from ggjit.formats import all_formats

FORMATS = pytest.mark.parametrize("fmt", all_formats().values(), ids=lambda f: f.name)


@FORMATS
@pytest.mark.parametrize("n_threads", [1, 2, 3])
@pytest.mark.parametrize(("n_rows", "n_blocks"), [(16, 1), (1, 3), (17, 2), (47, 5), (96, 4)])
def test_unpacking_gives_the_blocks_back(rng, fmt, n_rows, n_blocks, n_threads):
    blocks = random_blocks(fmt, rng, n_rows, n_blocks * fmt.n_columns)
    packed = pack_matrix(fmt, blocks, n_rows, n_threads)
    fields = [(f.offset, f.size, f.count, f.flip) for f in fmt.lanes.fields]
    unpacked = naive.unpack(packed.array, fields, n_rows, n_blocks)
    np.testing.assert_array_equal(unpacked[:n_rows], as_packed(fmt, blocks))


@FORMATS
def test_rows_past_the_last_are_zero(rng, fmt):
    blocks = random_blocks(fmt, rng, 3, 2 * fmt.n_columns)
    packed = pack_matrix(fmt, blocks, 3)
    fields = [(f.offset, f.size, f.count, 0) for f in fmt.lanes.fields]
    assert not naive.unpack(packed.array, fields, 3, 2)[3:].any()


@FORMATS
def test_fields_cover_each_byte_of_a_packed_block_once(fmt):
    covered = [b for f in fmt.lanes.fields for b in range(f.offset, f.offset + f.size * f.count)]
    assert sorted(covered) == list(range(fmt.packed_bytes))


CHECKED = pytest.mark.parametrize(
    "fmt", [f for f in all_formats().values() if f.checks_itself], ids=lambda f: f.name
)


@CHECKED
@pytest.mark.parametrize("n_rows", [3, 16, 21])
def test_floats_that_are_none_are_found(rng, fmt, n_rows):
    """In blocks of several columns for types of one, as they are packed."""
    fields = [f for f in fmt.lanes.fields if f.exponent]
    blocks = random_blocks(fmt, rng, n_rows, 19 * fmt.n_columns)
    assert not pack_and_check(fmt, blocks, n_rows)[1]
    for field in fields:
        for row in {0, n_rows // 2, n_rows - 1}:
            for bits in (field.exponent, 2 * field.exponent | 1, 2 ** (8 * field.size) - 1):
                wrong, at = blocks.copy(), rng.integers(19)
                where = slice(field.offset, field.offset + field.size)
                wrong[row, at, where] = list(
                    (bits | field.exponent).to_bytes(8, "little")[: field.size]
                )
                assert pack_and_check(fmt, wrong, n_rows)[1]
                assert not fmt.finite(wrong)


@pytest.mark.parametrize("n_rows", [5, 16])
@pytest.mark.parametrize("kind", ["f32", "f16", "bf16"])
def test_columns_are_packed_and_checked_together(rng, kind, n_rows):
    """One block of all columns, as matrices of floats are packed."""
    fmt = next(f for f in all_formats().values() if f.name == kind)
    rows = random_blocks(fmt, rng, n_rows, 37)
    packed = np.zeros((16, 37, fmt.n_bytes), np.uint8)
    assert pack_blocks(rows.reshape(-1, fmt.n_bytes), packed.reshape(-1), fmt, 37)
    expected = np.zeros_like(packed)
    expected[:n_rows] = rows
    lanes = packed.reshape(37, 16, fmt.n_bytes).transpose(1, 0, 2)
    np.testing.assert_array_equal(lanes, expected)
    for column in (0, 17, 36):
        wrong = rows.copy()
        wrong[n_rows - 1, column] = list((0xFFFFFFFF).to_bytes(4, "little")[: fmt.n_bytes])
        assert not pack_blocks(wrong.reshape(-1, fmt.n_bytes), packed.reshape(-1), fmt, 37)
