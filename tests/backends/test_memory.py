"""Memory, packed weights, caches and batches."""

import mmap

import gguf
import numpy as np
import pytest
from random_graphs import random_graph
from tensors import tensor

from ggjit.backends.cpu.batch import Batch
from ggjit.backends.cpu.cache import CacheLayout, CPUState
from ggjit.backends.cpu.memory import address, aligned, drop_pages
from ggjit.backends.cpu.weights import PackedWeights
from ggjit.formats import all_formats
from ggjit.graph import Attention

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
    values = tensor("w", rng.normal(size=(83, 96)), fmt.type)
    one, three = (PackedWeights([values], n).matrix(values) for n in (1, 3))
    np.testing.assert_array_equal(one, three)
    assert one.nbytes == 96 * values.data.nbytes // 83


@pytest.mark.parametrize("slice_bytes", [1, 5000, 1 << 20])
def test_packing_slice_by_slice(rng, monkeypatch, slice_bytes):
    values = tensor("w", rng.normal(size=(83, 96)), KINDS.Q4_1)
    expected = PackedWeights([values], 1).matrix(values)
    monkeypatch.setattr("ggjit.backends.cpu.weights.SLICE", slice_bytes)
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


# -- caches ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("n_context", [1, 64, 100])
def test_layers_share_a_chunk_without_overlap(seed, n_context):
    ops = random_graph(np.random.default_rng(seed), n_ops=20).ops
    layout = CacheLayout(ops, n_context)
    assert layout.n_bytes == (n_context + 63) // 64 * layout.chunk_bytes
    used = np.zeros(layout.chunk_bytes, np.uint8)
    for op in ops:
        if isinstance(op, Attention):
            layer = layout.layers[op.layer]
            width = (op.v_dim + 15) // 16 * 16
            for start, n in ((layer.k_offset, op.k_dim), (layer.v_offset, width)):
                used[start : start + 2 * op.n_kv_heads * n * 64] += 1
    assert np.all(used == 1)


def test_a_new_state_is_empty():
    layout = CacheLayout(random_graph(np.random.default_rng(1), n_ops=20).ops, 64)
    state = CPUState(layout)
    assert state.n_past == 0
    assert state.address % 64 == 0
    state.n_past = 5
    state.truncate(3)
    assert state.n_past == 3
    for n in (4, -1):
        with pytest.raises(AssertionError):
            state.truncate(n)


# -- batches --------------------------------------------------------------------------------------


def test_a_batch_says_what_and_where():
    batch = Batch(8, 4)
    batch.fill(np.array([9, 8, 7], np.int32), 40, 12345, range(1, 3))
    assert batch.header[:2].tolist() == [3, 2]
    lists = {2: batch.tokens, 3: batch.positions, 4: batch.caches, 5: batch.selected}
    assert {i: int(batch.header[i]) for i in lists} == {i: address(a) for i, a in lists.items()}
    assert batch.tokens[:3].tolist() == [9, 8, 7]
    assert batch.positions[:3].tolist() == [40, 41, 42]
    assert batch.caches[:3].tolist() == [12345] * 3
    assert batch.selected[:2].tolist() == [1, 2]
    assert batch.address_of("selected") - batch.address_of("n_tokens") == 40
    assert batch.address_of("n_selected") - batch.address_of("n_tokens") == 8
