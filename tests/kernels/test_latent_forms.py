"""Latent attention, absorbed and expanded: both agree, and the cheaper one is chosen."""

from dataclasses import replace

import gguf
import numpy as np
import pytest
from tensors import PATH, tensor

from ggjit.backends.cpu import CPUExecutor, lower_attention, weights
from ggjit.backends.cpu.latent import Choice, ExpandedAttention, expanded, is_cheaper
from ggjit.backends.cpu.lower_attention import Room
from ggjit.backends.reference import ReferenceExecutor
from ggjit.graph import Graph, RopeSpec, Weights, constant
from ggjit.models.deepseek2 import absorbed, values

N_VOCAB, N_EMBD = 31, 32
KINDS = gguf.GGMLQuantizationType

# Between the forms, in units of the results' root mean square: each rounds keys and values to
# float16, one before its matrices and the other behind them. Q8_0 rounds both at the same place.
AGREE = 3e-3


class Shape:
    """A random layer: ragged sizes, in one of the two layouts of files."""

    def __init__(self, rng, *, one_matrix, whole_blocks):
        self.n_heads, self.n_plain, self.v_dim = (int(rng.integers(1, n)) for n in (6, 50, 50))
        self.n_rot, self.n_latent = 2 * int(rng.integers(1, 16)), int(rng.integers(8, 100))
        if whole_blocks:
            self.n_rot, self.n_latent = 32, 64
        self.one_matrix, self.whole_blocks = one_matrix, whole_blocks

    def graph(self, rng):
        n, n_rot, latent = self.n_heads, self.n_rot, self.n_latent
        g, spec = Graph(), RopeSpec(100.0 ** -np.linspace(0, 1, n_rot // 2), interleaved=True)
        x = g.embed(constant("e", rng.normal(size=(N_VOCAB, N_EMBD))))
        q = g.linear(x, random(rng, "q", n * (self.n_plain + n_rot), N_EMBD))
        kv = g.linear(x, random(rng, "kv", latent + n_rot, N_EMBD))
        q_rot = g.rope(g.columns(q, n, self.n_plain, n_rot), n_rot, spec)
        k_rot = g.rope(g.columns(kv, 1, latent, n_rot), n_rot, spec)
        sizes = n, self.n_plain, self.v_dim, latent
        blk = self.matrices(rng)
        a = g.latent_attention(
            g.join(absorbed(g, blk, q, *sizes), q_rot, n),
            g.join(g.columns(kv, 1, 0, latent), k_rot, 1),
            layer=0, n_heads=n, v_dim=latent, scale=(self.n_plain + n_rot) ** -0.5,
        )  # fmt: skip
        out = g.select(values(g, blk, a, *sizes))
        g.linear(out, random(rng, "o", N_VOCAB, n * self.v_dim))
        return g

    def matrices(self, rng):
        n, latent = self.n_heads, self.n_latent
        if self.one_matrix:
            shapes = {"attn_kv_b": (n * (self.n_plain + self.v_dim), latent)}
        else:
            shapes = {"attn_k_b": (n, latent, self.n_plain), "attn_v_b": (n, self.v_dim, latent)}
        made = {}
        for name, shape in shapes.items():
            kind = KINDS.Q8_0 if shape[-1] % 32 == 0 else KINDS.F16
            data = rng.normal(size=shape) / latent**0.5
            made[f"{name}.weight"] = tensor(f"{name}.weight", data, kind)
        return Weights(made, PATH)


def random(rng, name, n_rows, n_columns):
    return constant(name, rng.normal(size=(n_rows, n_columns)) / n_columns**0.5)


def in_pieces(executor, ids, *cuts):
    state, ends = executor.new_state(), [*cuts, len(ids)]
    parts = [executor.run(state, ids[a:b], "all") for a, b in zip([0, *cuts], ends, strict=True)]
    return np.concatenate(parts)


def relative_error(got, expected):
    return np.abs(got - expected).max() / np.sqrt(np.mean(expected**2))


@pytest.mark.parametrize("cache_type", ["f16", "q8_0"])
@pytest.mark.parametrize("one_matrix", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_both_forms_agree(seed, one_matrix, cache_type):
    rng = np.random.default_rng(seed)
    shape = Shape(rng, one_matrix=one_matrix, whole_blocks=cache_type == "q8_0")
    graph, ids = shape.graph(rng), rng.integers(0, N_VOCAB, 210).astype(np.int32)

    def cpu(latent, n_threads):
        types = cache_type, "f16"
        return CPUExecutor(graph, 256, n_threads, cache_types=types, latent=latent)

    whole = in_pieces(cpu("expanded", 2), ids)
    assert relative_error(whole, in_pieces(cpu("absorbed", 2), ids)) < AGREE
    reference = ReferenceExecutor(graph, 256)
    expected = in_pieces(reference, ids)
    assert relative_error(whole, expected) < {"f16": 5e-3, "q8_0": 0.1}[cache_type]
    for n_threads, cuts in ((1, [70, 71, 128]), (3, [1, 140]), (2, [63, 64, 65, 209])):
        np.testing.assert_array_equal(in_pieces(cpu("expanded", n_threads), ids, *cuts), whole)


@pytest.mark.parametrize("packing", ["always", "never"])
def test_heads_in_several_turns(rng, monkeypatch, packing):
    """What is expanded at a time is bounded, and does not change what comes out."""
    shape = Shape(rng, one_matrix=False, whole_blocks=True)
    shape.n_heads = 5
    graph, ids = shape.graph(rng), rng.integers(0, N_VOCAB, 130).astype(np.int32)
    expected = in_pieces(CPUExecutor(graph, 256, 2, latent="expanded"), ids)
    [op] = (op for op in expanded(graph.ops) if isinstance(op, ExpandedAttention))
    monkeypatch.setattr(lower_attention, "MOST", Room.of(op, 4).chunks.nbytes // 2)
    assert Room.of(op, 4).n_heads == 2
    got = in_pieces(CPUExecutor(graph, 256, 2, packing=packing, latent="expanded"), ids)
    np.testing.assert_array_equal(got, expected)


def test_memory_for_what_is_expanded_is_counted(monkeypatch, rng):
    """Beside weights there has to be room for the cache and for it."""
    graph, told = Shape(rng, one_matrix=False, whole_blocks=True).graph(rng), []

    def to_pack(matrices, packing, beside):
        told.append(beside)
        return matrices

    monkeypatch.setattr(weights, "to_pack", to_pack)
    [op] = (op for op in expanded(graph.ops) if isinstance(op, ExpandedAttention))
    for most in (1 << 30, Room.of(op, 4).chunks.nbytes // 2):
        monkeypatch.setattr(lower_attention, "MOST", most)
        room = Room.of(op, 4)
        for latent in ("absorbed", "expanded"):
            CPUExecutor(graph, 256, 1, latent=latent)
        absorbed, narrow = told[-2:]
        assert narrow - absorbed == sum(
            a.nbytes for a in (room.chunks, room.k_panels, room.v_panels)
        )


# -- which one ------------------------------------------------------------------------------------


@pytest.fixture
def graph(rng):
    """Of a shape that is worth expanding for."""
    shape = Shape(rng, one_matrix=False, whole_blocks=True)
    shape.n_heads, shape.n_plain, shape.v_dim = 3, 16, 16
    return shape.graph(rng)


def test_what_is_cheaper_is_chosen(rng, graph):
    """One layer, so that both forms keep the same."""
    ids = rng.integers(0, N_VOCAB, 400).astype(np.int32)
    executor = CPUExecutor(graph, 512, 2)

    def last(executor, ids, *cuts):
        state = executor.new_state()
        for part in np.split(ids, cuts):
            logits = executor.run(state, part)
        return logits

    narrow, wide = (
        last(CPUExecutor(graph, 512, 2, latent=form), ids) for form in ("expanded", "absorbed")
    )
    assert (narrow != wide).any()
    np.testing.assert_array_equal(last(executor, ids), narrow)
    np.testing.assert_array_equal(last(executor, ids, 200), narrow)
    np.testing.assert_array_equal(last(executor, ids, 390), wide)
    np.testing.assert_array_equal(last(executor, ids, *range(100, 400, 100)), wide)
    parts = [(executor.new_state(), part, "last") for part in (ids, ids[:3])]
    np.testing.assert_array_equal(executor.run_batch(parts)[0], wide)


def test_prompts_are_expanded_and_tokens_are_not(graph):
    [op] = (op for op in expanded(graph.ops) if isinstance(op, ExpandedAttention))
    lite = replace_shape(op, n_heads=16, n_latent=512, n_plain=128, n_rot=64, v_dim=128)
    assert is_cheaper(lite, 0, 512)
    assert is_cheaper(lite, 3584, 512)
    assert not is_cheaper(lite, 0, 32)
    assert not is_cheaper(lite, 4095, 1)
    assert not is_cheaper(lite, 4000, 64)


def replace_shape(op, n_heads, n_latent, n_plain, n_rot, v_dim):
    """Return the operation with matrices of other shapes, which are not looked into."""
    k_b, v_b = (
        replace(t, shape=shape)
        for t, shape in (
            (op.k_b, (n_heads, n_latent, n_plain)),
            (op.v_b, (n_heads, v_dim, n_latent)),
        )
    )
    return replace(op, k=replace(op.k, width=n_latent + n_rot), k_b=k_b, v_b=v_b, n_heads=n_heads)


def test_a_form_that_there_is_not(graph):
    with pytest.raises(ValueError, match="latent is 'both', expected auto, absorbed, expanded"):
        CPUExecutor(graph, 64, 1, latent="both")


def test_without_matrices_there_is_one_form():
    graph = Graph()
    assert not Choice(expanded(graph.ops), "expanded").may_expand(4096, 512)
