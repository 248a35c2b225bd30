"""What an executor makes of ids, and how far that is from what is expected."""

import numpy as np

IDS = np.random.default_rng(5).integers(0, 83, 200).astype(np.int32)


def relative_error(got, expected):
    return np.abs(got - expected).max() / np.sqrt(np.mean(expected**2))


def everything(executor, ids, size=10**6):
    """The logits after each id, fed in pieces of `size`."""
    state = executor.new_state()
    parts = [executor.run(state, ids[i : i + size], "all") for i in range(0, len(ids), size)]
    return np.concatenate(parts)
