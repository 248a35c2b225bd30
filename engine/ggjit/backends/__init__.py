"""What runs a graph. Every backend offers the same small interface, `Executor`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

Float32 = npt.NDArray[np.float32]
Progress = Callable[[str, int, int], None]  # what is being done, how much of it, out of how much


class State(Protocol):
    """What one sequence leaves behind: its KV cache and how many tokens it holds."""

    n_past: int

    def truncate(self, n: int) -> None:
        """Forget all but the first `n` tokens."""


class Executor(Protocol):
    """A loaded model's forward pass."""

    n_vocab: int
    n_context: int

    def new_state(self) -> State:
        """Return an empty sequence, its cache allocated for `n_context` tokens."""

    def run(
        self, state: State, ids: npt.NDArray[np.int32], logits: Literal["all", "last"] = "last"
    ) -> Float32:
        """Append `ids` to `state`.

        Shapes: returns [len(ids), n_vocab] for "all", [1, n_vocab] for "last".
        Raises: ContextFull, and nothing is appended, if state.n_past + len(ids) > n_context;
        ValueError if there are no ids.
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
            f"{self.problem}; shorten the text, start over, or load the model with a larger "
            "context (-c / context=) if it was trained for one"
        )
        self.n_past, self.n_new, self.n_context = n_past, n_new, n_context
