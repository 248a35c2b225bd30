"""Files compared with what they were made of: right ones, and every way to be wrong."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import tiny_llama
from checkpoint_files import safetensors
from small_tokenizers import byte_level, byte_level_bpe
from small_tokenizers import write as write_tokenizer

from ggjit.gguf import open_gguf
from ggjit_convert import convert, requantize
from ggjit_convert.metadata import Metadata
from ggjit_convert.origins import FromGGUF
from ggjit_convert.splitting import own_pairs
from ggjit_convert.verifying import origin_of, verify
from ggjit_convert.writing import File, no_progress, write
from ggjit_convert.written import copied, floats

DATA = Path(__file__).parent / "data"
FAMILIES = [
    "deepseek2_yarn", "gemma3_narrow", "gpt2_3_heads", "gptoss_2_of_5", "granitemoe_2_of_5",
    "mixtral_1_of_3", "phi3_long", "qwen3next_2_of_5",
]  # fmt: skip


@pytest.mark.parametrize("name", FAMILIES)
def test_what_is_converted_is_what_the_checkpoint_makes(name, tmp_path):
    path = convert(DATA / name, tmp_path / "x.gguf", "f32", vocabulary=False)
    found = verify(path, origin_of(DATA / name), n_tokens=20)
    assert found.problems == []
    assert found.logits.skipped is None
    assert found.logits.n_tokens == 19
    assert found.logits.mean_kl < 1e-9
    assert found.logits.top_1 == 1
    assert all(fate.became for fate in found.fates)
    assert all(e.relative_rms == 0 for e in found.errors)
    assert json.loads(json.dumps(found.as_json(), allow_nan=False))["problems"] == []
    assert str(found)


def test_every_tensor_is_accounted_for(tmp_path):
    name = "mixtral_1_of_3"
    path = convert(DATA / name, tmp_path / "x.gguf", "f32", vocabulary=False)
    fates = {f.name: f for f in verify(path, origin_of(DATA / name), n_tokens=0).fates}
    q = fates["model.layers.0.self_attn.q_proj.weight"]
    assert (q.became, q.how) == (["blk.0.attn_q.weight"], ["rows in another order"])
    norm = fates["model.norm.weight"]
    assert (norm.became, norm.how) == (["output_norm.weight"], ["as it is"])
    experts = [f for f in fates.values() if f.became == ["blk.1.ffn_down_exps.weight"]]
    assert [f.how for f in experts] == [["stacked with 2 more"]] * 3


def test_a_tensor_in_two_places_and_one_in_none(tmp_path):
    path = convert(DATA / "deepseek2_v3", tmp_path / "x.gguf", "f32", vocabulary=False)
    fates = {f.name: f for f in verify(path, origin_of(DATA / "deepseek2_v3"), n_tokens=0).fates}
    kv = fates["model.layers.0.self_attn.kv_b_proj.weight"]
    assert kv.became == ["blk.0.attn_k_b.weight", "blk.0.attn_v_b.weight"]
    assert kv.how[0].startswith("reshaped, ")
    assert kv.how[0].endswith(" along axis 1, transposed")
    folder = tmp_path / "more"
    shutil.copytree(DATA / "gemma_wide", folder)
    folder.joinpath("model.safetensors").unlink()
    extra = {"visual.blocks.0.weight": np.zeros(3, "f4"), "lm_head.weight": np.zeros((2, 2), "f4")}
    tensors = {n: a.rows(0, a.shape[0]) for n, a in checkpoint(DATA / "gemma_wide").items()}
    folder.joinpath("model.safetensors").write_bytes(safetensors(tensors | extra))
    path = convert(folder, tmp_path / "y.gguf", "f32", vocabulary=False)
    fates = {f.name: f for f in verify(path, origin_of(folder), n_tokens=0).fates}
    assert fates["visual.blocks.0.weight"].how == ["no weight of a text model"]
    assert fates["lm_head.weight"].how == ["not in this architecture"]


def checkpoint(folder):
    return origin_of(folder).checkpoint.tensors


def test_scales_of_a_quantized_checkpoint_are_accounted_for(tmp_path):
    folder = tmp_path / "fp8"
    shutil.copytree(DATA / "gemma_wide", folder)
    config = json.loads((folder / "config.json").read_text())
    config["quantization_config"] = {"quant_method": "fp8", "weight_block_size": [1 << 20] * 2}
    (folder / "config.json").write_text(json.dumps(config))
    name = "model.layers.0.mlp.up_proj.weight"
    tensors = {n: a.rows(0, a.shape[0]) for n, a in checkpoint(DATA / "gemma_wide").items()}
    tensors[f"{name}_scale_inv"] = np.array([[0.5]], np.float32)
    (folder / "model.safetensors").write_bytes(safetensors(tensors))
    path = convert(folder, tmp_path / "y.gguf", "f32", vocabulary=False)
    found = verify(path, origin_of(folder), n_tokens=0)
    assert found.problems == []
    fates = {f.name: f for f in found.fates}
    for part in (name, f"{name}_scale_inv"):
        assert (fates[part].became, fates[part].how) == (["blk.0.ffn_up.weight"], ["scaled"])


# -- wrong files ----------------------------------------------------------------------------------


@pytest.fixture
def model(tmp_path):
    tensors = tiny_llama.weights(tiny_llama.shapes())
    return tiny_llama.write(tmp_path / "in.gguf", tensors)


def changed(model, change):
    """Write the file with some of its tensors changed."""
    path = model.with_name("changed.gguf")
    with open_gguf(model) as file:
        tensors = {name: copied(t) for name, t in file.tensors.items()}
        change(tensors, {n: t.data.view("f4").reshape(t.shape) for n, t in file.tensors.items()})
        write([File(path, own_pairs(file), list(tensors.values()))], 1, no_progress)
    return path


def problems(model, path):
    return verify(path, FromGGUF(model), n_tokens=0).problems


def test_wrong_tensors(model):
    name = "blk.1.ffn_up.weight"

    def one_value(tensors, values):
        x = values[name].copy()
        x[3, 4] += 0.01
        tensors[name] = floats(name, x)

    says = f"tensor {name} differs, though F32 holds F32 exactly"
    assert problems(model, changed(model, one_value)) == [says]

    def turned(tensors, values):
        tensors[name] = floats(name, values[name].T)
        tensors["blk.0.attn_norm.weight"] = floats("blk.0.attn_norm.weight", np.full(64, np.nan))
        del tensors["output_norm.weight"]
        tensors["more.weight"] = floats("more.weight", np.zeros(2))

    assert problems(model, changed(model, turned)) == [
        "tensor output_norm.weight is missing in the file",
        "tensor blk.0.attn_norm.weight has values that are not finite",
        f"tensor {name} has shape [64, 96], the source's is [96, 64]",
        "tensor more.weight is not of the source",
    ]


def test_rows_in_a_wrong_order_are_told_from_rounding(model, tmp_path):
    def reversed_rows(tensors, values):
        for name, x in values.items():
            if "attn_q" in name:
                tensors[name] = floats(name, x[::-1])

    other = changed(model, reversed_rows)
    path = requantize(other, tmp_path / "q.gguf", "q4_0")
    good = requantize(model, tmp_path / "good.gguf", "q4_0")
    says = "has little to do with the source's"
    expected = [f"tensor blk.{i}.attn_q.weight {says}" for i in (0, 1)]
    assert problems(model, path) == expected
    found = verify(good, FromGGUF(model), n_tokens=20)
    assert found.problems == []
    rms = found.as_json()["types"]
    assert rms["F32"] == 0
    assert 0.01 < rms["Q4_0"] < 0.2
    assert 0 < found.logits.mean_kl < 1


def test_wrong_keys(model, tmp_path):
    metadata = Metadata(model)
    metadata.set("llama.attention.layer_norm_rms_epsilon", "0.1", None)
    metadata.remove("llama.context_length")
    out = tmp_path / "out.gguf"
    write([metadata.file(out)], 1, no_progress)
    found = problems(model, out)
    keys = ["llama.context_length", "llama.attention.layer_norm_rms_epsilon"]
    assert found == [f"key {key} is not as the source has it" for key in keys]


def test_keys_that_the_source_does_not_have_show_in_logits(model, tmp_path):
    metadata = Metadata(model)
    metadata.set("llama.rope.freq_base", "100", "f32")
    out = tmp_path / "out.gguf"
    write([metadata.file(out)], 1, no_progress)
    found = verify(out, FromGGUF(model), n_tokens=50)
    assert found.problems == ["logits are not those of the source, though all weights are"]


def test_what_cannot_be_run_is_said_and_no_problem(model, tmp_path):
    metadata = Metadata(model)
    metadata.set("general.architecture", "unheard-of", None)
    out = tmp_path / "out.gguf"
    write([metadata.file(out)], 1, no_progress)
    found = verify(out, FromGGUF(out))
    assert found.problems == []
    assert "unheard-of" in found.logits.skipped
    assert f"not compared: {found.logits.skipped}" in str(found)
    found = verify(out, FromGGUF(model))
    assert found.problems[0] == "key general.architecture is not as the source has it"
    assert "key llama.block_count" not in " ".join(found.problems)


def test_a_file_whose_logits_cannot_be_had(model):
    def large(tensors, values):
        for name in ("blk.0.ffn_up.weight", "blk.0.ffn_gate.weight"):
            tensors[name] = floats(name, np.full(values[name].shape, 3e38, "f4"))

    with np.errstate(all="ignore"):
        found = verify(changed(model, large), FromGGUF(model), n_tokens=9)
    assert found.problems[-1].startswith("logits: ")
    assert found.problems[-1].endswith("logits are not finite")
    assert json.loads(json.dumps(found.as_json(), allow_nan=False))


# -- vocabularies ---------------------------------------------------------------------------------


def test_vocabulary_and_template(tmp_path, rng):
    tokenizer = byte_level_bpe(byte_level(use_regex=True))
    n_vocab = tokenizer.get_vocab_size()
    config = {
        "architectures": ["LlamaForCausalLM"], "num_hidden_layers": 1, "hidden_size": 32,
        "intermediate_size": 48, "num_attention_heads": 2, "vocab_size": n_vocab,
        "rms_norm_eps": 1e-5, "max_position_embeddings": 64,
    }  # fmt: skip
    folder = write_tokenizer(
        tmp_path / "s", tokenizer, config=config, tokenizer_config={"chat_template": "T"}
    )
    layer = "model.layers.0."
    shapes = {
        "model.embed_tokens": (n_vocab, 32), "model.norm": (32,), "lm_head": (n_vocab, 32),
        f"{layer}input_layernorm": (32,), f"{layer}post_attention_layernorm": (32,),
        **{f"{layer}self_attn.{x}_proj": (32, 32) for x in "qkvo"}, f"{layer}mlp.up_proj": (48, 32),
        f"{layer}mlp.gate_proj": (48, 32), f"{layer}mlp.down_proj": (32, 48),
    }  # fmt: skip
    tensors = {f"{n}.weight": rng.normal(size=s).astype(np.float32) for n, s in shapes.items()}
    (folder / "model.safetensors").write_bytes(safetensors(tensors))
    path = convert(folder, tmp_path / "x.gguf", "q8_0")
    found = verify(path, origin_of(folder), n_random=50)
    assert found.problems == []
    assert found.vocabulary.agreement.n_texts > 50
    assert found.logits.n_tokens == 63
    assert 0 < found.logits.mean_kl < 0.1
    metadata = Metadata(path)
    metadata.set("tokenizer.chat_template", "U", None)
    write([metadata.file(path)], 1, no_progress)
    found = verify(path, origin_of(folder), n_tokens=0, n_random=50)
    key = "tokenizer.chat_template"
    assert found.problems == [f"key {key} is not as the source's tokenizer has it"]
    assert "tokenizer.chat_template" in str(found)


# -- commands -------------------------------------------------------------------------------------


def test_the_command(command, model, tmp_path):
    good = requantize(model, tmp_path / "good.gguf", "q8_0")
    as_json = tmp_path / "r.json"
    code, out, err = command("verify", good, model, "--json", as_json, "--tokens", 9, "-t", 1)
    assert (code, err) == (0, "")
    assert "21 of 21 tensors of" in out
    assert "logits: mean KL divergence" in out
    read = json.loads(as_json.read_text())
    assert len(read["tensors"]) == len(read["source_tensors"]) == 21
    assert read["logits"]["n_tokens"] == 8

    assert out.endswith(f"no problems: {good} is what {model} makes\n")
    for flags, says in [
        (("--tokens", "-3"), "--tokens must be 0 or more, not -3"),
        (("-t", "0"), "-t must be 1 or more, not 0"),
        (("--json", tmp_path / "no" / "r.json"), "r.json: there is no such folder"),
    ]:
        code, out, err = command("verify", good, model, *flags)
        assert (code, out) == (2, "")
        assert says in err

    def shifted(tensors, values):
        for name in ("blk.0.attn_norm.weight", "blk.1.attn_norm.weight"):
            tensors[name] = floats(name, values[name] + 1)

    code, out, err = command("verify", changed(model, shifted), model, "--tokens", 0)
    what = "differs, though F32 holds F32 exactly"
    names = "blk.0.attn_norm.weight, blk.1.attn_norm.weight"
    assert out.endswith(f"PROBLEM: each of 2 tensors {what}: {names}\n")
    assert err.endswith("2 problems\n")

    bad = changed(model, lambda tensors, values: tensors.pop("output.weight"))
    code, out, err = command("verify", bad, model, "--tokens", 0)
    assert code == 2
    assert "PROBLEM: tensor output.weight is missing in the file" in out
    assert "is not what" in err
    assert err.count("\n") == 1


def test_converting_verifies(command, tmp_path):
    args = ("convert", DATA / "qwen2_odd", "-o", tmp_path / "x.gguf", "--no-vocab", "-t", 1)
    code, out, err = command(*args, "--verify")
    assert (code, err) == (0, "")
    assert "relative RMS error by type:" in out
    as_json = tmp_path / "r.json"
    assert command(*args, "--force", "--json", as_json)[0] == 0
    assert json.loads(as_json.read_text())["problems"] == []
