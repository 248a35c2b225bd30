"""Planned storage: what lies in it is always what the next reader expects."""

import numpy as np
import pytest
from random_graphs import random_graph
from tensors import param, tensor

from ggjit.backends.cpu import CPUExecutor
from ggjit.backends.cpu.fuse import fuse_residuals
from ggjit.backends.cpu.storage import plan
from ggjit.backends.reference import ReferenceExecutor
from ggjit.graph import Graph, Linear, Param, RMSNorm, Rope, RopeSpec, Scale, Softcap, Temper
from ggjit.kernels.tiles import BLOCKS, BYTES, SPARE, WIDE, column_bytes, meta_bytes
from ggjit.simd.target import TARGETS


def check(ops, storage, as_integers):
    """Walk the operations, remembering which buffer each storage holds."""
    holds, held_integers = {}, {}
    for op in ops:
        out = storage.rows[op.out]
        for b in op.inputs():
            assert holds[id(storage.rows[b])] == b, f"{op} reads what was written over"
            if b in as_integers:
                assert held_integers[id(storage.quantized[b])] == b
        over = [b for b in op.inputs() if storage.rows[b] is out]
        if isinstance(op, Rope | Scale | Softcap | Temper):
            assert over in ([], [op.x])
        elif isinstance(op, Linear | RMSNorm) and op.residual != op.x:
            assert over in ([], [op.residual])
        else:
            assert over == []
        holds[id(out)] = op.out
        if op.out in as_integers:
            own = storage.quantized[op.out]
            assert all(storage.quantized.get(b) is not own for b in op.inputs())
            held_integers[id(own)] = op.out
            n_read = len(out.array) + SPARE  # by a tile that begins with the last row
            assert own.form == as_integers[op.out]
            assert own.q.size == column_bytes(own.form) * n_read * op.out.width
            assert own.meta.size == n_read * meta_bytes(own.form, op.out.width)
        n_rows = 8 if op.out.selected else 32 * max(1, op.out.n_chosen)
        assert out.array.shape == (n_rows, (op.out.width + 15) // 16 * 16)
        assert out.stride == out.array.strides[0]
        assert out.address % 64 == 0
    assert holds[id(storage.rows[ops[-1].out])] == ops[-1].out


@pytest.mark.parametrize("seed", range(150))
def test_nothing_is_written_over_while_it_is_needed(seed):
    rng = np.random.default_rng(seed)
    ops = fuse_residuals(random_graph(rng, n_ops=15).ops)
    as_integers = {
        op.x: int(rng.choice([BYTES, WIDE, BLOCKS] if op.x.width % 256 == 0 else [BYTES, WIDE]))
        for op in ops
        if isinstance(op, Linear) and op.x.width % 32 == 0
    }
    storage = plan(ops, as_integers, 32, 8, wide=False)
    check(ops, storage, as_integers)
    again = plan(ops, as_integers, 32, 8, wide=False, unused=storage)
    check(ops, again, as_integers)
    assert set(map(id, again.rows.values())) <= set(map(id, storage.rows.values()))


def test_storage_is_used_again():
    """Three buffers of one width are enough for any depth."""
    graph = Graph()
    x = graph.embed(param("e", (10, 32)))
    for i in range(20):
        h = graph.rms_norm(x, param(f"n{i}", (32,)), 1e-5)
        x = graph.add(x, graph.linear(graph.linear(h, param("u", (32, 32))), param("d", (32, 32))))
    ops = fuse_residuals(graph.ops)
    storage = plan(ops, {}, 32, 8, wide=False)
    assert len({id(rows) for rows in storage.rows.values()}) == 3


def test_a_product_is_not_written_over_its_own_input():
    graph = Graph()
    x = graph.embed(param("e", (10, 32)))
    graph.add(x, graph.linear(x, param("w", (32, 32))))
    ops = fuse_residuals(graph.ops)
    assert ops[-1].x == ops[-1].residual == x
    storage = plan(ops, {}, 32, 8, wide=False)
    assert storage.rows[ops[-1].out] is not storage.rows[x]


def test_a_rotation_does_not_spoil_what_is_read_again():
    graph = Graph()
    x = graph.embed(param("e", (10, 32)))
    turned = graph.rope(x, 16, RopeSpec(np.ones(8), True))
    graph.add(x, turned)
    storage = plan(graph.ops, {}, 32, 8, wide=False)
    assert storage.rows[turned] is not storage.rows[x]


def test_spare_rows_are_enough_for_any_tile():
    assert max(target.n_tokens for target in TARGETS) - 1 <= SPARE
    assert max(n for target in TARGETS for _, n in target.tiles) - 1 <= SPARE


@pytest.mark.parametrize("unit", ["sigmoid", "softplus"])
@pytest.mark.parametrize("n_threads", [1, 2])
def test_functions_that_make_something_of_0_leave_no_traces_behind_rows(unit, n_threads):
    """A row of 5 columns lies in 16, and a norm of the next row there sums all of them."""
    rng, g = np.random.default_rng(0), Graph()

    def random(name, *shape):
        return Param(name, tensor(name, rng.normal(size=shape)))

    x = g.embed(random("e", 8, 20))
    narrow = g.linear(x, random("a", 5, 20))
    made = g.sigmoid(narrow) if unit == "sigmoid" else g.softplus(narrow, random("bias", 5))
    x = g.add(x, g.linear(made, random("b", 20, 5)))
    part = g.columns(g.linear(x, random("c", 11, 20)), 1, 0, 5)
    normed = g.rms_norm(part, random("w", 5), 1e-6)
    g.linear(g.select(normed), random("o", 8, 5))
    got, expected = (
        executor.run(executor.new_state(), np.arange(6, dtype=np.int32), "all")
        for executor in (CPUExecutor(g, 64, n_threads), ReferenceExecutor(g, 64))
    )
    np.testing.assert_allclose(got, expected, atol=1e-5)
