"""Reading several prompts side by side; what they have in common is computed and stored once."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..backends import BatchPart, Executor, State
from .candidates import Float32

SHARED = 32  # tokens in common that are worth a run of their own

Ids = npt.NDArray[np.int32]


@dataclass
class Read:
    """A prompt that was read: its sequence, how many tokens were run for it, and the logits.

    What several begin with is counted for the first of them.
    """

    state: State
    n_run: int
    logits: Float32


def n_common(prompts: Sequence[Ids]) -> int:
    """Return how many tokens all prompts begin with, leaving each at least one of its own."""
    shortest = min(len(ids) for ids in prompts)
    alike = np.stack([ids[: shortest - 1] for ids in prompts]) == prompts[0][: shortest - 1]
    differs = np.flatnonzero(~alike.all(axis=0))
    return int(differs[0]) if len(differs) else shortest - 1


def read_beginning(executor: Executor, prompts: Sequence[Ids]) -> State:
    """Return a sequence of what all prompts begin with; it is empty where that is not worth it."""
    state = executor.new_state()
    n = n_common(prompts) if len(prompts) > 1 else 0
    if n >= SHARED:
        executor.run(state, prompts[0][:n], "none")
    return state


def read_prompts(executor: Executor, beginning: State, prompts: Sequence[Ids]) -> list[Read]:
    """Continue from what all prompts begin with, branch by branch of the tree that they make."""
    n_run: Counter[int] = Counter()
    made: dict[int, Read] = {}
    branches = [(beginning, list(range(len(prompts))))]
    while branches:
        parts: list[BatchPart] = []
        following: list[tuple[State, list[int]]] = []
        leaves: dict[int, int] = {}
        for state, members in branches:
            for group in _groups(prompts, members, state.n_past):
                fork, first, start = state.fork(), group[0], state.n_past
                alone = len(group) == 1
                end = len(prompts[first]) if alone else n_common([prompts[i] for i in group])
                n_run[first] += end - start
                if alone:
                    leaves[first] = len(parts)
                else:
                    following.append((fork, group))
                parts.append((fork, prompts[first][start:end], "last" if alone else "none"))
        logits = executor.run_batch(parts)
        made |= {i: Read(parts[at][0], n_run[i], logits[at][0]) for i, at in leaves.items()}
        branches = following
    return [made[i] for i in range(len(prompts))]


def _groups(prompts: Sequence[Ids], members: list[int], start: int) -> list[list[int]]:
    """Put together which prompts go on alike behind `start` for long enough to share it."""
    alike: dict[bytes | int, list[int]] = defaultdict(list)
    for i in members:
        long_enough = len(prompts[i]) > start + SHARED
        alike[prompts[i][start : start + SHARED].tobytes() if long_enough else i].append(i)
    return list(alike.values())
