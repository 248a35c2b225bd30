"""Ministral 3: Llama with YaRN, queries that grow with the position."""

from __future__ import annotations

from ..keys import Keys
from .llama import Llama


class Mistral3(
    Llama, arch="mistral3", classes=["Mistral3ForConditionalGeneration", "Ministral3ForCausalLM"]
):
    def write_keys(self, k: Keys) -> None:
        super().write_keys(k)
        for key, name in (
            ("rope.scaling.yarn_log_multiplier", "mscale_all_dim"),
            ("attention.temperature_scale", "llama_4_scaling_beta"),
        ):
            if (value := self.rope.number(name, default=None)) is not None:
                k[key] = value

    def notes(self) -> list[str]:
        return []
