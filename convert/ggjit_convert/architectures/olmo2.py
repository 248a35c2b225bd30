"""OLMo 2, and OLMo 3 with windows."""

from __future__ import annotations

from typing import Any, ClassVar

from ..keys import Keys
from .base import Architecture


class Olmo2(Architecture, arch="olmo2", classes=["Olmo2ForCausalLM", "Olmo3ForCausalLM"]):
    defaults: ClassVar[dict[str, Any]] = {"rms_norm_eps": 1e-5, "rope_theta": 10000.0}

    def write_keys(self, k: Keys) -> None:
        self.write_shared_keys(k)
        if not self.h.has("sliding_window"):
            return
        k["attention.sliding_window"] = self.h.integer("sliding_window")
        kinds = self.h.items("layer_types", str, default=None)
        k["attention.sliding_window_pattern"] = [
            kinds[i] == "sliding_attention" if kinds else (i + 1) % 4 != 0
            for i in range(self.n_layers)
        ]
