"""Adapters of PEFT: merged into weights, and as GGUF files, which llama.cpp's converter makes too.

Made by make_adapters.py, which keeps both sides.
"""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from checkpoint_files import bf16, write
from peft_files import PREFIX, pair, settings, tensors_of, values_of
from pytorch_files import pytorch

from ggjit.gguf import open_gguf
from ggjit_convert import CheckpointError, convert
from ggjit_convert.adapters import Adapter, FromAdapter, Scaled
from ggjit_convert.origins import FromCheckpoint
from ggjit_convert.sources import Checkpoint, open_checkpoint
from ggjit_convert.transforms import floats

HERE = Path(__file__).parent
DATA = HERE / "data"
FOLDERS = sorted((HERE / "adapters").iterdir())
LLAMA, QWEN, GPT2 = (DATA / name for name in ("llama_tied_biases", "qwen2_odd", "gpt2_3_heads"))
V_PROJ, O_PROJ = (f"model.layers.0.self_attn.{name}_proj" for name in "vo")
V_SHAPE = (6, 18)  # of QWEN


# -- GGUF -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=FOLDERS, ids=lambda path: path.name)
def both(request, tmp_path_factory):
    """Our file and llama.cpp's."""
    out = tmp_path_factory.mktemp("adapters") / "adapter.gguf"
    convert(request.param, out, "f32", base=DATA / request.param.name)
    with open_gguf(out) as ours, open_gguf(request.param / "expected.gguf") as theirs:
        yield ours, theirs


def test_metadata_is_that_of_llama_cpp(both):
    ours, theirs = both
    assert ours.metadata == theirs.metadata
    assert ours.types == theirs.types


def test_tensors_are_those_of_llama_cpp(both):
    ours, theirs = (file.tensors for file in both)
    assert ours.keys() == theirs.keys()
    for name, tensor in theirs.items():
        assert (ours[name].type, ours[name].shape) == (tensor.type, tensor.shape), name
        np.testing.assert_array_equal(ours[name].data, tensor.data, name)


@pytest.mark.parametrize("base", ["", "config.json"])
def test_a_configuration_is_enough_of_a_base(adapter, rng, tmp_path, base):
    config = (QWEN / "config.json").read_bytes()
    folder = write(tmp_path / "base", config__json=config)
    source = adapter(pair(rng, V_PROJ, *V_SHAPE), base_model_name_or_path=str(folder))
    with open_gguf(convert(source, tmp_path / "a.gguf", base=folder / base)) as file:
        assert list(file.tensors) == [f"blk.0.attn_v.weight.lora_{end}" for end in "ab"]
    assert convert(source, tmp_path).name == "adapter-F32.gguf"  # the base it names


def test_types_of_an_adapter(adapter, rng, tmp_path):
    tensors = {name: bf16(values) for name, values in pair(rng, V_PROJ, *V_SHAPE).items()}
    for type, expected in (("auto", "BF16"), ("f16", "F16"), ("q8_0", "F16")):  # not of 32 columns
        with open_gguf(convert(adapter(tensors), tmp_path / type, type, base=QWEN)) as file:
            assert {t.type.name for t in file.tensors.values()} == {expected}
    with pytest.raises(ValueError, match=r"an adapter can be of type auto, f32, .* not q4_k_m"):
        convert(adapter(tensors), tmp_path / "x.gguf", "q4_k_m", base=QWEN)


def test_tokens_after_which_it_acts(adapter, rng, tmp_path):
    source = adapter(pair(rng, V_PROJ, *V_SHAPE), alora_invocation_tokens=[5, 6])
    with open_gguf(convert(source, tmp_path / "a.gguf", base=QWEN)) as file:
        assert file.metadata["adapter.alora.invocation_tokens"].tolist() == [5, 6]
        assert file.types["adapter.alora.invocation_tokens"] == "arr[u32]"
    with pytest.raises(CheckpointError, match="alora_invocation_tokens: says when"):
        convert(QWEN, tmp_path / "x.gguf", lora=[str(source)])


def test_what_llama_cpp_does_not_run_is_noted(adapter, rng, tmp_path):
    tensors = pair(rng, "model.embed_tokens", 20, 31, embedding=True)
    tensors[f"{PREFIX}model.norm.weight"] = np.ones(20, np.float32)
    norms, embedding = FromAdapter.at(adapter(tensors), LLAMA).notes()
    assert "has norms: llama.cpp does not change them" in norms
    assert "the embedding is the output: llama.cpp cannot" in embedding


def everywhere(rng, family):
    """Return factors for all matrices of a family."""
    found = {}
    for name, a in family.checkpoint.tensors.items():
        if len(a.shape) != 2 or not name.endswith(".weight") or "kv_b_proj" in name:
            continue
        module, rank = name.removesuffix(".weight"), 4 if "o_proj" in name else 2
        is_embedding = bool(re.search("embed_tokens|wte|wpe", name))
        is_turned = is_embedding or re.search(family.transposed, name)
        n_out, n_in = a.shape[::-1] if is_turned else a.shape
        found |= pair(rng, module, n_out, n_in, rank, is_embedding)
    return {name: floats(name, values) for name, values in found.items()}


@pytest.mark.parametrize("folder", sorted(DATA.iterdir()), ids=lambda path: path.name)
def test_what_a_gguf_adds_is_what_merging_adds(rng, folder):
    """Of every family, however it rearranges matrices; engines multiply by alpha / rank."""
    base = FromCheckpoint(open_checkpoint(folder))
    config = settings(use_rslora=True, rank_pattern={"o_proj": 4}, alpha_pattern={"q_proj": 7})
    tensors = everywhere(rng, base.family)
    adapter = Adapter(Checkpoint(folder, config, tensors))
    merged = FromCheckpoint(base.checkpoint, [Scaled(adapter)]).tensors
    made = FromAdapter(adapter, base.checkpoint).tensors
    names = [name.removesuffix(".lora_a") for name in made if name.endswith(".lora_a")]
    assert len(names) > 5
    for name in names:
        a, b = (values_of(made[f"{name}.lora_{end}"]) for end in "ab")
        added = (a @ b.T if name == "token_embd.weight" else b @ a) * (3 / b.shape[-1])
        difference = values_of(merged[name]) - values_of(base.tensors[name])
        np.testing.assert_allclose(difference, added, rtol=1e-3, atol=1e-4, err_msg=name)


# -- merging --------------------------------------------------------------------------------------


def conversions_agree(base, lora, expected, tmp_path):
    """Compare with the conversion of a checkpoint that holds merged tensors."""
    config = (base / "config.json").read_bytes()
    whole = tensors_of(base) | expected
    other = write(tmp_path / "other", config__json=config, model__safetensors=whole)
    ours = convert(base, tmp_path / "a.gguf", "f32", vocabulary=False, lora=lora)
    theirs = convert(other, tmp_path / "b.gguf", "f32", vocabulary=False)
    with open_gguf(ours) as a, open_gguf(theirs) as b:
        assert a.tensors.keys() == b.tensors.keys()
        for name, tensor in a.tensors.items():
            found, wanted = (t.data.view(np.float32) for t in (tensor, b.tensors[name]))
            np.testing.assert_allclose(found, wanted, 1e-6, 1e-6, err_msg=name)


MODULES = [
    (LLAMA, "model.layers.1.self_attn.q_proj", "plain"),  # rows permuted
    (LLAMA, "model.layers.0.mlp.down_proj", "plain"),
    (QWEN, "model.embed_tokens", "embedding"),
    (QWEN, "model.layers.1.self_attn.k_proj", "plain"),
    (QWEN, "lm_head", "plain"),
    (GPT2, "transformer.h.1.mlp.c_fc", "transposed"),
    (GPT2, "transformer.h.0.attn.c_proj", "transposed"),  # square
    (DATA / "mixtral_1_of_3", "model.layers.0.block_sparse_moe.experts.2.w2", "plain"),  # stacked
]


@pytest.mark.parametrize(("base", "module", "kind"), MODULES, ids=lambda v: getattr(v, "name", v))
@pytest.mark.parametrize("scale", ["", ":-0.5"])
def test_merged_it_is_the_merged_checkpoint(adapter, rng, tmp_path, base, module, kind, scale):
    before = tensors_of(base)[f"{module}.weight"]
    n_out, n_in = before.shape if kind == "plain" else before.shape[::-1]
    tensors = pair(rng, module, n_out, n_in, embedding=kind == "embedding")
    a, b = tensors.values()
    product = b @ a if kind == "plain" else (b @ a).T
    after = before + product * np.float32(3 / 2 * float(scale[1:] or 1))
    folder = adapter(tensors, fan_in_fan_out=kind == "transposed")
    conversions_agree(base, [f"{folder}{scale}"], {f"{module}.weight": after}, tmp_path)


@pytest.mark.parametrize(("base", "module"), [
    (QWEN, V_PROJ),
    (DATA / "mixtral_1_of_3", "model.layers.0.block_sparse_moe.experts.2.w2"),
])  # fmt: skip
@pytest.mark.parametrize("type", ["F32", "BF16"])
def test_merged_weights_keep_their_type(adapter, rng, tmp_path, base, module, type):
    before = tensors_of(base)
    n_out, n_in = before[f"{module}.weight"].shape
    as_told = {n: bf16(x) if type == "BF16" else x for n, x in before.items()}
    config = (base / "config.json").read_bytes()
    source = write(tmp_path / "base", config__json=config, model__safetensors=as_told)
    lora = [str(adapter(pair(rng, module, n_out, n_in)))]
    with open_gguf(convert(source, tmp_path / "a", vocabulary=False, lora=lora)) as file:
        assert {t.type.name for t in file.tensors.values() if len(t.shape) > 1} <= {type, "F32"}
        merged = [t for n, t in file.tensors.items() if re.search(r"attn_v\.w|ffn_down_exps", n)]
        assert {t.type.name for t in merged} == {type}


def test_several_one_of_a_pickle_of_other_beginnings(adapter, rng, tmp_path):
    first = pair(rng, V_PROJ, *V_SHAPE)
    second = pair(rng, f"model.language_{V_PROJ}", *V_SHAPE, rank=4)
    b_first, b_second = (f[1] @ f[0] for f in (list(first.values()), list(second.values())))
    before = tensors_of(QWEN)[f"{V_PROJ}.weight"]
    folder = adapter(
        second, "pickled", rank_pattern={"v_proj": 4}, alpha_pattern={"self_attn.*": 5}
    )
    (folder / "adapter_model.safetensors").unlink()
    (folder / "adapter_model.bin").write_bytes(pytorch(second))
    after = before + b_first * np.float32(1.5) + b_second * np.float32(5 / 4 * 2)
    lora = [str(adapter(first)), f"{folder}:2"]
    conversions_agree(QWEN, lora, {f"{V_PROJ}.weight": after.astype(np.float32)}, tmp_path)


@pytest.mark.parametrize("beginning", ["model.", "text_model.model.", "model.text_model."])
def test_a_text_model_inside_another_by_any_beginning(adapter, rng, tmp_path, beginning):
    base, module = DATA / "smolvlm_of_llama", "layers.1.mlp.down_proj"
    name = f"model.text_model.{module}.weight"
    before = tensors_of(base)[name]
    tensors = pair(rng, beginning + module, *before.shape)
    a, b = tensors.values()
    after = before + b @ a * np.float32(1.5)
    conversions_agree(base, [str(adapter(tensors))], {name: after}, tmp_path)


def test_whole_tensors_replace_the_models_and_part_the_output(adapter, rng, tmp_path):
    shapes = {"model.norm.weight": (20,), "lm_head.weight": (31, 20)}
    whole = {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    unchanged = {f"{PREFIX}model.embed_tokens.base_layer.weight": np.zeros((31, 20), np.float32)}
    folder = adapter({PREFIX + name: values for name, values in whole.items()} | unchanged)
    conversions_agree(LLAMA, [str(folder)], whole, tmp_path)


def test_weights_that_were_quantized_are_merged_as_float32(adapter, rng, tmp_path):
    bits = rng.integers(0, 127, V_SHAPE).astype(np.uint8)
    scale = {f"{V_PROJ}.weight_scale": np.full((6, 1), 0.5, np.float32)}
    config = json.loads((QWEN / "config.json").read_text())
    config["quantization_config"] = {"quant_method": "fbgemm_fp8"}
    tensors = tensors_of(QWEN) | {f"{V_PROJ}.weight": ("F8_E4M3", bits)} | scale
    base = write(tmp_path / "base", config__json=config, model__safetensors=tensors)
    tensors = pair(rng, V_PROJ, *V_SHAPE)
    a, b = tensors.values()
    scaled = Scaled.of(f"{adapter(tensors)}:2")
    before, after = (
        FromCheckpoint.at(base, vocabulary=False, adapters=adapters).tensors["blk.0.attn_v.weight"]
        for adapters in ((), [scaled])
    )
    np.testing.assert_allclose(values_of(after), values_of(before) + b @ a * 3, rtol=1e-5)


def test_an_embedding_that_is_the_output_in_every_file_is_noted(adapter, rng):
    base = DATA / "gemma_narrow"
    shape = tensors_of(base)["model.embed_tokens.weight"].shape[::-1]
    scaled = Scaled.of(str(adapter(pair(rng, "model.embed_tokens", *shape, embedding=True))))
    [note] = FromCheckpoint.at(base, vocabulary=False, adapters=[scaled]).notes()
    assert "changes the embedding, and with it the output" in note


# -- what is wrong is said before a byte is written -----------------------------------------------


def refused(tmp_path, source, **more):
    out = tmp_path / "out.gguf"
    with pytest.raises(ValueError, match=r".") as caught:
        convert(source, out, vocabulary=False, **more)
    assert not out.exists()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_all_that_fits_nowhere_is_named(adapter, rng, tmp_path):
    odd = {f"{PREFIX}model.extra.weight": np.zeros(3, np.float32)}
    tensors = (
        pair(rng, "model.layers.9.mlp.up_proj", 3, 4) | pair(rng, V_PROJ, *V_SHAPE[::-1]) | odd
    )
    folder = adapter(tensors)
    for source, more in ((QWEN, {"lora": [str(folder)]}), (folder, {"base": QWEN})):
        message = refused(tmp_path, source, **more)
        assert message.startswith(f"{folder}: 2 tensors are not of this model: 'model.extra.weight")
        assert "mlp.up_proj.weight'; 1 tensor has another shape than the model's" in message
        assert f"'{V_PROJ}.weight [18, 6]'" in message


def test_all_that_is_no_pair_is_named(adapter, rng, tmp_path):
    a, _ = pair(rng, V_PROJ, *V_SHAPE).items()
    flat, wide = pair(rng, O_PROJ, 18, 12, rank=5).items()
    odd = {f"{PREFIX}{V_PROJ}.lora_diag": np.ones(2, np.float32)}
    odd[f"{PREFIX}{V_PROJ}.lora_magnitude_vector"] = np.ones(6, np.float32)
    message = refused(tmp_path, QWEN, lora=[str(adapter(dict([a, flat, wide]) | odd))])
    assert "1 tensor is no part of an adapter: 'base_model.model.model" in message
    assert "2 tensors lack the other factor: 'base_model.model.model.layers.0.self" in message
    assert "2 tensors are no factors of the rank that adapter_config.json says" in message
    assert "holds no factors" in refused(tmp_path, QWEN, lora=[str(adapter({}))])


BAD_SETTINGS = [
    ({"peft_type": "IA3"}, "peft_type: is 'IA3', only 'LORA' is supported"),
    ({"peft_type": None}, "peft_type: is missing"),
    ({"kasa_config": {}, "use_bdlora": {"nblocks": 2}}, "use_bdlora: BD-LoRA is not supported"),
    ({"target_parameters": ["w"]}, "target_parameters: an adapter of parameters"),
    ({"init_lora_weights": "pissa_niter_4"}, "init_lora_weights: 'pissa_niter_4' has changed"),
    ({"lora_alpha": 0}, "lora_alpha: is 0"),
    ({"lora_alpha": "x"}, "lora_alpha: is 'x', expected a number"),
    ({"alpha_pattern": {"v_proj": 10**40}}, "alpha_pattern: has 100000"),
    ({"r": 0}, "r: is 0, expected an integer of at least 1"),
    ({"rank_pattern": {"v_proj": 0}}, "rank_pattern: has 0"),
    ({"rank_pattern": [3]}, "rank_pattern: must be an object"),
    ({"alpha_pattern": {"v_proj": "x"}}, "alpha_pattern: has 'x', expected numbers"),
    ({"alpha_pattern": {"(": 1}}, "alpha_pattern: '(' is no regular expression"),
    ({"invocation_string": "x"}, "invocation_string: needs its tokens, in alora_inv"),
]


@pytest.mark.parametrize(("changes", "says"), BAD_SETTINGS, ids=str)
def test_settings_that_are_not_supported(adapter, rng, tmp_path, changes, says):
    folder = adapter(pair(rng, V_PROJ, *V_SHAPE), **changes)
    message = refused(tmp_path, folder, base=QWEN)
    assert message.startswith(f"{folder / 'adapter_config.json'}: {says}")


def test_what_a_gguf_adapter_cannot_hold(adapter, rng, tmp_path):
    whole = {f"{PREFIX}lm_head.weight": tensors_of(QWEN)["lm_head.weight"]}
    message = refused(tmp_path, adapter(whole), base=QWEN)
    assert "1 tensor is whole, which only merging (--lora) can do: 'lm_head.weight'" in message
    head = adapter(pair(rng, "lm_head", 31, 20))
    message = refused(tmp_path, head, base=LLAMA / "config.json")
    assert "1 tensor has no place in this architecture: 'lm_head.weight'" in message
    base = DATA / "deepseek2_v2"
    name = "model.layers.0.self_attn.kv_b_proj"
    shape = open_checkpoint(base).tensors[f"{name}.weight"].shape
    message = refused(tmp_path, adapter(pair(rng, name, *shape)), base=base)
    assert f"tensor '{name}.weight' (transposed) has no factors" in message


def test_what_a_family_leaves_out_is_not_merged(adapter, tmp_path):
    base = DATA / "gemma_narrow"
    embedding = tensors_of(base)["model.embed_tokens.weight"]
    folder = adapter({f"{PREFIX}lm_head.weight": embedding + 1})
    message = refused(tmp_path, base, lora=[str(folder)])
    assert "1 tensor has no place in this architecture: 'lm_head.weight'" in message


def test_folders_that_are_not_what_they_should_be(adapter, rng, tmp_path):
    folder = adapter(pair(rng, V_PROJ, *V_SHAPE), base_model_name_or_path="someone/model")
    message = refused(tmp_path, folder)
    assert "base_model_name_or_path: is 'someone/model', no folder here; --base names" in message
    assert "the folder is no adapter" in refused(tmp_path, QWEN, lora=[str(QWEN)])
    assert "--base names the model of an adapter" in refused(tmp_path, QWEN, base=QWEN)
    assert "is an adapter: --lora merges it" in refused(tmp_path, folder, lora=[str(folder)])
    assert "cannot be scaled by nan" in refused(tmp_path, QWEN, lora=[f"{folder}:nan"])
    assert "is no number" in refused(tmp_path, QWEN, lora=[f"{folder}:much"])
    (folder / "adapter_model.safetensors").unlink()
    assert "holds no adapter_model.safetensors or" in refused(tmp_path, QWEN, lora=[str(folder)])


# -- the command ----------------------------------------------------------------------------------


def test_the_command(command, adapter, rng, tmp_path):
    whole = {f"{PREFIX}model.norm.weight": np.ones(18, np.float32)}
    folder, out = adapter(pair(rng, V_PROJ, *V_SHAPE) | whole), tmp_path / "out.gguf"
    run = ["convert", folder, "--base", QWEN, "-o", out]
    code, _, err = command(*run, "--verify")
    assert code == 2
    assert "is an adapter: only models are verified" in err
    assert command(*run)[0] == 0
    merge = ["convert", QWEN, "--no-vocab", "--lora", f"{folder}:0.5", "--lora", folder, "--force"]
    code, report, _ = command(*merge, "-o", out, "--verify")
    assert code == 0
    assert "an adapter merged, an adapter merged" in report
    assert "output_norm.weight: replaced by an adapter's, replaced by an adapter's" in report
    verify = ["verify", out, QWEN, "--lora", f"{folder}:0.5", "--tokens", 9]
    code, _, err = command(*verify)
    assert code == 2
    assert err.endswith("is not what " + f"{QWEN} makes: 1 problems\n")
    assert command(*verify, "--lora", folder)[0] == 0
    code, _, err = command("verify", out, out, "--lora", folder)
    assert code == 2
    assert "--lora merges into a checkpoint" in err
