"""Tiny random models against transformers' logits (data/, see make_fixtures.py)."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tensors import param, tensor

from ggjit.backends.cpu import CPUExecutor
from ggjit.backends.reference import ReferenceExecutor
from ggjit.formats import find
from ggjit.gguf import open_gguf
from ggjit.graph import Add, Graph, Linear, Param, RMSNorm, Rope, Route, SigmoidGate
from ggjit.models import architecture_of
from ggjit.models.registry import registered

DATA = Path(__file__).parent / "data"
NAMES = sorted(path.stem for path in DATA.glob("*.gguf"))


class Model:
    """A stored model: its graph, the ids, and the logits of transformers."""

    def __init__(self, name):
        self.file = open_gguf(DATA / f"{name}.gguf")
        stored = np.load(DATA / f"{name}.npz")
        self.ids, self.logits, self.greedy = (stored[key] for key in ("ids", "logits", "greedy"))
        self.graph = architecture_of(self.file).build(self.file)

    def reference(self):
        return ReferenceExecutor(self.graph, 256)

    def cpu(self, n_threads=1):
        return CPUExecutor(self.graph, 256, n_threads)


@pytest.fixture(scope="module", params=NAMES)
def model(request):
    return Model(request.param)


def relative_error(got, expected):
    """The largest difference, in units of the logits' root mean square."""
    return np.abs(got - expected).max() / np.sqrt(np.mean(expected**2))


def in_pieces(executor, ids, size):
    state = executor.new_state()
    parts = [executor.run(state, ids[i : i + size], "all") for i in range(0, len(ids), size)]
    assert state.n_past == len(ids)
    return np.concatenate(parts)


def greedy(executor, ids, n):
    state, chosen = executor.new_state(), []
    logits = executor.run(state, ids)
    while len(chosen) < n:
        chosen.append(int(logits[0].argmax()))
        logits = executor.run(state, np.array(chosen[-1:], np.int32))
    return chosen


def test_there_are_two_models_of_every_architecture():
    stored = Counter(Model(name).file.metadata["general.architecture"] for name in NAMES)
    assert {name: n for name, n in stored.items() if n < 2} == {}
    assert stored.keys() == registered().keys()


def test_the_reference_computes_what_transformers_does(model):
    got = in_pieces(model.reference(), model.ids, len(model.ids))
    assert relative_error(got, model.logits) < 1e-4


def test_the_reference_in_pieces(model):
    assert relative_error(in_pieces(model.reference(), model.ids, 7), model.logits) < 1e-4


def test_the_cpu_computes_what_the_reference_does(model):
    """What lies between two float16 by a float32's last digits may be rounded to either."""
    got = in_pieces(model.cpu(2), model.ids, len(model.ids))
    assert any(relative_error(got, rounded(model, by)) < 1e-3 for by in (1, 1 + 1e-6, 1 - 1e-6))
    assert relative_error(got, model.logits) < 0.05


def rounded(model, by):
    """Return the reference's logits with keys and values, times `by`, kept as the CPU does."""

    class Kept(np.ndarray):
        def __setitem__(self, at, values):
            super().__setitem__(at, values * np.float32(by))

    reference = model.reference()
    state = reference.new_state()
    for kept in (state.k, state.v):
        kept.update({layer: array.astype(np.float16).view(Kept) for layer, array in kept.items()})
    return np.asarray(reference.run(state, model.ids, "all"))


@pytest.mark.parametrize(("n_threads", "sizes"), [(1, (1, 7, 999)), (2, (7, 999)), (3, (999,))])
def test_bits_do_not_depend_on_pieces_or_threads(model, n_threads, sizes):
    whole = in_pieces(model.cpu(), model.ids, len(model.ids))
    executor = model.cpu(n_threads)
    for size in sizes:
        np.testing.assert_array_equal(in_pieces(executor, model.ids, size), whole)


def test_greedy_continuations_are_those_of_transformers(model):
    for executor in (model.reference(), model.cpu(2)):
        assert greedy(executor, model.ids, len(model.greedy)) == model.greedy.tolist()


# -- the cache of latent vectors ------------------------------------------------------------------


def test_only_latent_vectors_and_the_rotary_key_are_cached():
    """DeepSeek-V3's 512 + 64 numbers a token and layer, of two bytes."""
    graph, heads = Graph(), 3
    q = graph.linear(graph.embed(param("e", (8, 32))), param("q", (heads * 576, 32)))
    k = graph.linear(graph.embed(param("f", (8, 32))), param("k", (576, 32)))
    a = graph.latent_attention(q, k, layer=0, n_heads=heads, v_dim=512, scale=1.0)
    graph.linear(graph.select(a), param("o", (8, heads * 512)))
    executor = CPUExecutor(graph, 256, 1)
    assert executor.cache_bytes_read(255) == 256 * 576 * 2
    state = executor.new_state()
    executor.run(state, np.arange(8, dtype=np.int32))
    assert [pool.pool.n_used for pool in state._layout.blocks] == [1]


@pytest.mark.parametrize("name", ["deepseek2_v2", "deepseek2_v3"])
def test_files_with_both_matrices_in_one(name):
    model = Model(name)
    expected = in_pieces(model.reference(), model.ids, 99)
    put_together(model.file)
    model.graph = architecture_of(model.file).build(model.file)
    assert relative_error(in_pieces(model.reference(), model.ids, 99), expected) < 1e-5
    assert relative_error(in_pieces(model.cpu(2), model.ids, 7), expected) < 0.02


@pytest.mark.parametrize(
    "name", [n for n in NAMES if n.startswith(("deepseek2", "kimi", "minicpm3"))]
)
def test_both_forms_of_attention_in_turn(name):
    """A batch of several sequences is always absorbed; both forms share memory, of experts too."""
    model = Model(name)
    forms = [CPUExecutor(model.graph, 256, 2, latent=form) for form in ("absorbed", "expanded")]
    absorbed, expanded = (in_pieces(form, model.ids, 99) for form in forms)
    assert (absorbed != expanded).any()
    assert relative_error(expanded, model.logits) < 0.05
    executor = forms[1]
    for _ in range(2):
        parts = [(executor.new_state(), ids, "all") for ids in (model.ids, model.ids[:3])]
        np.testing.assert_array_equal(executor.run_batch(parts)[0], absorbed)
        np.testing.assert_array_equal(in_pieces(executor, model.ids, 7), expanded)


def put_together(file):
    """Make a file's attn_k_b and attn_v_b one, as they were before; keys tell heads' sizes."""
    keys, tensors, arch = file.metadata, file.tensors, "deepseek2.attention"
    keys[f"{arch}.head_count_kv"] = keys[f"{arch}.head_count"]
    for kind in ("key", "value"):
        keys[f"{arch}.{kind}_length"] = keys.pop(f"{arch}.{kind}_length_mla")
    for i in range(keys["deepseek2.block_count"]):
        parts = [tensors.pop(f"blk.{i}.attn_{kind}_b.weight") for kind in "kv"]
        k, v = (find(t).decode_rows(t.data, t.shape[-1]).reshape(t.shape) for t in parts)
        both = np.concatenate([k.swapaxes(1, 2), v], axis=1)
        name = f"blk.{i}.attn_kv_b.weight"
        tensors[name] = tensor(name, both.reshape(-1, k.shape[1]))


@pytest.mark.parametrize("cache_type", ["bf16", "q8_0", "q4_0"])
def test_latent_vectors_of_other_types(cache_type):
    """A latent width that is whole blocks; the error is that of rounding keys and values."""
    rng, heads = np.random.default_rng(1), 3
    graph = Graph()
    x = graph.embed(Param("e", tensor("e", rng.normal(size=(31, 32)))))
    q, k, o = (
        Param(n, tensor(n, rng.normal(size=(rows, columns)) / np.sqrt(columns)))
        for n, rows, columns in (("q", heads * 96, 32), ("k", 96, 32), ("o", 31, heads * 64))
    )
    a = graph.latent_attention(
        graph.linear(x, q), graph.linear(x, k), layer=0, n_heads=heads, v_dim=64, scale=0.1
    )
    graph.linear(graph.select(a), o)
    ids = rng.integers(0, 31, 150).astype(np.int32)
    expected = in_pieces(ReferenceExecutor(graph, 256), ids, 64)
    executor = CPUExecutor(graph, 256, 2, cache_types=(cache_type, "f16"))
    got = in_pieces(executor, ids, 64)
    assert relative_error(got, expected) < {"bf16": 0.03, "q8_0": 0.05, "q4_0": 0.7}[cache_type]
    np.testing.assert_array_equal(in_pieces(executor, ids, 1)[-5:], got[-5:])


def test_the_last_logits_are_the_last_of_all(model):
    for executor in (model.reference(), model.cpu(2)):
        everything = executor.run(executor.new_state(), model.ids, "all")
        last = executor.run(executor.new_state(), model.ids, "last")
        assert everything.shape == (len(model.ids), model.logits.shape[1])
        assert last.shape == (1, model.logits.shape[1])
        assert relative_error(last, everything[-1:]) < 1e-6


# -- each peculiarity has to matter, or it is not tested above ------------------------------------


def change_rope(graph, **changes):
    changed = {}
    for i, op in enumerate(graph.ops):
        if isinstance(op, Rope):
            spec = changed.setdefault(id(op.spec), replace(op.spec, **changes))
            graph.ops[i] = replace(op, spec=spec)


def without_frequency_factors(model):
    change_rope(model.graph, frequencies=500000.0 ** (-np.arange(10) / 10))


def without_linear_scaling(model):
    change_rope(model.graph, frequencies=10000.0 ** (-np.arange(6) / 6))


def halves_instead_of_pairs(model):
    change_rope(model.graph, interleaved=False)


def pairs_instead_of_halves(model):
    change_rope(model.graph, interleaved=True)


def without_head_norms(model):
    """As one norm of the whole row, which has its heads' weights side by side."""
    for i, op in enumerate(model.graph.ops):
        if isinstance(op, RMSNorm) and op.out.width != op.weight.shape[0]:
            n_heads = op.out.width // op.weight.shape[0]
            values = np.tile(op.weight.data.view(np.float32), n_heads)
            whole = replace(op.weight, name=f"{op.weight.name}.{n_heads}", shape=values.shape,
                            data=values.view(np.uint8))  # fmt: skip
            model.graph.ops[i] = replace(op, weight=whole)


def without_biases(model):
    ops = model.graph.ops
    ops[:] = [replace(op, bias=None) if isinstance(op, Linear) else op for op in ops]


def change_routing(graph, **changes):
    for i, op in enumerate(graph.ops):
        if isinstance(op, Route):
            graph.ops[i] = replace(op, routing=replace(op.routing, **changes))


def without_normalized_weights(model):
    change_routing(model.graph, normalize=False)


def with_normalized_weights(model):
    change_routing(model.graph, normalize=True)


def without_groups(model):
    change_routing(model.graph, n_groups=1)


def the_best_counts(model):
    change_routing(model.graph, n_best=1)


def the_two_best_count(model):
    change_routing(model.graph, n_best=2)


def without_a_scale_of_weights(model):
    change_routing(model.graph, scale=1.0)


def without_a_bias_that_chooses(model):
    ops = model.graph.ops
    ops[:] = [replace(op, bias=None) if isinstance(op, Route) else op for op in ops]


def softmax_instead_of_sigmoid(model):
    change_routing(model.graph, score="softmax")


def without_the_shared_experts_gate(model):
    ops = model.graph.ops
    for i, op in enumerate(ops):
        if isinstance(op, SigmoidGate):
            ops[i] = Add(op.out, op.x, op.x)  # twice it is as good as once


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("mixtral_2_of_5", without_normalized_weights),
        ("qwen2moe_3_of_5", with_normalized_weights),
        ("qwen2moe_2_of_7", with_normalized_weights),
        ("deepseek2_v2", without_groups),
        ("deepseek2_v2", the_two_best_count),
        ("deepseek2_v2", without_a_scale_of_weights),
        ("deepseek2_v2", halves_instead_of_pairs),
        ("deepseek2_v3", without_groups),
        ("deepseek2_v3", the_best_counts),
        ("deepseek2_v3", without_a_bias_that_chooses),
        ("deepseek2_v3", softmax_instead_of_sigmoid),
        ("qwen2moe_3_of_5", without_the_shared_experts_gate),
        ("llama3_frequencies", without_frequency_factors),
        ("one_key_head_linear", without_linear_scaling),
        ("groups_of_3", halves_instead_of_pairs),
        ("biases_tied", without_biases),
        ("qwen2_tied", pairs_instead_of_halves),
        ("qwen2_untied", pairs_instead_of_halves),
        ("qwen2_tied", without_biases),
        ("qwen3_wide_heads", pairs_instead_of_halves),
        ("qwen3_wide_heads", without_head_norms),
        ("qwen3_narrow_heads", without_head_norms),
        ("qwen3moe_3_of_5", without_head_norms),
    ],
)
def test_a_damaged_graph_is_noticed(name, damage):
    model = Model(name)
    damage(model)
    got = in_pieces(model.reference(), model.ids, len(model.ids))
    assert relative_error(got, model.logits) > 0.05
