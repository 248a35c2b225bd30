"""The CPU backend as a whole, against the reference backend."""

import gc
import os
import threading
from concurrent.futures import ThreadPoolExecutor

import gguf
import numpy as np
import pytest
from random_graphs import N_VOCAB, random_graph
from tensors import param, tensor
from tiny_llama import graph_of, shapes, weights, write

from ggjit.backends import ContextFull
from ggjit.backends.cpu import CPUExecutor
from ggjit.backends.cpu.executor import N_SELECTED, N_TOKENS
from ggjit.backends.reference import ReferenceExecutor
from ggjit.graph import Embed, Graph, Linear, Param
from ggjit.kernels.tape import PIECES
from ggjit.kernels.tiles import TileShape

KINDS = gguf.GGMLQuantizationType
WRITTEN = [KINDS.F32, KINDS.F16, KINDS.BF16, KINDS.Q4_0, KINDS.Q4_1, KINDS.Q5_1, KINDS.Q8_0]


def relative_error(got, expected):
    return np.abs(got - expected).max() / np.sqrt(np.mean(expected**2))


def everything(executor, ids, size=10**6):
    """The logits after each id, fed in pieces of `size`."""
    state = executor.new_state()
    parts = [executor.run(state, ids[i : i + size], "all") for i in range(0, len(ids), size)]
    return np.concatenate(parts)


def matrix(name, values, kind):
    return Param(name, tensor(f"{name}.weight", values, kind))


# -- random graphs --------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(25))
def test_random_graphs_of_floats(seed):
    rng = np.random.default_rng(seed)
    graph = random_graph(rng, n_ops=int(rng.integers(3, 14)))
    ids = rng.integers(0, N_VOCAB, 20).astype(np.int32)
    expected = everything(ReferenceExecutor(graph, 64), ids)
    got = everything(CPUExecutor(graph, 64, 1), ids)
    assert relative_error(got, expected) < 0.01  # keys and values are float16
    for n_threads in (1, 2):
        np.testing.assert_array_equal(everything(CPUExecutor(graph, 64, n_threads), ids, 7), got)


@pytest.mark.parametrize("kind", [KINDS.Q4_0, KINDS.Q4_1, KINDS.Q8_0], ids=lambda k: k.name)
@pytest.mark.parametrize(("bits", "bound"), [(8, 0.1), (16, 0.01)])
@pytest.mark.parametrize("seed", range(4))
def test_random_graphs_of_integers(seed, kind, bits, bound):
    rng = np.random.default_rng(seed)
    graph = random_graph(rng, n_ops=8, kind=kind)
    ids = rng.integers(0, N_VOCAB, 20).astype(np.int32)
    expected = everything(ReferenceExecutor(graph, 64), ids)
    got = everything(CPUExecutor(graph, 64, 1, activations=bits), ids)
    assert relative_error(got, expected) < bound
    in_pieces = everything(CPUExecutor(graph, 64, 2, activations=bits), ids, 7)
    np.testing.assert_array_equal(in_pieces, got)


# -- a small llama of every format ----------------------------------------------------------------


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A small llama of any type, written once."""
    folder, made = tmp_path_factory.mktemp("llama"), {}

    def file_of(kind):
        if kind not in made:
            made[kind] = graph_of(write(folder / f"{kind.name}.gguf", weights(shapes()), kind=kind))
        return made[kind][1]

    return file_of


IDS = np.random.default_rng(5).integers(0, 83, 200).astype(np.int32)


@pytest.mark.parametrize("kind", WRITTEN, ids=lambda k: k.name)
def test_a_small_llama(files, kind):
    graph = files(kind)
    expected = everything(ReferenceExecutor(graph, 256), IDS)
    whole = everything(CPUExecutor(graph, 256, 1), IDS)
    assert relative_error(whole, expected) < 0.01
    for n_threads, size in ((1, 1), (1, 7), (2, 7), (2, 150), (3, 64)):
        got = everything(CPUExecutor(graph, 256, n_threads), IDS, size)
        np.testing.assert_array_equal(got, whole)


@pytest.mark.parametrize("kind", [KINDS.Q4_0, KINDS.F16], ids=lambda k: k.name)
def test_weights_that_stay_in_the_file_give_the_same(files, kind):
    graph = files(kind)
    packed, mapped = (CPUExecutor(graph, 256, 2, packing=p) for p in ("always", "never"))
    np.testing.assert_array_equal(everything(mapped, IDS, 90), everything(packed, IDS, 90))


@pytest.mark.parametrize("packing", ["always", "never"])
def test_products_in_many_pieces_give_the_same(packing):
    """Gate and up are not parted by a barrier: a thread may be in one while another is in both."""
    rng, graph = np.random.default_rng(0), Graph()
    x = graph.embed(matrix("embd", rng.normal(size=(N_VOCAB, 768)), KINDS.Q8_0))
    for i in range(3):
        drawn = [rng.normal(size=s) / 30 for s in ((1024, 768), (1024, 768), (768, 1024))]
        gate, up, down = (matrix(f"{i}.{j}", w, KINDS.Q8_0) for j, w in enumerate(drawn))
        h = graph.silu_mul(graph.linear(x, gate), graph.linear(x, up))
        x = graph.add(x, graph.linear(h, down))
    graph.linear(graph.select(x), matrix("output", rng.normal(size=(32, 768)), KINDS.Q8_0))
    ids = rng.integers(0, N_VOCAB, 24).astype(np.int32)
    expected = everything(CPUExecutor(graph, 64, 1, packing=packing), ids)
    executor = CPUExecutor(graph, 64, 2, packing=packing)
    assert max(executor._form.tape.entries[:, PIECES // 8]) > 8
    for _ in range(40):
        np.testing.assert_array_equal(everything(executor, ids), expected)


@pytest.mark.parametrize("shape", [TileShape(2, 6, 96), TileShape(2, 2, 96)], ids=str)
def test_the_residual_is_added_once_whatever_the_tile(shape):
    """A product writes over its residual, and of three groups of rows one is left alone."""
    rng, graph = np.random.default_rng(1), Graph()
    x = graph.embed(matrix("embd", rng.normal(size=(N_VOCAB, 48)), KINDS.F32))
    up, down = (rng.normal(size=s) for s in ((64, 48), (48, 64)))
    h = graph.silu_mul(*[graph.linear(x, matrix(name, up, KINDS.F32)) for name in ("a", "b")])
    x = graph.add(x, graph.linear(h, matrix("down", down, KINDS.Q8_0)))
    graph.linear(graph.select(x), matrix("output", rng.normal(size=(32, 48)), KINDS.F32))
    ids = rng.integers(0, N_VOCAB, 9).astype(np.int32)
    expected = everything(ReferenceExecutor(graph, 64), ids)
    got = everything(CPUExecutor(graph, 64, 2, shape=shape), ids)
    assert relative_error(got, expected) < 0.01


@pytest.mark.parametrize("kind", [KINDS.Q4_1, KINDS.F16], ids=lambda k: k.name)
def test_another_cut_goes_on_with_the_same_bits(files, kind):
    """With other tiles and threads the sequences that there are remain as they are."""
    executor = CPUExecutor(files(kind), 256, 1)
    whole = everything(executor, IDS)
    state = executor.new_state()
    for i, (n_threads, shape) in enumerate([(2, TileShape(2, 2, 8)), (3, TileShape(1, 4, 48))]):
        executor.recut(n_threads, shape)
        part = slice(30 * i, 30 * i + 30)
        np.testing.assert_array_equal(executor.run(state, IDS[part], "all"), whole[part])


@pytest.mark.parametrize("kind", [KINDS.Q4_1, KINDS.F16], ids=lambda k: k.name)
def test_more_tokens_than_one_run_takes(files, kind):
    graph, n = files(kind), N_TOKENS + N_SELECTED + 5
    ids = np.resize(IDS, n)
    executor = CPUExecutor(graph, 640, 2)
    whole = everything(executor, ids)
    assert whole.shape == (n, 83)
    last = executor.run(executor.new_state(), ids)
    np.testing.assert_array_equal(last, whole[-1:])
    np.testing.assert_array_equal(everything(executor, ids, 100), whole)


# -- states ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=[KINDS.Q4_0, KINDS.F32], ids=lambda k: k.name)
def executor(files, request):
    return CPUExecutor(files(request.param), 100, 2)


@pytest.fixture(scope="module")
def whole(executor):
    return everything(executor, IDS[:100])


def test_states_do_not_mix(executor, whole):
    one, other = executor.new_state(), executor.new_state()
    for i in range(0, 60, 5):
        got = executor.run(one, IDS[i : i + 5])
        executor.run(other, IDS[199 - i - 5 : 199 - i])
        np.testing.assert_array_equal(got[0], whole[i + 4])


@pytest.mark.parametrize("n", [0, 1, 15, 16, 17, 63, 64, 65, 79])
def test_a_state_can_be_cut_and_continued(executor, whole, n):
    state = executor.new_state()
    executor.run(state, IDS[:n] if n else IDS[:1])
    state.truncate(n)
    executor.run(state, IDS[100:120])
    state.truncate(n)
    assert state.n_past == n
    np.testing.assert_array_equal(executor.run(state, IDS[n : n + 5])[0], whole[n + 4])


def test_the_context_can_be_filled_to_the_last_token(executor, whole):
    state = executor.new_state()
    executor.run(state, IDS[:99])
    np.testing.assert_array_equal(executor.run(state, IDS[99:100])[0], whole[99])


@pytest.mark.parametrize(("held", "more"), [(0, 101), (95, 6), (100, 1), (1, 10_000)])
@pytest.mark.parametrize("backend", ["cpu", "reference"])
def test_a_full_context_is_said_and_harms_nothing(files, executor, whole, held, more, backend):
    if backend == "reference":
        executor = ReferenceExecutor(files(KINDS.F32), 100)
    state = executor.new_state()
    if held:
        executor.run(state, IDS[:held])
    with pytest.raises(ContextFull, match=f"holds 100 tokens: {held} are used and {more} more"):
        executor.run(state, np.resize(IDS, more))
    assert state.n_past == held
    if held + 3 <= 100 and backend == "cpu":
        np.testing.assert_array_equal(executor.run(state, IDS[held : held + 3])[0], whole[held + 2])


def test_what_is_returned_is_the_callers(executor):
    first = executor.run(executor.new_state(), IDS[:3])
    kept = first.copy()
    executor.run(executor.new_state(), IDS[50:60])
    np.testing.assert_array_equal(first, kept)


def test_plain_lists_and_other_integers_are_ids(executor):
    expected = executor.run(executor.new_state(), IDS[:4])
    got = executor.run(executor.new_state(), IDS[:4].astype(np.int64).tolist())
    np.testing.assert_array_equal(got, expected)


# -- several sequences ----------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(8))
def test_sequences_beside_each_other_are_as_alone(seed):
    """Random graphs with windows, caps and sinks; ragged parts, some forked from others."""
    rng = np.random.default_rng(100 + seed)
    graph = random_graph(rng, n_ops=10)
    executor = CPUExecutor(graph, 200, 2)
    prompts = [rng.integers(0, N_VOCAB, 200).astype(np.int32) for _ in range(5)]
    alone = [everything(executor, ids, 50) for ids in prompts]
    reference = everything(ReferenceExecutor(graph, 200), prompts[0])
    assert relative_error(alone[0], reference) < 0.01
    states = [executor.new_state() for _ in prompts]
    while min(s.n_past for s in states) < 200:
        parts, wanted = [], []
        for i in rng.permutation(5):
            start = states[i].n_past
            end = min(200, start + int(rng.choice([0, 1, 2, 30, 100])))
            if end == start:
                continue
            if rng.random() < 0.2:
                states[i] = states[i].fork()
            logits = str(rng.choice(["all", "last", "none"]))
            parts.append((states[i], prompts[i][start:end], logits))
            n = {"all": end - start, "last": 1, "none": 0}[logits]
            wanted.append(alone[i][end - n : end])
        if parts:
            for got, expected in zip(executor.run_batch(parts), wanted, strict=True):
                np.testing.assert_array_equal(got, expected)


def test_a_fork_goes_its_own_way(executor, whole):
    state = executor.new_state()
    executor.run(state, IDS[:80])
    forks = [state.fork(n) for n in (80, 70, 64, 10, 0)]
    executor.run(state, IDS[150:170])
    for fork in forks:
        executor.run(fork, IDS[120:125])
    for fork, n in zip(forks, (80, 70, 64, 10, 0), strict=True):
        fork.truncate(n)
        got = executor.run(fork, IDS[n : n + 20], "all")
        np.testing.assert_array_equal(got, whole[n : n + 20])


def test_more_logits_than_one_run_takes(executor, whole):
    states = [executor.new_state() for _ in range(N_SELECTED + 3)]
    got = executor.run_batch([(state, IDS[: 1 + i % 20], "last") for i, state in enumerate(states)])
    for i, row in enumerate(got):
        np.testing.assert_array_equal(row[0], whole[i % 20])


@pytest.mark.parametrize("backend", ["cpu", "reference"])
def test_a_batch_that_cannot_be_run_changes_nothing(files, executor, backend):
    if backend == "reference":
        executor = ReferenceExecutor(files(KINDS.F32), 100)
    one, other = executor.new_state(), executor.new_state()
    with pytest.raises(ContextFull):
        executor.run_batch([(one, IDS[:5], "last"), (other, IDS[:101], "last")])
    with pytest.raises(ValueError, match="no tokens"):
        executor.run_batch([(one, IDS[:5], "last"), (other, IDS[:0], "last")])
    with pytest.raises(ValueError, match="two parts"):
        executor.run_batch([(one, IDS[:5], "last"), (one, IDS[:5], "last")])
    assert one.n_past == other.n_past == 0
    assert executor.run_batch([]) == []


def test_a_windows_sequence_can_be_cut_or_says_that_it_cannot():
    graph, window = Graph(), 40
    x = graph.embed(param("e", (48, 32)))
    q, k, v = (graph.linear(x, param(name, (64, 32))) for name in "qkv")
    a = graph.attention(q, k, v, layer=0, n_heads=2, n_kv_heads=2, scale=0.2, window=window)
    graph.linear(graph.select(a), param("o", (48, 64)))
    executor = CPUExecutor(graph, 4000, 2)
    ids = np.resize(IDS % 48, 4000)
    whole = everything(executor, ids)
    used = executor._layout.n_bytes
    assert used < 4000 * 2 * 64 * 2 * 0.4
    state = executor.new_state()
    executor.run(state, ids[:3000])
    assert state.truncate(2600) == 2600
    np.testing.assert_array_equal(executor.run(state, ids[2600:2700])[0], whole[2699])
    assert state.truncate(100) == 0
    np.testing.assert_array_equal(executor.run(state, ids[:3000])[0], whole[2999])


# -- one bad token --------------------------------------------------------------------------------


@pytest.mark.parametrize("bad", [3e38, 1e30])
@pytest.mark.parametrize("kind", [KINDS.F32, KINDS.Q8_0], ids=lambda k: k.name)
def test_a_sequence_that_goes_wrong_does_not_spoil_the_next(bad, kind):
    """Rows of 24 floats are padded to 32: nothing may stay behind in the padding."""
    rng, width = np.random.default_rng(1), 24 if kind == KINDS.F32 else 32
    embedding = rng.normal(size=(8, width))
    embedding[5] = bad
    graph = Graph()
    x = graph.embed(Param("e", tensor("e.weight", embedding)))
    for i in range(2):
        h = graph.rms_norm(x, Param("n", tensor(f"n{i}", np.ones(width))), 1e-5)
        values = rng.normal(size=(width, width))
        x = graph.add(x, graph.linear(h, Param("w", tensor(f"w{i}", values, kind))))
    graph.linear(graph.select(x), Param("o", tensor("o", embedding[:5])))
    executor = CPUExecutor(graph, 16, 1)
    good = np.array([1, 2, 3, 4], np.int32)
    expected = everything(executor, good)
    wrong = everything(executor, np.array([5, 5, 5, 5], np.int32))
    assert not np.array_equal(wrong, expected)
    np.testing.assert_array_equal(everything(executor, good), expected)


# -- loading --------------------------------------------------------------------------------------


def test_progress_and_times(files):
    told = []
    graph = files(KINDS.Q4_0)
    executor = CPUExecutor(graph, 64, 1, lambda *args: told.append(args))
    matrices = [op.weight for op in graph.ops if isinstance(op, (Embed, Linear))]
    packing = [(done, total) for what, done, total in told if what == "packing"]
    assert packing[0][0] == 0
    assert packing[-1] == (sum(matrix.data.nbytes for matrix in matrices),) * 2
    assert packing == sorted(packing)
    assert executor.times.pack > 0
    assert executor.times.compile > 0


def test_a_tensor_that_is_used_twice_is_packed_once():
    graph = Graph()
    shared = param("e", (48, 32))
    graph.linear(graph.select(graph.embed(shared)), shared)
    assert CPUExecutor(graph, 16, 1).weight_bytes == 48 * 32 * 4


def test_an_embedding_that_is_only_looked_up_is_not_read():
    graph = Graph()
    x = graph.select(graph.embed(param("e", (48, 32))))
    graph.linear(x, param("o", (64, 32)))
    assert CPUExecutor(graph, 16, 1).weight_bytes == 64 * 32 * 4


def test_the_cache_is_float16_and_rounded_up(files):
    executor = CPUExecutor(files(KINDS.F32), 65, 1)
    n_bytes = 2 * 2 * 64 * 128 * 2  # layers, K and V, width, positions, bytes
    assert executor._layout.n_bytes == n_bytes
    assert executor.n_context == 65
    assert [executor.cache_bytes_read(n) for n in (0, 40)] == [2 * 2 * 64 * 2, 41 * 2 * 2 * 64 * 2]


# -- who may run it -------------------------------------------------------------------------------


def test_several_threads_queue():
    """Each gets the logits it would get alone."""
    graph = random_graph(np.random.default_rng(3), n_ops=8)
    executor = CPUExecutor(graph, 64, 2)
    prompts = [np.random.default_rng(i).integers(0, N_VOCAB, 9).astype(np.int32) for i in range(6)]
    alone = [everything(executor, ids, 2) for ids in prompts]
    with ThreadPoolExecutor(6) as pool:
        together = list(pool.map(lambda ids: everything(executor, ids, 2), prompts))
    np.testing.assert_array_equal(together, alone)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_child_is_told_to_load_its_own():
    executor = CPUExecutor(random_graph(np.random.default_rng(3), n_ops=8), 64, 2)
    ids = np.array([1], np.int32)
    executor.run(executor.new_state(), ids)
    child = os.fork()
    if child == 0:
        try:
            executor.run(executor.new_state(), ids)
        except RuntimeError as error:
            os._exit(7 if "fork" in str(error) else 1)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7


def test_an_executor_that_goes_takes_its_threads_along(files):
    before = set(threading.enumerate())
    executor = CPUExecutor(files(KINDS.F32), 64, 3)
    executor.run(executor.new_state(), IDS[:3])
    assert len(set(threading.enumerate()) - before) == 2
    del executor
    gc.collect()
    assert not set(threading.enumerate()) - before
