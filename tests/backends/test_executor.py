"""The CPU backend as a whole, against the reference backend."""

import gc
import os
import threading
from concurrent.futures import ThreadPoolExecutor

import gguf
import numpy as np
import pytest
from random_graphs import N_VOCAB, random_graph
from running import IDS, everything, relative_error
from tensors import param, tensor

from ggjit.backends.cpu import CPUExecutor
from ggjit.backends.cpu.executor import N_SELECTED, N_TOKENS
from ggjit.backends.reference import ReferenceExecutor
from ggjit.graph import Embed, Graph, Linear, Param
from ggjit.kernels.tape import PIECES
from ggjit.kernels.tiles import TileShape

KINDS = gguf.GGMLQuantizationType
WRITTEN = [KINDS.F32, KINDS.F16, KINDS.BF16, KINDS.Q4_0, KINDS.Q4_1, KINDS.Q5_1, KINDS.Q8_0]


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
    assert max(executor._form.tape.entries[:, PIECES // 8]) > executor.n_threads
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
