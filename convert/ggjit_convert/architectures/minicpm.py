"""MiniCPM 1 and 2, with multipliers; MiniCPM 3, with latent attention."""

from __future__ import annotations

from functools import partial

from ..keys import Keys
from .base import Architecture, Tensors, permuted
from .phi3 import long_and_short
from .tensors import apply


class MiniCPM(Architecture, arch="minicpm", classes=["MiniCPMForCausalLM"]):
    def write_keys(self, k: Keys) -> None:
        self.write_shared_keys(k)
        k["embedding_scale"] = self.h.number("scale_emb")
        k["residual_scale"] = self.h.number("scale_depth") / self.n_layers**0.5
        k["logit_scale"] = self.n_embd / self.h.number("dim_model_base")

    def change(self, tensors: Tensors) -> Tensors:
        tensors = apply(tensors, r"q_proj\.weight$", partial(permuted, n_heads=self.n_head))
        return apply(tensors, r"k_proj\.weight$", partial(permuted, n_heads=self.n_kv_head))

    def more_tensors(self) -> Tensors:
        return long_and_short(self, self.n_embd // self.n_head // 2)


class MiniCPM3(Architecture, arch="minicpm3", classes=["MiniCPM3ForCausalLM"]):
    def write_keys(self, k: Keys) -> None:
        h, n_rot = self.h, self.h.integer("qk_rope_head_dim")
        k["block_count"] = self.n_layers
        k["context_length"] = h.integer("max_position_embeddings")
        k["embedding_length"] = self.n_embd
        k["feed_forward_length"] = h.integer("intermediate_size")
        k["attention.head_count"] = self.n_head
        k["attention.head_count_kv"] = self.n_kv_head
        k["attention.layer_norm_rms_epsilon"] = h.number("rms_norm_eps")
        k["vocab_size"] = h.integer("vocab_size")
        if h.has("q_lora_rank"):
            k["attention.q_lora_rank"] = h.integer("q_lora_rank")
        k["attention.kv_lora_rank"] = h.integer("kv_lora_rank")
        k["attention.key_length"] = h.integer("qk_nope_head_dim") + n_rot
        k["rope.dimension_count"] = n_rot

    def more_tensors(self) -> Tensors:
        return long_and_short(self, self.h.integer("qk_rope_head_dim") // 2)
