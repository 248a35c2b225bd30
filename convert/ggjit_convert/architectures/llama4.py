"""Llama 4: experts in every other layer or so, attention in chunks."""

from __future__ import annotations

from ..arrays import Array
from ..keys import Keys
from ..transforms import inner_part, transposed
from .base import Tensors
from .llama import Llama
from .tensors import divide, stack_experts

USUAL = 8192  # which engines take it to be


class Llama4(Llama, arch="llama4", classes=["Llama4ForConditionalGeneration", "Llama4ForCausalLM"]):
    def write_keys(self, k: Keys) -> None:
        super().write_keys(k)
        # config.json calls the experts' width that of all layers
        k["feed_forward_length"] = self.h.integer("intermediate_size_mlp")
        k["expert_feed_forward_length"] = self.h.integer("intermediate_size")
        k["interleave_moe_layer_step"] = self.h.integer("interleave_moe_layer_step")
        for key, name in (
            ("attention.chunk_size", "attention_chunk_size"),
            ("attention.temperature_length", "floor_scale"),
        ):
            if self.h.has(name) and self.h.integer(name) != USUAL:
                k[f"ggjit.{key}"] = self.h.integer(name)
        kinds = self.h.items("layer_types", str, default=None)
        if kinds and all(kind == "full_attention" for kind in kinds):
            k["attention.sliding_window"] = 0

    def change(self, tensors: Tensors) -> Tensors:
        tensors = divide(tensors, r"\.gate_up_proj$", gate_and_up)
        tensors = divide(tensors, r"\.down_proj$", lambda a: {".down_proj.weight": transposed(a)})
        # quantized ones come one by one
        return stack_experts(tensors, self.h.integer("num_local_experts", default=0))

    def notes(self) -> list[str]:
        return []


def gate_and_up(a: Array) -> dict[str, Array]:
    """Part a transposed stack that has the gate left of the up matrix."""
    turned = transposed(a)
    n = turned.shape[1] // 2
    return {
        ".gate_proj.weight": inner_part(turned, slice(0, n)),
        ".up_proj.weight": inner_part(turned, slice(n, 2 * n)),
    }
