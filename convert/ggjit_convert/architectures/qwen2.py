"""Qwen 1.5 to 2.5."""

from __future__ import annotations

from typing import Any, ClassVar

from .base import Architecture


class Qwen2(Architecture, arch="qwen2", classes=["Qwen2ForCausalLM"]):
    defaults: ClassVar[dict[str, Any]] = {
        "rms_norm_eps": 1e-6, "max_position_embeddings": 32768, "rope_theta": 10000.0,
    }  # fmt: skip

    def notes(self) -> list[str]:
        window = self.h.integer("sliding_window", default=0)
        longest = self.h.integer("max_position_embeddings")
        if not self.h.flag("use_sliding_window") or not 0 < window < longest:
            return []
        return [f"some layers see {window} tokens back; engines let them see everything"]
