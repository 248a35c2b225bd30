"""LFM 2: short convolutions between layers that attend."""

from __future__ import annotations

from typing import Any, ClassVar

from ..keys import Keys
from .base import Architecture, Tensors
from .recurrent import taps
from .tensors import apply


class Lfm2(Architecture, arch="lfm2", classes=["Lfm2ForCausalLM", "LFM2ForCausalLM"]):
    defaults: ClassVar[dict[str, Any]] = {
        "norm_eps": 1e-5, "block_auto_adjust_ff_dim": True, "block_ffn_dim_multiplier": 1.0,
        "block_multiple_of": 256, "conv_L_cache": 3,
        "rope_theta": 1000000.0,
    }  # fmt: skip
    needed = ("token_embd.weight", "token_embd_norm.weight")

    def write_keys(self, k: Keys) -> None:
        self.write_shared_keys(k)
        k["attention.head_count_kv"] = [self.n_kv_head if a else 0 for a in self.is_attention]
        k["vocab_size"] = self.h.integer("vocab_size")
        k["shortconv.l_cache"] = self.h.integer("conv_L_cache")
        k["attention.layer_norm_rms_epsilon"] = self.h.number("norm_eps")
        k["feed_forward_length"] = self.n_ff

    @property
    def is_attention(self) -> list[bool]:
        """Which layers attend: by their kinds, or in older files by their numbers."""
        kinds = self.h.items("layer_types", str, default=None)
        if kinds:
            return [kind != "conv" for kind in kinds]
        numbers = self.h.items("full_attn_idxs", int)
        return [i in numbers for i in range(self.n_layers)]

    @property
    def n_ff(self) -> int:
        n = self.h.integer("block_ff_dim", "intermediate_size")
        if self.h.flag("block_auto_adjust_ff_dim"):
            n = int(self.h.number("block_ffn_dim_multiplier") * int(2 * n / 3))
            multiple = self.h.integer("block_multiple_of", low=1)
            n = -(-n // multiple) * multiple
        return n

    def change(self, tensors: Tensors) -> Tensors:
        return apply(tensors, r"conv\.conv\.weight$", taps)
