"""What is fed to a model, what of it is scored, and that memory does not grow with the text."""

import numpy as np
import pytest

from ggjit.measure import LogitsFile, LogitsWriter, compare, cut, log_softmax, score, windows

N_VOCAB = 31
BOS = 30


class Recorder:
    """An executor whose logits depend on position and token; keeps what it was fed."""

    n_vocab, n_context = N_VOCAB, 1000

    def __init__(self):
        self.fed, self.n_past, self.most = [], 0, 0

    def new_state(self):
        return self

    def truncate(self, n):
        self.n_past = n
        self.fed.append([])

    def run(self, state, ids, logits="last"):
        self.fed[-1] += ids.tolist()
        rows = np.stack([self.row(self.n_past + i, id) for i, id in enumerate(ids)])
        self.n_past += len(ids)
        rows = rows if logits == "all" else rows[-1:]
        self.most = max(self.most, len(rows))
        return rows

    def row(self, position, id):
        return np.sin(np.arange(N_VOCAB) * (position + 1) + id).astype(np.float32) * 3


def tokens(n):
    return np.random.default_rng(n).integers(0, BOS, n).tolist()


def test_whole_windows_only():
    ids = list(range(20))
    assert cut(ids, 6).tolist() == [ids[:6], ids[6:12], ids[12:18]]
    assert cut(ids, 6, 2).tolist() == [ids[:6], ids[6:12]]
    assert cut(ids, 6, 9).shape == (3, 6)
    with pytest.raises(ValueError, match="20 tokens, a window needs 21"):
        cut(ids, 21)
    with pytest.raises(ValueError, match="2 tokens is too small"):
        cut(ids, 2)


@pytest.mark.parametrize("bos_id", [None, BOS])
@pytest.mark.parametrize("size", [3, 4, 13, 64, 301])
def test_the_second_half_of_each_window_is_scored(size, bos_id):
    ids, executor = cut(tokens(2 * size + 1), size), Recorder()
    found = list(score(executor, ids, bos_id))
    fed = [[*([bos_id] if bos_id else [window[0]]), *window[1:-1]] for window in ids.tolist()]
    assert executor.fed == fed  # nothing is predicted after the last token
    for window, inputs, nll in zip(ids, fed, found, strict=True):
        wanted = [
            -log_softmax(executor.row(i, inputs[i]))[window[i + 1]]
            for i in range(size // 2, size - 1)
        ]
        np.testing.assert_allclose(nll, wanted, rtol=1e-6)


def test_few_logits_are_in_memory_at_once():
    executor = Recorder()
    list(score(executor, cut(tokens(900), 900), None))
    assert executor.most <= windows.N_TOKENS


def test_predictions_that_are_kept_are_compared_with(tmp_path):
    ids = cut(tokens(1000), 301)
    with LogitsWriter(tmp_path / "x", ids, N_VOCAB) as writer:
        alone = np.concatenate(list(score(Recorder(), ids, BOS, writer)))
    file = LogitsFile(tmp_path / "x")
    found = list(compare(Recorder(), file, BOS))
    assert len(found) == 3
    np.testing.assert_allclose(np.concatenate([part.nll for part in found]), alone, rtol=1e-6)
    for part in found:
        assert np.abs(part.kl).max() < 1e-4
        np.testing.assert_allclose(part.base_nll, part.nll, atol=2e-4)
    assert len(list(compare(Recorder(), file, BOS, 2))) == 2


def test_another_vocabulary_is_refused(tmp_path):
    with LogitsWriter(tmp_path / "x", np.array([[0, 1, 2]]), 9) as writer:
        writer.add(np.zeros((1, 9), np.float32))
    with pytest.raises(ValueError, match="9 tokens, not 31"):
        list(compare(Recorder(), LogitsFile(tmp_path / "x"), None))


def test_logits_that_are_not_finite():
    executor = Recorder()
    executor.row = lambda position, id: np.full(N_VOCAB, np.nan, np.float32)
    with pytest.raises(ValueError, match="not finite"):
        list(score(executor, cut(tokens(8), 8), None))
