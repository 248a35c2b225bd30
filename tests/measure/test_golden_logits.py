"""The same figures as llama-perplexity on the same files (data/, see make_logits.py)."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

import ggjit
from ggjit.cli.perplexity_measure import compared, scored
from ggjit.cli.perplexity_report import lines
from ggjit.measure import LogitsFile

DATA = Path(__file__).parent / "data"
FIGURES = json.loads((DATA / "golden.json").read_text(encoding="utf-8"))
PERPLEXITY = FIGURES.pop("Final estimate")
TEXT = (DATA / "text.txt").read_text()


def load(name, backend="reference"):
    return ggjit.load(DATA / f"{name}.gguf", context=24, backend=backend, threads=1)


def numbers(line):
    return [float(x) for x in re.findall(r"-?\d+\.\d+(?:e[+-]\d+)?", line)]


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """The figures of base.gguf, and the file that was written on the way."""
    path = tmp_path_factory.mktemp("saved") / "ours.logits"
    with load("base") as model:
        return scored(model, TEXT, 24, None, str(path)), path


def test_the_perplexity_of_a_text(saved):
    figures, _ = saved
    assert figures.shape == (12, 24)
    assert len(figures.nll) == 132
    assert figures.perplexity == pytest.approx(PERPLEXITY, rel=1e-4)


def test_the_file_of_predictions(saved):
    ours, theirs = LogitsFile(saved[1]), LogitsFile(DATA / "base.logits")
    assert saved[1].stat().st_size == theirs.path.stat().st_size
    assert ours.n_vocab == theirs.n_vocab == 259
    np.testing.assert_array_equal(ours.ids, theirs.ids)
    for i in range(12):
        a, b = ours.log_probs(i, 0, 11), theirs.log_probs(i, 0, 11)
        np.testing.assert_allclose(a, b, atol=2e-3)


def test_every_figure_of_a_comparison():
    with load("other") as model:
        figures = compared(model, LogitsFile(DATA / "base.logits"), TEXT, None)
    printed = dict(line.split(":", 1) for line in lines(figures) if ":" in line)
    ours = {" ".join(label.split()): numbers(values) for label, values in printed.items()}
    for label, wanted in FIGURES.items():
        precision = 6e-3 if label.startswith("Cor") else 6e-4 if "Δp" in label else 1e-6
        assert ours[label] == pytest.approx(wanted, rel=2e-3, abs=precision), label


@pytest.mark.parametrize("backend", ["reference", "cpu"])
def test_a_model_is_as_good_as_not_apart_from_itself(backend):
    with load("base", backend) as model:
        figures = compared(model, LogitsFile(DATA / "base.logits"), None, 5)
    assert figures.shape == (5, 24)
    assert abs(figures.divergence.mean_kl.value) < 1e-4
    assert figures.divergence.same_top_share.value == 1
