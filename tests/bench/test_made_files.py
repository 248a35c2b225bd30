"""Files made for measuring are whole models: they open, and one token goes through."""

import sys

import gguf
import make_files
import make_random
import numpy as np
import pytest
from random_models import SHAPES, Origin, config_of
from random_models.checkpoint import Random

import ggjit
from ggjit.gguf import open_gguf
from ggjit.models import _import_all, registered

NARROW = ("llama", "135m", "--layers", 1, "--vocab", 300)  # rows of 576 and 192


@pytest.fixture(scope="module")
def random_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("random") / "tiny.Q4_1.gguf"
    run(make_random, *NARROW, "-o", path, "--type", "q4_1")
    return path


def run(program, *args):
    before, sys.argv = sys.argv, [program.__name__, *map(str, args)]
    try:
        program.main()
    finally:
        sys.argv = before


def test_random_model_runs(random_file):
    model = ggjit.load(random_file, backend="reference", context=8)
    assert model.tokenizer.decode(model.tokenizer.encode("the é")) == "the é"
    logits = model.logits([1, 2, 3])
    assert logits.shape == (3, 300)
    assert np.isfinite(logits).all()
    assert 0.1 < logits.std() < 10


@pytest.mark.parametrize("arch", SHAPES)
def test_tiny_models_of_all_architectures_run(arch, tmp_path):
    run(make_random, arch, "tiny", "-o", tmp_path / "x.gguf", "--type", "q8_0", "--vocab", 300)
    model = ggjit.load(tmp_path / "x.gguf", backend="reference", context=8)
    assert model.file.get("general.architecture", str) == arch
    logits = model.logits([1, 2, 3])
    assert logits.shape == (3, 300)
    assert 1 < logits.std() < 10


@pytest.mark.parametrize("arch", SHAPES)
def test_every_shape_is_what_its_config_says(arch):
    """The converter compares all tensors with what the forward pass takes."""
    for shape in SHAPES[arch]:
        assert Origin(shape, config_of(arch, shape)).family.arch == arch


def test_shapes_are_of_all_architectures():
    _import_all()
    assert set(SHAPES) == set(registered())


@pytest.mark.parametrize("name", ["iq1_m", "mxfp4", "bf16", "q4_k_m"])
def test_random_models_of_all_kinds_run(name, tmp_path):
    run(make_random, "llama", "tiny", "-o", tmp_path / "x.gguf", "--type", name)
    logits = ggjit.load(tmp_path / "x.gguf", backend="reference", context=8).logits([1, 2, 3])
    assert 1 < logits.std() < 10


def test_fewer_layers_and_experts_keep_the_pattern():
    c = config_of("lfm2", "350m", n_layers=3)
    assert c["layer_types"] == ["conv", "conv", "full_attention"]
    c = config_of("qwen3moe", "30b-a3b", n_experts=4)
    assert (c["num_experts"], c["num_experts_per_tok"], c["num_hidden_layers"]) == (4, 4, 4)
    c = config_of("deepseek2", "v3", n_experts=16)
    assert (c["n_routed_experts"], c["num_experts_per_tok"]) == (16, 8)


@pytest.mark.parametrize(
    ("names", "sizes", "says"),
    [
        (("llama", "1b"), {"n_layers": 17}, "this shape has 16 layers, not 17"),
        (("llama", "1b"), {"n_layers": 0}, "this shape has 16 layers, not 0"),
        (("llama", "1b"), {"n_experts": 4}, "this shape has no experts"),
        (("deepseek2", "v3"), {"n_experts": 12}, "12 experts are no 8 groups of the same size"),
        (("llama", "1b"), {"n_vocab": 257}, "a vocabulary has 258 tokens at least, not 257"),
        (("llama", "2b"), {}, "shape '2b' of llama is none of 135m, 1b, 8b, 8x7b, tiny"),
    ],
)
def test_shapes_that_there_cannot_be(names, sizes, says):
    with pytest.raises(ValueError, match=says):
        config_of(*names, **sizes)


def test_a_random_tensor_is_the_same_however_it_is_read():
    whole = Random("x.weight", (7, 5, 3)).rows(0, 7)
    parts = [Random("x.weight", (7, 5, 3)).rows(i, i + 1) for i in range(7)]
    np.testing.assert_array_equal(whole, np.concatenate(parts))


def test_without_arguments_the_shapes_are_listed(capsys):
    run(make_random)
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["qwen3", "0.6b", "28", "0.60", "B"] in lines
    assert ["llama", "8x7b", "4", "of", "32", "6.07", "B"] in lines


def test_other_types_hold_the_same_values(random_file, capsys):
    run(make_files, random_file, "--types", "q4_0", "f16")
    source, folder = open_gguf(random_file), random_file.parent
    assert capsys.readouterr().out.split() == [
        str(folder / "tiny.Q4_0.gguf"), str(folder / "tiny.F16.gguf"),
    ]  # fmt: skip
    for name, type, closeness in (("Q4_0", "Q4_0", 0.2), ("F16", "F16", 1e-3)):
        made = open_gguf(folder / f"tiny.{name}.gguf")
        assert made.metadata.keys() == source.metadata.keys()
        assert made.tensors["blk.0.ffn_down.weight"].type.name == type
        for tensor in made.tensors.values():
            a, b = decoded(tensor), decoded(source.tensors[tensor.name])
            assert np.abs(a - b).max() <= closeness * np.abs(b).max(), tensor.name


def test_a_widened_model_computes_the_same(random_file, tmp_path):
    run(make_files, random_file, "--types", "f32", "--widen", "--to", tmp_path)
    wide, ids = tmp_path / "tiny.F32.gguf", [1, 2, 3, 4]
    assert open_gguf(wide).tensors["blk.0.attn_k.weight"].shape == (256, 768)
    logits = [
        ggjit.load(path, backend="reference", context=8).logits(ids) for path in (random_file, wide)
    ]
    np.testing.assert_allclose(logits[0], logits[1], atol=1e-5)


def decoded(tensor):
    return gguf.quants.dequantize(np.asarray(tensor.data).reshape(tensor.shape[0], -1), tensor.type)


def test_the_source_is_never_overwritten(random_file):
    before = random_file.read_bytes()
    with pytest.raises(SystemExit):
        run(make_files, random_file, "--types", "q4_1")
    assert random_file.read_bytes() == before
