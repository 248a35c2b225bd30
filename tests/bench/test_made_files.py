"""Files made for measuring are whole models: they open, and one token goes through."""

import sys

import gguf
import make_files
import make_random
import mixes
import numpy as np
import pytest

import ggjit
from ggjit.gguf import open_gguf

SIZES = {"layers": 1, "embd": 64, "ffn": 96, "heads": 4, "kv-heads": 2, "vocab": 300, "context": 64}
TINY = [f"--{name}={size}" for name, size in SIZES.items()]


@pytest.fixture(scope="module")
def random_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("random") / "tiny.Q4_1.gguf"
    run(make_random, path, "--type", "q4_1", *TINY)
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


@pytest.mark.parametrize("name", ["iq1_m", "mxfp4", "nvfp4", "q8_k", "i16", "bf16", "q4_k_m"])
def test_random_models_of_all_kinds_run(name, tmp_path):
    wide = ["--embd=256", "--ffn=512", "--layers=2", "--untied"]
    run(make_random, tmp_path / "x.gguf", "--type", name, *TINY, *wide)
    logits = ggjit.load(tmp_path / "x.gguf", backend="reference", context=8).logits([1, 2, 3])
    assert 0.1 < logits.std() < (100 if name == "i16" else 10)


def test_rows_of_broken_blocks_are_refused(tmp_path):
    with pytest.raises(ValueError, match="rows of 64 are no whole blocks of Q6_K"):
        run(make_random, tmp_path / "x.gguf", "--type", "q6_k", *TINY)


def test_mixes_are_llama_cpps():
    mix = mixes.find("q4_k_m")
    types = "".join(mix.type_of("ffn_down", i, 16).name[1] for i in range(16))
    assert types == "6644644644644666"
    assert {mix.type_of("ffn_up", i, 16).name for i in range(16)} == {"Q4_K"}
    assert mix.type_of("output", 0, 16).name == mixes.find("q6_k").type_of("output", 0, 16).name
    small = mixes.find("q4_k_s")
    assert "".join(small.type_of("attn_v", i, 16).name[1] for i in range(6)) == "555544"
    assert [mixes.file_type(name) for name in ("q4_k_m", "q4_k", "q4_0", "i8")] == [15, 14, 2, 1024]


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
    assert open_gguf(wide).tensors["blk.0.attn_k.weight"].shape == (128, 256)
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
