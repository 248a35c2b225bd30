"""Importance matrices made, written in both formats, and used."""

import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import tiny_llama

from ggjit.gguf import open_gguf
from ggjit_convert import collecting
from ggjit_convert.collecting import Collected, Sums
from ggjit_convert.importance import read_importance
from ggjit_convert.importance_writing import write_gguf, write_old


def encode(text, bos):
    return [1] * bos + [ord(c) % 32 for c in text]


@pytest.fixture
def command(command, monkeypatch):
    fake = SimpleNamespace(encode=encode, add_bos=True, bos_id=1)
    monkeypatch.setattr(collecting, "Tokenizer", SimpleNamespace(from_gguf=lambda file: fake))
    return command


@pytest.fixture
def files(tmp_path):
    model = tiny_llama.write(tmp_path / "m.gguf", tiny_llama.weights(tiny_llama.shapes()))
    text = tmp_path / "text.txt"
    text.write_text("Of all that is written, little is read; and so on. " * 3)
    return model, text


def test_from_a_text_to_a_file_that_is_used(command, files, tmp_path):
    model, text = files
    out = tmp_path / "i.gguf"
    made = command("imatrix", model, text, "-o", out, "-c", 40, "--chunks", 2, "-t", 1)
    assert made == (0, f"{out}\n", "")
    with open_gguf(out) as file:
        assert file.metadata["general.type"] == "imatrix"
        assert file.metadata["imatrix.chunk_count"] == 2
        assert file.metadata["imatrix.chunk_size"] == 40
        assert file.metadata["imatrix.datasets"] == [str(text)]
        assert file.tensors["blk.0.ffn_down.weight.in_sum2"].shape == (96,)
        counts = {n: t.data.view("f4") for n, t in file.tensors.items() if "counts" in n}
        assert len(counts) == 14
        assert all(n == 80 for n in counts.values())
    plain, weighed = tmp_path / "plain.gguf", tmp_path / "weighed.gguf"
    assert command("quantize", model, plain, "q4_0")[0] == 0
    assert command("quantize", model, weighed, "q4_0", "--imatrix", out)[0] == 0
    assert plain.read_bytes() != weighed.read_bytes()


def test_the_old_format_says_the_same(command, files, tmp_path):
    model, text = files
    flags = ("-c", 40, "-t", 1, "--process-output")
    for name in ("i.gguf", "i.dat"):
        assert command("imatrix", model, text, "-o", tmp_path / name, *flags)[0] == 0
    new, old = (read_importance(tmp_path / name).means for name in ("i.gguf", "i.dat"))
    assert "output.weight" in new
    assert new.keys() == old.keys()
    for name, means in new.items():
        np.testing.assert_allclose(old[name], means, rtol=1e-6)


def test_of_heads_and_experts(command, files, tmp_path):
    """Stacks of heads are one row, as llama.cpp has them; of experts a row each."""
    model = Path(__file__).parents[1] / "models" / "data" / "deepseek2_v3.gguf"
    out = tmp_path / "i.gguf"
    assert command("imatrix", model, files[1], "-o", out, "-c", 40, "-t", 1)[0] == 0
    with open_gguf(model) as file, open_gguf(out) as made:
        shapes = {n: t.shape for n, t in file.tensors.items()}
        for name in ("blk.1.attn_k_b.weight", "blk.1.attn_v_b.weight"):
            n_heads, _, n_columns = shapes[name]
            assert made.tensors[f"{name}.in_sum2"].shape == (n_heads * n_columns,)
            np.testing.assert_array_equal(made.tensors[f"{name}.counts"].data.view("f4"), [120])
        n_experts, _, n_columns = shapes["blk.1.ffn_up_exps.weight"]
        assert made.tensors["blk.1.ffn_up_exps.weight.in_sum2"].shape == (n_experts, n_columns)
        counts = made.tensors["blk.1.ffn_up_exps.weight.counts"]
        assert counts.shape == (n_experts, 1)
        assert counts.data.view("f4").sum() == 120 * file.get("deepseek2.expert_used_count", int)
        fitting = read_importance(out).of(file.tensors)
        assert fitting["blk.1.attn_k_b.weight"].ndim == 2


@pytest.mark.parametrize("write", [write_gguf, write_old])
def test_experts_that_were_never_chosen(tmp_path, rng, write):
    squares, n_rows = rng.random((3, 5)).astype("f4"), np.array([4, 0, 9], "f4")
    squares[1] = 0
    collected = Collected({"blk.0.ffn_up_exps.weight": Sums(squares, n_rows)}, 1, 9, "text")
    assert collected.unseen() == ["blk.0.ffn_up_exps.weight: 1 of 3 experts were never chosen"]
    path = tmp_path / "i"
    write(path, collected)
    stack = SimpleNamespace(shape=(3, 7, 5))
    [means] = read_importance(path).of({"blk.0.ffn_up_exps.weight": stack}).values()
    expected = [squares[0] / 4, np.ones(5), squares[2] / 9]
    np.testing.assert_allclose(means, expected, rtol=1e-6)


def test_wrong_uses_are_one_line_and_write_nothing(command, files, tmp_path):
    model, text = files
    bad = tmp_path / "bad.txt"
    bad.write_bytes(b"ok\xff")
    before = sorted(tmp_path.iterdir())
    out = ("-o", tmp_path / "i.gguf", "-t", 1)
    for args, says in [
        ((model, text, *out, "-c", 200), "the text has 154 tokens, a window needs 200"),
        ((model, text, *out, "-c", 2), "too small"),
        ((model, text, *out, "-c", 100_000), "is not within the trained"),
        ((model, text, *out, "--chunks", 0), "--chunks must be at least 1"),
        ((model, text, *out, "--output-format", "npz"), "must be gguf or dat"),
        ((model, bad, *out, "-c", 9), "bad.txt: is not UTF-8 at byte 2"),
        ((model, tmp_path / "none.txt", *out, "-c", 9), "none.txt"),
        ((model, text, "-o", model), "exists already"),
    ]:
        code, _, err = command("imatrix", *args)
        assert code in (2, 3), args
        assert says in err
        assert err.count("\n") == 1
    assert sorted(tmp_path.iterdir()) == before
    assert "torch" not in sys.modules
