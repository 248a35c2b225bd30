"""LoRA adapters as PEFT saves them: merged into a model's weights, or GGUF files of their own.

A module's weights W become W + scale * b @ a, where the factors b and a have few columns and rows.
Source of names and scales: PEFT; of the GGUF files: llama.cpp's convert_lora_to_gguf.py.
"""

from __future__ import annotations

from .merging import check_used, merged, notes
from .origin import FromAdapter
from .peft import Adapter, Scaled, is_adapter

__all__ = ["Adapter", "FromAdapter", "Scaled", "check_used", "is_adapter", "merged", "notes"]
