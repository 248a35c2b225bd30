"""Threads keep to their part, where the lowering counts on it to leave out barriers.

By tokens: a thread reads and writes the rows of its tokens. By columns: it writes, of every row,
the columns of its share of the blocks of 32, whichever kernel it is.
"""

import numpy as np
import pytest
from attention_cache import Cache
from blocks import random_blocks, whole_blocks
from calls import (
    embed,
    has_integers,
    linear,
    pack_matrix,
    quantize_rows,
    rms_norm,
    rope_angles,
    rotate,
    silu_mul,
)
from chosen import chosen
from guarded import Part

from ggjit.kernels.tiles import BYTES

PARTS = [Part(0, 1), Part(0, 2), Part(1, 2), Part(0, 3), Part(1, 3), Part(2, 3)]
EACH_PART = pytest.mark.parametrize("part", PARTS, ids=lambda p: f"{p.thread} of {p.n_threads}")
N_TOKENS = [1, 2, 7, 20]


def share(n, part):
    return slice(n * part.thread // part.n_threads, n * (part.thread + 1) // part.n_threads)


def columns_of(n_columns, part):
    blocks = share((n_columns + 31) // 32, part)
    return slice(32 * blocks.start, min(32 * blocks.stop, n_columns))


def only(x, rows=slice(None), columns=slice(None)):
    """Return x with NaN everywhere else."""
    made = np.full_like(x, np.nan)
    made[rows, columns] = x[rows, columns]
    return made


def assert_only(got, whole, rows=slice(None), columns=slice(None)):
    """Compare a part; fail if anything else was written."""
    np.testing.assert_array_equal(got, only(whole, rows, columns))


def nothing_else_of(rows=slice(None), columns=slice(None)):
    """Return what to do with inputs: keep them, so that writing shows, or only the part's own."""
    return [lambda x: x, lambda x: only(x, rows, columns)]


@EACH_PART
@pytest.mark.parametrize("n_tokens", N_TOKENS)
def test_norm_by_tokens(rng, n_tokens, part):
    x, weight = rng.normal(size=(n_tokens, 96)).astype("f4"), np.ones(96, np.float32)
    rows = share(n_tokens, part)
    for given in nothing_else_of(rows):
        got, integers = rms_norm(given(x), weight, 1e-5, part, BYTES)
        assert_only(got, rms_norm(x, weight, 1e-5)[0], rows)
        assert_only(integers.scale, quantize_rows(rms_norm(x, weight, 1e-5)[0]).scale, rows)


@EACH_PART
@pytest.mark.parametrize("n_tokens", N_TOKENS)
def test_rotation_by_tokens(rng, n_tokens, part):
    x, rows = rng.normal(size=(n_tokens, 60)).astype(np.float32), share(n_tokens, part)
    positions = np.arange(n_tokens)
    angles, whole = (rope_angles(np.ones(10), positions, n_threads=n) for n in (part, 1))
    assert_only(angles.array, whole.array, rows)
    expected = rotate(x, whole, 3, True)
    assert_only(rotate(only(x, rows), angles, 3, True, part), expected, rows)
    assert_only(rotate(x, whole, 3, True, part), expected, rows)


@EACH_PART
@chosen
def test_embedding_by_tokens(rng, fmt, part):
    packed = pack_matrix(fmt, random_blocks(fmt, rng, 30, n := whole_blocks(fmt, 64)), 30)
    ids = rng.integers(0, 30, 7)
    whole = embed(fmt, packed, ids, 30, n)
    assert_only(embed(fmt, packed, ids, 30, n, part), whole, share(7, part))


@EACH_PART
@pytest.mark.parametrize("n_tokens", N_TOKENS)
def test_keys_and_values_by_tokens(rng, n_tokens, part):
    k, v = rng.normal(size=(2, n_tokens, 2, 16)).astype(np.float32)
    rows = share(n_tokens, part)
    placed = slice(5 + rows.start, 5 + rows.stop)
    for given in nothing_else_of(rows):
        cache = Cache(2, 16, 16, 64)
        cache.block.array[:] = 255  # NaN
        cache.store(given(k), given(v), 5, part)
        for got, values in ((cache.keys(), k), (cache.values(), v)):
            expected = np.full_like(got, np.nan)
            expected[placed] = values[rows]
            np.testing.assert_array_equal(got, expected)


@EACH_PART
@pytest.mark.parametrize("n_columns", [32, 64, 80, 100, 257])
def test_activation_by_columns(rng, n_columns, part):
    gate, up = rng.normal(size=(2, 3, n_columns)).astype(np.float32)
    columns = columns_of(n_columns, part)
    for given in nothing_else_of(columns=columns):
        got, _ = silu_mul(given(gate), given(up), part)
        assert_only(got, silu_mul(gate, up)[0], columns=columns)


@EACH_PART
@pytest.mark.parametrize("n_rows", [16, 48, 80, 100, 257])
@chosen
def test_products_by_columns(rng, fmt, n_rows, part):
    packed = pack_matrix(fmt, random_blocks(fmt, rng, n_rows, n := whole_blocks(fmt, 32)), n_rows)
    columns = columns_of(n_rows, part)
    for n_tokens in N_TOKENS:
        x, residual = (rng.normal(size=(n_tokens, m)).astype("f4") for m in (n, n_rows))
        x = quantize_rows(x) if has_integers(fmt) else x
        whole = linear(fmt, packed, x, n_rows, residual=residual)
        for given in nothing_else_of(columns=columns):
            got = linear(fmt, packed, x, n_rows, residual=given(residual), n_threads=part)
            assert_only(got, whole, columns=columns)
