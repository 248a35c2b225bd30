"""The public interface on the real default model, SmolLM2-135M-Instruct Q4_1."""

import fetch
import numpy as np
import pytest

import ggjit
from ggjit.backends import ContextFull

CONTEXT = 512
TEXT = """The Encyclopaedia of the sea begins with the tides. Twice in a little more than a day the
water rises along the shore and falls again, and the height to which it rises depends on the moon,
on the sun, and on the shape of the coast. In the open ocean the difference is less than a metre;
in narrow bays it can be more than ten. Sailors have known since ancient times that the highest
tides follow the full and the new moon, but the explanation had to wait for Newton, who showed
that the attraction of the moon is stronger on the near side of the earth than on its centre, and
weaker on the far side, so that the water is drawn out into two hills, under which the earth turns.
Later Laplace wrote down the equations of the moving water, and in the nineteenth century machines
with many wheels were built, which added up the separate periods and drew the tides of a harbour
for a year in advance."""


@pytest.fixture(scope="module")
def path():
    return fetch.model_file()


@pytest.fixture(scope="module")
def model(path):
    with ggjit.load(path, threads=2, context=CONTEXT) as model:
        yield model


@pytest.fixture(scope="module")
def ids(model):
    return model.tokenizer.encode(TEXT)


@pytest.fixture(scope="module")
def logits(model, ids):
    return model.logits(ids)


@pytest.fixture(scope="module")
def expected(path, ids):
    with ggjit.load(path, context=CONTEXT, backend="reference") as reference:
        return reference.logits(ids)


def log_probabilities(logits):
    x = logits.astype(np.float64)
    x -= x.max(axis=-1, keepdims=True)
    return x - np.log(np.exp(x).sum(axis=-1, keepdims=True))


def test_logits_of_every_token(model, ids, logits):
    assert len(ids) > 180
    assert logits.shape == (len(ids), 49152) == (len(ids), model.n_vocab)
    assert logits.dtype == np.float32
    assert np.all(np.isfinite(logits))


def distance(logits, expected):
    """Mean Kullback-Leibler divergence in nats, and how often the likeliest token is the same."""
    p, q = log_probabilities(expected), log_probabilities(logits)
    divergence = (np.exp(p) * (p - q)).sum(axis=-1).mean()
    return divergence, np.mean(logits.argmax(axis=-1) == expected.argmax(axis=-1))


def test_the_cpu_is_as_exact_as_promised(logits, expected):
    divergence, same = distance(logits, expected)
    assert divergence < 1e-4
    assert same > 0.98


def test_activations_of_8_bits(path, ids, logits, expected):
    with ggjit.load(path, threads=2, context=CONTEXT, activations=8) as model:
        coarse = model.logits(ids)
        session = model.session()
        np.testing.assert_array_equal(session.feed(ids[:9]), coarse[8])
        np.testing.assert_array_equal(session.feed(ids[9:10]), coarse[9])
    divergence, same = distance(coarse, expected)
    assert distance(logits, expected)[0] < divergence < 5e-3
    assert same > 0.9


@pytest.mark.parametrize(
    ("types", "bound"),
    [(("bf16", "bf16"), 1e-3), (("q8_0", "q8_0"), 1e-3), (("f16", "q4_0"), 0.1)],
)
def test_other_types_of_keys_and_values(path, ids, expected, types, bound):
    k, v = types
    with ggjit.load(path, threads=2, context=CONTEXT, cache_type_k=k, cache_type_v=v) as model:
        logits = model.logits(ids)
        np.testing.assert_array_equal(model.session().feed(ids[:70]), logits[69])
    assert distance(logits, expected)[0] < bound


def test_replies_to_several_prompts_are_those_of_each_alone(model):
    prompts = ["The capital of France is", "The capital of Spain is", "Once upon a time"]
    for sampling in ({"temperature": 0.0}, {"seed": 3}):
        alone = ["".join(model.generate(p, max_tokens=12, **sampling)) for p in prompts]
        together = model.generate_batch(prompts, max_tokens=12, **sampling)
        assert [str(reply) for reply in together] == alone


def test_the_text_is_likely(logits, ids):
    """A model that is loaded wrong finds any text about as likely as any other."""
    chosen = log_probabilities(logits[:-1])[np.arange(len(ids) - 1), ids[1:]]
    assert -chosen.mean() < 3.5


@pytest.mark.parametrize("n", [1, 7, 64])
def test_bits_do_not_depend_on_how_the_text_is_fed(model, ids, logits, n):
    session = model.session()
    for i in range(0, len(ids), n):
        piece = ids[i : i + n]
        np.testing.assert_array_equal(session.feed(piece), logits[i + len(piece) - 1])


def test_bits_do_not_depend_on_the_number_of_threads(path, ids, logits):
    with ggjit.load(path, threads=1, context=CONTEXT) as alone:
        np.testing.assert_array_equal(alone.logits(ids[:100]), logits[:100])


def test_it_knows_paris(model):
    ids = model.tokenizer.encode("The capital of France is")
    session, chosen = model.session(), []
    logits = session.feed(ids)
    for _ in range(6):
        chosen.append(int(logits.argmax()))
        logits = session.feed(chosen[-1:])
    assert "Paris" in model.tokenizer.decode(chosen)
    text = "".join(model.generate("The capital of France is", max_tokens=6, temperature=0))
    assert text == model.tokenizer.decode(chosen)


def test_it_chats(model):
    question = [{"role": "user", "content": "What is the capital of France?"}]
    assert "Paris" in "".join(model.chat(question, max_tokens=40, temperature=0))


def test_a_session_is_reset(model, ids, logits):
    session = model.session()
    session.feed(ids[50:90])
    session.reset()
    np.testing.assert_array_equal(session.feed(ids[:20]), logits[19])


def test_running_past_the_context_says_what_to_do_and_harms_nothing(model, ids):
    session = model.session()
    before = session.feed(ids[:100])
    with pytest.raises(ContextFull, match=r"holds 512 tokens: 100 are used and 413 more") as caught:
        session.feed((ids * 3)[:413])
    assert "-c" in str(caught.value)
    assert session.n_past == 100
    after = session.feed(ids[100:103])
    fresh = model.session()
    np.testing.assert_array_equal(fresh.feed(ids[:100]), before)
    np.testing.assert_array_equal(fresh.feed(ids[100:103]), after)


def test_logits_of_more_than_the_context(model, ids):
    with pytest.raises(ContextFull, match="holds 512 tokens"):
        model.logits((ids * 3)[:513])


@pytest.mark.parametrize("bad", [[], [-1], [49152], [[1, 2]], [0.5]], ids=str)
def test_ids_that_are_none(model, bad):
    with pytest.raises(ValueError, match="token"):
        model.logits(bad)


def test_only_the_vocabulary(path):
    with ggjit.load(path, vocab_only=True) as model:
        assert model.tokenizer.decode(model.tokenizer.encode("Hello, world")) == "Hello, world"
        assert model.n_vocab == 49152
        with pytest.raises(ValueError, match="vocab_only"):
            model.logits([1])


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"context": 1 << 20}, "context 1048576 .* 8192"),
        ({"context": -1}, "context -1"),
        ({"threads": 0}, "threads is 0"),
        ({"activations": 7}, "activations is 7"),
        ({"cache_type_k": "q5_0"}, "cache type is 'q5_0', expected one of f16, bf16, q8_0, q4_0"),
        ({"sequences": 0}, "sequences is 0"),
        ({"backend": "abacus"}, "backend is 'abacus'"),
    ],
)
def test_arguments_that_make_no_sense(path, arguments, says):
    with pytest.raises(ValueError, match=says):
        ggjit.load(path, **arguments)


def test_a_file_that_is_none(tmp_path):
    (tmp_path / "empty.gguf").write_bytes(b"")
    with pytest.raises(ggjit.GGUFError, match=r"empty\.gguf"):
        ggjit.load(tmp_path / "empty.gguf")
    with pytest.raises(FileNotFoundError):
        ggjit.load(tmp_path / "missing.gguf")


def test_what_loading_tells(path):
    told = []
    with ggjit.load(path, threads=2, context=64, progress=lambda *a: told.append(a)) as model:
        assert model.load_stats.load_s > 0
        assert model.n_context == 64
    assert "packing" in {what for what, _, _ in told}
    assert all(0 <= done <= total for _, done, total in told)


def test_a_path_that_is_not_there_says_how_to_fetch():
    with pytest.raises(FileNotFoundError, match="SmolLM2: no such file; `ggjit pull NAME` fetches"):
        ggjit.load("SmolLM2")
