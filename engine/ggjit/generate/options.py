"""What a sampler may be told, with llama.cpp's names for the file's keys and its defaults.

Source: llama.cpp common/common.h (common_params_sampling) for the defaults, src/llama-arch.cpp
for the keys `general.sampling.*`. Its samplers that do not exist here (XTC, mirostat, a sequence
of their own) are not taken from a file.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..gguf import GGUFFile

# option -> the file's key
FILE_KEYS = {
    "temperature": "general.sampling.temp",
    "top_k": "general.sampling.top_k",
    "top_p": "general.sampling.top_p",
    "min_p": "general.sampling.min_p",
    "repeat_penalty": "general.sampling.penalty_repeat",
    "repeat_last_n": "general.sampling.penalty_last_n",
}

# option -> lowest and highest value
RANGES = {
    "temperature": (0.0, 1e6),
    "top_k": (-1, 2**31),
    "top_p": (0.0, 1.0),
    "min_p": (0.0, 1.0),
    "typical_p": (0.0, 1.0),
    "repeat_penalty": (1e-6, 1e6),
    "repeat_last_n": (-1, 2**31),
    "presence_penalty": (-1e6, 1e6),
    "frequency_penalty": (-1e6, 1e6),
}
WHOLE = ("top_k", "repeat_last_n")


@dataclass(frozen=True)
class SamplingOptions:
    """How the next token is chosen.

    temperature 0 takes the likeliest token. top_k of 0 or -1 keeps all tokens; top_p and
    typical_p of 1 and min_p of 0 do nothing. The penalties look at the last `repeat_last_n`
    tokens (0: at none, -1: at all), the prompt's included. logit_bias adds to the logits of
    single token ids; -inf forbids one. Without a seed every run differs.

    Raises: ValueError naming the option and its value.
    """

    temperature: float = 0.8
    top_k: int = 40
    top_p: float = 0.95
    min_p: float = 0.05
    typical_p: float = 1.0
    repeat_penalty: float = 1.0
    repeat_last_n: int = 64
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    logit_bias: Mapping[int, float] = field(default_factory=dict)
    seed: int | None = None

    def __post_init__(self) -> None:
        for name, (low, high) in RANGES.items():
            _check_number(name, getattr(self, name), low, high)
        for id, bias in self.logit_bias.items():
            _check_bias(id, bias)
        if self.seed is not None and (not _is_whole(self.seed) or self.seed < 0):
            raise ValueError(f"seed must be a whole number of 0 or more, not {self.seed!r}")

    @property
    def penalises(self) -> bool:
        """Tell whether earlier tokens change the logits at all."""
        neutral = (self.repeat_penalty, self.presence_penalty, self.frequency_penalty) == (1, 0, 0)
        return self.repeat_last_n != 0 and not neutral

    def changed(self, changes: Mapping[str, Any]) -> SamplingOptions:
        """Return these options with `changes` made; TypeError for a name that is none of them."""
        names = [f.name for f in fields(self)]
        for name in changes:
            if name not in names:
                raise TypeError(f"{name} is not a sampling option; these are: {', '.join(names)}")
        return replace(self, **changes)

    @classmethod
    def from_gguf(cls, file: GGUFFile) -> SamplingOptions:
        """Take what the file recommends, llama.cpp's defaults for the rest.

        Raises: GGUFError naming the file, its key and the value.
        """
        from ..gguf import GGUFError

        options = cls()
        for option, key in FILE_KEYS.items():
            value = file.get(key, int if option in WHOLE else float, None)
            try:
                options = options if value is None else options.changed({option: value})
            except ValueError as error:
                raise GGUFError(str(error), path=file.path, field=key) from None
        return options


def _is_whole(value: object) -> bool:
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)


def _is_number(value: object) -> bool:
    return isinstance(value, numbers.Real) and not isinstance(value, bool)


def _check_number(name: str, value: Any, low: float, high: float) -> None:
    right_kind = _is_whole(value) if name in WHOLE else _is_number(value)
    if not right_kind or not low <= value <= high:  # NaN fails every comparison
        kind = "a whole number" if name in WHOLE else "a number"
        raise ValueError(f"{name} must be {kind} from {low:g} to {high:g}, not {value!r}")


def _check_bias(id: Any, bias: Any) -> None:
    if not _is_whole(id) or id < 0:
        raise ValueError(f"logit_bias needs token ids of 0 or more, not {id!r}")
    if not _is_number(bias) or not (bias == -math.inf or abs(bias) <= 1e6):
        raise ValueError(f"logit_bias of token {id} must be -inf or within 1e6 of 0, not {bias!r}")
