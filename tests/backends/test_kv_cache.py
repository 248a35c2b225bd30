"""Blocks of the cache: who has them, when they are shared, copied and given back."""

import ctypes
import gc

import numpy as np
import pytest
from random_graphs import random_graph

from ggjit.backends.cpu import pool
from ggjit.backends.cpu.cache import CacheLayout, CPUState
from ggjit.backends.cpu.pool import BlockPool
from ggjit.graph import Attention, Buffer
from ggjit.kernels.cache_formats import F16


def attention_of(layer, window=None, n_kv_heads=2, dim=16):
    q, k, v = (Buffer(f"{name}{layer}", n_kv_heads * dim) for name in "qkv")
    out = Buffer(f"a{layer}", n_kv_heads * dim)
    return Attention(out, q, k, v, layer, n_kv_heads, n_kv_heads, 1.0, window)


def layout_of(*windows, n_context=1000, n_batch=64, n_sequences=1):
    ops = [attention_of(i, window) for i, window in enumerate(windows)]
    return CacheLayout(ops, n_context, n_batch, F16, F16, n_sequences)


def extend(state, n):
    state.reserve(n)
    state.advance(n)


def tables(state):
    return state._tables.copy()


# -- the pool -------------------------------------------------------------------------------------


def test_a_pool_grows_and_takes_back():
    pool = BlockPool(128, 3)
    taken = [pool.take() for _ in range(7)]
    assert len(set(taken)) == 7
    assert all(block % 64 == 0 for block in taken)
    assert pool.n_used == 7
    pool.give_back(taken[:4])
    assert pool.n_used == 3
    again = [pool.take() for _ in range(4)]
    assert len({*again, *taken[4:]}) == 7


def test_a_shared_block_is_free_when_nobody_has_it():
    pool = BlockPool(64, 2)
    block = pool.take()
    pool.share([block, block])
    for left in (True, False):
        pool.give_back([block])
        assert pool.is_shared(block) == left
        assert pool.n_used == 1
    pool.give_back([block])
    assert pool.n_used == 0


@pytest.mark.parametrize("windows", [(None,), (64, None)])  # the first pool has no room
def test_a_pool_without_room_names_the_context(windows, monkeypatch):
    def arena(n_bytes):
        raise MemoryError

    monkeypatch.setattr(pool, "Arena", arena)
    state = CPUState(layout_of(*windows, n_context=1 << 20, n_sequences=2))
    with pytest.raises(MemoryError, match=r"for 2097152 tokens needs 384 MB: -c .* smaller"):
        state.reserve(1)


# -- how layers lie in blocks ---------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("n_context", [1, 64, 100])
def test_layers_share_a_block_without_overlap(seed, n_context):
    ops = random_graph(np.random.default_rng(seed), n_ops=20).ops
    cache = CacheLayout(ops, n_context, 64, F16, F16)
    used = [np.zeros(b.block_bytes, np.uint8) for b in cache.blocks]
    for op in (op for op in ops if isinstance(op, Attention)):
        layer = cache.layers[op.layer]
        number = layer.table_offset // 8 // cache.n_chunks
        assert cache.blocks[number].window == op.window
        for start, n in ((layer.k_offset, layer.k_head), (layer.v_offset, layer.v_head)):
            used[number][start : start + op.n_kv_heads * n] += 1
    assert all(np.all(bytes == 1) for bytes in used)


def test_bytes_of_a_full_sequence():
    assert layout_of(None, None, n_context=100).n_bytes == 2 * 128 * 2 * 2 * (16 + 32)


# -- sequences ------------------------------------------------------------------------------------


def test_a_sequence_takes_blocks_as_it_grows():
    cache = layout_of(None)
    state = CPUState(cache)
    for n in (1, 62, 1, 1, 200):
        extend(state, n)
        assert cache.blocks[0].pool.n_used == (state.n_past + 63) // 64
    assert np.count_nonzero(tables(state)) == 5
    assert state.truncate(64) == 64
    assert cache.blocks[0].pool.n_used == 1
    for n in (65, -1):
        with pytest.raises(AssertionError):
            state.truncate(n)


def test_blocks_come_back_with_their_sequence():
    cache = layout_of(None, 100, n_context=128)
    for _ in range(20):
        state = CPUState(cache)
        extend(state, 128)
    del state
    gc.collect()
    assert [b.pool.n_used for b in cache.blocks] == [0, 0]
    assert [len(b.pool._arenas) for b in cache.blocks] == [1, 1]


def test_a_common_beginning_is_stored_once():
    cache = layout_of(None)
    state = CPUState(cache)
    extend(state, 200)
    forks = [state.fork(), state.fork(130), state.fork(0)]
    assert [f.n_past for f in forks] == [200, 130, 0]
    assert cache.blocks[0].pool.n_used == 4
    np.testing.assert_array_equal(tables(forks[0]), tables(state))
    assert np.count_nonzero(tables(forks[1])) == 3
    del state
    gc.collect()
    assert cache.blocks[0].pool.n_used == 4
    del forks
    gc.collect()
    assert cache.blocks[0].pool.n_used == 0


def test_a_shared_block_is_copied_before_it_is_written():
    cache = layout_of(None)
    state = CPUState(cache)
    extend(state, 100)
    before = tables(state)[0]
    one, other = state.fork(), state.fork(64)
    extend(one, 1)
    assert tables(one)[0, 0] == before[0]
    assert tables(one)[0, 1] not in (0, before[1])
    extend(other, 1)
    extend(state, 1)
    assert tables(state)[0, 1] == before[1]
    assert cache.blocks[0].pool.n_used == 4
    state.truncate(10)
    extend(state, 1)
    assert tables(state)[0, 0] != before[0]
    assert tables(one)[0, 0] == before[0]


def test_a_copy_holds_what_the_block_held():
    cache = layout_of(None)
    state = CPUState(cache)
    extend(state, 10)
    block = int(tables(state)[0, 0])
    ctypes.memset(block, 7, cache.blocks[0].block_bytes)
    fork = state.fork()
    extend(fork, 1)
    copied = ctypes.string_at(int(tables(fork)[0, 0]), cache.blocks[0].block_bytes)
    assert copied == bytes([7]) * cache.blocks[0].block_bytes


# -- windows --------------------------------------------------------------------------------------


@pytest.mark.parametrize("window", [1, 63, 64, 65, 300])
@pytest.mark.parametrize("n_batch", [1, 50, 64])
def test_a_window_holds_what_its_next_token_sees_and_not_much_more(window, n_batch):
    cache = layout_of(window, n_batch=n_batch)
    state = CPUState(cache)
    for _ in range(900 // n_batch):
        before = state.n_past
        state.reserve(n_batch)
        held = np.flatnonzero(tables(state)[0])
        assert cache.blocks[0].pool.n_used == len(held) <= cache.blocks[0].n_blocks
        assert held[0] <= max(0, before + 1 - window) // 64
        assert held[-1] == (before + n_batch - 1) // 64
        assert len(held) == held[-1] - held[0] + 1
        state.advance(n_batch)


@pytest.mark.parametrize("window", [2, 64, 100])
def test_how_far_back_a_window_can_go(window):
    cache = layout_of(None, window)
    for n in range(0, 640, 7):
        state = CPUState(cache)
        for _ in range(10):
            extend(state, 64)
        seen = np.arange(max(0, n + 1 - window), n)  # what comes before the next token
        possible = tables(state)[1, seen // 64].all()
        assert possible or n < 640 - 64
        assert state.fork(n).n_past == (n if possible else 0)
        assert state.truncate(n) == (n if possible else 0)
        assert possible or not tables(state).any()
        extend(state, 30)
    assert possible


def test_the_last_batch_can_always_be_taken_back():
    state = CPUState(layout_of(100, n_batch=64))
    for _ in range(12):
        extend(state, 64)
        before = state.n_past
        extend(state, 13)
        assert state.truncate(before) == before
