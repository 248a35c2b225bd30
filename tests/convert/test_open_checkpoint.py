"""Folders of safetensors, single and sharded: every element type, a few rows at a time."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from checkpoint_files import NAMES, bf16, safetensors, write

from ggjit.gguf import GGMLType
from ggjit_convert.arrays import forget
from ggjit_convert.errors import CheckpointError
from ggjit_convert.sources import open_checkpoint
from ggjit_convert.sources.files import forget_pages
from ggjit_convert.transforms import transposed


@pytest.mark.parametrize("kind", NAMES)
def test_elements_are_read_as_they_are(tmp_path, rng, kind):
    values = (rng.standard_normal((5, 7)) * 50).astype(kind)
    if kind[0] == "u":
        values = rng.integers(0, 1 << 8 * int(kind[1]), (5, 7)).astype(kind)
    [array] = open_checkpoint(write(tmp_path, model__safetensors={"x": values})).tensors.values()
    assert array.name == "x"
    assert array.shape == (5, 7)
    np.testing.assert_array_equal(array.rows(1, 4), values[1:4].astype(np.float32))
    kept = array.blocks(2, 5)
    assert kept.shape == (3, 7 * array.type.n_bytes)
    kinds = {"F": "f", "I": "i"}
    name = array.type.name
    own = np.dtype(f"{kinds[name[0]]}{int(name[1:]) // 8}")
    np.testing.assert_array_equal(kept.view(own), values[2:5].astype(own))


def test_bfloat16_is_widened_and_kept(tmp_path, rng):
    values = rng.standard_normal((4, 2, 3)).astype(np.float32)
    name, bits = bf16(values)
    path = write(tmp_path, model__safetensors={"x": (name, bits)})
    array = open_checkpoint(path).tensors["x"]
    assert array.type is GGMLType.BF16
    expected = (bits.astype(np.uint32) << 16).view(np.float32)
    np.testing.assert_array_equal(array.rows(0, 4), expected)
    np.testing.assert_array_equal(array.blocks(1, 3).view(np.uint16), bits[1:3])


def test_vectors_and_scalars(tmp_path):
    values = {"v": np.arange(3, dtype=np.float32), "s": np.float32(2.5).reshape(())}
    tensors = open_checkpoint(write(tmp_path, model__safetensors=values)).tensors
    assert tensors["v"].blocks(1, 3).shape == (2, 4)
    assert tensors["s"].shape == (1,)
    assert tensors["s"].rows(0, 1) == [2.5]


def test_shards_are_put_together_in_order_of_their_files(tmp_path):
    x = np.ones((2, 2), np.float32)
    shards = {f"model-{i}-of-2.safetensors": safetensors({f"{i}b": x, f"{i}a": x}) for i in (1, 2)}
    for name, content in shards.items():
        (tmp_path / name).write_bytes(content)
    assert list(open_checkpoint(tmp_path).tensors) == ["1b", "1a", "2b", "2a"]
    places = {f"{i}{c}": f"model-{i}-of-2.safetensors" for c in "ab" for i in (2, 1)}
    write(tmp_path, model__safetensors__index__json={"weight_map": places})
    assert list(open_checkpoint(tmp_path).tensors) == ["1b", "1a", "2b", "2a"]


def test_of_two_of_a_name_the_index_says_which(tmp_path):
    one, two = np.ones((2, 3), np.float32), np.zeros((2, 3), np.float32)
    folder = write(
        tmp_path, a__safetensors={"x": one, "y": one}, b__safetensors={"x": two, "z": two},
    )  # fmt: skip
    places = {"x": "b.safetensors", "y": "a.safetensors", "z": "b.safetensors"}
    index = json.dumps({"weight_map": places})
    (folder / "model.safetensors.index.json").write_text(index)
    found = open_checkpoint(folder).tensors
    assert sorted(found) == ["x", "y", "z"]
    assert not found["x"].rows(0, 2).any()


def test_files_beside_the_weights(tmp_path):
    x = {"x": np.ones(1, np.float32)}
    write(tmp_path, config__json={"model_type": "llama"}, other__json={"a": 1})
    write(tmp_path, model__safetensors=x)
    for path in (tmp_path, tmp_path / "model.safetensors"):
        checkpoint = open_checkpoint(path)
        assert checkpoint.path == path
        assert checkpoint.config == {"model_type": "llama"}
        assert checkpoint.tokenizer_file("other.json") == tmp_path / "other.json"
        assert checkpoint.tokenizer_file("absent.json") is None
        with pytest.raises(CheckpointError, match="plain name"):
            checkpoint.tokenizer_file("../secret")


def test_links_are_followed_wherever_they_lead(tmp_path):
    names = [f"model-{i}-of-2.safetensors" for i in (1, 2)]
    (away := tmp_path / "away").mkdir()
    for name in names:
        (away / name).write_bytes(safetensors({name[6]: np.ones(1, np.float32)}))
    places = {"weight_map": {name[6]: name for name in names}}
    write(away, model__safetensors__index__json=places, config__json={"a": 1})
    (folder := tmp_path / "folder").mkdir()
    for path in away.iterdir():
        (folder / path.name).symlink_to(path)
    checkpoint = open_checkpoint(folder)
    assert list(checkpoint.tensors) == ["1", "2"]
    assert checkpoint.config == {"a": 1}


def test_what_is_not_there(tmp_path):
    with pytest.raises(CheckpointError, match="none: no such file or folder"):
        open_checkpoint(tmp_path / "none")


def test_a_snapshot_of_the_hubs_cache_is_links_into_its_blobs(tmp_path):
    (tmp_path / "blobs").mkdir()
    (tmp_path / "blobs" / "1").write_bytes(safetensors({"x": np.ones(1, np.float32)}))
    snapshot = tmp_path / "snapshots" / "0"
    snapshot.mkdir(parents=True)
    (snapshot / "model.safetensors").symlink_to("../../blobs/1")
    assert list(open_checkpoint(snapshot).tensors) == ["x"]


def resident():
    """Bytes of mapped files that are in memory."""
    status = Path("/proc/self/status")
    if not status.exists():
        pytest.skip("needs /proc")
    return 1024 * int(re.search(r"RssFile:\s+(\d+)", status.read_text())[1])


def test_what_a_tensor_was_read_from_is_given_back(tmp_path, rng):
    values = rng.standard_normal((1 << 11, 1 << 11)).astype(np.float32)
    array = open_checkpoint(write(tmp_path, model__safetensors={"x": values})).tensors["x"]
    before = resident()
    turned = transposed(array)
    np.testing.assert_array_equal(turned.rows(0, 1 << 11), values.T)
    assert resident() > before + values.nbytes // 2
    forget(turned)
    assert resident() < before + values.nbytes // 2
    np.testing.assert_array_equal(array.rows(3, 9), values[3:9])


def test_only_mapped_files_are_given_back():
    data = np.frombuffer(bytes(range(256)) * 256, np.uint8)
    forget_pages(data)
    assert data.tobytes() == bytes(range(256)) * 256
