"""Matrix products: int8 for integer formats, float32 for the others."""

import naive
import numpy as np
import pytest
from blocks import decoded, random_blocks
from calls import is_int8, linear, pack_matrix, quantize_rows

from ggjit.formats import all_formats

FORMATS = pytest.mark.parametrize("fmt", all_formats().values(), ids=lambda f: f.name)
INTEGERS = [fmt for fmt in all_formats().values() if is_int8(fmt)]
TOKENS = [1, 2, 3, 5, 8, 15, 16, 17, 33]


class Product:
    """A random matrix and activations for it, with what the product should be."""

    def __init__(self, fmt, rng, n_tokens, n_rows, n_columns):
        self.fmt, self.n_rows = fmt, n_rows
        blocks = random_blocks(fmt, rng, n_rows, n_columns)
        self.weights, self.packed = decoded(fmt, blocks), pack_matrix(fmt, blocks, n_rows)
        self.x = rng.normal(size=(n_tokens, n_columns)).astype(np.float32)
        self.x *= rng.uniform(0.01, 10, (n_tokens, 1)).astype(np.float32)
        self.int8 = quantize_rows(self.x) if is_int8(fmt) else None
        self.exact_x = self.int8.values() if self.int8 else self.x

    def run(self, tokens=slice(None), **more):
        """Multiply some of the tokens."""
        x = self.x[tokens]
        given = self.int8.only(tokens) if self.int8 else x
        return linear(self.fmt, self.packed, given, self.n_rows, **more)

    def check(self, got, bias=None, residual=None):
        """Compare with float64: a few roundings of the largest terms are allowed."""
        expected = naive.linear(self.exact_x, self.weights, bias, residual)
        largest = np.abs(self.weights).max(axis=1, keepdims=True) * np.ones_like(self.weights)
        size = naive.linear_size(self.exact_x, largest, bias, residual)
        np.testing.assert_array_less(np.abs(got - expected), 5e-7 * size + 1e-30)


@FORMATS
@pytest.mark.parametrize("n_tokens", TOKENS)
@pytest.mark.parametrize(("n_rows", "n_columns"), [(16, 32), (1, 64), (50, 96), (33, 576)])
def test_products_are_exact_up_to_rounding(rng, fmt, n_tokens, n_rows, n_columns):
    n_columns -= 0 if is_int8(fmt) else rng.integers(0, 32)
    product = Product(fmt, rng, n_tokens, n_rows, n_columns)
    product.check(product.run(n_threads=1 + n_tokens % 3))


@FORMATS
@pytest.mark.parametrize("n_tokens", [1, 9, 20])
def test_bias_and_residual_are_added(rng, fmt, n_tokens):
    product = Product(fmt, rng, n_tokens, 37, 64)
    bias, residual = rng.normal(size=37).astype(np.float32), rng.normal(size=(n_tokens, 37))
    residual = 10 * residual.astype(np.float32)
    product.check(product.run(bias=bias), bias)
    product.check(product.run(residual=residual), None, residual)
    product.check(product.run(bias=bias, residual=residual), bias, residual)


@FORMATS
def test_a_token_is_the_same_in_any_batch_and_for_any_number_of_threads(rng, fmt):
    product = Product(fmt, rng, 33, 50, 96)
    bias = rng.normal(size=50).astype(np.float32)
    whole = product.run(bias=bias)
    for n_threads in (2, 3, 5):
        np.testing.assert_array_equal(product.run(bias=bias, n_threads=n_threads), whole)
    for t in range(33):
        np.testing.assert_array_equal(product.run(slice(t, t + 1), bias=bias), whole[t : t + 1])
    for n in TOKENS:
        np.testing.assert_array_equal(product.run(slice(2, 2 + n), bias=bias), whole[2 : 2 + n])


@FORMATS
def test_more_tokens_than_a_panel(rng, fmt):
    product = Product(fmt, rng, 145, 20, 64)
    whole = product.run(n_threads=2)
    product.check(whole)
    for t in (0, 63, 64, 127, 128, 144):
        np.testing.assert_array_equal(product.run(slice(t, t + 1)), whole[t : t + 1])


@pytest.mark.parametrize("fmt", INTEGERS, ids=lambda f: f.name)
def test_extreme_quants_do_not_saturate(rng, fmt):
    """Every quant and every activation at its limit, the signs of both."""
    for byte in (0x00, 0x7F, 0x80, 0xFF):
        product = Product(fmt, rng, 3, 16, 64)
        blocks = random_blocks(fmt, rng, 16, 64)
        for f in (f for f in fmt.lanes.fields if f.size == 4):
            blocks[..., f.offset : f.offset + 4 * f.count] = byte
        product.weights, product.packed = decoded(fmt, blocks), pack_matrix(fmt, blocks, 16)
        product.int8 = quantize_rows(np.sign(product.x))
        product.exact_x = product.int8.values()
        product.check(product.run())
