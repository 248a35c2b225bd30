"""Rows of a packed matrix by token id."""

import numpy as np
import pytest
from blocks import decoded, random_blocks, whole_blocks
from calls import as_packed, embed, has_integers, pack_matrix
from chosen import chosen, each, every_type
from guarded import Guarded

from ggjit.formats import all_formats

FLOATS = [fmt for fmt in all_formats().values() if not has_integers(fmt)]


@chosen
@pytest.mark.parametrize("n_threads", [1, 2, 3])
@pytest.mark.parametrize(("n_rows", "n_columns"), [(1, 32), (97, 64), (40, 576)])
def test_rows_are_those_of_the_file(rng, fmt, n_rows, n_columns, n_threads):
    check(rng, fmt, n_rows, n_columns, n_threads)


@every_type
@each
def test_every_type(rng, fmt):
    check(rng, fmt, 40, 576, 2)


def check(rng, fmt, n_rows, n_columns, n_threads):
    n_columns = whole_blocks(fmt, n_columns) if has_integers(fmt) else n_columns - 3
    blocks = random_blocks(fmt, rng, n_rows, n_columns)
    ids = [*rng.integers(0, n_rows, 8), 0, n_rows - 1]
    got = embed(fmt, pack_matrix(fmt, blocks, n_rows), ids, n_rows, n_columns, n_threads)
    expected = decoded(fmt, blocks)[ids]
    # d * q + m may be rounded once or twice.
    twice = has_integers(fmt) and fmt.lanes.minimum
    slack = np.spacing(np.abs(expected).max()) if twice else 0
    np.testing.assert_allclose(got[:, :n_columns], expected, rtol=0, atol=slack)


@chosen
def test_rows_from_the_file_are_the_same(rng, fmt):
    blocks = random_blocks(fmt, rng, 37, n_columns := 2 * max(32, fmt.n_columns))
    packed = embed(fmt, pack_matrix(fmt, blocks, 37), [36, 0, 20], 37, n_columns)
    mapped = embed(fmt, Guarded.of(as_packed(fmt, blocks)), [36, 0, 20], 37, n_columns, mapped=True)
    np.testing.assert_array_equal(mapped, packed)


@pytest.mark.parametrize("fmt", FLOATS, ids=lambda f: f.name)
def test_the_padding_of_rows_is_zero(rng, fmt):
    packed = pack_matrix(fmt, random_blocks(fmt, rng, 20, 35), 20)
    assert not embed(fmt, packed, [3, 19], 20, 35)[:, 35:].any()
