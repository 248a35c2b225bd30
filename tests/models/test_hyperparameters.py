"""Files that make no sense: one sentence that names the file and what is wrong."""

from pathlib import Path

import gguf
import numpy as np
import pytest
import tiny_llama
from tiny_llama import graph_of, shapes, weights, write

from ggjit import load
from ggjit.gguf import open_gguf
from ggjit.graph import Attention, RMSNorm, Rope, Route
from ggjit.models import architecture_of

DATA = Path(__file__).parent / "data"
EPS = "attention__layer_norm_rms_epsilon"


@pytest.fixture(scope="module")
def tensors():
    return weights(shapes())


@pytest.fixture
def refused(tmp_path, tensors):
    """Build from a changed file; return the error, which is one sentence and names the file."""

    def refused(changed=tensors, arch="llama", **keys):
        path = write(tmp_path / "bad.gguf", changed, arch=arch, **keys)
        with pytest.raises(ValueError, match=r"bad\.gguf") as caught:
            graph_of(path)
        assert "\n" not in str(caught.value)
        return str(caught.value)

    return refused


def test_the_file_that_all_others_are_changes_of(tmp_path, tensors):
    _, graph = graph_of(write(tmp_path / "good.gguf", tensors))
    assert graph.output.width == tiny_llama.N_VOCAB


# -- keys: name, value, and what the message must say ---------------------------------------------

BAD_KEYS = [
    ("block_count", 0, "block_count is 0"),
    ("block_count", None, "block_count"),
    ("block_count", 1_000_000, "block_count is 1000000"),
    ("block_count", "two", "block_count"),
    ("block_count", -1, "block_count is -1"),
    ("block_count", 3, "blk.2."),
    ("embedding_length", 0, "embedding_length is 0"),
    ("embedding_length", None, "embedding_length"),
    ("embedding_length", 63, "token_embd.weight.*[83, 64].*63"),
    ("embedding_length", 2.5, "embedding_length"),
    ("feed_forward_length", 95, "ffn_gate.weight.*[96, 64].*[95, 64]"),
    ("feed_forward_length", 0, "feed_forward_length is 0"),
    ("attention.head_count", 0, "head_count is 0"),
    ("attention.head_count", None, "attention.head_count"),
    ("attention.head_count", 1 << 20, "head_count is 1048576"),
    ("attention.head_count", 3, "attn_q.weight.*[192, 64].*[96, 64]"),
    ("attention.head_count", 8, "attn_q.weight.*[192, 64].*[256, 64]"),
    ("attention.head_count", [6, 6], "attention.head_count"),
    ("attention.head_count_kv", 0, "head_count_kv is 0"),
    ("attention.head_count_kv", 4, "head_count_kv is 4.*divisor of 6"),
    ("attention.head_count_kv", 12, "head_count_kv is 12"),
    ("attention.head_count_kv", 3, "attn_k.weight.*[64, 64].*[96, 64]"),
    ("attention.head_count_kv", [2, 1], "head_count_kv is [1, 2], expected one number"),
    ("attention.key_length", None, "embedding_length is 64.*multiple of 6"),
    ("attention.key_length", 30, "attn_q.weight.*[192, 64].*[180, 64]"),
    ("attention.key_length", -1, "key_length is -1"),
    ("attention.key_length", 1 << 17, "key_length is 131072"),
    ("attention.value_length", 31, "attn_v.weight.*[64, 64].*[62, 64]"),
    ("attention.value_length", 0, "value_length is 0"),
    ("attention.layer_norm_rms_epsilon", None, "layer_norm_rms_epsilon"),
    ("attention.layer_norm_rms_epsilon", 0.0, "layer_norm_rms_epsilon is 0"),
    ("attention.layer_norm_rms_epsilon", -1e-5, "layer_norm_rms_epsilon is -"),
    ("attention.layer_norm_rms_epsilon", 2.0, "layer_norm_rms_epsilon is 2"),
    ("attention.layer_norm_rms_epsilon", float("nan"), "layer_norm_rms_epsilon is nan"),
    ("attention.layer_norm_rms_epsilon", float("inf"), "layer_norm_rms_epsilon is inf"),
    ("rope.dimension_count", 0, "dimension_count is 0"),
    ("rope.dimension_count", 31, "dimension_count is 31.*even"),
    ("rope.dimension_count", 34, "dimension_count is 34"),
    ("rope.freq_base", 0.0, "freq_base is 0"),
    ("rope.freq_base", -1.0, "freq_base is -1"),
    ("rope.freq_base", float("nan"), "freq_base is nan"),
    ("rope.freq_base", float("inf"), "freq_base is inf"),
    ("rope.scaling.type", "yarn", "rope.scaling.factor"),
    ("rope.scaling.type", "ntk", "rope.scaling.type is 'ntk'"),
    ("rope.scaling.type", 3, "rope.scaling.type"),
    ("rope.scaling.factor", -2.0, "scaling.factor is -2"),
    ("rope.scaling.factor", float("nan"), "scaling.factor is nan"),
    ("rope.scale_linear", -4.0, "-4"),
    ("expert_count", 8, "expert_used_count: the key is missing"),
    ("expert_count", [8, 8], "expert_count"),
    ("attention.sliding_window", 4096, "sliding_window = 4096"),
    ("attention.scale", 0.5, "attention.scale = 0.5"),
    ("logit_scale", 2.0, "logit_scale = 2"),
]  # fmt: skip


@pytest.mark.parametrize(("key", "value", "says"), BAD_KEYS, ids=lambda v: str(v)[:30])
def test_a_senseless_key(refused, key, value, says):
    message = refused(**{f"llama.{key}".replace(".", "__"): value})
    for part in says.split(".*"):
        assert part in message


@pytest.mark.parametrize("arch", ["mamba", "LLAMA", "llama2"])
def test_an_unknown_architecture(refused, arch):
    message = refused(arch=arch)
    assert f"architecture {arch!r}" in message
    assert "supported: " in message
    assert " llama, " in message


def test_an_unknown_architecture_is_said_before_its_keys_are_sought(tmp_path):
    writer = gguf.GGUFWriter(tmp_path / "foo.gguf", "foo")
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    with pytest.raises(ValueError, match=r"architecture 'foo' is not supported"):
        load(tmp_path / "foo.gguf")


# -- keys that are allowed ------------------------------------------------------------------------


@pytest.fixture
def built(tmp_path, tensors):
    def built(changed=tensors, **keys):
        changes = {f"llama.{key}".replace(".", "__"): value for key, value in keys.items()}
        return graph_of(write(tmp_path / "good.gguf", changed, **changes))[1].ops

    return built


def frequencies(ops):
    (spec,) = {id(op.spec): op.spec for op in ops if isinstance(op, Rope)}.values()
    return spec.frequencies


def test_defaults(built):
    ops = built()
    np.testing.assert_allclose(frequencies(ops), 10000.0 ** (-np.arange(16) / 16))
    assert {op.scale for op in ops if isinstance(op, Attention)} == {32**-0.5}
    assert {op.eps for op in ops if isinstance(op, RMSNorm)} == {float(np.float32(1e-5))}


PLAIN = 10000.0 ** (-np.arange(16) / 16)


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"rope.freq_base": 500000.0}, 500000.0 ** (-np.arange(16) / 16)),
        ({"rope.freq_base": 500000}, 500000.0 ** (-np.arange(16) / 16)),
        ({"rope.dimension_count": 8}, 10000.0 ** (-np.arange(4) / 4)),
        ({"rope.scaling.type": "none", "rope.scaling.factor": 4.0}, PLAIN),
        ({"rope.scaling.type": "linear", "rope.scaling.factor": 4.0}, PLAIN / 4),
        ({"rope.scaling.factor": 4.0}, PLAIN / 4),
        ({"rope.scale_linear": 4.0}, PLAIN / 4),
        ({"rope.scale_linear": 4.0, "rope.scaling.factor": 2.0}, PLAIN / 2),
    ],
)  # fmt: skip
def test_frequencies(built, keys, expected):
    np.testing.assert_allclose(frequencies(built(**keys)), expected)


def test_frequency_factors_divide(built, tensors):
    factors = np.linspace(1, 8, 16, dtype=np.float32)
    ops = built({**tensors, "rope_freqs.weight": factors})
    np.testing.assert_allclose(frequencies(ops), PLAIN / factors)


@pytest.mark.parametrize("key", ["expert_count", "attention.sliding_window", "logit_scale"])
def test_zero_means_not_used(built, key):
    assert built(**{key: 0})


# -- tensors --------------------------------------------------------------------------------------

MATRICES = [name for name, shape in shapes().items() if len(shape) == 2 and "blk.1" not in name]
VECTORS = [name for name, shape in shapes().items() if len(shape) == 1 and "blk.1" not in name]


@pytest.mark.parametrize(
    "name", sorted({*MATRICES, *VECTORS, "blk.1.ffn_down.weight"} - {"output.weight"})
)
def test_a_missing_tensor(refused, tensors, name):
    message = refused({n: t for n, t in tensors.items() if n != name})
    assert f"tensor {name!r} is missing" in message


def test_without_an_output_matrix_the_embedding_takes_its_place(built, tensors):
    ops = built({n: t for n, t in tensors.items() if n != "output.weight"})
    assert ops[-1].weight is ops[0].weight


def bad_shapes(shape):
    """Shapes that a tensor of this shape might have by mistake."""
    if len(shape) == 1:
        return [(shape[0] + 1,), (shape[0] - 16,), (1, shape[0]), (shape[0], 1)]
    rows, columns = shape
    return [(rows + 16, columns), (rows - 1, columns), (rows, columns + 32), (rows * columns,)]


BAD_SHAPES = [
    (name, shape)
    for name in [*MATRICES, *VECTORS, "blk.1.ffn_up.weight"]
    for shape in [*bad_shapes(shapes()[name]), (1, 2, 3)]
]


@pytest.mark.parametrize(("name", "shape"), BAD_SHAPES, ids=str)
def test_a_wrong_shape(refused, tensors, name, shape):
    message = refused({**tensors, name: np.zeros(shape, np.float32)})
    partners = {"token_embd.weight": "output.weight", "output.weight": "token_embd.weight"}
    assert repr(name) in message or repr(partners.get(name)) in message
    assert "expected" in message


@pytest.mark.parametrize("name", ["blk.0.attn_q.bias", "blk.1.ffn_down.bias", "output.bias"])
def test_a_wrong_bias(refused, tensors, name):
    message = refused({**tensors, name: np.zeros(5, np.float32)})
    assert name in message
    assert "[5]" in message


@pytest.mark.parametrize(
    "factors",
    [
        np.ones(15, "f4"), np.ones(32, "f4"), np.zeros(16, "f4"), -np.ones(16, "f4"),
        np.full(16, np.nan, "f4"), np.ones((4, 4), "f4"), np.ones(16, "f2"), np.ones(15, "f2"),
        np.ones(32, "f2"),
    ],
    ids=lambda a: f"{a.dtype}{a.shape}{a.flat[0]}",
)  # fmt: skip
def test_bad_frequency_factors(refused, tensors, factors):
    assert "rope_freqs.weight" in refused({**tensors, "rope_freqs.weight": factors})


@pytest.mark.parametrize("name", ["blk.0.attn_q_norm.weight", "blk.1.attn_norm.bias", "extra"])
def test_a_tensor_that_nothing_asks_for(refused, tensors, name):
    assert name in refused({**tensors, name: np.ones(64, np.float32)})


@pytest.mark.parametrize(
    ("name", "score"), [("deepseek2_v3", "sigmoid"), ("deepseek2_v2", "softmax")]
)
def test_scores_of_experts_follow_the_bias_where_no_key_says_them(name, score):
    file = open_gguf(DATA / f"{name}.gguf")
    file.metadata.pop("deepseek2.expert_gating_func", None)
    routes = [op.routing for op in architecture_of(file).build(file).ops if isinstance(op, Route)]
    assert {routing.score for routing in routes} == {score}


def test_a_base_does_not_matter_where_nothing_turns():
    file = open_gguf(DATA / "kimi_2_of_5.gguf")
    file.metadata["kimi-linear.rope.freq_base"] = 10000.0  # files of the released model have it
    assert not any(isinstance(op, Rope) for op in architecture_of(file).build(file).ops)
