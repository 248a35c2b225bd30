"""Residual additions taken into matrix products."""

import numpy as np
import pytest
from random_graphs import N_VOCAB, random_graph
from tensors import param

from ggjit.backends.cpu.fuse import fuse_residuals
from ggjit.backends.reference import ReferenceExecutor
from ggjit.graph import Add, Graph, Linear, RMSNorm

W = param("w", (16, 16))


@pytest.fixture
def g():
    return Graph()


@pytest.fixture
def x(g):
    return g.embed(param("e", (10, 16)))


def fused(g):
    return [op for op in fuse_residuals(g.ops) if isinstance(op, Linear) and op.residual]


@pytest.mark.parametrize("turned", [False, True])
def test_a_product_takes_the_addition_that_follows(g, x, turned):
    product = g.linear(x, W)
    total = g.add(product, x) if turned else g.add(x, product)
    embed, linear = fuse_residuals(g.ops)
    assert (linear.out, linear.x, linear.residual) == (total, x, x)
    assert linear.weight is W.tensor
    assert embed is g.ops[0]


@pytest.mark.parametrize("turned", [False, True])
def test_a_norm_takes_the_addition_that_follows(g, x, turned):
    normed = g.rms_norm(x, param("n", (16,)), 1e-5)
    total = g.add(normed, x) if turned else g.add(x, normed)
    _, norm = fuse_residuals(g.ops)
    assert isinstance(norm, RMSNorm)
    assert (norm.out, norm.x, norm.residual) == (total, x, x)


def test_a_norm_of_heads_takes_none(g, x):
    g.add(x, g.rms_norm(x, param("n", (4,)), 1e-5, 4))
    assert fuse_residuals(g.ops) == g.ops


def test_the_bias_stays(g, x):
    g.add(x, g.linear(x, param("w", (16, 16), bias=(16,))))
    assert fused(g)[0].bias is g.ops[1].bias is not None


def test_a_product_that_is_read_elsewhere_stays(g, x):
    product = g.linear(x, W)
    g.add(x, product)
    g.rms_norm(product, param("n", (16,)), 1e-5)
    assert fused(g) == []
    assert fuse_residuals(g.ops) == g.ops


def test_a_product_added_to_itself_stays(g, x):
    product = g.linear(x, W)
    g.add(product, product)
    assert fuse_residuals(g.ops) == g.ops


def test_of_two_products_one_takes_the_other(g, x):
    first, second = g.linear(x, W), g.linear(x, W)
    total = g.add(first, second)
    ops = fuse_residuals(g.ops)
    assert [op.out for op in ops] == [x, first, total]
    assert ops[-1].residual == first


def test_a_product_takes_one_addition_only(g, x):
    y = g.silu_mul(x, x)
    g.add(y, g.add(x, g.linear(x, W)))
    ops = fuse_residuals(g.ops)
    assert [type(op) for op in ops] == [type(g.ops[0]), type(g.ops[1]), Linear, Add]


def test_additions_of_other_things_stay(g, x):
    g.add(x, g.silu_mul(x, x))
    assert fuse_residuals(g.ops) == g.ops


def test_the_residual_may_be_made_after_the_product(g, x):
    product = g.linear(x, W)
    late = g.silu_mul(x, x)
    total = g.add(product, late)
    ops = fuse_residuals(g.ops)
    assert [op.out for op in ops] == [x, late, total]


def test_the_graph_itself_is_left_alone(g, x):
    g.add(x, g.linear(x, W))
    before = list(g.ops)
    fuse_residuals(g.ops)
    assert g.ops == before


@pytest.mark.parametrize("seed", range(30))
def test_the_meaning_stays(seed):
    graph = random_graph(np.random.default_rng(seed), n_ops=15)
    ids = np.arange(9, dtype=np.int32) * 7 % N_VOCAB
    plain = ReferenceExecutor(graph, 16)
    expected = plain.run(plain.new_state(), ids, "all")
    names = {op.out.name for op in graph.ops if isinstance(op, Add)}
    graph.ops = fuse_residuals(graph.ops)
    assert {op.out.name for op in graph.ops} >= names
    fewer = ReferenceExecutor(graph, 16)
    np.testing.assert_array_equal(fewer.run(fewer.new_state(), ids, "all"), expected)
