"""SmolLM 3: Llama with layers that do not turn."""

from __future__ import annotations

from ..keys import Keys
from .llama import Llama


class SmolLM3(Llama, arch="smollm3", classes=["SmolLM3ForCausalLM"]):
    def write_keys(self, k: Keys) -> None:
        super().write_keys(k)
        turns = self.h.items("no_rope_layers", int, default=None)  # 1 for those that turn
        usual = [int((i + 1) % 4 != 0) for i in range(self.n_layers)]
        if turns and turns != usual:
            raise self.h.error("no_rope_layers", f"is {turns}, only every fourth can be without")

    def notes(self) -> list[str]:
        return []
