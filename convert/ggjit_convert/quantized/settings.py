"""What `quantization_config` says, checked as it is asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..arrays import Array
from ..errors import CheckpointError
from ..hyperparameters import LARGEST

Tensors = dict[str, Array]


@dataclass(frozen=True)
class Settings:
    """Values of config.json, below `quantization_config`; or `within` something else."""

    path: Path
    values: dict[str, Any]
    model_type: str = ""
    within: str = "quantization_config"

    def error(self, name: str, problem: str) -> CheckpointError:
        return CheckpointError(problem, path=self.path, field=f"{self.within}: {name}")

    def one_of(self, name: str, known: tuple[Any, ...], default: Any = None) -> Any:
        """Return a value. Raises: CheckpointError for one that is not known."""
        value = self.values.get(name, default)
        if not any(type(value) is type(k) and value == k for k in known):
            raise self.error(name, f"is {str(value)[:96]!r}, known: {', '.join(map(str, known))}")
        return value

    def number(self, name: str, default: int) -> int:
        """Return a count. Raises: CheckpointError for anything else."""
        value = self.values.get(name, default)
        if type(value) is not int or not 1 <= value < 1 << 32:
            raise self.error(name, f"is {str(value)[:96]!r}, expected a number of at least 1")
        return value

    def real(self, name: str) -> np.float32:
        """Return a finite number. Raises: CheckpointError for anything else."""
        value: Any = self.values.get(name)
        if type(value) not in (int, float) or not abs(value) <= LARGEST:
            raise self.error(name, f"is {str(value)[:96]!r}, expected a number")
        return np.float32(value)

    def below(self, name: str, value: Any) -> Settings:
        """Return the settings of an object."""
        if not isinstance(value, dict):
            raise self.error(name, "must be an object")
        return Settings(self.path, value)

    def block_size(self, name: str) -> tuple[int, ...]:
        """Return sizes of a block, none if there are none."""
        value = self.values.get(name)
        sizes = [] if value is None else value
        if not isinstance(sizes, list) or not all(type(n) is int and n > 0 for n in sizes):
            raise self.error(name, f"is {str(value)[:96]!r}, expected a list of sizes")
        return tuple(sizes)


Fold = Callable[[Tensors, Settings], Tensors]
