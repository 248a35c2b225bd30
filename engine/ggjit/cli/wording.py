"""How counts are said."""

from __future__ import annotations


def counted(n: int, noun: str) -> str:
    """Return `1 token` or `2 tokens`."""
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"
