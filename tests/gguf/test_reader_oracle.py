"""The reader against gguf-py, on files that gguf-py's writer made and on a vocabulary at size."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
from build_gguf import I32, STR, array, build

from ggjit.gguf import GGMLType, open_gguf

SCALARS: dict[str, tuple[gguf.GGUFValueType, Any]] = {
    "u8": (gguf.GGUFValueType.UINT8, 255),
    "i8": (gguf.GGUFValueType.INT8, -128),
    "u16": (gguf.GGUFValueType.UINT16, 65535),
    "i16": (gguf.GGUFValueType.INT16, -32768),
    "u32": (gguf.GGUFValueType.UINT32, 2**32 - 1),
    "i32": (gguf.GGUFValueType.INT32, -(2**31)),
    "u64": (gguf.GGUFValueType.UINT64, 2**64 - 1),
    "i64": (gguf.GGUFValueType.INT64, -(2**63)),
    "f32": (gguf.GGUFValueType.FLOAT32, 1e-5),
    "f64": (gguf.GGUFValueType.FLOAT64, 0.1),
    "bool": (gguf.GGUFValueType.BOOL, True),
    "str": (gguf.GGUFValueType.STRING, "naïve\n中文 🙂"),
}
ARRAYS = {kind: [value, value] for kind, (_, value) in SCALARS.items()}
# F32, F16 and F64 are written as arrays; gguf-py has another size for Q8_1 than ggml.
TYPES = [
    kind
    for kind in gguf.GGMLQuantizationType
    if kind.name in GGMLType.__members__ and kind.name not in ("F32", "F16", "F64", "Q8_1")
]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with every value type, an array of each, and a tensor of every type."""
    path = tmp_path_factory.mktemp("gguf") / "all.gguf"
    rng = np.random.default_rng(5)
    writer = gguf.GGUFWriter(path, "llama")
    for name, (kind, value) in SCALARS.items():
        writer.add_key_value(f"scalar.{name}", value, kind)
        writer.add_key_value(f"array.{name}", ARRAYS[name], gguf.GGUFValueType.ARRAY, sub_type=kind)
    writer.add_tensor("f32", rng.standard_normal((3, 5), np.float32))
    writer.add_tensor("f16", rng.standard_normal((2, 3, 4)).astype(np.float16))
    writer.add_tensor("f64", rng.standard_normal(7))
    for kind in TYPES:
        block, block_bytes = gguf.GGML_QUANT_SIZES[kind]
        n_bytes = 3 * (512 // block) * block_bytes
        raw = rng.integers(0, 256, (3, n_bytes // 3), np.uint8)
        writer.add_tensor(kind.name, raw, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def test_values_are_those_of_gguf_py(written: Path) -> None:
    oracle = gguf.GGUFReader(written)
    file = open_gguf(written)
    expected = {key for key in oracle.fields if not key.startswith("GGUF.")}
    assert set(file.metadata) == expected
    for key in expected:
        value, found = oracle.get_field(key).contents(), file.metadata[key]
        if isinstance(found, np.ndarray):
            found = found.tolist()
        assert found == value, key
        assert type(found) is type(value), key


def test_values_are_those_written(written: Path) -> None:
    file = open_gguf(written)
    for name, (_, value) in SCALARS.items():
        expected = float(np.float32(value)) if name == "f32" else value
        assert file.metadata[f"scalar.{name}"] == expected
        assert file.types[f"scalar.{name}"] == name
        assert file.types[f"array.{name}"] == f"arr[{name}]"
        assert list(file.metadata[f"array.{name}"]) == [expected] * 2


def test_tensors_are_those_of_gguf_py(written: Path) -> None:
    oracle = {tensor.name: tensor for tensor in gguf.GGUFReader(written).tensors}
    tensors = open_gguf(written).tensors
    assert list(tensors) == list(oracle)
    for name, tensor in tensors.items():
        expected = oracle[name]
        assert tensor.type == expected.tensor_type
        assert tensor.shape == tuple(reversed(expected.shape.tolist()))
        assert tensor.offset == expected.data_offset
        assert tensor.data.tobytes() == expected.data.tobytes()


def test_split_set_written_by_gguf_py(tmp_path: Path) -> None:
    writer = gguf.GGUFWriter(tmp_path / "model.gguf", "llama", split_max_tensors=2)
    for i in range(5):
        writer.add_tensor(f"t{i}", np.full(8, i, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    shards = sorted(tmp_path.iterdir())
    assert len(shards) == 3
    for shard in shards:
        tensors = open_gguf(shard).tensors
        assert [tensors[f"t{i}"].data.view(np.float32)[0] for i in range(5)] == [0, 1, 2, 3, 4]


def test_large_vocabulary_opens_quickly(tmp_path: Path) -> None:
    """In units of what gguf-py takes, since machines differ; measured: a 50th."""
    tokens = [f"Ġtoken{i}" for i in range(150_000)]
    merges = [f"Ġ tok{i}" for i in range(150_000)]
    pairs = [
        array("tokenizer.ggml.tokens", STR, tokens),
        array("tokenizer.ggml.token_type", I32, range(150_000)),
        array("tokenizer.ggml.merges", STR, merges),
    ]
    path = tmp_path / "vocabulary.gguf"
    path.write_bytes(build(pairs))
    assert open_gguf(path).metadata["tokenizer.ggml.merges"] == merges
    ours = min(seconds(open_gguf, path) for _ in range(3))
    theirs = seconds(gguf.GGUFReader, path)
    assert ours < theirs / 20


def seconds(read: Callable[[Path], object], path: Path) -> float:
    start = time.process_time()
    read(path)
    return time.process_time() - start
