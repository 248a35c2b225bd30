"""Damaged weights are found wherever they are, and named."""

import numpy as np
import pytest
import tiny_llama

import ggjit
from ggjit.checking import damaged_tensors, first_damaged_row
from ggjit.formats import all_formats
from ggjit.gguf import GGMLType, Tensor, open_gguf

NAN, INF = float("nan"), float("inf")
DAMAGE = {"blk.0.attn_q.weight": (5, NAN), "blk.1.ffn_norm.weight": (0, -INF)}


@pytest.fixture
def tensors():
    return tiny_llama.weights(tiny_llama.shapes())


@pytest.fixture
def damaged(tmp_path, tensors):
    """A file with two damaged tensors."""
    for name, (row, value) in DAMAGE.items():
        tensors[name].reshape(-1, tensors[name].shape[-1])[row, 3] = value
    return tiny_llama.write(tmp_path / "bad.gguf", tensors)


def test_nothing_is_wrong_with_a_good_file(tmp_path, tensors):
    seen = []
    path = tiny_llama.write(tmp_path / "good.gguf", tensors)
    with open_gguf(path) as file:
        assert damaged_tensors(file, lambda *progress: seen.append(progress)) == []
    n_bytes = sum(values.nbytes for values in tensors.values())
    assert seen[0] == ("checking", 0, n_bytes)
    assert seen[-1] == ("checking", n_bytes, n_bytes)


def test_every_damaged_tensor_is_named(damaged):
    with open_gguf(damaged) as file:
        assert damaged_tensors(file) == [
            f"{damaged}: tensor '{name}' (F32): row {row} has values that are not finite"
            for name, (row, _) in DAMAGE.items()
        ]


def test_load_refuses_when_asked_to_check(damaged):
    with pytest.raises(ValueError, match=r"attn_q.*row 5 .* not finite; 1 more tensors"):
        ggjit.load(damaged, vocab_only=True, check=True)


@pytest.mark.parametrize("row", [0, 1, 4095, 9999])
def test_a_row_of_many_slices(row):
    values = np.zeros((10000, 64), np.float32)
    values[row, 63] = INF
    assert first_damaged_row(of(values, GGMLType.F32)) == row


def of(data, kind, shape=(10000, 64)):
    data = np.ascontiguousarray(data).view(np.uint8).reshape(-1)
    return Tensor("t", kind, shape, data, 0, "x.gguf")


def test_tensors_without_values():
    for shape in ((0,), (0, 64), (3, 0)):
        assert first_damaged_row(of(np.zeros(0), GGMLType.F32, shape)) is None
    assert first_damaged_row(of(np.float32(NAN), GGMLType.F32, ())) == 0
    assert first_damaged_row(of(np.array([1, -1]), GGMLType.I64, (2,))) is None


WITHOUT_NAN = ("I8", "I16", "I32", "I64", "NVFP4")
KINDS = [kind for kind in all_formats() if kind.name not in WITHOUT_NAN]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_type(kind):
    """Zero bytes are finite; ones are the NaN of every kind of float."""
    data = np.zeros((5, 4 * kind.n_bytes), np.uint8)
    assert first_damaged_row(of(data, kind, (5, 4 * kind.n_columns))) is None
    data[3, -kind.n_bytes :] = 255
    assert first_damaged_row(of(data, kind, (5, 4 * kind.n_columns))) == 3
