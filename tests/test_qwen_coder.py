"""Qwen2.5-Coder-0.5B-Instruct Q4_K_M, with five tensor types; only if GGJIT_LARGE_TESTS=1."""

import fetch
import numpy as np
import pytest

import ggjit
from ggjit.measure import divergence, log_softmax

CODE = '''def fibonacci(n):
    """Return the n-th Fibonacci number."""
'''


@pytest.fixture(scope="module")
def model():
    with ggjit.load(fetch.coder_file(), threads=2, context=512) as model:
        yield model


@pytest.fixture(scope="module")
def exact():
    with ggjit.load(fetch.coder_file(), context=512, backend="reference") as model:
        yield model


def test_code_goes_on(model, exact):
    text = "".join(model.generate(CODE, max_tokens=12, temperature=0))
    assert text.startswith("    if n ")
    assert "return" in text
    assert text == "".join(exact.generate(CODE, max_tokens=12, temperature=0))


def test_a_question_is_answered(model):
    asked = [{"role": "user", "content": "Write a Python function that reverses a string."}]
    reply = "".join(model.chat(asked, max_tokens=40, temperature=0))
    assert "```python\ndef reverse_string(" in reply


@pytest.mark.parametrize(("bits", "most"), [(16, 1e-4), (8, 3e-3)])
def test_logits_are_close_to_exact_ones(model, exact, bits, most):
    ids = model.tokenizer.encode(CODE * 3)
    wanted = exact.logits(ids)
    if bits == 16:
        got = model.logits(ids)
    else:
        with ggjit.load(model.file.path, context=512, activations=bits) as other:
            got = other.logits(ids)
    found = divergence(map(log_softmax, wanted[:-1]), got[:-1], np.array(ids[1:], np.int32))
    assert found.mean_kl.value < most
