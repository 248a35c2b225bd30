"""Ministral 3: Llama with YaRN, queries that grow with the position."""

from __future__ import annotations

from ..keys import Keys
from .llama import Llama


class Mistral3(
    Llama, arch="mistral3", classes=["Mistral3ForConditionalGeneration", "Ministral3ForCausalLM"]
):
    def write_keys(self, k: Keys) -> None:
        super().write_keys(k)
        if self.rope.text("rope_type", "type", default="") == "yarn":
            k["rope.scaling.yarn_log_multiplier"] = self.rope.number("mscale_all_dim")
            k["attention.temperature_scale"] = self.rope.number("llama_4_scaling_beta")

    def notes(self) -> list[str]:
        return []
