"""Matrix products: of integers of 8 or 16 bits for integer formats, of float32 for the others."""

import calls
import naive
import numpy as np
import pytest
from blocks import decoded, random_blocks, whole_blocks, with_ordinary_scales
from calls import as_packed, linear, pack_matrix, quantize_rows
from chosen import every_type, integer_products, other_products, products
from guarded import Guarded

from ggjit.formats import all_formats
from ggjit.gguf import GGMLType
from ggjit.kernels.tiles import BYTES, WIDE, TileShape

SHAPES = [TileShape(2, 6, 48), TileShape(1, 8, 16), TileShape(2, 3, 6)]
TOKENS = [1, 2, 3, 5, 8, 9, 15, 16, 17, 33]


class Product:
    """A random matrix and activations for it, with what the product should be."""

    def __init__(self, fmt, form, rng, n_tokens, n_rows, n_columns):
        self.fmt, self.n_rows = fmt, n_rows
        n_columns = whole_blocks(fmt, n_columns)
        self.blocks = random_blocks(fmt, rng, n_rows, n_columns)
        self.weights = decoded(fmt, self.blocks)
        self.packed = pack_matrix(fmt, self.blocks, n_rows)
        self.x = rng.normal(size=(n_tokens, n_columns)).astype(np.float32)
        self.x *= rng.uniform(0.01, 10, (n_tokens, 1)).astype(np.float32)
        self.integers = quantize_rows(self.x, form=form) if form else None
        self.exact_x = self.integers.values() if self.integers else self.x

    def run(self, tokens=slice(None), **more):
        """Multiply some of the tokens."""
        x = self.x[tokens]
        given = self.integers.only(tokens) if self.integers else x
        return linear(self.fmt, self.packed, given, self.n_rows, **more)

    def check(self, got, bias=None, residual=None):
        """Compare with float64: a few roundings of the largest terms are allowed."""
        expected = naive.linear(self.exact_x, self.weights, bias, residual)
        largest = np.abs(self.weights).max(axis=1, keepdims=True) * np.ones_like(self.weights)
        size = naive.linear_size(self.exact_x, largest, bias, residual)
        np.testing.assert_array_less(np.abs(got - expected), 5e-7 * size + 1e-30)


@products
@pytest.mark.parametrize("n_tokens", TOKENS)
@pytest.mark.parametrize(("n_rows", "n_columns"), [(16, 32), (1, 64), (50, 96), (33, 576)])
def test_products_are_exact_up_to_rounding(rng, fmt, form, n_tokens, n_rows, n_columns):
    n_columns -= 0 if form else rng.integers(0, 32)
    product = Product(fmt, form, rng, n_tokens, n_rows, n_columns)
    product.check(product.run(n_threads=1 + n_tokens % 3))


@every_type
@other_products
def test_every_other_type(rng, fmt, form):
    product = Product(fmt, form, rng, 21, 50, 576)
    whole = product.run(n_threads=2)
    product.check(whole)
    for n in (1, 3, 7):
        np.testing.assert_array_equal(product.run(slice(2, 2 + n)), whole[2 : 2 + n])
    for byte in (0x00, 0xFF) if form else ():
        check_limits(fmt, form, rng, byte)


@products
@pytest.mark.parametrize("n_tokens", [1, 9, 20])
def test_bias_and_residual_are_added(rng, fmt, form, n_tokens):
    product = Product(fmt, form, rng, n_tokens, 37, 64)
    bias, residual = rng.normal(size=37).astype(np.float32), rng.normal(size=(n_tokens, 37))
    residual = 10 * residual.astype(np.float32)
    product.check(product.run(bias=bias), bias)
    product.check(product.run(residual=residual), None, residual)
    product.check(product.run(bias=bias, residual=residual), bias, residual)


@products
def test_a_token_is_the_same_in_any_batch_and_for_any_number_of_threads(rng, fmt, form):
    product = Product(fmt, form, rng, 33, 50, 96)
    bias = rng.normal(size=50).astype(np.float32)
    whole = product.run(bias=bias)
    for n_threads in (2, 3, 5):
        np.testing.assert_array_equal(product.run(bias=bias, n_threads=n_threads), whole)
    for t in range(33):
        np.testing.assert_array_equal(product.run(slice(t, t + 1), bias=bias), whole[t : t + 1])
    for n in TOKENS:
        np.testing.assert_array_equal(product.run(slice(2, 2 + n), bias=bias), whole[2 : 2 + n])


@products
@pytest.mark.parametrize("n_tokens", [1, 7, 20])
def test_weights_in_the_file_give_the_same(rng, fmt, form, n_tokens):
    product = Product(fmt, form, rng, n_tokens, 53, 96)
    packed = product.run()
    product.packed = Guarded.of(as_packed(fmt, product.blocks))
    np.testing.assert_array_equal(product.run(mapped=True, n_threads=2), packed)


@products
def test_without_tokens_no_row_is_packed(rng, fmt, form, monkeypatch):
    used, scratch_of = [], calls.scratch_of
    monkeypatch.setattr(calls, "scratch_of", lambda n: used.append(scratch_of(n)) or used[-1])
    product = Product(fmt, form, rng, 1, 53, 96)
    product.packed = Guarded.of(as_packed(fmt, product.blocks))
    product.run(slice(0, 0), mapped=True)
    [(scratch, _)] = used
    assert not scratch.any()


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_a_tile_of_any_shape_gives_the_same(rng, shape):
    fmt = all_formats()[GGMLType.Q4_1]
    product = Product(fmt, WIDE, rng, 21, 53, 96)
    np.testing.assert_array_equal(product.run(shape=shape, n_threads=2), product.run())


@products
@pytest.mark.parametrize("mapped", [False, True])
def test_more_tokens_than_a_panel(rng, fmt, form, mapped):
    product = Product(fmt, form, rng, 210, 52, 64)
    whole = product.run(n_threads=2)
    product.check(whole)
    for t in (0, 63, 64, 127, 128, 191, 192, 209):
        np.testing.assert_array_equal(product.run(slice(t, t + 1)), whole[t : t + 1])
    if mapped:
        product.packed = Guarded.of(as_packed(fmt, product.blocks))
        np.testing.assert_array_equal(product.run(mapped=True, n_threads=2), whole)


@products
def test_wide_matrices(rng, fmt, form):
    """Panels are smaller where activations would not stay in a cache."""
    product = Product(fmt, form, rng, 70, 18, 8192)
    whole = product.run()
    product.check(whole)
    for t in (0, 63, 64, 69):
        np.testing.assert_array_equal(product.run(slice(t, t + 1)), whole[t : t + 1])


@integer_products
def test_extreme_quants_do_not_saturate(rng, fmt, form):
    for byte in (0x00, 0x7F, 0x80, 0xFF):
        check_limits(fmt, form, rng, byte)


def check_limits(fmt, form, rng, byte):
    """Every quant and every activation at its limit, the signs of both."""
    product = Product(fmt, form, rng, 3, 16, 64)
    blocks = with_ordinary_scales(fmt, np.full_like(product.blocks, byte), rng)
    product.weights, product.packed = decoded(fmt, blocks), pack_matrix(fmt, blocks, 16)
    product.integers = quantize_rows(np.sign(product.x), form=form)
    product.exact_x = product.integers.values()
    product.check(product.run())


@integer_products
@pytest.mark.parametrize("low", [-128, -127, 127])
def test_extreme_bytes_of_activations(rng, fmt, form, low):
    """Integers whose low byte (of 8 bits: whose only one) is at its limit in every column."""
    limit = -127 if form == BYTES else low
    product = Product(fmt, form, rng, 3, 16, 64)
    wanted = 256 * rng.integers(-100, 101, product.x.shape) + limit if form != BYTES else low
    x = np.clip(wanted, -127 * 256, 127 * 256) * np.ones_like(product.x)
    x[:, ::32] = 127 * 256 if form != BYTES else 127
    product.integers = quantize_rows(x.astype(np.float32), form=form)
    product.exact_x = product.integers.values()
    product.check(product.run())
