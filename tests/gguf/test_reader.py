"""Files that must open, what they hold, and the typed access to it."""

from __future__ import annotations

import math
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from build_gguf import (
    ARCHITECTURE,
    BOOL,
    F32,
    F64,
    GGML_F16,
    GGML_I8,
    GGML_Q4_0,
    I8,
    I64,
    STR,
    U16,
    U32,
    U64,
    array,
    build,
    pair,
    tensor,
    valid,
)

from ggjit.gguf import GGMLType, GGUFError, GGUFFile, open_gguf, printable


@pytest.fixture
def write(tmp_path: Path) -> Any:
    def write(content: bytes) -> Path:
        path = tmp_path / "model.gguf"
        path.write_bytes(content)
        return path

    return write


@pytest.fixture
def model(write: Any) -> GGUFFile:
    return open_gguf(write(valid()))


def test_values(model: GGUFFile) -> None:
    assert model.version == 3
    assert list(model.metadata) == list(model.types)
    assert model.metadata["general.architecture"] == "llama"
    assert model.metadata["llama.block_count"] == 2
    assert model.metadata["tokenizer.ggml.add_bos_token"] is True
    assert model.metadata["tokenizer.ggml.tokens"] == ["a", "Ġb", "<|end|>", ""]
    np.testing.assert_array_equal(
        model.get("tokenizer.ggml.scores", np.ndarray), np.array([0, -1, -2, -3], np.float32)
    )
    flags = model.get("llama.flags", np.ndarray)
    assert flags.dtype == np.bool_
    assert flags.tolist() == [True, False, True]
    assert model.types["llama.block_count"] == "u32"
    assert model.types["tokenizer.ggml.tokens"] == "arr[str]"


def test_tensors(model: GGUFFile) -> None:
    assert list(model.tensors) == ["token_embd.weight", "output_norm.weight"]
    embedding, norm = model.tensors.values()
    assert embedding.type is GGMLType.Q4_0
    assert embedding.shape == (4, 32)
    assert embedding.n_elements == 128
    assert embedding.data.dtype == np.uint8
    assert embedding.data.tobytes() == bytes(range(72))
    assert norm.data.nbytes == 128
    content = model.path.read_bytes()
    assert content[norm.offset : norm.offset + 128] == norm.data.tobytes()
    assert norm.path == model.path


def test_data_is_read_only(model: GGUFFile) -> None:
    with pytest.raises(ValueError, match="read-only"):
        model.tensors["output_norm.weight"].data[0] = 1


GOOD: dict[str, bytes] = {
    "nothing": build(),
    "version 2": build([ARCHITECTURE], version=2),
    "no tensors": build([ARCHITECTURE]),
    "empty arrays": build([array("a", STR, []), array("b", F32, []), array("c", BOOL, [])]),
    "empty string": build([pair("a", STR, "")]),
    "NUL in a value": build([pair("a", STR, "x\0y"), array("b", STR, ["\0"])]),
    "escapes in a key": build([pair("\x1b[2J\n", U32, 1)]),
    "key of 65535 bytes": build([pair("k" * 65535, I8, -1)]),
    "zero dimension": build([], [tensor("a", [32, 0]), tensor("b", [8])], bytes(32)),
    "zero dimension beside a huge one": build([], [tensor("a", [0, 2**62, 2**62])]),
    "zero dimension at the end": build([], [tensor("a", [0], offset=32)], bytes(32)),
    "scalar tensor": build([], [tensor("a", [])], bytes(4)),
    "four dimensions": build([], [tensor("a", [2, 3, 4, 5], GGML_F16)], bytes(240)),
    "name of 63 bytes": build([], [tensor("n" * 63, [8])], bytes(32)),
    "unpadded end": build([], [tensor("a", [3], GGML_I8)], bytes(3)),
    "trailing bytes": build([], [tensor("a", [8])], bytes(32) + b"appended"),
    "gap": build([], [tensor("a", [8]), tensor("b", [8], offset=96)], bytes(128)),
    "any order": build([], [tensor("a", [8], offset=32), tensor("b", [8])], bytes(64)),
    "alignment 1": build(
        [pair("general.alignment", U32, 1)],
        [tensor("a", [3], GGML_I8), tensor("b", [5], GGML_I8, offset=3)],
        bytes(8),
        alignment=1,
    ),
    "alignment 64": build(
        [pair("general.alignment", U32, 64)],
        [tensor("a", [8]), tensor("b", [8], offset=64)],
        bytes(96),
        alignment=64,
    ),
    "alignment 1 MiB": build(
        [pair("general.alignment", U32, 2**20)], [tensor("a", [8])], bytes(32), alignment=2**20
    ),
    "senseless hyperparameters": build(
        [
            ARCHITECTURE,
            pair("llama.block_count", U32, 2**32 - 1),
            pair("llama.embedding_length", I64, -1),
            pair("llama.attention.layer_norm_rms_epsilon", F32, math.nan),
            pair("llama.rope.freq_base", F64, -math.inf),
        ]
    ),
    "65536 keys": build([pair(f"k{i}", U16, i % 7) for i in range(65536)]),
}


@pytest.mark.parametrize("name", GOOD)
def test_opens(name: str, write: Any) -> None:
    content = GOOD[name]
    with open_gguf(write(content)) as file:
        assert file.version == (2 if name == "version 2" else 3)
        for found in file.tensors.values():
            assert found.data.tobytes() == content[found.offset :][: found.data.nbytes]


def test_empty_arrays_keep_their_kind(write: Any) -> None:
    file = open_gguf(write(GOOD["empty arrays"]))
    assert file.get("a", list) == []
    assert file.get("b", np.ndarray).dtype == np.float32
    assert file.get("c", np.ndarray).dtype == np.bool_


def test_tensor_after_a_gap_and_with_alignment_1(write: Any) -> None:
    data = bytes(range(8))
    content = GOOD["alignment 1"][:-8] + data
    file = open_gguf(write(content))
    assert file.tensors["a"].data.tobytes() == data[:3]
    assert file.tensors["b"].data.tobytes() == data[3:]


def test_metadata_longer_than_one_read(write: Any) -> None:
    texts = [f"token {i} Ġ" for i in range(90_000)]
    long = "x" * 3_000_000
    pairs = [array("t", STR, texts), pair("s", STR, long), array("n", U64, range(200_000))]
    file = open_gguf(write(build(pairs, [tensor("a", [1])], b"\0\0\x80\x3f")))
    assert file.metadata["t"] == texts
    assert file.metadata["s"] == long
    np.testing.assert_array_equal(file.get("n", np.ndarray), np.arange(200_000))
    assert file.tensors["a"].data.view(np.float32)[0] == 1.0


@pytest.mark.parametrize("chunk_bytes", [1, 3, 8, 13, 64, 200])
def test_window_may_end_anywhere(
    chunk_bytes: int, write: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = ["x" * (i % 23) for i in range(100)]
    path = write(build([array("t", STR, texts), pair("end", U64, 2**40)], [tensor("a", [0])]))
    monkeypatch.setattr("ggjit.gguf.cursor.CHUNK_BYTES", chunk_bytes)
    assert open_gguf(path).metadata == {"t": texts, "end": 2**40}


def test_get(model: GGUFFile) -> None:
    assert model.get("general.architecture", str) == "llama"
    assert model.get("llama.block_count", int) == 2
    assert model.get("llama.block_count", float) == 2.0
    assert type(model.get("llama.block_count", float)) is float
    assert model.get("tokenizer.ggml.add_bos_token", bool) is True
    assert model.get("tokenizer.ggml.tokens", list)[1] == "Ġb"
    assert model.get("absent", int, 7) == 7
    assert model.get("absent", str, None) is None


@pytest.mark.parametrize(
    ("key", "kind", "says"),
    [
        ("absent", int, "missing"),
        ("general.architecture", int, "an integer, found str 'llama'"),
        ("llama.block_count", str, "a string, found u32 2"),
        ("llama.block_count", bool, "a bool, found u32 2"),
        ("tokenizer.ggml.add_bos_token", int, "an integer, found bool True"),
        ("tokenizer.ggml.add_bos_token", float, "a number, found bool True"),
        ("llama.attention.layer_norm_rms_epsilon", int, "an integer, found f32"),
        ("tokenizer.ggml.tokens", np.ndarray, "array of numbers, found arr[str] of length 4"),
        ("tokenizer.ggml.scores", list, "array of strings, found arr[f32] of length 4"),
    ],
)
def test_get_refuses(model: GGUFFile, key: str, kind: type, says: str) -> None:
    with pytest.raises(GGUFError) as caught:
        model.get(key, kind)
    assert f"{model.path}: {key}: " in str(caught.value)
    assert says in str(caught.value)
    assert (caught.value.path, caught.value.field) == (model.path, key)


def test_views_outlive_close(model: GGUFFile) -> None:
    norm = model.tensors["output_norm.weight"]
    model.close()
    model.close()
    assert not model.tensors
    assert norm.data.tobytes() == bytes(128)


def test_quantized_rows_count_blocks(write: Any) -> None:
    file = open_gguf(write(build([], [tensor("a", [64, 3, 2], GGML_Q4_0)], bytes(216))))
    assert file.tensors["a"].shape == (2, 3, 64)
    assert file.tensors["a"].data.nbytes == 216


def test_error_survives_pickling() -> None:
    error = GGUFError("is odd", path=Path("m.gguf"), field="key", offset=3)
    again = pickle.loads(pickle.dumps(error))
    assert str(again) == str(error) == "m.gguf: key at byte 3: is odd"
    assert (again.path, again.field, again.offset) == (Path("m.gguf"), "key", 3)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Ġthe 中文 é", "Ġthe 中文 é"),
        ("a\tb\nc", "a\\tb\\nc"),
        ("\x1b[31m", "\\x1b[31m"),
        ("\u202eevil", "\\u202eevil"),
        ("\udc80", "\\udc80"),
        ("\x9b", "\\x9b"),
    ],
)
def test_printable(text: str, shown: str) -> None:
    assert printable(text) == shown
