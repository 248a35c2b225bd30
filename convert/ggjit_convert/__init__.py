"""Checkpoints to GGUF files: reading, mapping, quantizing, writing. Never imports torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__all__ = ["CheckpointError", "convert", "requantize"]

if TYPE_CHECKING:
    from .conversion import convert, requantize
    from .errors import CheckpointError

_HOMES = {
    "convert": "ggjit_convert.conversion",
    "requantize": "ggjit_convert.conversion",
    "CheckpointError": "ggjit_convert.errors",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for."""
    if name not in _HOMES:
        raise AttributeError(f"module 'ggjit_convert' has no attribute {name!r}")
    from importlib import import_module

    value = globals()[name] = getattr(import_module(_HOMES[name]), name)
    return value
