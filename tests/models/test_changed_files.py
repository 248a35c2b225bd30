"""Stored models with a key or tensor changed: older files, other switches, what makes no sense."""

from dataclasses import replace

import numpy as np
import pytest
from test_hf_logits import Model, in_pieces, relative_error

from ggjit.graph import Attention, RMSNorm, Rope, Scale, Temper
from ggjit.models import architecture_of


def ops_of(name, *left_out, **keys):
    """Build a stored model without some keys, and with others, named without the architecture."""
    model = Model(name)
    found, arch = model.file.metadata, model.file.metadata["general.architecture"]
    for key in left_out:
        del found[f"{arch}.{key}"]
    for key, value in keys.items():
        found[f"{arch}.{key.replace('__', '.')}"] = value
        model.file.types.setdefault(f"{arch}.{key.replace('__', '.')}", "?")
    return architecture_of(model.file).build(model.file).ops


def refused(name, *left_out, **keys):
    with pytest.raises(ValueError, match=rf"{name}\.gguf") as caught:
        ops_of(name, *left_out, **keys)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400
    return str(caught.value)


# -- what older files do not say ------------------------------------------------------------------


def test_scales_of_the_first_minicpm():
    ops = ops_of("minicpm_scaled", "embedding_scale", "residual_scale", "logit_scale")
    scales = [op.by for op in ops if isinstance(op, Scale)]
    n_layers, width = (len(scales) - 2) // 2, ops[0].out.width
    assert scales[0] == 12
    assert scales[1:-1] == pytest.approx([1.4 / n_layers**0.5] * 2 * n_layers)
    assert scales[-1] == pytest.approx(256 / width)


def test_queries_grow_beyond_the_trained_context():
    ops = ops_of("mistral3_grows", "rope.scaling.original_context_length")
    assert {op.span for op in ops if isinstance(op, Temper)} == {256}


@pytest.mark.parametrize("name", ["qwen2moe_2_of_7", "qwen3moe_3_of_5", "qwen3next_wide"])
def test_experts_of_older_qwens_are_shares_of_a_layer(name):
    found = Model(name).file.metadata
    arch = found["general.architecture"]
    n_used, width = (found[f"{arch}.expert_{k}"] for k in ("used_count", "feed_forward_length"))
    key = "expert_feed_forward_length"
    assert len(ops_of(name, key, feed_forward_length=n_used * width)) == len(ops_of(name))
    assert "has shape" in refused(name, key, feed_forward_length=n_used * (width + 1))


# -- switches -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["granite_scaled", "granitemoe_2_of_5", "granite_of_hybrids"])
def test_a_granite_that_does_not_turn(name):
    assert any(isinstance(op, Rope) for op in ops_of(name))
    ops = ops_of(name, rope__scaling__finetuned=False)
    assert not any(isinstance(op, Rope) for op in ops)
    assert {op.scale for op in ops if isinstance(op, Attention)} == {
        op.scale for op in ops_of(name) if isinstance(op, Attention)
    }


def test_attention_to_tokens_that_come_later_is_refused():
    assert ops_of("groups_of_3", attention__causal=True)
    assert "llama.attention.causal is False" in refused("groups_of_3", attention__causal=False)


def test_chunks_of_another_size_are_refused():
    assert ops_of("llama4_everywhere", attention__sliding_window=0)
    assert "sliding_window is 4096" in refused("llama4_1_of_3", attention__sliding_window=4096)


# -- norms ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["minicpm3_plain", "minicpm3_short", "kimi_wide"])
def test_norms_of_latent_vectors_have_an_epsilon_of_their_own(name):
    model = Model(name)
    norms = [op for op in model.graph.ops if isinstance(op, RMSNorm)]
    inner = {op.eps for op in norms if "_a_norm" in op.weight.name}
    assert inner == {1e-6}
    assert {op.eps for op in norms if ".attn_norm" in op.weight.name} == {float(np.float32(1e-5))}
    if "minicpm" in name:  # of the files' epsilon, 1e-5, the error is more than twice as large
        got = in_pieces(model.reference(), model.ids, len(model.ids))
        assert relative_error(got, model.logits) < 2e-6


# -- values that make no sense --------------------------------------------------------------------

SENSELESS = [
    ("qwen3_yarn", {"rope__freq_base": 1.0}, "rope.freq_base is 1.0"),
    ("granitehybrid_dense", {"ssm__group_count": 2, "ssm__state_size": 3}, "divisor of 5 heads"),
    ("granitehybrid_dense", {"ssm__inner_size": 41}, "inner_size is 41.*multiple of 5 heads"),
    ("qwen35_groups", {"ssm__group_count": 4, "ssm__state_size": 3}, "divisor of 6 heads"),
    ("qwen35_wide", {"ssm__inner_size": 5}, "inner_size is 5.*multiple of 3 heads"),
    ("qwen35_wide", {"attention__value_length": 5}, "value_length is 5.*, the width of gates"),
    ("lfm2_groups", {"attention__head_count_kv": np.ones(500)}, "expected an integer for each"),
    ("lfm2_groups", {"attention__head_count_kv": np.ones(1, np.int32)}, "expected as many as 3"),
    ("gemma2_caps", {"attention__sliding_window_pattern": np.ones(1)}, "[1.0], expected a number"),
    ("groups_of_3", {"deepstack": np.ones(10000)}, "[1.0, 1.0,.*is not understood"),
    ("groups_of_3", {"of\nlines": 1}, "of\\nlines = 1 is not understood"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "keys", "says"), SENSELESS, ids=lambda v: str(v)[:40])
def test_a_senseless_value(name, keys, says):
    message = refused(name, **keys)
    for part in says.split(".*"):
        assert part in message


def test_a_long_name_of_an_architecture_is_cut():
    file = Model("groups_of_3").file
    file.metadata["general.architecture"] = "x\n" * 5000
    with pytest.raises(ValueError, match=r"is not supported; supported: ") as caught:
        architecture_of(file)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 1000


# -- tensors --------------------------------------------------------------------------------------


def with_tensor(name, like, n, bias_of=None):
    """Return a stored model's error with another tensor, or with one of n elements."""
    file = Model(name).file
    t = file.tensors[like]
    data = np.zeros(4 * n, np.uint8)
    new = replace(t, name=bias_of or like, shape=(n,), data=data)
    file.tensors[new.name] = new
    with pytest.raises(ValueError, match=rf"{name}\.gguf") as caught:
        architecture_of(file).build(file)
    return str(caught.value)


@pytest.mark.parametrize("n", [0, 1, 53, 55, 540])
def test_the_bias_of_matrices_in_one_has_a_number_for_each_row(n):
    message = with_tensor("gpt2_3_heads", "blk.0.attn_qkv.bias", n)
    assert f"'blk.0.attn_qkv.bias' has shape [{n}], expected [54]" in message


@pytest.mark.parametrize(
    ("name", "weight"),
    [
        ("groups_of_3", "token_embd"), ("gpt2_3_heads", "position_embd"),
        ("gptoss_2_of_5", "blk.0.attn_sinks"), ("llama3_frequencies", "rope_freqs"),
    ],
)  # fmt: skip
def test_a_bias_that_nothing_adds_is_refused(name, weight):
    message = with_tensor(name, f"{weight}.weight", 5, bias_of=f"{weight}.bias")
    assert f"{weight}.bias' is not expected" in message


def test_decays_of_another_number_of_heads_are_refused_by_name():
    message = with_tensor("kimi_2_of_5", "blk.0.ssm_a", 3)
    assert "'blk.0.ssm_a' has shape [3], expected [5]" in message
