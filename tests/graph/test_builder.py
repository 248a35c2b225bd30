"""Building a graph: names, widths, and what is refused."""

import numpy as np
import pytest
from tensors import param

from ggjit.graph import (
    Add,
    Attention,
    Embed,
    Gated,
    Gelu,
    Graph,
    Linear,
    RMSNorm,
    Rope,
    RopeSpec,
    Scale,
    Select,
    Softcap,
    Temper,
)

SPEC = RopeSpec(np.ones(4), interleaved=True)


@pytest.fixture
def g():
    return Graph()


@pytest.fixture
def x(g):
    return g.embed(param("token_embd", (50, 24)))


def test_operations_are_kept_in_order(g, x):
    h = g.rms_norm(x, param("norm", (24,)), 1e-5)
    q = g.linear(h, param("q", (32, 24)))
    k, v = g.linear(h, param("k", (16, 24))), g.linear(h, param("v", (10, 24)))
    q, k = g.rope(q, 8, SPEC), g.rope(k, 8, SPEC)
    a = g.attention(q, k, v, layer=0, n_heads=4, n_kv_heads=2, scale=0.5)
    y = g.add(g.silu_mul(a, a), a)
    out = g.linear(g.select(y), param("output", (50, 20)))
    kinds = [Embed, RMSNorm, Linear, Linear, Linear, Rope, Rope, Attention, Gated, Add, Select]
    assert [type(op) for op in g.ops] == [*kinds, Linear]
    widths = [24, 24, 32, 16, 10, 32, 16, 20, 20, 20, 20, 50]
    assert [op.out.width for op in g.ops] == widths
    assert g.output == out
    assert [op.out for op in g.ops if op.out.selected] == [g.ops[-2].out, out]
    (attention,) = (op for op in g.ops if isinstance(op, Attention))
    assert (attention.k_dim, attention.v_dim) == (8, 5)
    assert attention.inputs() == (q, k, v)


def test_what_follows_a_selection_is_selected(g, x):
    chosen = g.select(x)
    for y in (
        g.rms_norm(chosen, param("norm", (24,)), 1e-5),
        g.linear(chosen, param("output", (50, 24))),
        g.silu_mul(chosen, chosen),
        g.add(chosen, chosen),
    ):
        assert y.selected


def test_rows_are_scaled_capped_tempered_and_normalized_by_head(g, x):
    position = g.embed_positions(param("position_embd", (9, 24)))
    y = g.layer_norm(g.add(x, position), param("norm", (24,), bias=(24,)), 1e-5)
    g.softcap(g.scale(g.temper(g.gated(g.gelu(y), y, "gelu"), 0.1, 8), 2.0), 30.0)
    assert [type(op) for op in g.ops[-5:]] == [Gelu, Gated, Temper, Scale, Softcap]
    assert [op.of for op in g.ops if isinstance(op, Embed)] == ["tokens", "positions"]
    assert g.ops[3].bias.name == "norm.bias"
    g.rms_norm(y, param("q_norm", (8,)), 1e-5, 3)
    assert g.ops[-1].n_heads == 3
    assert g.scale(y, 1.0) is y


def test_names_are_those_of_the_tensors_and_never_the_same(g, x):
    weight = param("blk.0.ffn_up", (24, 24))
    names = [x.name, *(g.linear(x, weight).name for _ in range(3))]
    assert names == ["token_embd", "blk.0.ffn_up", "blk.0.ffn_up.2", "blk.0.ffn_up.3"]
    assert g.rope(x, 8, SPEC).name == "token_embd_rope"
    attended = g.attention(x, x, x, layer=7, n_heads=3, n_kv_heads=3, scale=1)
    assert attended.name == "blk.7.attn"


def test_a_matrix_brings_its_bias(g, x):
    g.linear(x, param("q", (32, 24), bias=(32,)))
    assert g.ops[-1].bias.name == "q.bias"
    g.linear(x, param("k", (32, 24)))
    assert g.ops[-1].bias is None


@pytest.mark.parametrize(
    ("build", "says"),
    [
        (lambda g, x: g.embed(param("e", (50,))), r"'e\.weight' has shape \[50\]"),
        (lambda g, x: g.embed(param("e", (2, 3, 4))), r"'e\.weight' has shape \[2, 3, 4\]"),
        (lambda g, x: g.embed(param("e", (0, 8))), r"'e\.weight' has shape \[0, 8\]"),
        (lambda g, x: g.embed(param("e", (8, 0))), r"'e\.weight' has shape \[8, 0\]"),
        (lambda g, x: g.rms_norm(x, param("n", (23,)), 1e-5), r"'n\.weight'.*expected \[24\]"),
        (lambda g, x: g.rms_norm(x, param("n", (24,)), 1e-5, 3), r"'n\.weight'.*expected \[8\]"),
        (lambda g, x: g.layer_norm(x, param("n", (23,)), 1e-5), r"'n\.weight'.*expected \[24\]"),
        (lambda g, x: g.layer_norm(x, param("n", (24,), (9,)), 1e-5), r"'n\.bias'.*expected"),
        (lambda g, x: g.rms_norm(x, param("n", (1, 24)), 1e-5), r"'n\.weight'.*expected \[24\]"),
        (lambda g, x: g.linear(x, param("w", (24,))), r"'w\.weight' has shape \[24\]"),
        (lambda g, x: g.linear(x, param("w", (24, 32))), r"'w\.weight'.*expected \[\*, 24\]"),
        (lambda g, x: g.linear(x, param("w", (0, 24))), r"'w\.weight' has shape \[0, 24\]"),
        (lambda g, x: g.linear(x, param("w", (8, 24), (24,))), r"'w\.bias'.*expected \[8\]"),
    ],
)
def test_a_tensor_that_does_not_fit_is_the_files_fault(g, x, build, says):
    with pytest.raises(ValueError, match=f"^made-up.gguf: tensor {says}") as caught:
        build(g, x)
    assert "\n" not in str(caught.value)
    assert len(g.ops) == 1


@pytest.mark.parametrize(
    "build",
    [
        lambda g, x, y: g.add(x, y),
        lambda g, x, y: g.silu_mul(x, y),
        lambda g, x, y: g.add(x, g.select(x)),
        lambda g, x, y: g.silu_mul(g.select(x), x),
        lambda g, x, y: g.select(g.select(x)),
        lambda g, x, y: g.rope(g.select(x), 8, SPEC),
        lambda g, x, y: g.rope(x, 7, SPEC),
        lambda g, x, y: g.rope(x, 6, SPEC),
        lambda g, x, y: g.attention(x, x, x, layer=0, n_heads=3, n_kv_heads=2, scale=1),
        lambda g, x, y: g.attention(x, x, g.select(x), layer=0, n_heads=3, n_kv_heads=3, scale=1),
        lambda g, x, y: g.attention(x, y, y, layer=0, n_heads=3, n_kv_heads=1, scale=1),
    ],
)
def test_buffers_that_do_not_fit_are_the_models_fault(g, x, build):
    y = g.linear(x, param("w", (40, 24)))
    with pytest.raises(AssertionError):
        build(g, x, y)
