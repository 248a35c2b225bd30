"""What runs a graph. Every backend offers the same small interface, `Executor`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

Float32 = npt.NDArray[np.float32]
Logits = Literal["all", "last", "none"]  # of which of the tokens that are run
Packing = Literal["auto", "always", "never", "experts-mmap"]  # which weights are laid out anew
Latent = Literal["auto", "absorbed", "expanded"]  # how latent attention is computed
Progress = Callable[[str, int, int], None]  # what is being done, how much of it, out of how much


class State(Protocol):
    """What one sequence leaves behind: its KV cache and how many tokens it holds."""

    @property
    def n_past(self) -> int:
        """How many tokens it holds."""

    def truncate(self, n: int) -> int:
        """Forget all but the first `n` tokens; return how many remain.

        None remain where a sliding window would have to show again what is gone.
        """

    def fork(self, n: int | None = None) -> State:
        """Return a sequence that begins with the first `n` tokens (default: all), stored once.

        As with `truncate`, it may be empty.
        """


BatchPart = tuple[State, npt.NDArray[np.int32], Logits]  # tokens to append to a sequence


class Executor(Protocol):
    """A loaded model's forward pass."""

    n_vocab: int
    n_context: int

    def new_state(self) -> State:
        """Return an empty sequence that can take `n_context` tokens."""

    def run(self, state: State, ids: npt.NDArray[np.int32], logits: Logits = "last") -> Float32:
        """Append `ids` to `state`.

        Shapes: returns [len(ids), n_vocab] for "all", [1, n_vocab] for "last", [0, n_vocab] for
        "none".
        Raises: ContextFull, and nothing is appended, if state.n_past + len(ids) > n_context;
        ValueError if there are no ids.
        """

    def run_batch(self, parts: Sequence[BatchPart]) -> list[Float32]:
        """Append ids to several states side by side; the results are those of `run`, bit for bit.

        Of latent attention, unless it is kept absorbed, they are those only up to rounding.
        Raises: as `run`, and ValueError for a state that is in two parts, before anything is done.
        """


class ContextFull(ValueError):
    """The context has no room for the tokens; `problem` says so, `str` also what to do."""

    def __init__(self, n_past: int, n_new: int, n_context: int) -> None:
        fit = "does" if n_new == 1 else "do"
        self.problem = (
            f"the context holds {n_context} tokens: "
            f"{n_past} are used and {n_new} more {fit} not fit"
        )
        super().__init__(
            f"{self.problem}; shorten the text, or load the model with a larger context "
            "(-c / context=) if it was trained for one"
        )
        self.n_past, self.n_new, self.n_context = n_past, n_new, n_context


def check_parts(parts: Sequence[tuple[Any, npt.NDArray[np.int32], Logits]], n_context: int) -> None:
    """Raise what `Executor.run_batch` raises."""
    for state, ids, _ in parts:
        if not len(ids):
            raise ValueError("there are no tokens to run")
        if state.n_past + len(ids) > n_context:
            raise ContextFull(state.n_past, len(ids), n_context)
    if len({id(state) for state, _, _ in parts}) < len(parts):
        raise ValueError("a sequence is in two parts of a batch")
