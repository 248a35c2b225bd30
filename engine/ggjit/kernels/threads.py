"""How threads divide work."""

from ..jit import device


@device
def share(n, thread, n_threads):  # type: ignore[no-untyped-def]
    """Return this thread's part [first, last) of n equal pieces."""
    return n * thread // n_threads, n * (thread + 1) // n_threads


@device
def share_groups(n, thread, n_threads):  # type: ignore[no-untyped-def]
    """Return this thread's part of n groups of 16 columns, cut where blocks of 32 begin."""
    first, last = share((n + 1) // 2, thread, n_threads)
    return 2 * first, min(2 * last, n)


@device
def place(start, offset):  # type: ignore[no-untyped-def]
    """Return an address within what may be absent: 0 stays 0."""
    return start + offset if start != 0 else 0
