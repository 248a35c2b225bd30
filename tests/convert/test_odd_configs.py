"""What config.json of published checkpoints says in ways of its own, or leaves out."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from ggjit.gguf import GGMLType
from ggjit_convert.architectures import architecture_of
from ggjit_convert.errors import CheckpointError
from ggjit_convert.keys import Keys
from ggjit_convert.origins import FromCheckpoint
from ggjit_convert.sources import Checkpoint
from ggjit_convert.sources.elements import ELEMENTS
from ggjit_convert.sources.stored import Stored
from ggjit_convert.transforms import columns_ordered, floats

DATA = Path(__file__).parent / "data"
LLAMA = {
    "architectures": ["LlamaForCausalLM"], "num_hidden_layers": 1, "hidden_size": 32,
    "intermediate_size": 64, "num_attention_heads": 4, "vocab_size": 40,
    "max_position_embeddings": 64,
}  # fmt: skip


def family(config, tensors=None):
    return architecture_of(Checkpoint(Path("odd"), config, tensors or {}))


def keys(config):
    found = family(config)
    k = Keys(found.arch)
    found.write_keys(k)
    return k


def config_of(name):
    return json.loads((DATA / name / "config.json").read_text())


@pytest.mark.parametrize("name", ["olmo2_groups", "qwen2_odd", "deepseek2_v2", "glm4_plain"])
@pytest.mark.parametrize("missing", ["num_attention_heads", "hidden_size"])
def test_what_every_engine_needs_is_not_left_out(name, missing):
    config = config_of(name)
    del config[missing]
    with pytest.raises(CheckpointError, match=f"{missing} .*is missing"):
        keys(config)


def test_windows_of_qwen2_are_noted():
    config = config_of("qwen2_odd") | {"max_position_embeddings": 64, "sliding_window": 8}
    assert not family(config | {"use_sliding_window": False}).notes()
    [note] = family(config | {"use_sliding_window": True}).notes()
    assert "see 8 tokens back" in note


def test_layers_that_deepseek_leaves_out_are_noted():
    config = config_of("deepseek2_v2")
    assert not family(config).notes()
    beyond = f"model.layers.{config['num_hidden_layers']}.eh_proj.weight"
    found = family(config, {beyond: floats(beyond, np.zeros((4, 4)))})
    note = "layers that predict further tokens are left out: 1"
    assert found.notes() == [note]
    inner = {"architectures": ["KimiVLForConditionalGeneration"]}
    inner |= {"text_config": config | {"model_type": "deepseek_v3"}}
    beyond = f"language_model.{beyond}"
    found = family(inner, {beyond: floats(beyond, np.zeros((4, 4)))})
    assert found.notes() == [note]


def test_a_damaged_tokenizer_of_gemma_is_named(tmp_path):
    path = tmp_path / "tokenizer.json"
    path.write_text('{"model": {"type": "BPE", "merges": []}}')
    found = architecture_of(Checkpoint(tmp_path, config_of("gemma3_narrow"), {}))
    with pytest.raises(CheckpointError, match=r"tokenizer\.json: model\.vocab"):
        found.change({"model.embed_tokens.weight": floats("x", np.zeros((4, 2)))})


# -- rotary embeddings ----------------------------------------------------------------------------


def rope(**values):
    return keys(LLAMA | {"rope_scaling": values})


@pytest.mark.parametrize("name", ["type", "rope_type"])
@pytest.mark.parametrize("kind", ["dynamic", "mrope"])
def test_rope_that_is_not_scaled_within_the_context(name, kind):
    k = rope(**{name: kind, "factor": 2.0})
    assert k.get("rope.scaling.type") is None
    assert k["rope.freq_base"] == 10000


def test_yarn_without_the_context_of_before():
    assert rope(type="yarn", factor=4.0)["rope.scaling.original_context_length"] == 64


def test_frequencies_of_llama4_have_no_span(recwarn):
    scaled = {"rope_type": "llama3", "factor": 16.0, "low_freq_factor": 1.0,
              "high_freq_factor": 1.0, "original_max_position_embeddings": 8}  # fmt: skip
    [a] = family(LLAMA | {"rope_scaling": scaled}).more_tensors().values()
    assert sorted(set(a.rows(0, 4).tolist())) == [1, 16]
    assert not recwarn.list


@pytest.mark.parametrize("rope_parameters", [
    {"rope_local_base_freq": 5000.0, "rope_theta": 3e5},
    {"rope_parameters": {"sliding_attention": {"rope_type": "default", "rope_theta": 5000},
                         "full_attention": {"rope_type": "default", "rope_theta": 300000}}},
])  # fmt: skip
def test_gemma_turns_windows_by_a_base_of_their_own(rope_parameters):
    config = config_of("gemma3_narrow")
    for name in ("rope_parameters", "rope_scaling", "rope_theta", "rope_local_base_freq"):
        config.pop(name, None)
    k = keys(config | rope_parameters)
    assert (k["rope.freq_base"], k["rope.freq_base_swa"]) == (3e5, 5000)


def test_rope_parameters_that_are_none():
    with pytest.raises(CheckpointError, match="full_attention that is no object"):
        keys(LLAMA | {"rope_parameters": {"full_attention": 3}})


def test_integers_written_as_floats():
    assert keys(LLAMA | {"max_position_embeddings": 64.0})["context_length"] == 64
    with pytest.raises(CheckpointError, match=r"is 64\.5, expected an integer"):
        keys(LLAMA | {"max_position_embeddings": 64.5})


# -- text models inside others --------------------------------------------------------------------


def test_what_text_config_leaves_out():
    text = {  # of Pixtral 12B
        "head_dim": 128, "hidden_size": 5120, "max_position_embeddings": 1024000,
        "model_type": "mistral", "num_hidden_layers": 40, "rms_norm_eps": 1e-5,
        "rope_theta": 1e9, "sliding_window": None, "vocab_size": 131072,
    }  # fmt: skip
    k = keys({"architectures": ["Mistral3ForConditionalGeneration"], "text_config": text})
    assert (k["attention.head_count"], k["attention.head_count_kv"]) == (32, 8)
    assert (k["embedding_length"], k["feed_forward_length"]) == (5120, 14336)


@pytest.mark.parametrize(("kind", "name", "n_heads"), [
    ("llama4_text", "Llama4ForConditionalGeneration", 40),
    ("gemma3_text", "Gemma3ForConditionalGeneration", 8),
    ("qwen3_5_text", "Qwen3_5ForConditionalGeneration", 16),
    ("qwen3_5_moe_text", "Qwen3_5MoeForConditionalGeneration", 16),
])  # fmt: skip
def test_a_text_config_of_nothing_but_its_type(kind, name, n_heads):
    k = keys({"architectures": [name], "text_config": {"model_type": kind}})
    assert k["attention.head_count"] == n_heads


@pytest.mark.parametrize("inside", ["language_model.", "model.language_model."])
@pytest.mark.parametrize("name", ["llama_tied_biases", "qwen3_yarn", "deepseek2_v3"])
def test_names_of_a_text_model_inside_another(name, inside):
    known = FromCheckpoint.at(DATA / name, vocabulary=False)
    source = known.checkpoint
    tensors = {inside + n: a for n, a in source.tensors.items()}
    odd = floats("odd", np.zeros(2))
    tensors |= {"vision_tower.x": odd, "model.vision_tower.y": odd, "mm_projector.z": odd}
    origin = FromCheckpoint(Checkpoint(source.path, source.config, tensors))
    assert origin.tensors.keys() == known.tensors.keys()


@pytest.mark.parametrize(("name", "kind", "arch"), [
    ("LlavaForConditionalGeneration", "mistral", "llama"),
    ("VoxtralForConditionalGeneration", "llama", "llama"),
    ("InternVLForConditionalGeneration", "qwen2", "qwen2"),
    ("KimiK25ForConditionalGeneration", "kimi_k2", "deepseek2"),
])  # fmt: skip
def test_models_around_text_models_of_any_family(name, kind, arch):
    text = {"model_type": kind, "num_hidden_layers": 1}
    assert family({"architectures": [name], "text_config": text}).arch == arch


def test_a_model_around_an_unknown_text_model():
    config = {"architectures": ["LlavaForConditionalGeneration"],
              "text_config": {"model_type": "odd"}}  # fmt: skip
    with pytest.raises(CheckpointError, match="'LlavaForConditionalGeneration' is not supported"):
        family(config)


# -- what one family leaves out -------------------------------------------------------------------


def test_scores_of_deepseek_3_are_sigmoids_though_nothing_says_so():
    config = config_of("deepseek2_v3")
    for name in ("scoring_func", "norm_topk_prob"):
        config.pop(name, None)
    k = keys(config | {"architectures": ["DeepseekV3ForCausalLM"]})
    assert (k["expert_gating_func"], k["expert_weights_norm"]) == (2, True)
    k = keys(config | {"architectures": ["DeepseekV2ForCausalLM"]})
    assert k.get("expert_gating_func") is None


@pytest.mark.parametrize("kinds", [{"first_k_dense_replace": 1}, {
    "first_k_dense_replace": None, "mlp_layer_types": ["dense", "sparse", "sparse"],
}])  # fmt: skip
def test_glm_4_7_flash_is_a_deepseek_3(kinds):
    config = config_of("deepseek2_v3") | {"architectures": ["Glm4MoeLiteForCausalLM"]} | kinds
    config.pop("scoring_func", None)
    k = keys(config)
    assert (k.arch, k["expert_gating_func"], k["leading_dense_block_count"]) == ("deepseek2", 2, 1)


def test_scores_of_kimi_linear_by_their_own_name():
    config = config_of("kimi_2_of_5")
    assert keys(config | {"moe_router_activation_func": "sigmoid"})["expert_gating_func"] == 2
    with pytest.raises(CheckpointError, match="moe_router_activation_func: is 'odd', known"):
        keys(config | {"moe_router_activation_func": "odd"})


@pytest.mark.parametrize(("name", "key"), [
    ("deepseek2_v3", "v_head_dim"), ("granitehybrid_dense", "mamba_expand"),
])  # fmt: skip
def test_a_tensor_of_another_size_than_the_config_says(name, key):
    source = FromCheckpoint.at(DATA / name, vocabulary=False).checkpoint
    config = source.config | {key: source.config[key] + 1}
    with pytest.raises(CheckpointError, match="has the shape"):
        FromCheckpoint(Checkpoint(source.path, config, source.tensors))


def test_experts_of_llama4_one_by_one():
    known = FromCheckpoint.at(DATA / "llama4_1_of_3", vocabulary=False)
    source, tensors = known.checkpoint, {}
    for name, a in source.tensors.items():
        stem, _, kind = name.rpartition(".experts.")
        if kind not in ("gate_up_proj", "down_proj"):
            tensors[name] = a
            continue
        for i in range(a.shape[0]):
            [matrix] = a.rows(i, i + 1)
            parts = {"down_proj": matrix}
            if kind == "gate_up_proj":
                parts = dict(zip(("gate_proj", "up_proj"), np.split(matrix, 2, 1), strict=True))
            for part, values in parts.items():
                tensors[f"{stem}.experts.{i}.{part}.weight"] = floats(part, values.T)
    origin = FromCheckpoint(Checkpoint(source.path, source.config, tensors))
    for name, a in known.tensors.items():
        np.testing.assert_array_equal(origin.tensors[name].rows(0, 3), a.rows(0, 3), name)


def test_columns_in_another_order_stay_bfloat16(rng):
    bits = rng.integers(0x3F00, 0x3FFF, (32, 32)).astype(np.uint16)
    a = columns_ordered(Stored("x", bits, ELEMENTS["BF16"]), np.arange(32)[::-1])
    assert a.type is GGMLType.BF16
    np.testing.assert_array_equal(a.blocks(3, 9).view("<u2"), bits[3:9, ::-1])


@pytest.mark.parametrize("name", [
    "mixtral_1_of_3", "deepseek2_v3", "glm4moe_2_of_5", "granitemoe_2_of_5", "olmoe_1_of_3",
    "qwen3moe_1_of_3",
])  # fmt: skip
def test_experts_all_in_one_as_transformers_has_them_in_memory(name):
    known = FromCheckpoint.at(DATA / name, vocabulary=False)
    source = known.checkpoint
    tensors = {
        n.replace("block_sparse_moe.gate", "mlp.gate").replace(".router.layer", ".router"): a
        for n, a in source.tensors.items()
        if ".experts." not in n and "put_linear" not in n
    }
    for layer in range(known.family.n_layers):
        stem = f"blk.{layer}.ffn_"
        if f"{stem}up_exps.weight" not in known.tensors:
            continue
        gate, up, down = (
            known.tensors[f"{stem}{part}_exps.weight"] for part in ("gate", "up", "down")
        )
        both = np.concatenate([x.rows(0, x.shape[0]) for x in (gate, up)], 1)
        place = f"model.layers.{layer}.mlp.experts."
        tensors |= {f"{place}down_proj": down, f"{place}gate_up_proj": floats("both", both)}
    origin = FromCheckpoint(Checkpoint(source.path, source.config, tensors))
    assert origin.tensors.keys() == known.tensors.keys()
    for n, a in known.tensors.items():
        np.testing.assert_array_equal(origin.tensors[n].rows(0, 1), a.rows(0, 1), n)


@pytest.mark.parametrize("name", ["qwen3next_2_of_5", "qwen35moe_1_of_3", "qwen35_groups"])
def test_what_mlx_moves_in_qwen_3_next(name):
    """mlx-lm adds 1 to norms, and puts taps of convolutions along the second axis."""
    known = FromCheckpoint.at(DATA / name, vocabulary=False)
    source, tensors = known.checkpoint, {}
    for n, a in source.tensors.items():
        values = a.rows(0, a.shape[0])
        if n.endswith("conv1d.weight"):
            tensors[n] = floats(n, np.moveaxis(values, 2, 1))
        elif n.endswith("norm.weight") and "linear_attn" not in n:
            tensors[n] = floats(n, values + 1)
        elif "mtp." not in n and ".experts." not in n:
            tensors[n] = a
    for n, a in known.tensors.items():
        if found := re.fullmatch(r"blk\.(\d+)\.ffn_(\w+)_exps\.weight", n):
            tensors[f"model.layers.{found[1]}.mlp.switch_mlp.{found[2]}_proj.weight"] = a
    origin = FromCheckpoint(Checkpoint(source.path, source.config, tensors))
    n_layers = known.family.n_layers
    assert len(origin.tensors) > 9 * n_layers
    for n, a in origin.tensors.items():
        assert a.shape == known.tensors[n].shape
        expected = known.tensors[n].rows(0, a.shape[0])
        np.testing.assert_array_equal(a.rows(0, a.shape[0]), expected, n)
