"""Barriers: one wherever a thread would touch what another thread's part of a step touches."""

import numpy as np
import pytest
from random_graphs import random_graph

from ggjit.backends.cpu.batch import Batch
from ggjit.backends.cpu.cache import CacheLayout
from ggjit.backends.cpu.fuse import fuse_residuals
from ggjit.backends.cpu.lower import Lowering, reads_integers
from ggjit.backends.cpu.steps import Step
from ggjit.backends.cpu.storage import plan
from ggjit.backends.cpu.tape import barriers
from ggjit.backends.cpu.weights import PackedWeights, matrices_of
from ggjit.graph import Linear
from ggjit.kernels.activation import add
from ggjit.kernels.cache_formats import F16

TOKENS, COLUMNS, OTHER_COLUMNS = ("tokens", 8), ("columns", 64), ("columns", 96)


def step(reads="", writes="", reads_by=None, writes_by=None):
    """A step on storage named by letters."""
    return Step(
        add, {}, frozenset(map(ord, reads)), frozenset(map(ord, writes)), reads_by, writes_by
    )


def after(*steps):
    return [i for i, barrier in enumerate(barriers(list(steps))) if barrier]


def test_always_after_the_last():
    assert after(step("a", "b")) == [0]


def test_steps_that_share_nothing_run_on():
    assert after(step("a", "b"), step("c", "d"), step("e", "f")) == [2]


def test_reading_the_same_is_no_reason():
    assert after(step("a", "b"), step("a", "c")) == [1]


@pytest.mark.parametrize(
    "second", [step("b", "c"), step("c", "b"), step("c", "a"), step("ab", "ab")], ids=str
)
def test_reading_or_writing_what_another_thread_writes_or_reads(second):
    assert after(step("a", "b"), second) == [0, 1]


def test_a_barrier_frees_all_before_it():
    one, two, three = step("a", "b"), step("b", "c"), step("b", "d")
    assert after(one, two, three) == [0, 2]


def test_only_as_late_as_possible():
    assert after(step("a", "b"), step("x", "y"), step("b", "c")) == [1, 2]


@pytest.mark.parametrize("by", [TOKENS, COLUMNS])
def test_threads_that_keep_to_their_part_need_not_meet(by):
    chain = [step("a", "b", by, by), step("b", "c", by, by), step("bc", "bc", by, by)]
    assert after(*chain) == [2]


@pytest.mark.parametrize(
    ("first", "second"),
    [(TOKENS, COLUMNS), (COLUMNS, OTHER_COLUMNS), (TOKENS, ("tokens", 16)), (TOKENS, None)],
)
def test_another_division_of_the_work_needs_a_barrier(first, second):
    assert after(step("a", "b", first, first), step("b", "c", second, second)) == [0, 1]
    assert after(step("a", "b", second, second), step("b", "c", first, first)) == [0, 1]


def test_a_product_reads_everything_and_writes_its_columns():
    product = step("ab", "b", None, COLUMNS)
    gate = step("bc", "c", COLUMNS, COLUMNS)
    again = step("cd", "d", None, COLUMNS)
    assert after(product, gate) == [1]
    assert after(product, gate, again) == [1, 2]
    assert after(again, step("c", "c", COLUMNS, COLUMNS)) == [0, 1]


# -- against the plain definition -----------------------------------------------------------------


def clash(a, b):
    """Whether two steps, running at once, could touch the same bytes on different threads."""
    pairs = [
        (a.reads & b.writes, a.reads_by, b.writes_by),
        (a.writes & b.reads, a.writes_by, b.reads_by),
        (a.writes & b.writes, a.writes_by, b.writes_by),
    ]
    return any(shared and not (x is not None and x == y) for shared, x, y in pairs)


def check(steps):
    met = barriers(steps)
    assert met[-1]
    for j, later in enumerate(steps):
        for i in range(j):
            if clash(steps[i], later):
                assert any(met[i:j]), f"no barrier between steps {i} and {j}"
    start = 0
    for k in (k for k, barrier in enumerate(met[:-1]) if barrier):
        assert any(clash(s, steps[k + 1]) for s in steps[start : k + 1]), f"idle barrier {k}"
        start = k + 1


@pytest.mark.parametrize("seed", range(60))
def test_random_steps(seed):
    rng = np.random.default_rng(seed)
    splits = [None, TOKENS, COLUMNS, OTHER_COLUMNS]
    letters = list("abcdefgh")

    def some():
        return "".join(rng.choice(letters, rng.integers(0, 3), replace=False))

    check([step(some(), some(), *(splits[i] for i in rng.integers(0, 4, 2))) for _ in range(25)])


@pytest.mark.parametrize("seed", range(10))
def test_every_step_of_a_graph_says_what_it_touches(seed):
    """A step's operands point into the storage that it says it reads or writes."""
    ops = fuse_residuals(random_graph(np.random.default_rng(seed), n_ops=12).ops)
    integers = {op.x for op in ops if isinstance(op, Linear) and reads_integers(op)}
    storage = plan(ops, integers, 16, 4, wide=False)
    cache, batch = CacheLayout(ops, 64, 16, F16, F16), Batch(16, 4)
    lowering = Lowering(storage, PackedWeights(matrices_of(ops), 1), batch, cache, 16, 1)
    steps = [s for op in ops for s in lowering.lower(op)]
    check(steps)
    known = {rows.address: id(rows) for rows in storage.rows.values()}
    for s in steps:
        touched = {known[a] for a in s.operands.values() if a in known}
        assert touched <= s.reads | s.writes, s.kernel
        assert known.get(s.operands.get("out")) in {None, *s.writes}
