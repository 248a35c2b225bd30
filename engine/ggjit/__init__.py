"""GGUF-compatible quantized inference: NumPy and Numba JIT SIMD kernels, no compiler, no torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = [
    "ContextFull", "GGUFError", "Model", "Reply", "Session", "__version__", "load", "register",
]  # fmt: skip

if TYPE_CHECKING:
    from .generate import ContextFull, Model, Reply, Session
    from .gguf import GGUFError
    from .loading import load
    from .models import register

_HOMES = {
    "load": "ggjit.loading",
    "register": "ggjit.models",
    "Model": "ggjit.generate",
    "Reply": "ggjit.generate",
    "Session": "ggjit.generate",
    "GGUFError": "ggjit.gguf",
    "ContextFull": "ggjit.generate",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for."""
    if name not in _HOMES:
        raise AttributeError(f"module 'ggjit' has no attribute {name!r}")
    from importlib import import_module

    value = globals()[name] = getattr(import_module(_HOMES[name]), name)
    return value


def __dir__() -> list[str]:
    """Return the public names, whether they were asked for yet or not."""
    return sorted(__all__)
