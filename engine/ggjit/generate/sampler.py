"""From logits to one token id: biases, penalties, filters, temperature, one draw."""

from __future__ import annotations

import numpy as np

from . import candidates as c
from .candidates import Float32
from .options import SamplingOptions
from .penalties import Penalties, add_bias


class Sampler:
    """Chooses tokens for one sequence; the same seed and logits give the same tokens.

    The order is llama.cpp's: logit bias, penalties, top_k, typical_p, top_p, min_p, temperature.
    The draw is NumPy's, so that a seed does not give llama.cpp's text.
    """

    def __init__(self, options: SamplingOptions, n_vocab: int) -> None:
        """Prepare to choose among the first `n_vocab` tokens; rows beyond them are padding."""
        beyond = [id for id in options.logit_bias if id >= n_vocab]
        if beyond:
            raise ValueError(f"logit_bias names token {beyond[0]}, the model has {n_vocab} tokens")
        self.options, self.n_vocab = options, n_vocab
        self._penalties = Penalties(options)
        self._draws = None if options.temperature == 0 else np.random.default_rng(options.seed)

    def accept(self, id: int) -> None:
        """Count a token of the prompt or the reply for the penalties."""
        self._penalties.accept(id)

    def sample(self, logits: Float32) -> int:
        """Choose the next token; `logits` are left as they are.

        Shapes: logits [n_vocab or more].
        Raises: ValueError if a logit is not a finite number.
        """
        assert logits.ndim == 1, logits.shape
        assert len(logits) >= self.n_vocab, (len(logits), self.n_vocab)
        _check(logits[: self.n_vocab])
        # a prompt may hold padding: cut after the penalties, which count it
        logits = self._adjusted(logits)[: self.n_vocab]
        if self._draws is None:
            chosen = int(logits.argmax())  # the first of several largest
            _check_left(logits[chosen] > -np.inf)
            return chosen
        kept = self.candidates(logits)
        bounds = np.cumsum(kept.probabilities(self.options.temperature))
        place = np.searchsorted(bounds, self._draws.random() * bounds[-1], side="right")
        return int(kept.ids[place])

    def candidates(self, logits: Float32) -> c.Candidates:
        """Return what the filters leave of adjusted logits."""
        options = self.options
        kept = c.top_k(logits, options.top_k)
        _check_left(len(kept.ids) > 0)
        kept = c.typical_p(kept, options.typical_p)
        kept = c.top_p(kept, options.top_p)
        return c.min_p(kept, options.min_p)

    def _adjusted(self, logits: Float32) -> Float32:
        if not self.options.logit_bias and not self.options.penalises:
            return logits
        logits = logits.copy()
        add_bias(logits, self.options)
        self._penalties.apply(logits)
        return logits


def _check(logits: Float32) -> None:
    # NaN goes through both, so that two fast passes see every value
    if np.isfinite(logits.max()) and np.isfinite(logits.min()):
        return
    first = int(np.flatnonzero(~np.isfinite(logits))[0])
    raise ValueError(
        f"the model gave {logits[first]} as the logit of token {first}: "
        "its file holds damaged weights, or the engine is at fault"
    )


def _check_left(some: bool | np.bool_) -> None:
    if not some:
        raise ValueError("logit_bias forbids every token")
