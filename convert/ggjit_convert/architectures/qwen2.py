"""Qwen 1.5 to 2.5."""

from __future__ import annotations

from typing import Any, ClassVar

from .base import Architecture


class Qwen2(Architecture, arch="qwen2", classes=["Qwen2ForCausalLM"]):
    defaults: ClassVar[dict[str, Any]] = {
        "rms_norm_eps": 1e-6, "max_position_embeddings": 32768, "rope_theta": 10000.0,
    }  # fmt: skip
