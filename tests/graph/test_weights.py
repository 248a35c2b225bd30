"""A model's tensors by name."""

import numpy as np
import pytest
from gguf import GGMLQuantizationType as Kind
from tensors import PATH, param, tensor, weights

from ggjit.graph import Param, Weights


@pytest.fixture
def w():
    return weights(
        ("token_embd.weight", (8, 4)),
        ("blk.3.attn_q.weight", (4, 4)),
        ("blk.3.attn_q.bias", (4,)),
        ("blk.31.attn_q.weight", (5, 4)),
    )


def test_tensors_are_taken_by_gguf_name(w):
    assert w.token_embd.tensor.name == "token_embd.weight"
    assert w.block(31).attn_q.n_rows == 5
    assert w.block(31).attn_q.name == "blk.31.attn_q"


def test_a_bias_comes_along(w):
    assert w.token_embd.bias is None
    assert w.block(3).attn_q.bias.tensor.name == "blk.3.attn_q.bias"


def test_has(w):
    assert w.has("token_embd")
    assert w.block(3).has("attn_q")
    assert not w.has("attn_q")
    assert not w.block(3).has("attn_k")


@pytest.mark.parametrize(
    ("take", "name"),
    [
        (lambda w: w.output, "output.weight"),
        (lambda w: w.block(3).attn_k, "blk.3.attn_k.weight"),
        (lambda w: w.block(30).attn_q, "blk.30.attn_q.weight"),
    ],
)
def test_a_missing_tensor_is_named(w, take, name):
    with pytest.raises(ValueError, match=f"^{PATH}: tensor '{name}' is missing$"):
        take(w)


def test_shapes():
    p = param("w", (6, 4))
    assert (p.n_rows, p.n_columns) == (6, 4)
    p.expect_shape(6, 4)
    p.expect_columns(4)
    param("n", (4,)).expect_vector(4)
    for shape in [(6, 5), (5, 4), (4, 6)]:
        with pytest.raises(ValueError, match=r"'w\.weight' has shape \[6, 4\], expected \["):
            p.expect_shape(*shape)


def test_floats():
    values = np.array([1, 2.5, -3], np.float32)
    np.testing.assert_array_equal(Param("f", tensor("f.weight", values)).floats(), values)


def test_floats_of_another_type_are_refused():
    with pytest.raises(ValueError, match=r"'f\.weight' is F16 \[16\], expected an F32 vector"):
        Param("f", tensor("f.weight", np.ones(16), Kind.F16)).floats()


def test_no_tensors_at_all():
    with pytest.raises(ValueError, match="missing"):
        _ = Weights({}, PATH).token_embd
