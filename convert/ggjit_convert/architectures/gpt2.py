"""GPT-2: matrices are kept transposed."""

from __future__ import annotations

from typing import Any, ClassVar

from ..keys import Keys
from ..transforms import transposed
from .base import Architecture, Tensors
from .tensors import apply


class GPT2(Architecture, arch="gpt2", classes=["GPT2LMHeadModel"]):
    transposed: ClassVar[str] = r"\.(c_attn|c_proj|c_fc)\.weight$"
    defaults: ClassVar[dict[str, Any]] = {"layer_norm_epsilon": 1e-5, "n_positions": 1024}

    def write_keys(self, k: Keys) -> None:
        k["block_count"] = self.n_layers
        k["context_length"] = self.h.integer("n_ctx", "n_positions")
        k["embedding_length"] = self.n_embd
        k["feed_forward_length"] = self.h.integer("n_inner", default=4 * self.n_embd)
        k["attention.head_count"] = self.n_head
        k["attention.layer_norm_epsilon"] = self.h.number("layer_norm_epsilon")

    def change(self, tensors: Tensors) -> Tensors:
        return apply(tensors, self.transposed, transposed)
