"""SmolLM 3: Llama with layers that do not turn."""

from __future__ import annotations

from .llama import Llama


class SmolLM3(Llama, arch="smollm3", classes=["SmolLM3ForCausalLM"]):
    def notes(self) -> list[str]:
        return []
