"""What config.json says, checked as it is asked for."""

from __future__ import annotations

from typing import Any

import numpy as np

from .errors import CheckpointError
from .sources import Checkpoint, text_config

REQUIRED: Any = object()
LARGEST = float(np.finfo(np.float32).max)


class Hyperparameters:
    """config.json's values by name, those of `text_config` before the others.

    Defaults, those of transformers' configuration classes, stand for what is not there.
    """

    def __init__(self, checkpoint: Checkpoint, defaults: dict[str, Any] | None = None) -> None:
        self.path = checkpoint.config_path
        given = {**checkpoint.config, **text_config(checkpoint.config)}
        self.values = {k: v for k, v in given.items() if v is not None}
        self._defaults = defaults or {}

    def integer(self, *names: str, default: Any = REQUIRED, low: int = 0) -> int:
        """Return the first of these that is there. Raises: CheckpointError naming it."""
        name, value = self._first(names, default)
        if type(value) is float and value.is_integer():
            value = int(value)
        if value is not default and (type(value) is not int or not low <= value < 1 << 32):
            raise self.error(name, f"is {repr(value)[:96]}, expected an integer of at least {low}")
        return value

    def number(self, *names: str, default: Any = REQUIRED, low: float = -LARGEST) -> float:
        """Return the first of these that is there, as float32 can have it.

        Raises: CheckpointError naming it.
        """
        name, value = self._first(names, default)
        if value is default:
            return value
        if type(value) not in (int, float) or not low <= value <= LARGEST:
            raise self.error(name, f"is {repr(value)[:96]}, expected a number{_at_least(low)}")
        return float(value)

    def flag(self, name: str, default: bool = False) -> bool:
        """Return a truth value. Raises: CheckpointError naming it."""
        name, value = self._first((name,), default)
        if type(value) is not bool:
            raise self.error(name, f"is {repr(value)[:96]}, expected true or false")
        return value

    def text(self, *names: str, default: Any = REQUIRED) -> str:
        """Return the first of these that is there. Raises: CheckpointError naming it."""
        name, value = self._first(names, default)
        if value is not default and not isinstance(value, str):
            raise self.error(name, f"is {repr(value)[:96]}, expected a text")
        return value

    def items(self, name: str, kind: type, default: Any = REQUIRED) -> list[Any]:
        """Return a list of one type; floats may be integers. Raises: CheckpointError naming it."""
        name, value = self._first((name,), default)
        if value is default:
            return value
        allowed = (int, float) if kind is float else (kind,)
        if not isinstance(value, list) or not all(type(item) in allowed for item in value):
            raise self.error(name, f"must be a list of type {kind.__name__}")
        return value

    def below(self, name: str) -> Hyperparameters:
        """Return the values of an object in the file; none if it is not there."""
        name, value = self._first((name,), {})
        if not isinstance(value, dict):
            raise self.error(name, "must be an object")
        return self.of(value)

    def of(self, values: dict[str, Any]) -> Hyperparameters:
        """Return other values of the same file."""
        other = object.__new__(Hyperparameters)
        other.path, other._defaults = self.path, {}
        other.values = {k: v for k, v in values.items() if v is not None}
        return other

    def has(self, name: str) -> bool:
        """Tell whether there is a value."""
        return name in self.values or self._defaults.get(name) is not None

    def value(self, name: str) -> Any:
        """Return a value as it is. Raises: CheckpointError if it is missing."""
        return self._first((name,), REQUIRED)[1]

    def error(self, name: str, problem: str) -> CheckpointError:
        """Return the error for a value."""
        return CheckpointError(problem, path=self.path, field=name)

    def _first(self, names: tuple[str, ...], default: Any) -> tuple[str, Any]:
        for known in (self.values, self._defaults):
            for name in names:
                if known.get(name) is not None:
                    return name, known[name]
        if default is REQUIRED:
            raise self.error(" or ".join(names), "is missing")
        return names[0], default


def _at_least(low: float) -> str:
    return f" of at least {low:g}" if low > -LARGEST else ""
