"""Types that are rounded in one way only: the same bytes as ggml's C code and gguf-py make."""

import json

import gguf
import numpy as np
import pytest
from encode_rows import edge_rows, stacked
from make_encode_golden import EXACT, FILE

from ggjit.gguf import GGMLType
from ggjit_convert.quantize import encodable, encode

FLOATS = ("F32", "F16", "BF16")


def by_gguf(type, rows):
    with np.errstate(all="ignore"):
        made = gguf.quants.quantize(rows, gguf.GGMLQuantizationType[type.name])
    return np.ascontiguousarray(made).view(np.uint8)


@pytest.mark.parametrize("name", EXACT)
def test_edge_rows_become_the_bytes_of_ggml(name):
    golden = json.loads(FILE.read_text(encoding="ascii"))["bytes"][name]
    type = GGMLType[name]
    got = encode(type, stacked(type.n_columns), None, 2)
    for what, row, expected in zip(edge_rows(32), got, golden, strict=True):
        if (name, what) != ("MXFP4", "denormal"):  # of which ggml makes NaN
            assert row.tobytes().hex() == expected, what


@pytest.mark.parametrize("name", [n for n in EXACT if n[:3] != "IQ4"] + list(FLOATS))
@pytest.mark.parametrize(("n_rows", "n_blocks"), [(1, 1), (15, 3), (16, 2), (17, 1), (43, 5)])
def test_random_rows_become_the_bytes_of_gguf_py(name, n_rows, n_blocks, rng):
    shape = n_rows, n_blocks * max(32, GGMLType[name].n_columns)
    rows = rng.normal(size=shape) * 10.0 ** rng.integers(-6, 4, (shape[0], 1))
    rows = rows.astype(np.float32)
    if name in EXACT:
        rows[::2] = np.round(rows[::2] * 8) / 4 + 0.0  # ties; -0 gguf-py takes otherwise than ggml
    for n_threads in (1, 2, 3):
        got = encode(GGMLType[name], rows, None, n_threads)
        np.testing.assert_array_equal(got, by_gguf(GGMLType[name], rows))


@pytest.mark.parametrize("name", FLOATS)
@pytest.mark.parametrize("shape", [(1, 1), (3, 7), (5, 33)])
def test_floats_take_any_number_of_columns(name, shape, rng):
    rows = rng.normal(size=shape).astype(np.float32)
    got = encode(GGMLType[name], rows, None, 2)
    np.testing.assert_array_equal(got, by_gguf(GGMLType[name], rows))


@pytest.mark.parametrize(("name", "most"), [("F16", 65519.996), ("BF16", 3.3961773e38)])
def test_a_float_too_large_is_refused_by_its_row(name, most):
    rows = np.ones((5, 6), np.float32)
    rows[3, 2] = -np.float32(most)
    assert np.isfinite(encode(GGMLType[name], rows, None, 2).view(np.uint16)).all()
    rows[3, 2] = np.nextafter(rows[3, 2], np.float32(-np.inf))
    with pytest.raises(ValueError, match=f"row 3 has a value too large for {name}"):
        encode(GGMLType[name], rows, None, 2)


@pytest.mark.parametrize("name", EXACT)
def test_a_scale_too_large_is_refused_by_its_row(name):
    rows = np.ones((19, 256), np.float32)
    rows[17, 40] = 1e9
    with pytest.raises(ValueError, match=f"row 17 has a value too large for {name}"):
        encode(GGMLType[name], rows, None, 2)


def test_what_cannot_be_encoded_is_said():
    rows = np.ones((2, 48), np.float32)
    with pytest.raises(ValueError, match="48 columns cannot be Q8_0, which has blocks of 32"):
        encode(GGMLType.Q8_0, rows, None, 1)
    with pytest.raises(ValueError, match="cannot be made Q8_K"):
        encode(GGMLType.Q8_K, rows, None, 1)
    with pytest.raises(ValueError, match=r"importance has shape \(3,\), not \(32,\)"):
        encode(GGMLType.Q8_0, rows[:, :32], np.ones(3, np.float32), 1)
    assert encodable(GGMLType.Q8_0)
    assert not encodable(GGMLType.Q8_1)


@pytest.mark.parametrize("name", ["F16", "Q8_0"])
def test_no_rows_are_no_bytes(name):
    assert encode(GGMLType[name], np.empty((0, 64), np.float32), None, 2).shape[0] == 0
