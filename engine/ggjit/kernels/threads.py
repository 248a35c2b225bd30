"""How threads divide work."""

from ..jit import device


@device
def share(n, thread, n_threads):  # type: ignore[no-untyped-def]
    """Return this thread's part [first, last) of n equal pieces."""
    return n * thread // n_threads, n * (thread + 1) // n_threads
