"""What adapter_config.json says, checked: how much of each product is added, what is refused."""

from __future__ import annotations

import math
import re
from typing import Any

from ..errors import CheckpointError
from ..hyperparameters import LARGEST, Hyperparameters
from ..sources import Checkpoint

FILE = "adapter_config.json"
# What makes more of an adapter than a product that is added to weights.
REFUSED = {
    "use_qalora": "QALoRA",
    "lora_bias": "a bias of lora_B",
    "layer_replication": "layers that are repeated",
    "target_parameters": "an adapter of parameters that are no modules",
    "use_bdlora": "BD-LoRA",
    "kasa_config": "KaSA",
    "monteclora_config": "Monteclora",
}
CHANGE_THE_BASE = ("pissa", "olora", "corda", "loftq", "lora_ga")  # ways to begin training


class Settings:
    """Raises: CheckpointError naming what is wrong, or not supported."""

    def __init__(self, adapter: Checkpoint) -> None:
        h = self.h = Hyperparameters(adapter)
        if (kind := h.text("peft_type")) != "LORA":
            raise h.error("peft_type", f"is {kind!r}, only 'LORA' is supported")
        for name, what in REFUSED.items():
            if adapter.config.get(name):
                raise h.error(name, f"{what} is not supported")
        begun = adapter.config.get("init_lora_weights")
        if isinstance(begun, str) and begun.lower().startswith(CHANGE_THE_BASE):
            raise h.error("init_lora_weights", f"{begun!r} has changed the weights of the base")
        self.alpha, self.rank = h.number("lora_alpha"), h.integer("r", low=1)
        if not self.alpha:
            raise h.error("lora_alpha", "is 0: the adapter adds nothing")
        self.use_dora = h.flag("use_dora")
        self.use_rslora = h.flag("use_rslora")
        self._ranks, self._alphas = self._pattern("rank_pattern"), self._pattern("alpha_pattern")

    def rank_of(self, module: str) -> int:
        """Return how many rows and columns a module's factors have."""
        rank = self._matching("rank_pattern", self._ranks, module, self.rank)
        if type(rank) is not int or rank < 1:
            raise self.h.error("rank_pattern", f"has {rank!r}, expected integers of at least 1")
        return rank

    def scale_of(self, module: str) -> float:
        """Return what a module's product is multiplied with."""
        alpha = self._matching("alpha_pattern", self._alphas, module, self.alpha)
        if type(alpha) not in (int, float) or not abs(alpha) <= LARGEST:
            raise self.h.error("alpha_pattern", f"has {repr(alpha)[:96]}, expected numbers")
        rank = self.rank_of(module)
        return float(alpha / (math.sqrt(rank) if self.use_rslora else rank))

    def tokens_of(self, module: str) -> list[int]:
        """Return the tokens whose rows of an embedding, or of the output, were trained."""
        given = self.h.values.get(TOKENS)
        if isinstance(given, dict):
            given = next((ids for name, ids in given.items() if module.endswith(name)), None)
        if not isinstance(given, list) or not all(type(id) is int and id >= 0 for id in given):
            raise self.h.error(TOKENS, f"lists no tokens of {module!r}")
        if len(set(given)) < len(given):
            raise self.h.error(TOKENS, f"lists a token of {module!r} twice")
        return given

    @property
    def invocation(self) -> list[int]:
        """Tokens after which an adapter begins to act; none if it always does."""
        if self.h.text("invocation_string", default="") and not self.h.has(ACTIVATED):
            raise self.h.error("invocation_string", f"needs its tokens, in {ACTIVATED}")
        tokens: list[int] = self.h.items(ACTIVATED, int, default=[])
        return tokens

    def _pattern(self, name: str) -> dict[str, Any]:
        values = self.h.below(name).values
        try:
            for pattern in values:
                re.compile(pattern)
        except re.error as error:
            problem = f"{pattern[:96]!r} is no regular expression: {error}"
            raise CheckpointError(problem, path=self.h.path, field=name) from None
        return values

    def _matching(self, name: str, values: dict[str, Any], module: str, default: Any) -> Any:
        """Return the value of the first pattern that a module's name ends in."""
        found = (v for p, v in values.items() if re.fullmatch(rf"(.*\.)?({p})", module))
        return next(found, default)


ACTIVATED = "alora_invocation_tokens"
TOKENS = "trainable_token_indices"
