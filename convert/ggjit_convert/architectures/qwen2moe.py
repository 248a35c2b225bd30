"""Qwen 1.5 and 2 with experts."""

from __future__ import annotations

from ..arrays import Array
from ..keys import Keys
from ..transforms import inner_part
from .base import Tensors
from .qwen2 import Qwen2
from .tensors import divide, rename, stack_experts


class Qwen2Moe(Qwen2, arch="qwen2moe", classes=["Qwen2MoeForCausalLM"]):
    def write_keys(self, k: Keys) -> None:
        self.write_shared_keys(k)
        for key, name in (
            ("expert_feed_forward_length", "moe_intermediate_size"),
            ("expert_shared_feed_forward_length", "shared_expert_intermediate_size"),
        ):
            if self.h.has(name):
                k[key] = self.h.integer(name)

    def change(self, tensors: Tensors) -> Tensors:
        tensors = stack_experts(tensors, self.h.integer("num_local_experts", "num_experts"))
        tensors = divide(tensors, r"\.gate_up_proj(\.weight)?$", gate_and_up)
        return rename(tensors, r"experts\.down_proj$", "experts.down_proj.weight")


def gate_and_up(a: Array) -> dict[str, Array]:
    """Part a stack that has each expert's gate above its up matrix."""
    n = a.shape[1] // 2
    return {
        ".gate_proj.weight": inner_part(a, slice(0, n)),
        ".up_proj.weight": inner_part(a, slice(n, 2 * n)),
    }
