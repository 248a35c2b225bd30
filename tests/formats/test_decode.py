"""Decoders, bit for bit against gguf-py's."""

from pathlib import Path

import gguf
import numpy as np
import pytest

import ggjit.formats
from ggjit.formats import FloatLanes, all_formats, find
from ggjit.gguf import Tensor

FORMATS = pytest.mark.parametrize("fmt", all_formats().values(), ids=lambda f: f.name)
QUANTIZED = [fmt for fmt in all_formats().values() if not isinstance(fmt.lanes, FloatLanes)]
F16_EDGES = np.array(
    [0, 0x8000, 1, 0x8001, 0x03FF, 0x0400, 0x3C00, 0xBC00, 0x7BFF, 0xFBFF], np.uint16
)


def by_gguf(fmt, blocks):
    """Decode with gguf-py. Shapes: blocks [n, bytes]; returns [n, columns]."""
    rows = blocks.reshape(len(blocks), -1)
    rows = rows.view({"f32": np.float32, "f16": np.float16}.get(fmt.name, np.uint8))
    with np.errstate(all="ignore"):
        return gguf.quants.dequantize(rows, fmt.type)


def assert_same_bits(fmt, blocks):
    expected = by_gguf(fmt, blocks)
    with np.errstate(all="ignore"):
        got = fmt.decode(blocks).reshape(expected.shape)
    assert got.dtype == np.float32
    known = ~np.isnan(expected)
    np.testing.assert_array_equal(got.view(np.uint32)[known], expected.view(np.uint32)[known])
    assert np.all(np.isnan(got[~known]))


@FORMATS
def test_random_bytes(rng, fmt):
    assert_same_bits(fmt, rng.integers(0, 256, (5000, fmt.n_bytes), np.uint8))


@pytest.mark.parametrize("fmt", QUANTIZED, ids=lambda f: f.name)
def test_scales_at_the_edge(rng, fmt):
    """Zeros of both signs, subnormals and the largest float16, in every float16 field."""
    blocks = rng.integers(0, 256, (len(F16_EDGES) ** 2, fmt.n_bytes), np.uint8)
    fields = [f for f in fmt.lanes.fields if f.size == 2]
    assert fields
    edges = np.stack(np.meshgrid(F16_EDGES, F16_EDGES), axis=-1).reshape(-1, 2)
    for f in fields:
        values = np.ascontiguousarray(edges[:, : f.count])
        blocks[:, f.offset : f.offset + 2 * f.count] = values.view(np.uint8)
    assert_same_bits(fmt, blocks)


@FORMATS
@pytest.mark.parametrize("byte", [0x00, 0x0F, 0xF0, 0x7F, 0x80, 0xFF])
def test_all_bytes_alike(fmt, byte):
    assert_same_bits(fmt, np.full((2, fmt.n_bytes), byte, np.uint8))


@FORMATS
def test_rows_of_several_blocks(rng, fmt):
    n_columns = 3 * fmt.n_columns
    data = rng.integers(0, 128, 5 * 3 * fmt.n_bytes, np.uint8)
    with np.errstate(all="ignore"):
        got = fmt.decode_rows(data, n_columns)
    expected = by_gguf(fmt, data.reshape(5, -1))
    assert got.shape == expected.shape == (5, n_columns)
    np.testing.assert_array_equal(got, expected)


@FORMATS
def test_read_only_bytes_at_an_odd_address_decode(rng, fmt):
    raw = rng.integers(0, 128, 1 + 4 * fmt.n_bytes, np.uint8)
    raw.setflags(write=False)
    blocks = raw[1:].reshape(4, -1)
    np.testing.assert_array_equal(fmt.decode(blocks), fmt.decode(blocks.copy()))


@FORMATS
def test_sizes_are_ggmls(fmt):
    assert (fmt.n_columns, fmt.n_bytes) == gguf.GGML_QUANT_SIZES[fmt.type]


def test_the_folder_lists_the_formats():
    folder = Path(ggjit.formats.__file__).parent
    files = {path.stem for path in folder.glob("*.py")} - {"__init__", "base"}
    assert {fmt.name for fmt in all_formats().values()} == files
    assert {"f32", "f16", "bf16", "q4_0", "q4_1", "q8_0"} <= files


def tensor_of(kind):
    """A tensor without data."""
    data = np.zeros(0, np.uint8)
    return Tensor("blk.3.attn_q.weight", kind, (0, 256), data, 0, Path("model.gguf"))


def test_find_names_the_tensor_and_what_is_supported():
    kind = gguf.GGMLQuantizationType
    assert find(tensor_of(kind.Q4_1)) is all_formats()[kind.Q4_1]
    with pytest.raises(ValueError, match=r"model.*blk\.3\.attn_q\.weight.*IQ1_S.*Q4_0"):
        find(tensor_of(kind.IQ1_S))
