"""From GGML blocks to lanes."""

import naive
import numpy as np
import pytest
from blocks import random_blocks
from calls import as_packed, pack_matrix

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
