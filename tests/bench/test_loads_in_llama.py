"""Comparing with llama.cpp: divergences of kept predictions, what is said of shapes."""

import stat

import loads_in_llama
import numpy as np
import pytest
from loads_in_llama import Found

import ggjit
from ggjit.measure import LogitsFile, LogitsWriter, cut


def test_the_reference_agrees_with_itself_but_for_rounding(tmp_path):
    path, kept = tmp_path / "x.gguf", tmp_path / "kept"
    loads_in_llama.make("qwen3", "tiny-0.6b", path, "f32", n_layers=2)
    model = ggjit.load(path, backend="reference", context=16)
    ids = cut(model.tokenizer.encode(loads_in_llama.TEXT.read_text()), 16, 4)
    with LogitsWriter(kept, ids, model.n_vocab) as writer:
        for window in ids:
            writer.add(model.logits(window)[8:-1])
    assert loads_in_llama.mean_kl(path, LogitsFile(kept)) < loads_in_llama.AGREE


def test_divergence_is_of_the_tokens_that_are_known():
    theirs = np.float32([-1.0, -2.0, -16.0, -16.0])
    assert loads_in_llama.kl(theirs, np.float32([3.0, 2.0, -90.0, 1.0])) == pytest.approx(
        0, abs=1e-7
    )
    p, q = 1 / (1 + np.exp(-1)), 0.5
    wanted = p * np.log(p / q) + (1 - p) * np.log((1 - p) / (1 - q))
    assert loads_in_llama.kl(theirs, np.zeros(4, np.float32)) == pytest.approx(wanted, rel=1e-6)


def test_shapes_of_which_the_same_is_said_share_a_line():
    found = [Found("a", kl=1e-9), Found("b", kl=2e-4), Found("c", kl=3e-9), Found("d", "crash")]
    assert [*loads_in_llama.rows("gemma", found)] == [
        ["`gemma`", "a", "loads", "2e-09", ""],
        ["`gemma`", "b", "loads", "2e-04", loads_in_llama.GELU],
        ["`gemma`", "c", "loads", "3e-09", ""],
        ["`gemma`", "d", "crash", "-", "unknown"],
    ]


@pytest.mark.parametrize(
    ("script", "says"),
    [
        ("echo 'main: error: no such tensor' >&2; exit 1", "no such tensor"),
        ("kill -6 $$", "exit code -6"),
        ("exit 0", ""),
    ],
)
def test_why_a_file_does_not_load(script, says, tmp_path):
    program = tmp_path / "llama"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    assert loads_in_llama.run_llama(program, tmp_path, tmp_path / "kept", 1) == says
