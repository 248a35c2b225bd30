"""Decoders, bit for bit against gguf-py's, or number by number where it has none."""

from pathlib import Path

import gguf
import numpy as np
import pytest
from blocks import decoded, gguf_decodes, with_ordinary_scales
from plain_decoders import PLAIN

import ggjit.formats
from ggjit.formats import all_formats, find
from ggjit.gguf import GGMLType, Tensor

FORMATS = pytest.mark.parametrize("fmt", all_formats().values(), ids=lambda f: f.name)
F16_EDGES = np.array(
    [0, 0x8000, 1, 0x8001, 0x03FF, 0x0400, 0x3C00, 0xBC00, 0x7BFF, 0xFBFF], np.uint16
).view(np.float16)
BAD = [np.nan, -np.nan, np.inf, -np.inf]


@np.errstate(all="ignore")
def by_oracle(fmt, blocks):
    """Shapes: blocks [n, bytes]; returns [n, columns]."""
    if gguf_decodes(fmt):
        return decoded(fmt, blocks[:, None])
    return np.array([PLAIN[fmt.name](block.tobytes()) for block in blocks], np.float32)


def float_items(fmt, blocks):
    """Return views of the floats in blocks."""
    b = blocks.reshape(-1).view(fmt.block)
    items = [b[name] for name in b.dtype.names] if b.dtype.names else [b]
    return [item for item in items if item.dtype.kind == "f"]


def assert_same_bits(fmt, blocks):
    expected = by_oracle(fmt, blocks)
    with np.errstate(all="ignore"):
        got = fmt.decode(blocks)
    assert got.dtype == np.float32
    assert got.shape == expected.shape
    known = ~np.isnan(expected)
    np.testing.assert_array_equal(got.view(np.uint32)[known], expected.view(np.uint32)[known])
    assert np.all(np.isnan(got[~known]))


@FORMATS
def test_random_bytes(rng, fmt):
    assert_same_bits(fmt, rng.integers(0, 256, (3000, fmt.n_bytes), np.uint8))


@FORMATS
def test_scales_at_the_edge(rng, fmt):
    """Zeros of both signs, subnormals and the largest float16, in every float of a block."""
    blocks = rng.integers(0, 256, (len(F16_EDGES) ** 2, fmt.n_bytes), np.uint8)
    edges = np.stack(np.meshgrid(F16_EDGES, F16_EDGES)).reshape(2, -1)
    for item, values in zip(float_items(fmt, blocks), edges, strict=False):
        item[...] = values
    assert_same_bits(fmt, blocks)


@FORMATS
@pytest.mark.parametrize("byte", [0x00, 0x0F, 0xF0, 0x7F, 0x80, 0xFF])
def test_all_bytes_alike(fmt, byte):
    assert_same_bits(fmt, np.full((2, fmt.n_bytes), byte, np.uint8))


def test_every_scale_of_mxfp4_and_nvfp4(rng):
    scales = np.arange(256, dtype=np.uint8)
    for kind, n in ((GGMLType.MXFP4, 1), (GGMLType.NVFP4, 4)):
        fmt = all_formats()[kind]
        blocks = rng.integers(0, 256, (256, fmt.n_bytes), np.uint8)
        blocks[:, :n] = scales[:, None]
        assert_same_bits(fmt, blocks)


@FORMATS
def test_rows_of_several_blocks(rng, fmt):
    data = with_ordinary_scales(fmt, rng.integers(0, 256, (15, fmt.n_bytes), np.uint8), rng)
    got = fmt.decode_rows(data.reshape(-1), 3 * fmt.n_columns)
    assert got.shape == (5, 3 * fmt.n_columns)
    np.testing.assert_array_equal(got.reshape(15, -1), by_oracle(fmt, data))


@FORMATS
def test_no_rows_decode_to_none(fmt):
    assert fmt.decode(np.zeros((0, 3, fmt.n_bytes), np.uint8)).shape == (0, 3, fmt.n_columns)


@FORMATS
def test_read_only_bytes_at_an_odd_address_decode(rng, fmt):
    blocks = with_ordinary_scales(fmt, rng.integers(0, 256, (4, fmt.n_bytes), np.uint8), rng)
    raw = np.concatenate([np.zeros(1, np.uint8), blocks.reshape(-1)])
    raw.setflags(write=False)
    odd = raw[1:].reshape(4, -1)
    np.testing.assert_array_equal(fmt.decode(odd), fmt.decode(blocks))
    assert fmt.finite(odd)
    if fmt.relay:
        np.testing.assert_array_equal(fmt.relay(odd), fmt.relay(blocks))


# -- bad input ------------------------------------------------------------------------------------


@FORMATS
def test_nan_and_infinite_floats_are_found(rng, fmt):
    blocks = with_ordinary_scales(fmt, rng.integers(0, 256, (50, fmt.n_bytes), np.uint8), rng)
    assert fmt.finite(blocks)
    for i in range(len(float_items(fmt, blocks))):
        for bad in BAD:
            spoilt = blocks.copy()
            float_items(fmt, spoilt)[i][37] = bad
            assert not fmt.finite(spoilt)


def spoilt(kind, items):
    """A block of zeros but for some bytes."""
    block = np.zeros((3, kind.n_bytes), np.uint8)
    for at, value in items.items():
        block[1, at] = value
    return block


@pytest.mark.parametrize(
    ("kind", "items"),
    [
        (GGMLType.BF16, {0: 0x80, 1: 0xFF}),
        (GGMLType.BF16, {0: 0xC0, 1: 0x7F}),
        (GGMLType.MXFP4, {0: 0xFF, 1: 7}),
        (GGMLType.MXFP4, {0: 0xFD, 1: 7}),
        (GGMLType.IQ1_M, {51: 0xC0, 55: 0x70, 53: 0xF0}),
        (GGMLType.IQ1_M, {49: 0x10, 53: 0xC0, 55: 0xF0}),
    ],
)
def test_scales_that_are_no_floats_of_a_block(kind, items):
    fmt = all_formats()[kind]
    assert fmt.finite(np.zeros((3, fmt.n_bytes), np.uint8))
    wrong = spoilt(kind, items)
    with np.errstate(invalid="ignore", over="ignore"):
        assert not np.all(np.isfinite(fmt.decode(wrong)))
    assert not fmt.finite(wrong)


def test_the_largest_scale_of_mxfp4():
    fmt = all_formats()[GGMLType.MXFP4]
    largest = spoilt(GGMLType.MXFP4, {0: 252, 1: 7})
    assert fmt.finite(largest)
    assert np.all(np.isfinite(fmt.decode(largest)))


# -- the table ------------------------------------------------------------------------------------


@FORMATS
def test_sizes_are_ggmls(fmt):
    kind = getattr(gguf.GGMLQuantizationType, fmt.type.name, None)
    if kind and fmt.name != "q8_1":  # whose size gguf-py has wrong
        assert (fmt.n_columns, fmt.n_bytes) == gguf.GGML_QUANT_SIZES[kind]
    assert fmt.n_columns % 32 == 0 or fmt.n_columns == 1


def test_every_type_has_its_file():
    folder = Path(ggjit.formats.__file__).parent
    files = {path.stem for path in folder.glob("*.py")}
    shared = {"__init__", "base", "decoding", "grids", "lanes", "relaid"}
    assert files - shared == {kind.name.lower() for kind in GGMLType}
    assert all(kind == fmt.type for kind, fmt in all_formats().items())


def test_find():
    data = np.zeros(0, np.uint8)
    tensor = Tensor("blk.3.attn_q.weight", GGMLType.Q4_1, (0, 256), data, 0, Path("model.gguf"))
    assert find(tensor) is all_formats()[GGMLType.Q4_1]
