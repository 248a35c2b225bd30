"""Memory, packed weights and batches."""

import mmap

import gguf
import numpy as np
import pytest
from tensors import random_matrix, tensor

from ggjit.backends.cpu import weights
from ggjit.backends.cpu.batch import Batch, Part
from ggjit.backends.cpu.memory import address, aligned
from ggjit.backends.cpu.weights import PackedWeights
from ggjit.formats import all_formats
from ggjit.gguf.pages import drop_pages

KINDS = gguf.GGMLQuantizationType


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.float32, np.int64])
@pytest.mark.parametrize("n", [1, 63, 1000])
def test_memory_is_zero_and_on_a_cache_line(n, dtype):
    made = aligned(n, dtype)
    assert (made.shape, made.dtype) == ((n,), dtype)
    assert address(made) % 64 == 0
    assert not made.any()


def test_a_files_pages_come_back_when_they_are_read(tmp_path):
    data = np.random.default_rng(0).integers(0, 256, 5 * mmap.PAGESIZE, np.uint8)
    (tmp_path / "file").write_bytes(data.tobytes())
    mapped = np.memmap(tmp_path / "file", np.uint8, "r")
    for part in (slice(None), slice(100, -100), slice(10, 20), slice(5, 5)):
        drop_pages(mapped[part])
        np.testing.assert_array_equal(mapped, data)


def test_pages_of_no_file_are_kept():
    data = np.ones(5 * mmap.PAGESIZE, np.uint8)
    drop_pages(data)
    assert data.all()


# -- weights --------------------------------------------------------------------------------------


@pytest.mark.parametrize("fmt", all_formats().values(), ids=lambda f: f.name)
def test_packing_does_not_depend_on_threads(rng, fmt):
    values = random_matrix(fmt, rng, 83, 2 * max(fmt.n_columns, 48))
    one, three = (PackedWeights([values], n).matrix(values) for n in (1, 3))
    np.testing.assert_array_equal(one, three)
    assert one.nbytes == 96 * (values.shape[1] // fmt.n_columns) * fmt.packed_bytes


@pytest.mark.parametrize("slice_bytes", [1, 5000, 1 << 20])
@pytest.mark.parametrize("kind", [KINDS.Q4_1, KINDS.IQ2_XS, KINDS.F64], ids=lambda k: k.name)
def test_packing_slice_by_slice(rng, monkeypatch, slice_bytes, kind):
    values = random_matrix(all_formats()[kind], rng, 83, 256)
    expected = PackedWeights([values], 1).matrix(values)
    monkeypatch.setattr("ggjit.backends.cpu.packing.SLICE", slice_bytes)
    np.testing.assert_array_equal(PackedWeights([values], 2).matrix(values), expected)


@pytest.mark.parametrize("kind", [KINDS.F32, KINDS.F16, KINDS.BF16], ids=lambda k: k.name)
@pytest.mark.parametrize("n", [1, 16, 37])
def test_vectors_are_floats_followed_by_zeros(rng, kind, n):
    values = rng.integers(-8, 8, n).astype(np.float32)
    weights = PackedWeights([], 1)
    made = tensor("v", values, kind)
    got = weights.vector(made)
    np.testing.assert_array_equal(got[:n], values)
    assert len(got) % 16 == 0
    assert not got[n:].any()
    assert weights.vector(made) is got


# -- batches --------------------------------------------------------------------------------------


def test_a_batch_says_what_and_where():
    batch = Batch(8, 4)
    one = Part(np.array([9, 8, 7], np.int32), 40, 12345, 2)
    batch.fill([one, Part(np.array([5], np.int32), 7, 678, 1), Part(np.array([1, 2]), 0, 9, 0)])
    assert batch.header[:3].tolist() == [6, 3, 3]
    lists = {
        "tokens": (batch.tokens, [9, 8, 7, 5, 1, 2]),
        "positions": (batch.positions, [40, 41, 42, 7, 0, 1]),
        "tables": (batch.tables, [12345] * 3 + [678, 9, 9]),
        "selected": (batch.selected, [1, 2, 3]),
        "starts": (batch.starts, [0, 3, 4, 6]),
    }
    first = batch.address_of("n_tokens")
    for name, (array, expected) in lists.items():
        assert batch.header[(batch.address_of(name) - first) // 8] == address(array)
        assert array[: len(expected)].tolist() == expected
    assert batch.address_of("n_selected") - first == 8
    assert batch.address_of("n_parts") - first == 16


# -- what is packed -------------------------------------------------------------------------------


def test_packing_as_told(monkeypatch):
    values = tensor("w", np.ones((32, 64)), KINDS.Q8_0)
    told = [("always", 0, 1), ("never", None, 0), ("auto", 0, 0), ("auto", None, 1)]
    for packing, left, n in told:
        monkeypatch.setattr(weights, "available_bytes", lambda left=left: left)
        assert len(weights.to_pack([values], packing, 0)) == n
    monkeypatch.setattr(weights, "available_bytes", lambda: 3000)
    assert weights.to_pack([values], "auto", 800) == [values]
    assert weights.to_pack([values], "auto", 900) == []
    with pytest.raises(ValueError, match="pack is 'sometimes', expected auto"):
        weights.to_pack([values], "sometimes", 0)


def test_experts_stay_in_the_file_first(monkeypatch):
    dense, experts = tensor("d", np.ones((16, 4))), tensor("e", np.ones((3, 16, 4)))
    both = [dense, experts]
    monkeypatch.setattr(weights, "available_bytes", lambda: 1024)
    assert weights.to_pack(both, "experts-mmap", 0) == [dense]
    assert weights.to_pack(both, "auto", 0) == both
    assert weights.to_pack(both, "auto", 100) == [dense]
    assert weights.to_pack(both, "auto", 900) == []


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("kind", [KINDS.F32, KINDS.F16, KINDS.Q8_0], ids=lambda k: k.name)
@pytest.mark.parametrize("packing", ["always", "never"])
def test_a_damaged_tensor_is_named(bad, kind, packing):
    values = np.ones((20, 64), np.float32)
    values[17, 3] = bad
    with np.errstate(all="ignore"), pytest.raises(ValueError, match=r"'w'.*NaN or infinite"):
        PackedWeights([tensor("w", values, kind)], 1, packing=packing)


def test_the_first_damaged_tensor_is_named_and_progress_ends_there(monkeypatch):
    monkeypatch.setattr("ggjit.backends.cpu.packing.SLICE", 1)
    good, bad = np.ones((64, 32), np.float32), np.ones((64, 32), np.float32)
    bad[40] = np.nan
    made = [tensor(n, v, KINDS.F32) for n, v in (("a", good), ("b", bad), ("c", bad))]
    told = []
    with pytest.raises(ValueError, match="tensor 'b' has a scale"):
        PackedWeights(made, 3, lambda done, total: told.append(done))
    assert told == sorted(told)
    assert told[-1] <= 2 * good.nbytes
