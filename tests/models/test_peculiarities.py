"""What sets an architecture apart matters in its tiny models, or it would not be tested by them."""

from dataclasses import replace

import numpy as np
import pytest
from test_hf_logits import Model, change_rope, in_pieces, relative_error

from ggjit.graph import Attention, Gated, LayerNorm, Linear, Rope, Scale, Softcap, Temper
from ggjit.models import architecture_of


def changed(kind, **changes):
    """Return a damage: all operations of a kind with other values."""

    def damage(model):
        ops, found = model.graph.ops, 0
        for i, op in enumerate(ops):
            if isinstance(op, kind):
                ops[i], found = replace(op, **changes), found + 1
        assert found

    return damage


def other_rope(**changes):
    return lambda model: change_rope(model.graph, **changes)


def one_base(model):
    """Layers with a window turn as the others do."""
    ops = model.graph.ops
    specs = [op.spec for op in ops if isinstance(op, Rope)]
    far = min(specs, key=lambda spec: spec.frequencies[-1])
    ops[:] = [replace(op, spec=far) if isinstance(op, Rope) else op for op in ops]


def unscaled_yarn(model):
    n, base = 10, model.file.metadata["qwen3.rope.freq_base"]
    change_rope(model.graph, frequencies=base ** (-np.arange(n) / n))


def all_layers_turn(model):
    """Only tells how many do: a rope cannot be added here."""
    n_layers = model.file.metadata["smollm3.block_count"]
    turning = {op.out.name.split(".")[1] for op in model.graph.ops if isinstance(op, Rope)}
    assert turning == {str(i) for i in range(n_layers) if (i + 1) % 4}
    changed(Attention, scale=1.0)(model)


no_window, no_cap = changed(Attention, window=None), changed(Attention, softcap=None)


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("gemma_wide", changed(Gated, unit="silu")),
        ("gemma_wide", changed(Scale, by=1.0)),
        ("gemma2_caps", no_window),
        ("gemma2_caps", no_cap),
        ("gemma2_caps", changed(Softcap, cap=1e9)),
        ("gemma3_7_layers", no_window),
        ("gemma3_7_layers", one_base),
        ("gptoss_2_of_5", changed(Attention, sinks=None)),
        ("gptoss_2_of_5", changed(Gated, unit="silu")),
        ("gptoss_2_of_5", no_window),
        ("gptoss_2_of_5", other_rope(magnitude=1.0)),
        ("olmo3_windows", no_window),
        ("phi3_window", no_window),
        ("phi3_long", other_rope(magnitude=1.0)),
        ("smollm3_5_layers", all_layers_turn),
        ("granite_scaled", changed(Scale, by=1.0)),
        ("granite_scaled", changed(Attention, scale=0.5)),
        ("minicpm_scaled", changed(Scale, by=1.0)),
        ("mistral3_grows", changed(Temper, by=0.0)),
        ("qwen3_yarn", unscaled_yarn),
        ("qwen3_yarn", other_rope(magnitude=1.0)),
        ("deepseek2_yarn", other_rope(magnitude=1.14)),
        ("glm4_biases", changed(Linear, bias=None)),
        ("gpt2_5_heads", changed(LayerNorm, bias=None)),
    ],
)
def test_a_damaged_graph_is_noticed(name, damage):
    model = Model(name)
    damage(model)
    got = in_pieces(model.reference(), model.ids, len(model.ids))
    assert relative_error(got, model.logits) > 0.01


@pytest.mark.parametrize("name", ["glm4moe_2_of_5", "deepseek2_v2", "qwen3next_wide"])
def test_layers_that_predict_further_tokens_are_not_run(name):
    model = Model(name)
    arch = model.file.metadata["general.architecture"]
    n_layers = model.file.metadata[f"{arch}.block_count"]
    model.file.metadata[f"{arch}.nextn_predict_layers"] = 1
    graph = architecture_of(model.file).build(model.file)
    used = {tensor.name.split(".")[1] for tensor in graph.tensors() if tensor.name[:4] == "blk."}
    assert used == {str(i) for i in range(n_layers - 1)}
