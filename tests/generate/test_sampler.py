"""The sampler against the plain reading of its definitions."""

import math
import time

import numpy as np
import pytest
from plain_sampling import distribution

from ggjit.generate import Sampler, SamplingOptions

EVERYTHING = {"top_k": 0, "top_p": 1.0, "min_p": 0.0, "temperature": 1.0}
RECENT = [3, 5, 5, 9, 3, 3, 11]


def kept_with_probabilities(sampler, logits):
    kept = sampler.candidates(sampler._adjusted(logits))
    shares = kept.probabilities(sampler.options.temperature)
    return dict(zip(kept.ids.tolist(), shares, strict=True))


@pytest.mark.parametrize("n_vocab", [1, 2, 50, 1000, 20_000])
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"temperature": 0.2},
        {"temperature": 3.0, "min_p": 0.0},
        {"top_k": 1},
        {"top_k": 7},
        {"top_k": 0},
        {"top_k": 100, "top_p": 0.3},
        {"top_p": 0.0},
        {"top_p": 0.5, "top_k": 0, "min_p": 0.0},
        {"min_p": 1.0},
        {"min_p": 0.2, "top_k": 0, "top_p": 1.0},
        {"typical_p": 0.4},
        {"typical_p": 0.0},
        {"typical_p": 0.9, "top_k": 0, "top_p": 0.7},
        {"repeat_penalty": 1.7},
        {"repeat_penalty": 0.6, "repeat_last_n": 2},
        {"presence_penalty": 0.9, "frequency_penalty": 0.4, "repeat_last_n": -1},
        {"presence_penalty": 5.0, "repeat_last_n": 0},
        {"logit_bias": {0: -math.inf, 1: 4.0}},
    ],
)
def test_what_is_drawn_and_how_often(n_vocab, changes):
    changes = dict(changes)
    if n_vocab == 1:
        changes.pop("logit_bias", None)
    rng = np.random.default_rng(n_vocab)
    logits = rng.normal(0, 3, n_vocab).astype(np.float32)
    options = SamplingOptions(**changes)
    sampler = Sampler(options, n_vocab)
    recent = [id for id in RECENT if id < n_vocab]
    for id in recent:
        sampler.accept(id)
    seen, expected = kept_with_probabilities(sampler, logits), distribution(logits, options, recent)
    assert list(seen) == sorted(expected, key=lambda id: -expected[id])
    np.testing.assert_allclose(list(seen.values()), [expected[id] for id in seen], rtol=1e-5)


def test_draws_follow_the_distribution():
    logits = np.log(np.array([0.5, 0.3, 0.15, 0.05], np.float32))
    sampler = Sampler(SamplingOptions(**EVERYTHING, seed=1), 4)
    n = 20_000
    counts = np.bincount([sampler.sample(logits) for _ in range(n)], minlength=4)
    np.testing.assert_allclose(counts / n, [0.5, 0.3, 0.15, 0.05], atol=0.012)


def test_temperature_flattens_the_draws():
    logits = np.log(np.array([0.8, 0.2], np.float32))
    sampler = Sampler(SamplingOptions(**{**EVERYTHING, "temperature": 2.0}, seed=1), 2)
    share = np.mean([sampler.sample(logits) for _ in range(5000)])
    assert share == pytest.approx(0.2**0.5 / (0.2**0.5 + 0.8**0.5), abs=0.02)


def test_where_the_sums_end_exactly():
    logits = np.zeros(4, np.float32)  # a quarter each

    def n_kept(**changes):
        sampler = Sampler(SamplingOptions(**{**EVERYTHING, **changes}), 4)
        return len(sampler.candidates(logits).ids)

    assert n_kept(top_p=0.5) == 2  # half is reached
    assert n_kept(typical_p=0.5) == 3  # half is not yet exceeded
    assert n_kept(min_p=1.0) == 4


def test_a_seed_repeats_and_no_seed_does_not():
    logits = np.random.default_rng(0).normal(size=500).astype(np.float32)

    def draw(seed):
        sampler = Sampler(SamplingOptions(**EVERYTHING, seed=seed), 500)
        return [sampler.sample(logits) for _ in range(20)]

    assert draw(5) == draw(5)
    assert draw(5) != draw(6)
    assert draw(None) != draw(None)


def test_ties_go_to_the_lowest_ids():
    logits = np.zeros(30_000, np.float32)
    logits[[700, 20_000, 29_999]] = 1
    assert Sampler(SamplingOptions(temperature=0), 30_000).sample(logits) == 700
    options = SamplingOptions(**{**EVERYTHING, "top_k": 5})
    kept = Sampler(options, 30_000).candidates(logits)
    assert kept.ids.tolist() == [700, 20_000, 29_999, 0, 1]


def test_greedy_comes_after_bias_and_penalties():
    logits = np.array([1.0, 3.0, 2.5, -1.0], np.float32)
    greedy = {"temperature": 0.0}
    assert Sampler(SamplingOptions(**greedy), 4).sample(logits) == 1
    assert Sampler(SamplingOptions(**greedy, logit_bias={3: 5.0}), 4).sample(logits) == 3
    assert Sampler(SamplingOptions(**greedy, logit_bias={1: -math.inf}), 4).sample(logits) == 2
    sampler = Sampler(SamplingOptions(**greedy, repeat_penalty=1.5), 4)
    sampler.accept(1)
    assert sampler.sample(logits) == 2  # 3 / 1.5 = 2 is less than 2.5
    assert logits.tolist() == [1.0, 3.0, 2.5, -1.0]


def test_penalties_forget_what_is_long_ago():
    logits = np.array([2.0, 1.9, 0.0], np.float32)
    options = SamplingOptions(temperature=0, presence_penalty=1.0, repeat_last_n=2)
    sampler = Sampler(options, 3)
    choices = []
    for id in [0, 2, 2, 0, 0, 2]:
        sampler.accept(id)
        choices.append(sampler.sample(logits))
    assert choices == [1, 1, 0, 1, 1, 1]


def test_frequency_counts_and_presence_does_not():
    logits = np.array([2.0, 1.0], np.float32)
    frequency = Sampler(SamplingOptions(temperature=0, frequency_penalty=0.4), 2)
    presence = Sampler(SamplingOptions(temperature=0, presence_penalty=0.4), 2)
    for _ in range(3):
        frequency.accept(0)
        presence.accept(0)
    assert frequency.sample(logits) == 1
    assert presence.sample(logits) == 0


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("temperature", [0.0, 0.8])
def test_logits_that_are_no_numbers_are_an_error(bad, temperature):
    logits = np.zeros(1000, np.float32)
    logits[123] = bad
    with pytest.raises(ValueError, match="logit of token 123"):
        Sampler(SamplingOptions(temperature=temperature), 1000).sample(logits)


@pytest.mark.parametrize("temperature", [0.0, 0.8])
def test_only_the_first_n_vocab_tokens_are_chosen(temperature):
    logits = np.array([0.0, 1.0, 50.0, np.nan], np.float32)
    sampler = Sampler(SamplingOptions(temperature=temperature, repeat_penalty=1.1, seed=0), 2)
    sampler.accept(3)
    assert {sampler.sample(logits) for _ in range(50)} <= {0, 1}


@pytest.mark.parametrize("temperature", [0.0, 0.8])
def test_forbidding_every_token_is_an_error(temperature):
    bias = dict.fromkeys(range(4), -math.inf)
    sampler = Sampler(SamplingOptions(temperature=temperature, logit_bias=bias), 4)
    with pytest.raises(ValueError, match="forbids every token"):
        sampler.sample(np.zeros(4, np.float32))


def test_a_bias_beyond_the_vocabulary_is_an_error():
    with pytest.raises(ValueError, match="token 4, the model has 4"):
        Sampler(SamplingOptions(logit_bias={4: 1.0}), 4)


@pytest.mark.parametrize(
    ("changes", "limit_us"), [({"temperature": 0.0}, 50), ({}, 150), ({"repeat_penalty": 1.1}, 200)]
)
def test_sampling_costs_little(changes, limit_us):
    logits = np.random.default_rng(0).normal(0, 3, 49_152).astype(np.float32)
    sampler = Sampler(SamplingOptions(**changes, seed=0), 49_152)
    best = math.inf
    for _ in range(50):
        started = time.perf_counter()
        sampler.accept(sampler.sample(logits))
        best = min(best, time.perf_counter() - started)
    assert best * 1e6 < 3 * limit_us  # the machine may be slow or busy
