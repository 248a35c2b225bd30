"""Folders of Meta's and Mistral's own make the files that Hugging Face's make of the same model."""

import json
import shutil

import numpy as np
import pytest
from checkpoint_files import safetensors
from pytorch_files import bf16, pytorch
from small_llama import N_EMBD, N_FF, N_LAYERS, N_VOCAB, config, llama
from small_tokenizers import sentencepiece_bpe

from ggjit.gguf import open_gguf
from ggjit_convert import CheckpointError, convert
from ggjit_convert.origins import FromCheckpoint
from ggjit_convert.verifying import verify

NAMES = {
    "self_attn.q_proj": "attention.wq", "self_attn.k_proj": "attention.wk",
    "self_attn.v_proj": "attention.wv", "self_attn.o_proj": "attention.wo",
    "mlp.gate_proj": "feed_forward.w1", "mlp.down_proj": "feed_forward.w2",
    "mlp.up_proj": "feed_forward.w3", "input_layernorm": "attention_norm",
    "post_attention_layernorm": "ffn_norm", "embed_tokens": "tok_embeddings",
    "block_sparse_moe.gate": "feed_forward.gate", "block_sparse_moe": "feed_forward",
    "lm_head": "output", "model.": "",
}  # fmt: skip
PARAMS = {
    "dim": N_EMBD, "n_layers": N_LAYERS, "n_heads": 4, "n_kv_heads": 2, "norm_eps": 1e-5,
    "vocab_size": -1, "multiple_of": 32,
}  # fmt: skip
MISTRAL = PARAMS | {"hidden_dim": N_FF, "vocab_size": N_VOCAB, "head_dim": 8, "max_seq_len": 64}
SHARED = {"model_type": "llama", "max_position_embeddings": 4096, "tie_word_embeddings": True}


def as_meta(name, values):
    """Return a tensor as Meta has it: another name, rotary pairs side by side."""
    if name.endswith(("q_proj.weight", "k_proj.weight")):
        heads = values.reshape(-1, 2, 4, N_EMBD)  # of 8 rows, halves
        values = np.stack([heads[:, 0], heads[:, 1]], 2).reshape(values.shape)
    for theirs, own in NAMES.items():
        name = name.replace(theirs, own)
    return name, values


def shard(name, values, i, n, is_llama3):
    """Return a shard's part, as Meta's layers divide it."""
    if values.ndim == 1:
        return values
    by_columns = ["wo", "w2"] if is_llama3 else ["wo", "w2", "tok_embeddings"]
    axis = 1 if any(part in name for part in by_columns) else 0
    return np.split(values, n, axis)[i]


@pytest.fixture
def folder(tmp_path):
    """Return a function that writes a folder `name`/model."""

    def folder(name, tensors, **files):
        path = tmp_path / name / "model"
        path.mkdir(parents=True)
        for file, content in files.items():
            (path / f"{file}.json").write_text(json.dumps(content))
        for file, of in tensors.items():
            (path / file).write_bytes(pytorch(of) if file.endswith("pth") else safetensors(of))
        return path

    return folder


def same_files(ours, theirs):
    with open_gguf(ours) as a, open_gguf(theirs) as b:
        assert list(map(str, a.metadata)) == list(map(str, b.metadata))
        for key, value in b.metadata.items():
            np.testing.assert_array_equal(a.metadata[key], value, key)
        assert a.tensors.keys() == b.tensors.keys()
        for name, tensor in b.tensors.items():
            assert (a.tensors[name].type, a.tensors[name].shape) == (tensor.type, tensor.shape)
            np.testing.assert_array_equal(a.tensors[name].data, tensor.data, name)


def weights(rng):
    return llama(rng) | {"lm_head.weight": rng.normal(size=(N_VOCAB, N_EMBD)).astype(np.float32)}


def parts(tensors, n, is_llama3=False, kind=lambda values: values):
    """Return the files of a model in n parts."""
    meta = dict(as_meta(*one) for one in tensors.items())
    return {
        f"consolidated.{i:02}.pth": {
            name: kind(np.ascontiguousarray(shard(name, values, i, n, is_llama3)))
            for name, values in meta.items()
        } | {"rope.freqs": np.ones(4, np.float32)}
        for i in range(n)
    }  # fmt: skip


@pytest.mark.parametrize("n_shards", [1, 2])
@pytest.mark.parametrize("is_llama3", [False, True])
def test_llama(folder, rng, tmp_path, n_shards, is_llama3):
    tensors, own, params = weights(rng), config(**SHARED), dict(PARAMS)
    if is_llama3:
        params |= {"use_scaled_rope": True, "rope_theta": 500000.0, "vocab_size": N_VOCAB}
        scaling = {
            "rope_type": "llama3", "factor": 32.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
            "original_max_position_embeddings": 8192,
        }  # fmt: skip
        own |= {"rope_theta": 5e5, "rope_scaling": scaling, "max_position_embeddings": 131072}
    ours = folder("ours", parts(tensors, n_shards, is_llama3), params=params)
    theirs = folder("theirs", {"model.safetensors": tensors}, config=own)
    made = convert(ours, tmp_path / "a.gguf", vocabulary=False)
    same_files(made, convert(theirs, tmp_path / "b.gguf", vocabulary=False))
    origin = FromCheckpoint.at(ours, vocabulary=False)
    assert origin.notes() == [
        "params.json does not say how long a context may be: "
        f"{131072 if is_llama3 else 4096} tokens are taken"
    ]
    report = verify(made, origin, n_tokens=8)
    assert not report.problems
    [fate] = [fate for fate in report.fates if fate.name == "layers.0.attention.wo.weight"]
    assert fate.became == ["blk.0.attn_output.weight"]
    assert not FromCheckpoint.at(theirs, vocabulary=False).notes()


def test_halves_stay_halves(folder, rng, tmp_path):
    files = parts(llama(rng), 2, kind=bf16)
    for tensors in files.values():
        tensors["rope.freqs"] = bf16(np.ones(4))
    origin = FromCheckpoint.at(folder("x", files, params=PARAMS), vocabulary=False)
    assert {a.type.name for name, a in origin.tensors.items()} == {"BF16"}
    [whole] = [a for name, a in origin.tensors.items() if name == "blk.1.ffn_down.weight"]
    assert whole.blocks(3, 9).shape == (6, 2 * N_FF)


@pytest.mark.parametrize("n_experts", [0, 3])
@pytest.mark.parametrize("grows", [False, True])
def test_mistral(folder, rng, tmp_path, n_experts, grows):
    tensors, params = weights(rng), dict(MISTRAL)
    own = config(**SHARED | {"model_type": "mistral", "max_position_embeddings": 64})
    own |= {"architectures": ["MistralForCausalLM"], "head_dim": 8, "rope_theta": 1e6}
    if n_experts:
        tensors = with_experts(tensors, n_experts)
        params["moe"] = {"num_experts": n_experts, "num_experts_per_tok": 2}
        own |= {"num_local_experts": n_experts, "num_experts_per_tok": 2}
    if grows:
        yarn = {"factor": 4.0, "original_max_position_embeddings": 16}
        params["yarn"] = yarn | {"alpha": 1, "beta": 32, "apply_scale": False}
        params["llama_4_scaling"] = {"beta": 0.1, "original_max_position_embeddings": 16}
        own["rope_parameters"] = yarn | {
            "rope_type": "yarn", "beta_slow": 1.0, "beta_fast": 32.0, "mscale_all_dim": 1.0,
            "llama_4_scaling_beta": 0.1,
        }  # fmt: skip
        own |= {"architectures": ["Ministral3ForCausalLM"], "model_type": "ministral3"}
    meta = dict(as_meta(*one) for one in tensors.items())
    meta["vision_encoder.x"] = meta["patch_merger.x"] = np.ones(3, np.float32)
    ours = folder("ours", {"consolidated.safetensors": meta}, params=params)
    theirs = folder("theirs", {"model.safetensors": tensors}, config=own)
    made = convert(ours, tmp_path / "a.gguf", vocabulary=False)
    same_files(made, convert(theirs, tmp_path / "b.gguf", vocabulary=False))
    assert not FromCheckpoint.at(ours, vocabulary=False).notes()


@pytest.mark.parametrize(
    ("says", "base"),
    [({}, 1e6), ({"sliding_window": 32}, 1e4), ({"sliding_window": 32, "rope_theta": 3e4}, 3e4)],
)
def test_a_base_that_mistral_leaves_out(folder, rng, says, base):
    ours = folder("x", parts(llama(rng), 1), params=MISTRAL | says)
    pairs = FromCheckpoint.at(ours, vocabulary=False).keys().pairs()
    assert {p.name: p.value for p in pairs}["llama.rope.freq_base"] == base


@pytest.mark.parametrize("is_tied", [False, True])
def test_an_output_that_is_missing_is_told_unless_it_is_the_embedding(folder, rng, is_tied):
    ours = folder("x", parts(llama(rng), 1), params=MISTRAL | {"tied_embeddings": is_tied})
    notes = FromCheckpoint.at(ours, vocabulary=False).notes()
    assert [("the output is not the embedding" in note) for note in notes] == [True] * (not is_tied)


def test_windows_that_are_left_out_are_told(folder, rng):
    params = MISTRAL | {"_sliding_window": [None, 32]}
    ours = folder("x", parts(weights(rng), 1), params=params)
    [note] = FromCheckpoint.at(ours, vocabulary=False).notes()
    assert note == "params.json has _sliding_window, which is not heeded: attention sees everything"


@pytest.mark.parametrize("is_applied", [False, True])
def test_yarn_alone_keeps_what_it_says_of_attention(folder, rng, is_applied):
    yarn = {"factor": 4.0, "original_max_position_embeddings": 16, "alpha": 1, "beta": 32}
    params = MISTRAL | {"yarn": yarn | {"apply_scale": is_applied}}
    origin = FromCheckpoint.at(folder("x", parts(llama(rng), 1), params=params), vocabulary=False)
    values = {p.name: p.value for p in origin.keys().pairs()}
    assert values["mistral3.rope.scaling.yarn_log_multiplier"] == float(not is_applied)
    assert "mistral3.attention.temperature_scale" not in values


def test_a_pruned_llama_is_no_mistral(folder, rng):
    params = PARAMS | {"use_scaled_rope": True, "rope_theta": 5e5, "hidden_dim": N_FF}
    origin = FromCheckpoint.at(folder("x", parts(llama(rng), 1), params=params), vocabulary=False)
    assert origin.tensors["rope_freqs.weight"].rows(0, 4)[-1] == 32


def with_experts(tensors, n):
    out = {}
    for name, values in tensors.items():
        if ".mlp." not in name:
            out[name] = values
            continue
        layer, _, part = name.partition(".mlp.")
        part = {"gate": "w1", "down": "w2", "up": "w3"}[part.partition("_")[0]]
        moe = f"{layer}.block_sparse_moe"
        out |= {f"{moe}.experts.{i}.{part}.weight": values + i for i in range(n)}
        out[f"{moe}.gate.weight"] = np.ones((n, N_EMBD), np.float32)
    return out


def test_float8_of_mistral(folder, rng):
    meta = dict(as_meta(*one) for one in weights(rng).items())
    name, shape = "layers.1.feed_forward.w1", (N_FF, N_EMBD)
    meta |= {
        f"{name}.weight": ("F8_E4M3", np.full(shape, 0x38, np.uint8)),  # 1
        f"{name}.qscale_weight": np.full((), 0.5, "f4"), f"{name}.qscale_act": np.ones(1, "f4"),
    }  # fmt: skip
    form = {"qformat_weight": "fp8_e4m3", "qscheme_act": "TENSOR"}
    ours = folder("x", {"consolidated.safetensors": meta}, params=MISTRAL | {"quantization": form})
    origin = FromCheckpoint.at(ours, vocabulary=False)
    np.testing.assert_array_equal(origin.tensors["blk.1.ffn_gate.weight"].rows(0, N_FF), 0.5)


def test_what_compressed_tensors_says_of_mistral(folder, rng):
    meta = dict(as_meta(*one) for one in weights(rng).items())
    name, scales = "layers.1.feed_forward.w1", np.full((N_FF, 1), 0.5, "f4")
    meta |= {
        f"{name}.weight": ("F8_E4M3", np.full((N_FF, N_EMBD), 0x40, np.uint8)),  # 2
        f"{name}.weight_scale": scales * np.arange(N_FF)[:, None].astype("f4"),
    }
    groups = {"config_groups": {"a": {"weights": {"strategy": "channel", "num_bits": 8}}}}
    said = groups | {"quant_method": "compressed_tensors", "format": "float-quantized"}
    ours = folder("x", {"consolidated.safetensors": meta}, params=MISTRAL | {"quantization": said})
    origin = FromCheckpoint.at(ours, vocabulary=False)
    found = origin.tensors["blk.1.ffn_gate.weight"].rows(0, N_FF)
    np.testing.assert_array_equal(found, np.repeat(np.arange(N_FF)[:, None], N_EMBD, 1))


@pytest.mark.parametrize("name", ["tokenizer.model", "tokenizer.model.v3"])
def test_a_tokenizer_beside(folder, rng, tmp_path, name):
    tensors = weights(rng)
    wide = {n: rng.normal(size=(330, N_EMBD)).astype(np.float32)
            for n in ("model.embed_tokens.weight", "lm_head.weight")}  # fmt: skip
    ours = folder("x", parts(tensors | wide, 2), params=PARAMS)
    as_llamas = {"normalization_rule_name": "identity", "remove_extra_whitespaces": False}
    sentencepiece_bpe(ours / name, **as_llamas)
    shutil.copy(ours / name, ours / "tokenizer.model.v1")
    made = convert(ours, tmp_path / "a.gguf")
    with open_gguf(made) as file:
        assert file.metadata["llama.vocab_size"] == 330
        assert file.metadata["tokenizer.ggml.model"] == "llama"
    assert not verify(made, FromCheckpoint.at(ours), n_tokens=8, n_random=20).problems


# -- what does not fit ----------------------------------------------------------------------------


def refused(place):
    with pytest.raises(CheckpointError) as caught:
        FromCheckpoint.at(place, vocabulary=False)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_parts_that_are_missing_or_do_not_fit(folder, rng):
    tensors = weights(rng)
    files = parts(tensors, 4)
    gap = {name: of for name, of in files.items() if ".02." not in name}
    assert "no consolidated.02.pth, but consolidated.03.pth" in refused(
        folder("gap", gap, params=PARAMS)
    )
    files = parts(tensors, 2)
    del files["consolidated.01.pth"]["norm.weight"]
    assert "01.pth: tensor 'norm.weight': is not as it is in consolidated.00" in refused(
        folder("names", files, params=PARAMS)
    )
    alone = {name: of for name, of in parts(tensors, 2).items() if ".00." in name}
    assert "other shapes" in refused(folder("half", alone, params=PARAMS))


BAD = {
    "n_heads: is missing": {"n_heads": None},
    "dim: is 'wide'": {"dim": "wide"},
    "vocab_size: is 0": {"vocab_size": 0},
    "norm_eps: is missing": {"norm_eps": None},
    "yarn: must be an object": {"hidden_dim": 8, "yarn": [1]},
    "llama_4_scaling: is only": {"hidden_dim": N_FF, "llama_4_scaling": {"beta": 0.1}},
    "factor: is missing": {"hidden_dim": 8, "yarn": {}},
    "num_experts: is missing": {"hidden_dim": 8, "moe": {}},
    "quant_method: is 'int3'": {"hidden_dim": N_FF, "quantization": {"qformat_weight": "int3"}},
}


@pytest.mark.parametrize(("says", "changes"), BAD.items(), ids=BAD)
def test_senseless_params(folder, rng, says, changes):
    message = refused(folder("x", parts(llama(rng), 1), params=PARAMS | changes))
    assert f"params.json: {says}" in message or f"quantization_config: {says}" in message
