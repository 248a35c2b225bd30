"""Qwen 3."""

from __future__ import annotations

from .qwen2 import Qwen2
from .qwen2moe import Qwen2Moe


class Qwen3(Qwen2, arch="qwen3", classes=["Qwen3ForCausalLM"]):
    """As Qwen 2: the norms of heads have names of their own."""


class Qwen3Moe(Qwen2Moe, arch="qwen3moe", classes=["Qwen3MoeForCausalLM"]):
    """The same with experts."""
