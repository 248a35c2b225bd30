"""Sums of squares of what matrices multiply, against plain NumPy on the reference backend."""

from pathlib import Path

import numpy as np
import pytest
import tiny_llama

from ggjit.backends.cpu.square_sums import SummingExecutor
from ggjit.backends.reference import ReferenceExecutor
from ggjit.gguf import open_gguf
from ggjit.graph import ExpertLinear, HeadLinear, Linear
from ggjit.models import architecture_of

DATA = Path(__file__).parents[1] / "models" / "data"
FILES = [
    "gptoss_2_of_5", "deepseek2_v3", "deepseek2_yarn", "gpt2_5_heads", "groups_of_3",
    "granitehybrid_experts",
]  # fmt: skip


def summed(graph, ids):
    """Return sums and numbers of rows by name, from every buffer that the reference fills."""
    executor = ReferenceExecutor(graph, 64)
    values, sums, n_rows = {}, {}, {}

    def note(op, result):
        values[op.out.name] = result
        if not isinstance(op, Linear | HeadLinear | ExpertLinear):
            return
        weight, x = op.weight, values[op.x.name].astype(np.float64)
        if isinstance(op, Linear):
            sums[weight.name], n_rows[weight.name] = (x**2).sum(0)[None], np.array([len(x)])
        elif isinstance(op, HeadLinear):
            if op.transposed:
                return
            heads = x.reshape(len(x), op.n_heads, -1)[..., : weight.shape[-1]]
            sums[weight.name] = (heads**2).sum(0)
            n_rows[weight.name] = np.full(op.n_heads, len(x))
        else:
            routes, n_used = values[op.routes.name], op.out.n_chosen
            chosen = routes[:, :n_used].astype(int)
            rows = x.reshape(len(ids), -1, weight.shape[-1])
            rows = np.broadcast_to(rows, (len(ids), n_used, weight.shape[-1]))
            of = np.zeros((weight.shape[0], weight.shape[-1]))
            np.add.at(of, chosen.reshape(-1), rows.reshape(-1, weight.shape[-1]) ** 2)
            sums[weight.name] = of
            n_rows[weight.name] = np.bincount(chosen.reshape(-1), minlength=weight.shape[0])

    executor.trace = note
    executor.run(executor.new_state(), np.array(ids, np.int32), "all")
    return sums, n_rows


def assert_sums(graph, rng, n_threads):
    ids = rng.integers(0, 30, 37).astype(np.int32)
    executor = SummingExecutor(graph, 64, n_threads)
    state = executor.new_state()
    executor.run(state, ids[:20], "all")
    executor.run(state, ids[20:], "all")
    expected, n_rows = summed(graph, ids)
    found = executor.square_sums
    assert expected.keys() <= found.keys()
    for name, sums in expected.items():
        np.testing.assert_array_equal(found[name].n_rows, n_rows[name], name)
        np.testing.assert_allclose(found[name].sums, sums, rtol=0.02, atol=1e-5, err_msg=name)


@pytest.mark.parametrize("name", FILES)
def test_of_small_models(name, rng):
    with open_gguf(DATA / f"{name}.gguf") as file:
        assert_sums(architecture_of(file).build(file, 64), rng, 1 + len(name) % 2)


@pytest.mark.parametrize("n_threads", [1, 3])
def test_of_widths_that_are_no_whole_groups(tmp_path, rng, n_threads):
    tensors = tiny_llama.weights(tiny_llama.shapes(n_ff=93))
    path = tiny_llama.write(tmp_path / "x.gguf", tensors, llama__feed_forward_length=93)
    _, graph = tiny_llama.graph_of(path)
    assert_sums(graph, rng, n_threads)
