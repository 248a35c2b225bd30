"""Converting and quantizing as a whole: plans, refusals, whole files or none."""

import json
import shutil
import struct
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import tiny_llama
from checkpoint_files import bf16
from small_llama import N_EMBD, N_FF, N_LAYERS, llama

from ggjit.formats import find
from ggjit.gguf import GGMLType, open_gguf
from ggjit.graph import Attention
from ggjit.models import architecture_of
from ggjit_convert import CheckpointError, requantize
from ggjit_convert import convert as convert_all
from ggjit_convert.conversion import Conversion
from ggjit_convert.importance import read_importance
from ggjit_convert.origins import FromCheckpoint, FromGGUF
from ggjit_convert.quantize.policy import Wishes
from ggjit_convert.sources import Checkpoint, open_checkpoint
from ggjit_convert.transforms import floats
from ggjit_convert.types import Choice
from ggjit_convert.writing import HELD, File, write
from ggjit_convert.written import Written

DATA = Path(__file__).parent / "data"
convert = partial(convert_all, vocabulary=False)


def test_a_type_for_all_and_a_mix(checkpoint, tmp_path):
    folder = checkpoint()
    out = convert(folder, tmp_path, "q8_0")
    assert out == tmp_path / "small-Q8_0.gguf"
    with open_gguf(out) as file:
        types = {t.type for t in file.tensors.values() if len(t.shape) > 1}
        assert types == {GGMLType.Q8_0}
        assert file.metadata["general.file_type"] == 7
    with open_gguf(convert(folder, tmp_path / "mix.gguf", "Q4_K_M")) as file:
        assert file.metadata["general.file_type"] == 15
        assert file.tensors["blk.0.ffn_down.weight"].type is GGMLType.Q5_0  # rows of 64


def test_what_transformers_fills_in_is_written(checkpoint, tmp_path):
    out = convert(checkpoint(model_type="llama"), tmp_path / "x.gguf", "f16")
    with open_gguf(out) as file:
        assert file.metadata["llama.attention.key_length"] == N_EMBD // 4


def test_auto_keeps_what_the_checkpoint_has(checkpoint, rng, tmp_path):
    name = "model.layers.0.mlp.up_proj.weight"
    folder = checkpoint({name: bf16(rng.normal(size=(N_FF, N_EMBD)))})
    with open_gguf(convert(folder, tmp_path / "x.gguf")) as file:
        types = {n: t.type.name for n, t in file.tensors.items()}
    assert types["blk.0.ffn_up.weight"] == "BF16"
    assert types["blk.1.ffn_up.weight"] == "F32"


@pytest.mark.parametrize(("tied", "same", "kept"), [
    (True, True, False), (True, False, True), (False, True, True),
])  # fmt: skip
def test_a_copy_of_the_embedding_is_written_once(checkpoint, rng, tied, same, kept):
    copy = llama(np.random.default_rng(5))["model.embed_tokens.weight"]
    other = copy if same else copy + 1
    changes = {"model.embed_tokens.weight": copy, "lm_head.weight": other}
    found = FromCheckpoint.at(checkpoint(changes, tie_word_embeddings=tied), vocabulary=False)
    assert ("output.weight" in found.tensors) is kept


def test_wishes(checkpoint):
    wishes = Wishes(GGMLType.F16, GGMLType.BF16, [(r"blk\.1\.ffn_(up|gate)", GGMLType.Q4_1)])
    plan = Conversion.of(FromCheckpoint.at(checkpoint(), vocabulary=False), "q8_0", wishes).plan
    types = {p.name: p.type.name for p in plan}
    assert types["token_embd.weight"] == "BF16"
    assert types["blk.1.ffn_up.weight"] == "Q4_1"
    assert types["blk.0.ffn_up.weight"] == "Q8_0"
    assert types["output_norm.weight"] == "F32"


def test_a_file_of_its_own_types_is_called_after_most_weights(checkpoint, rng, tmp_path):
    out = convert(checkpoint(), f"{tmp_path}/new/folder/")
    assert out == tmp_path / "new" / "folder" / "small-F32.gguf"
    parts = {"up": (N_FF, N_EMBD), "gate": (N_FF, N_EMBD), "down": (N_EMBD, N_FF)}
    halves = {f"model.layers.{i}.mlp.{part}_proj.weight": bf16(rng.normal(size=shape))
              for i in range(N_LAYERS) for part, shape in parts.items()}  # fmt: skip
    out = convert(checkpoint(halves), tmp_path)
    assert out.name == "small-BF16.gguf"
    with open_gguf(out) as file:
        assert file.metadata["general.file_type"] == 32


def test_a_pattern_that_matches_nothing(checkpoint):
    origin = FromCheckpoint.at(checkpoint(), vocabulary=False)
    for type in ("q8_0", "q4_k_m"):
        for pattern in ("ffn_dwn", "attn_norm"):
            with pytest.raises(ValueError, match=f"no tensor to be encoded matches '{pattern}'"):
                Conversion.of(origin, type, Wishes(overrides=[(pattern, GGMLType.Q4_1)]))


# -- what llama.cpp has no keys for ----------------------------------------------------------------


def test_a_window_of_mistral_is_kept_in_a_key_of_our_own(checkpoint, tmp_path, rng):
    folder = checkpoint(architectures=["MistralForCausalLM"], sliding_window=8)
    [note] = FromCheckpoint.at(folder, vocabulary=False).notes()
    assert "sees 8 tokens back" in note
    with open_gguf(convert(folder, tmp_path / "x.gguf", "f32")) as file:
        graph = architecture_of(file).build(file)
        assert {op.window for op in graph.ops if isinstance(op, Attention)} == {8}


def test_scores_of_an_unusual_gemma(tmp_path):
    folder = tmp_path / "gemma2"
    shutil.copytree(DATA / "gemma2_caps", folder)
    settings = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(settings | {"query_pre_attn_scalar": 100}))
    with open_gguf(convert(folder, tmp_path / "x.gguf", "f32")) as file:
        graph = architecture_of(file).build(file)
        scales = [op.scale for op in graph.ops if isinstance(op, Attention)]
        assert scales == pytest.approx([0.1] * len(scales))


# -- what is wrong is said before a byte is written -----------------------------------------------


def refused(folder, tmp_path, **wishes):
    out = tmp_path / "out.gguf"
    with pytest.raises(ValueError, match=r".") as caught:
        convert(folder, out, **wishes)
    assert not out.exists()
    assert "\n" not in str(caught.value)
    assert not [p for p in tmp_path.iterdir() if "part" in p.name]
    return str(caught.value)


def test_all_that_maps_nowhere_and_all_that_is_missing(checkpoint, tmp_path):
    x = np.zeros((2, 2), np.float32)
    folder = checkpoint({
        "model.layers.0.mlp.extra.weight": x, "vision.odd": x, "model.layers.1.mlp.b": x,
        "model.layers.1.mlp.up_proj.weight": None, "model.norm.weight": None,
    })  # fmt: skip
    message = refused(folder, tmp_path)
    assert "2 tensors have no place" in message
    assert "mlp.extra.weight" in message
    assert "2 tensors are missing: 'output_norm.weight', 'blk.1.ffn_up.weight'" in message


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("type", ["f32", "bf16", "q8_0"])
def test_values_that_are_not_finite(checkpoint, rng, tmp_path, value, type):
    bad = rng.normal(size=(N_FF, N_EMBD)).astype(np.float32)
    bad[5, 7] = value
    message = refused(checkpoint({"model.layers.1.mlp.up_proj.weight": bad}), tmp_path, type=type)
    assert message == f"tensor 'model.layers.1.mlp.up_proj.weight' is {value} at [5, 7]"


def test_double_precision_is_float32_in_files(checkpoint, rng, tmp_path):
    values = rng.normal(size=(N_FF, N_EMBD))
    folder = checkpoint({"model.layers.1.mlp.up_proj.weight": values})
    with open_gguf(convert(folder, tmp_path / "x.gguf", vocabulary=False)) as file:
        tensor = file.tensors["blk.1.ffn_up.weight"]
        assert tensor.type is GGMLType.F32
        np.testing.assert_array_equal(tensor.data.view(np.float32), values.astype("f4").reshape(-1))


BAD_CONFIG = [
    ({"architectures": ["OddForCausalLM"]}, "architectures: 'OddForCausalLM' is not supported"),
    ({"architectures": None}, "architectures: must name a class"),
    ({"num_hidden_layers": None}, "num_hidden_layers or n_layer or n_layers: is missing"),
    ({"num_hidden_layers": -1}, "num_hidden_layers: is -1, expected an integer of at least 1"),
    ({"num_hidden_layers": 3}, ""),
    ({"num_hidden_layers": 1 << 31}, "num_hidden_layers: makes 2147483648 layers, at most 1024"),
    ({"hidden_size": (1 << 32) - 1}, "llama.embedding_length is 4294967295, expected between 1"),
    ({"rope_theta": 10**400}, "rope_theta: is 100000"),
    ({"rope_theta": 0}, "config.json: llama.rope.freq_base is 0.0, expected a positive number"),
    ({"rms_norm_eps": -1e-5}, "config.json: llama.attention.layer_norm_rms_epsilon is -1e-05"),
    ({"head_dim": 7}, "config.json: llama.rope.dimension_count is 7, expected an even number"),
    ({"rope_scaling": {"rope_type": "llama3", "factor": 0}}, "factor: is 0, expected a number of"),
    ({"hidden_size": "wide"}, "hidden_size: is 'wide', expected an integer"),
    ({"rms_norm_eps": "small"}, "rms_norm_eps: is 'small', expected a number"),
    ({"num_attention_heads": 7}, "heads"),
    ({"rope_parameters": [1]}, "rope_parameters: must be an object"),
    ({"rope_parameters": {"rope_type": "odd"}}, "has type 'odd', which is not known"),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "says"), BAD_CONFIG, ids=lambda v: str(v)[:40])
def test_a_senseless_config(checkpoint, tmp_path, changes, says):
    assert says in refused(checkpoint(**changes), tmp_path)


def test_an_unknown_type_and_an_existing_file(checkpoint, tmp_path):
    folder = checkpoint()
    assert "type 'q9' is none of" in refused(folder, tmp_path, type="q9")
    with pytest.raises(ValueError, match="type 'Q8_K' is none of f32, f16, q4_0"):
        Choice.of("f16", Wishes(overrides=[("ffn", GGMLType.Q8_K)]))
    out = convert(folder, tmp_path / "x.gguf", "f16")
    before = out.read_bytes()
    with pytest.raises(ValueError, match=r"x\.gguf exists already; --force"):
        convert(folder, out, "f32")
    assert out.read_bytes() == before
    convert(folder, out, "f32", force=True)
    assert out.read_bytes() != before


def test_names_that_cannot_be_written_to(checkpoint, tmp_path):
    folder = checkpoint()
    with pytest.raises(ValueError, match=r"nowhere/x\.gguf: there is no folder .*nowhere"):
        convert(folder, tmp_path / "nowhere" / "x.gguf", "f16")
    with pytest.raises(ValueError, match="- is no name for a GGUF file"):
        convert(folder, "-", "f16")
    out = convert(folder, tmp_path / "x.gguf", "f16")
    with pytest.raises(ValueError, match=r"x\.gguf is the file that is read"):
        requantize(out, out, "q8_0", force=True)


def test_a_full_disk_leaves_the_old_file(checkpoint, tmp_path, monkeypatch):
    folder, out = checkpoint(), tmp_path / "x.gguf"
    convert(folder, out, "f16")
    before = out.read_bytes()

    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("ggjit_convert.writing._write_one", full)
    with pytest.raises(OSError, match="No space"):
        convert(folder, out, "f32", force=True)
    assert out.read_bytes() == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["small", "x.gguf"]


@pytest.mark.parametrize(("n_elements", "most"), [(1, 16), (HELD // 4, 4), (8 * HELD, 1)])
def test_large_pieces_are_not_held_in_numbers(tmp_path, n_elements, most):
    started, done = [], []

    def piece():
        started.append(len(started) - len(done))
        return np.zeros(1, np.uint8)

    tensor = Written("x", (40 * n_elements,), GGMLType.F32, 40, [piece] * 40)
    write([File(tmp_path / "x", [], [tensor])], 8, lambda *_: done.append(1))
    assert max(started) <= most + 1


# -- from GGUF ------------------------------------------------------------------------------------


def test_quantizing_keeps_metadata_with_its_types(tmp_path, rng):
    path = tiny_llama.write(tmp_path / "in.gguf", tiny_llama.weights(tiny_llama.shapes()))
    out = requantize(path, tmp_path / "out.gguf", "q8_0")
    with open_gguf(path) as before, open_gguf(out) as after:
        own = {"general.file_type", "general.quantization_version"}
        assert after.metadata.keys() - own == before.metadata.keys() - own
        for key in before.metadata.keys() - own:
            assert after.types[key] == before.types[key]
            np.testing.assert_array_equal(after.metadata[key], before.metadata[key])
        name = "blk.0.ffn_up.weight"
        tensor = after.tensors[name]
        got = find(tensor).decode_rows(tensor.data, tensor.shape[1])
        expected = before.tensors[name].data.view(np.float32).reshape(tensor.shape)
        assert np.abs(got - expected).max() < 0.02 * np.abs(expected).max()


def test_what_is_quantized_already_is_copied_or_noted(tmp_path):
    path = tiny_llama.write(tmp_path / "in.gguf", tiny_llama.weights(tiny_llama.shapes()))
    once = requantize(path, tmp_path / "once.gguf", "q4_1")
    twice = requantize(once, tmp_path / "twice.gguf", "q4_1")
    with open_gguf(once) as a, open_gguf(twice) as b:
        for name, tensor in a.tensors.items():
            np.testing.assert_array_equal(b.tensors[name].data, tensor.data)
    pure = Wishes(pure=True)
    assert Conversion.of(FromGGUF(path), "q4_0", pure).notes() == []
    assert Conversion.of(FromGGUF(once), "auto").notes() == []
    assert Conversion.of(FromGGUF(once), "f16").notes() == []
    [note] = Conversion.of(FromGGUF(once), "q4_0", pure).notes()
    assert "has q4_1, q8_0 already" in note


# -- importance -----------------------------------------------------------------------------------


def old_importance(entries, n_calls=3):
    data = struct.pack("<i", len(entries))
    for name, values in entries.items():
        data += struct.pack("<i", len(name)) + name.encode()
        data += struct.pack("<ii", n_calls, len(values))
        data += (np.asarray(values, "<f4") * n_calls).tobytes()
    return data


def test_the_old_format_of_importance(tmp_path, rng, checkpoint):
    values = rng.random(N_EMBD).astype(np.float32)
    path = tmp_path / "i.dat"
    path.write_bytes(old_importance({"blk.0.ffn_up.weight": values}))
    importance = read_importance(path)
    np.testing.assert_allclose(importance.means["blk.0.ffn_up.weight"], values[None], rtol=1e-6)
    origin = FromCheckpoint.at(checkpoint(), vocabulary=False)
    conversion = Conversion.of(origin, "q4_0", importance=importance)
    given = {p.name for p in conversion.plan if p.importance is not None}
    assert given == {"blk.0.ffn_up.weight"}
    about = {n: v for n, v in conversion.keys().general.items() if "imatrix" in n}
    assert about == {"quantize.imatrix.file": str(path), "quantize.imatrix.entries_count": 1}


BAD_IMPORTANCE = [
    b"", b"\1\0\0\0", struct.pack("<i", 0), struct.pack("<ii", 1, 1 << 30), b"x" * 100,
    old_importance({"a": [1.0, np.nan]}), old_importance({"a": [1.0, -1.0]}),
]  # fmt: skip


@pytest.mark.parametrize("data", BAD_IMPORTANCE, ids=range(len(BAD_IMPORTANCE)))
def test_bad_importance(tmp_path, data):
    path = tmp_path / "i.dat"
    path.write_bytes(data)
    with pytest.raises(ValueError, match=r"i\.dat"):
        read_importance(path)


def test_importance_of_another_model(tmp_path, checkpoint):
    path = tmp_path / "i.dat"
    path.write_bytes(old_importance({"blk.0.ffn_up.weight": np.ones(7)}))
    importance = read_importance(path)
    origin = FromCheckpoint.at(checkpoint(), vocabulary=False)
    with pytest.raises(ValueError, match=r"is of 1 x 7 columns, the tensor is \[64, 32\]"):
        Conversion.of(origin, "q4_0", importance=importance)


def test_mapped_folders_of_every_family_have_a_plan():
    for folder in sorted(DATA.iterdir()):
        assert Conversion.of(FromCheckpoint.at(folder, vocabulary=False), "q4_k_m").table()


def test_a_model_card_that_cannot_be_read(checkpoint, tmp_path):
    folder = checkpoint()
    (folder / "README.md").write_text("---\nlicense: [unclosed\n---\n")
    out = tmp_path / "x.gguf"
    with pytest.raises(CheckpointError, match=r"README\.md"):
        convert(folder, out)


def test_a_snapshot_is_called_as_its_repository(checkpoint, tmp_path):
    snapshots = tmp_path / "models--someone--Small-7B-Instruct" / "snapshots"
    snapshots.mkdir(parents=True)
    folder = checkpoint().rename(snapshots / "abcdef0123456789abcdef0123456789abcdef01")
    out = convert(folder, tmp_path, "q8_0")
    assert out.name == "Small-7B-Instruct-Q8_0.gguf"
    with open_gguf(out) as file:
        assert file.metadata["general.name"] == "Small 7B Instruct"
        assert not [v for v in file.metadata.values() if "abcdef" in str(v).lower()]


def test_torch_is_never_imported():
    assert "torch" not in sys.modules


def test_layers_that_predict_further_tokens_come_last(tmp_path):
    known = open_checkpoint(DATA / "qwen35_groups")
    n, tensors = known.config["hidden_size"], dict(known.tensors)
    for name in list(tensors):
        if name.startswith("model.layers.3."):  # one that attends
            tensors[name.replace("model.layers.3.", "mtp.layers.0.")] = tensors[name]
    tensors["mtp.fc.weight"] = floats("fc", np.ones((n, 2 * n)))
    for name in ("norm", "pre_fc_norm_embedding", "pre_fc_norm_hidden"):
        tensors[f"mtp.{name}.weight"] = floats(name, np.zeros(n))
    origin = FromCheckpoint(Checkpoint(known.path, known.config, tensors))
    out = Conversion.of(origin, "f32").write(tmp_path / "x.gguf", False, 1)
    with open_gguf(out) as file:
        assert file.metadata["qwen35.block_count"] == 5
        assert file.metadata["qwen35.nextn_predict_layers"] == 1
        assert file.metadata["qwen35.attention.recurrent_layers"].tolist() == [1, 1, 1, 0, 0]
        parts = ("eh_proj", "enorm", "hnorm", "shared_head_norm")
        found = {name for name in file.tensors if "nextn" in name}
        assert found == {f"blk.4.nextn.{part}.weight" for part in parts}
        np.testing.assert_array_equal(file.tensors["blk.4.nextn.enorm.weight"].data.view("<f4"), 1)
        graph = architecture_of(file).build(file)
        assert not [tensor for tensor in graph.tensors() if tensor.name.startswith("blk.4.")]
