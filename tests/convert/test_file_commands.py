"""Files of the same tensors: metadata changed, split, made one again."""

import re
import struct
import subprocess
import sys

import gguf
import numpy as np
import pytest
import tiny_llama

from ggjit.gguf import open_gguf


@pytest.fixture
def model(tmp_path):
    words = {"tokenizer__ggml__tokens": ["a", "é"], "x__flag": True, "x__list": [1, -2]}
    tensors = tiny_llama.weights(tiny_llama.shapes())
    tensors["rope_freqs.weight"] = np.array([1, np.inf, np.nan], "f4")  # copied, not judged
    return tiny_llama.write(tmp_path / "in.gguf", tensors, **words)


def assert_same(a, b, but=()):
    assert [k for k in a.metadata if k not in but] == [k for k in b.metadata if k not in but]
    for key in a.metadata.keys() - set(but):
        assert a.types[key] == b.types[key]
        np.testing.assert_array_equal(a.metadata[key], b.metadata[key])
    assert list(a.tensors) == list(b.tensors)
    for name, tensor in a.tensors.items():
        assert (tensor.type, tensor.shape) == (b.tensors[name].type, b.tensors[name].shape)
        np.testing.assert_array_equal(tensor.data, b.tensors[name].data)


# -- split and merge ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("flags", "n_shards"),
    [(["--split-max-tensors", 5], 5), (["--split-max-size", "1M"], 1), ([], 1),
     (["--split-max-tensors", 5, "--no-tensor-first-split"], 6)],
)  # fmt: skip
def test_split_and_merged_it_is_the_same_file(command, model, tmp_path, flags, n_shards):
    code, out, _ = command("split", model, tmp_path / "part", *flags)
    assert code == 0
    paths = out.split()
    names = [f"part-{i + 1:05d}-of-{n_shards:05d}.gguf" for i in range(n_shards)]
    assert [path.rpartition("/")[2] for path in paths] == names
    with open_gguf(model) as whole, open_gguf(paths[-1]) as parts:
        assert_same(whole, parts, ("split.no", "split.count", "split.tensors.count"))
        assert parts.types["split.no"] == parts.types["split.count"] == "u16"
        assert parts.types["split.tensors.count"] == "i32"
    if n_shards > 1:
        assert command("merge", paths[1], tmp_path / "out.gguf")[0] == 0
        assert (tmp_path / "out.gguf").read_bytes() == model.read_bytes()


def test_a_tensor_larger_than_a_shard_has_one_for_itself(command, tmp_path):
    tensors = {n: np.zeros(size, "f4") for n, size in zip("abcd", (9, 300_000, 9, 9), strict=True)}
    path = tiny_llama.write(tmp_path / "in.gguf", tensors)
    command("split", path, tmp_path / "x", "--split-max-size", "1M")
    with open_gguf(tmp_path / "x-00001-of-00003.gguf") as file:
        homes = [t.path.name[5:7] for t in file.tensors.values()]
    assert homes == ["01", "02", "03", "03"]


@pytest.mark.parametrize("size", ["0M", "2K", "G", "-1G", "2g", "1.5G", ""])
def test_sizes_that_are_none(command, model, tmp_path, size):
    code, _, err = command("split", model, tmp_path / "x", f"--split-max-size={size}")
    assert code == 2
    assert "--split-max-size must be like 500M or 2G" in err


def test_wrong_uses_are_one_line_and_write_nothing(command, model, tmp_path):
    before = sorted(tmp_path.iterdir())
    prefix = tmp_path / "x"
    for args, says in [
        (("split", model, prefix, "--split-max-tensors", 0), "must be at least 1"),
        (("split", model, prefix, "--split-max-tensors", 1, "--split-max-size", "1G"), "exclude"),
        (("merge", model, prefix), "it is whole"),
        (("merge", tmp_path / "none.gguf", prefix), "none.gguf"),
    ]:
        code, _, err = command(*args)
        assert code in (2, 3)
        assert says in err
        assert err.count("\n") == 1
    assert sorted(tmp_path.iterdir()) == before


def test_nothing_is_written_over_without_force(command, model, tmp_path):
    args = ("split", model, tmp_path / "x", "--split-max-tensors", 9)
    assert command(*args)[0] == 0
    code, _, err = command(*args)
    assert code == 2
    assert "exists already; --force writes over it" in err
    assert command(*args, "--force")[0] == 0


def test_a_full_disk_leaves_no_shard(command, model, tmp_path, monkeypatch):
    from ggjit_convert import writing

    write_one, n_written = writing._write_one, []

    def full(*args):
        n_written.append(1)
        if len(n_written) > 15:
            raise OSError(28, "No space left on device")
        return write_one(*args)

    monkeypatch.setattr(writing, "_write_one", full)
    code, _, err = command("split", model, tmp_path / "x", "--split-max-tensors", 6)
    assert code == 3
    assert re.fullmatch(r"ggjit: error: .*/x-00003-of-\d+.gguf: No space left on device\n", err)
    assert [p.name for p in tmp_path.iterdir()] == ["in.gguf"]


# -- metadata -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [("llama.context_length", "4096", 4096), ("llama.context_length", "0x10", 16),
     ("x.flag", "false", False), ("general.architecture", "other", "other"),
     ("llama.attention.layer_norm_rms_epsilon", "0.5", 0.5), ("x.list", "[3]", [3]),
     ("tokenizer.ggml.tokens", '["1", "b", "ü"]', ["1", "b", "ü"])],
)  # fmt: skip
def test_a_value_keeps_the_type_of_its_key(command, model, tmp_path, key, text, value):
    out = tmp_path / "out.gguf"
    assert command("set-metadata", model, key, text, "-o", out)[:2] == (0, f"{out}\n")
    with open_gguf(model) as before, open_gguf(out) as after:
        assert_same(before, after, [key])
        assert after.types[key] == before.types[key]
        np.testing.assert_array_equal(after.metadata[key], value)


@pytest.mark.parametrize(
    ("type", "text", "value"),
    [("u8", "255", 255), ("i64", "-5", -5), ("f64", "1e300", 1e300), ("str", "", ""),
     ("bool", "1", True), ("arr[str]", "[]", []), ("arr[f32]", "[0.5, 1]", [0.5, 1]),
     ("arr[bool]", "[true, false]", [True, False])],
)  # fmt: skip
def test_a_new_key_in_place(command, model, type, text, value):
    assert command("set-metadata", model, "--type", type, "--", "my.key", text)[0] == 0
    with open_gguf(model) as file:
        assert file.types["my.key"] == type
        np.testing.assert_array_equal(file.metadata["my.key"], value)


def test_a_shard_stays_one(command, model, tmp_path):
    shards = command("split", model, tmp_path / "x", "--split-max-tensors", 5)[1].split()
    assert command("set-metadata", shards[0], "general.name", "N", "--type", "str")[0] == 0
    code, _, err = command("set-metadata", shards[0], "split.count", 2)
    assert (code, err.count("\n")) == (2, 1)
    with open_gguf(model) as whole, open_gguf(shards[2]) as parts:
        assert parts.metadata["general.name"] == "N"
        assert list(parts.tensors) == list(whole.tensors)


def test_keys_removed(command, model):
    flags = ("--remove", "x.flag", "--remove", "x.list")
    assert command("set-metadata", model, *flags)[0] == 0
    with open_gguf(model) as file:
        assert not {"x.flag", "x.list"} & set(file.metadata)


@pytest.mark.parametrize(
    ("args", "says"),
    [(("no.key", "1"), "no.key: there is no such key; --type TYPE adds it"),
     (("--remove", "no.key"), "no.key: there is no such key"),
     (("llama.context_length", "many"), "'many' is no u32"),
     (("llama.context_length", "--", "-1"), "does not fit"),
     (("llama.context_length", "4294967296"), "does not fit"),
     (("x.flag", "maybe"), "'maybe' is no bool"), (("x.list", "3"), "written like [1, 2]"),
     (("x.list", "[3.5]"), "x.list[0]: '3.5' is no i32"),
     (("a", "1", "--type", "u7"), "type 'u7' is none of"),
     (("", "1", "--type", "u8"), "a key has 1 to"),
     (("general.alignment", "64", "--type", "u32"), "stays"),
     (("--remove", "split.count"), "stays"), (("x.flag",), "needs a KEY and its VALUE"),
     ((), "needs a KEY and its VALUE")],
)  # fmt: skip
def test_what_cannot_be_set(command, model, args, says):
    before = model.read_bytes()
    code, _, err = command("set-metadata", model, *args)
    assert code == 2
    assert says in err
    assert err.count("\n") == 1
    assert model.read_bytes() == before


def test_an_alignment_of_its_own_is_kept(command, tmp_path):
    path = tmp_path / "in.gguf"
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_custom_alignment(256)
    for name in ("a", "b"):
        writer.add_tensor(name, np.arange(5, dtype="f4"))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    assert command("set-metadata", path, "x", "y", "--type", "str")[0] == 0
    with open_gguf(path) as file:
        assert [t.offset % 256 for t in file.tensors.values()] == [0, 0]
        for tensor in file.tensors.values():
            np.testing.assert_array_equal(tensor.data.view("f4"), np.arange(5))


def test_a_file_that_is_none(command, tmp_path):
    path = tmp_path / "bad.gguf"
    path.write_bytes(b"GGUF" + struct.pack("<IQQ", 3, 1, 9))
    for args in (("set-metadata", path, "a", "b"), ("split", path, tmp_path / "x")):
        code, _, err = command(*args)
        assert code == 2
        assert "bad.gguf" in err


def test_what_only_moves_bytes_loads_no_compiler():
    loaded = "import sys, ggjit_convert.metadata, ggjit_convert.splitting; print(*sys.modules)"
    found = subprocess.run([sys.executable, "-c", loaded], check=True, capture_output=True)
    assert b"numba" not in found.stdout


def test_metadata_of_what_a_link_names(model, tmp_path, command):
    link = tmp_path / "link.gguf"
    link.symlink_to(model)
    assert command("set-metadata", link, "x.flag", "false")[0] == 0
    assert link.is_symlink()
    assert open_gguf(model).metadata["x.flag"] == 0
