"""Defaults, ranges, and a file's own options."""

import math
from pathlib import Path

import numpy as np
import pytest
from fake_engine import FakeFile

from ggjit.generate import SamplingOptions
from ggjit.gguf import GGUFError


def test_defaults_are_llama_cpps():
    o = SamplingOptions()
    assert (o.temperature, o.top_k, o.top_p, o.min_p, o.typical_p) == (0.8, 40, 0.95, 0.05, 1.0)
    assert (o.repeat_penalty, o.repeat_last_n) == (1.0, 64)
    assert (o.presence_penalty, o.frequency_penalty, o.seed) == (0.0, 0.0, None)
    assert not o.penalises


@pytest.mark.parametrize(
    "changes",
    [
        {"temperature": -0.1},
        {"temperature": math.nan},
        {"temperature": math.inf},
        {"temperature": "1"},
        {"temperature": True},
        {"top_k": -2},
        {"top_k": 1.5},
        {"top_p": 1.01},
        {"top_p": -0.01},
        {"min_p": 2},
        {"min_p": math.nan},
        {"typical_p": 1.5},
        {"repeat_penalty": 0},
        {"repeat_penalty": math.inf},
        {"repeat_last_n": -2},
        {"presence_penalty": math.nan},
        {"frequency_penalty": -math.inf},
        {"seed": -1},
        {"seed": 0.5},
        {"logit_bias": {-1: 1.0}},
        {"logit_bias": {3: math.nan}},
        {"logit_bias": {3: math.inf}},
        {"logit_bias": {1.5: 1.0}},
    ],
)
def test_senseless_values_are_refused_by_name(changes):
    [name] = changes
    with pytest.raises(ValueError, match=name):
        SamplingOptions(**changes)


def test_bounds_and_numpy_numbers_are_accepted():
    SamplingOptions(temperature=0, top_k=-1, top_p=0, min_p=1, typical_p=0, repeat_last_n=-1)
    SamplingOptions(temperature=np.float32(0.7), top_k=np.int64(5), seed=np.uint32(7))
    SamplingOptions(logit_bias={0: -math.inf, 5: 3})


def test_an_unknown_name_is_a_type_error_that_lists_the_names():
    with pytest.raises(TypeError, match=r"temprature is not a sampling option.*top_k"):
        SamplingOptions().changed({"temprature": 1.0})


def test_the_files_own_options_are_taken():
    metadata = {
        "general.sampling.temp": 0.6,
        "general.sampling.top_k": 20,
        "general.sampling.top_p": 0.9,
        "general.sampling.min_p": 0.0,
        "general.sampling.penalty_repeat": 1.1,
        "general.sampling.penalty_last_n": 32,
        "general.sampling.mirostat": 2,
    }
    options = SamplingOptions.from_gguf(FakeFile(metadata=metadata))
    assert options == SamplingOptions(0.6, 20, 0.9, 0.0, 1.0, 1.1, 32)


def test_a_file_with_a_senseless_option_is_refused_by_file_and_key():
    file = FakeFile(Path("odd.gguf"), {"general.sampling.top_p": 7.0})
    with pytest.raises(GGUFError, match=r"odd.gguf: general.sampling.top_p: .*not 7.0"):
        SamplingOptions.from_gguf(file)
