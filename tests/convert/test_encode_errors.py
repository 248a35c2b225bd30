"""Types whose scales are searched for: errors no larger than those ggml's search leaves."""

import json

import numpy as np
import pytest
from encode_rows import edge_rows, importance_of, matrix, relative_error, stacked
from make_encode_golden import FILE, WEIGHTED

from ggjit.formats import all_formats
from ggjit.gguf import GGMLType
from ggjit_convert.quantize import encode

SLACK = 1.005

GOLDEN = json.loads(FILE.read_text(encoding="ascii"))

each_type = pytest.mark.parametrize("type", [GGMLType[n] for n in WEIGHTED], ids=WEIGHTED)
each_kind = pytest.mark.parametrize(
    ("kind", "type"),
    [
        pytest.param(kind, GGMLType[name], id=f"{kind}-{name}")
        for kind in ("plain", "weighted")
        for name in GOLDEN[kind]
    ],
)


@each_kind
def test_errors_are_no_larger_than_those_of_ggml(kind, type):
    rows, importance = matrix(64, 512), importance_of(512) if kind == "weighted" else None
    made = encode(type, rows, importance, 2)
    error = relative_error(all_formats()[type], made, rows, importance)
    assert error <= SLACK * GOLDEN[kind][type.name]
    assert error > 0.4 * GOLDEN[kind][type.name]  # else the measure is wrong


@each_kind
def test_edge_rows_keep_their_values(kind, type):
    n, fmt = type.n_columns, all_formats()[type]
    rows, importance = stacked(n), importance_of(n) if kind == "weighted" else None
    made = encode(type, rows, importance, 1)
    ordinary = relative_error(fmt, made[:1], rows[:1], importance)
    # Of the vectors that IQ1 to IQ3 have, few are one large value, and few of one value only.
    unlike = ["one huge"] + ["one only", "constant"] * (type.name[:3] in ("IQ1", "IQ2", "IQ3"))
    for what, row, of in zip(edge_rows(n), rows, made, strict=True):
        values = fmt.decode_rows(of, n)
        assert np.isfinite(values).all(), what
        if what in ("zeros", "denormal", "tiny"):
            assert np.abs(values).max() <= 2 * np.abs(row).max(), what
        elif what not in unlike:
            assert relative_error(fmt, of, row[None], importance) <= 1.3 * ordinary, what


@each_type
def test_bytes_depend_on_the_row_alone(type, rng):
    """Neither on threads nor on what else is encoded, nor on how importance is scaled by 2**k."""
    rows = rng.normal(size=(21, 768)).astype(np.float32)
    importance = rng.random(768, np.float32)
    for given in (None, importance):
        whole = encode(type, rows, given, 1)
        for n_threads, part in ((2, slice(None)), (3, slice(4, 21)), (1, slice(7, 9))):
            np.testing.assert_array_equal(encode(type, rows[part], given, n_threads), whole[part])
    np.testing.assert_array_equal(encode(type, rows, importance * 2**20, 2), whole)


@each_type
def test_columns_without_importance_do_no_harm(type, rng):
    rows = rng.normal(size=(16, 512)).astype(np.float32)
    importance = np.ones(512, np.float32)
    importance[64:300] = 0
    made = encode(type, rows, importance, 2)
    assert np.isfinite(all_formats()[type].decode_rows(made.reshape(-1), 512)).all()
    everywhere_none = encode(type, rows, np.zeros(512, np.float32), 2)
    np.testing.assert_array_equal(everywhere_none, encode(type, rows, None, 2))


@each_type
def test_a_value_too_large_is_refused_by_its_row(type):
    rows = np.ones((19, 256), np.float32)
    for value in (2e9, -1e30):
        rows[17, 40] = value
        with pytest.raises(ValueError, match=f"row 17 has a value too large for {type.name}"):
            encode(type, rows, None, 2)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -1])
def test_importance_that_is_none_is_refused(bad):
    importance = np.ones(256, np.float32)
    importance[9] = bad
    with pytest.raises(ValueError, match="importance of column 9 is"):
        encode(GGMLType.Q4_K, np.ones((1, 256), np.float32), importance, 1)
