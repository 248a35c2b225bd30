"""PyTorch's own files: tensors of every type and strides, in one file or several."""

import json

import numpy as np
import pytest
from checkpoint_files import safetensors
from pytorch_files import (
    STORAGES,
    Call,
    Name,
    Raw,
    Stored,
    archive,
    bf16,
    opcodes,
    pickled,
    pytorch,
    stored,
    tensor,
)  # fmt: skip

from ggjit.gguf import GGMLType
from ggjit_convert.errors import CheckpointError
from ggjit_convert.sources import open_checkpoint


def opened(folder, content, name="pytorch_model.bin"):
    (folder / name).write_bytes(content)
    return open_checkpoint(folder / name).tensors


@pytest.mark.parametrize("kind", STORAGES)
def test_elements_are_read_as_they_are(tmp_path, rng, kind):
    values = (rng.standard_normal((5, 7)) * 50).astype("u1").astype(kind)
    x = opened(tmp_path, pytorch({"x": values}))["x"]
    assert (x.name, x.shape) == ("x", (5, 7))
    np.testing.assert_array_equal(x.rows(1, 4), values[1:4].astype(np.float32))


def test_bfloat16_is_kept(tmp_path, rng):
    name, bits = bf16(rng.standard_normal((4, 6)))
    x = opened(tmp_path, pytorch({"x": (name, bits)}))["x"]
    assert x.type is GGMLType.BF16
    np.testing.assert_array_equal(x.blocks(1, 3).view(np.uint16), bits[1:3])


def test_float8_lies_in_an_untyped_storage(tmp_path):
    bits = np.array([[0x38, 0xB8, 0x01]], np.uint8)
    untyped = Stored(("storage", Name("torch.storage.UntypedStorage"), "0", "cpu", 3))
    arguments = (untyped, 0, (1, 3), (3, 1), False, None, Name("torch.float8_e4m3fn"))
    made = {"x": Call(Name("torch._utils._rebuild_tensor_v3"), arguments)}
    x = opened(tmp_path, archive(pickled(made), {"0": bits.tobytes()}))["x"]
    np.testing.assert_array_equal(x.rows(0, 1), [[1, -1, 2**-9]])


def test_views_of_any_strides(tmp_path, rng):
    whole = rng.standard_normal((6, 8)).astype(np.float32)
    views = {"t": whole.T, "part": whole[2:4], "steps": whole[1::2, ::3], "empty": whole[:0]}
    tensors = opened(tmp_path, pytorch(views))
    for name, expected in views.items():
        x = tensors[name]
        assert x.shape == expected.shape
        np.testing.assert_array_equal(x.rows(0, len(expected)), expected)
        as_stored = x.blocks(0, len(expected)).view(np.float32)
        np.testing.assert_array_equal(as_stored, expected)


def test_a_storage_of_several_tensors_a_scalar_and_a_parameter(tmp_path):
    storage = stored("0", "Float", 4)
    whole = tensor(storage, 0, (2, 2), (2, 1))
    made = {
        "whole": whole, "last": tensor(storage, 3, (), ()),
        "p": Call(Name("torch._utils._rebuild_parameter"), (whole, True, None)),
    }  # fmt: skip
    data = archive(pickled(made), {"0": np.arange(4, dtype="<f4").tobytes()}, byteorder=b"little")
    tensors = opened(tmp_path, data)
    assert list(tensors) == ["whole", "last", "p"]
    assert tensors["last"].rows(0, 1) == [3]
    np.testing.assert_array_equal(tensors["p"].rows(0, 2), [[0, 1], [2, 3]])


def test_a_state_dict_has_attributes_which_are_not_needed(tmp_path):
    empty = opcodes(Call(Name("collections.OrderedDict"), ()))
    x = tensor(stored("0", "Float", 1), 0, (1,), (1,))
    attributes = opcodes({"_metadata": {"": {"version": 1}}})
    pickle = b"\x80\x02" + empty + b"q\x00" + opcodes("x") + opcodes(x) + b"s" + attributes + b"b."
    assert list(opened(tmp_path, archive(pickle, {"0": bytes(4)}))) == ["x"]


def test_opcodes_of_protocol_4(tmp_path):
    names = Raw(b"\x8c\x0bcollections\x94\x8c\x0bOrderedDict\x94\x93\x94")
    x = tensor(stored("0", "Float", 1), 0, (1,), (1,))
    body = opcodes(Call(names, ())) + opcodes("x") + opcodes(x) + b"s."
    pickle = b"\x80\x04\x95" + len(body).to_bytes(8, "little") + body
    assert list(opened(tmp_path, archive(pickle, {"0": bytes(4)}))) == ["x"]


def test_shards(tmp_path):
    x = np.ones((2, 2), np.float32)
    places = {f"{i}{c}": f"pytorch_model-0000{i}-of-00002.bin" for i in (1, 2) for c in "ba"}
    for i in (1, 2):
        shard = pytorch({f"{i}b": x, f"{i}a": x})
        (tmp_path / f"pytorch_model-0000{i}-of-00002.bin").write_bytes(shard)
    assert list(open_checkpoint(tmp_path).tensors) == list(places)
    (tmp_path / "pytorch_model.bin.index.json").write_text(json.dumps({"weight_map": places}))
    assert list(open_checkpoint(tmp_path).tensors) == list(places)


def test_safetensors_come_first(tmp_path):
    (tmp_path / "pytorch_model.bin").write_bytes(b"whatever")
    (tmp_path / "model.safetensors").write_bytes(safetensors({"x": np.ones(1, np.float32)}))
    assert list(open_checkpoint(tmp_path).tensors) == ["x"]


def test_metas_files(tmp_path):
    opened(tmp_path, pytorch({"norm.weight": np.ones(3, np.float32)}), "consolidated.00.pth")
    assert list(open_checkpoint(tmp_path).tensors) == ["norm.weight"]


def test_a_large_archive_has_sizes_of_64_bits(tmp_path, monkeypatch):
    monkeypatch.setattr("zipfile.ZIP64_LIMIT", 100)
    values = np.arange(100, dtype=np.float32).reshape(4, 25)
    x = opened(tmp_path, pytorch({"y": values, "x": values}))["x"]
    np.testing.assert_array_equal(x.rows(0, 4), values)


def test_old_files_say_what_to_do(tmp_path):
    for start in (b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.", b"\x80\x03}q\x00."):
        with pytest.raises(CheckpointError, match=r"before version 1\.6.*newer torch"):
            opened(tmp_path, start + bytes(100))
