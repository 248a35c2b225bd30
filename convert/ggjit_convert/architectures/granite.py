"""Granite 3 and 4: Llama with multipliers; with experts; with Mamba 2 layers."""

from __future__ import annotations

from ..arrays import Array
from ..keys import Keys
from ..sources import Checkpoint
from ..transforms import inner_part, part, reshaped
from .base import Tensors
from .llama import Llama
from .recurrent import CONV1D, discretized, taps
from .tensors import apply, divide, rename

MULTIPLIERS = {
    "attention_multiplier": "attention.scale",
    "embedding_multiplier": "embedding_scale",
    "residual_multiplier": "residual_scale",
    "logits_scaling": "logit_scale",
}


class Granite(Llama, arch="granite", classes=["GraniteForCausalLM"]):
    @property
    def head_dim(self) -> int:
        return self.n_embd // self.n_head

    def write_keys(self, k: Keys) -> None:
        super().write_keys(k)
        k.drop("attention.key_length")
        k.drop("attention.value_length")
        for name, key in MULTIPLIERS.items():
            if value := self.h.number(name, default=None):
                k[key] = value


class GraniteMoe(
    Granite, arch="granitemoe", classes=["GraniteMoeForCausalLM", "GraniteMoeSharedForCausalLM"]
):
    def write_keys(self, k: Keys) -> None:
        super().write_keys(k)
        if n := self.h.integer("shared_intermediate_size", default=0):
            k["expert_shared_feed_forward_length"] = n

    def change(self, tensors: Tensors) -> Tensors:
        layer, shared = r"^model\.layers\.(\d+)\.", self.shared
        # as transformers has them in memory
        tensors = rename(tensors, r"block_sparse_moe\.experts\.", "mlp.experts.")
        tensors = rename(tensors, r"\.router\.weight$", ".router.layer.weight")
        tensors = divide(tensors, layer + r"block_sparse_moe\.input_linear\.weight$", stacks)
        tensors = divide(tensors, layer + r"shared_mlp\.input_linear\.weight$",
                         lambda a: halves(a, shared))  # fmt: skip
        tensors = rename(tensors, layer + r"shared_mlp\.output_linear", rf"blk.\1.ffn_down{shared}")
        return super().change(tensors)

    @property
    def shared(self) -> str:
        """How GGUF marks the layer that all tokens take; without others it is the only one."""
        return "_shexp" if self.h.integer("num_local_experts", default=0) else ""


class GraniteHybrid(GraniteMoe, arch="granitehybrid", classes=["GraniteMoeHybridForCausalLM"]):
    """Without Mamba layers it is Granite, with experts or without."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        super().__init__(checkpoint)
        if all(self.is_attention):
            has_experts = self.h.integer("num_experts_per_tok", default=0)
            self.arch = "granitemoe" if has_experts else "granite"

    @property
    def is_attention(self) -> list[bool]:
        return [
            kind in ("attention", "full_attention") for kind in self.h.items("layer_types", str)
        ]

    def write_keys(self, k: Keys) -> None:
        super().write_keys(k)
        h, heads = self.h, self.h.integer("mamba_n_heads")
        k["ssm.conv_kernel"] = h.integer("mamba_d_conv")
        k["ssm.state_size"] = h.integer("mamba_d_state")
        k["ssm.group_count"] = h.integer("mamba_n_groups")
        k["ssm.inner_size"] = self.inner_size
        k["ssm.time_step_rank"] = heads
        k["attention.head_count_kv"] = [self.n_kv_head if a else 0 for a in self.is_attention]
        k["rope.scaling.finetuned"] = all(self.is_attention)  # beside Mamba layers nothing turns
        if not all(self.is_attention):
            k["context_length"] = 1 << 20

    @property
    def inner_size(self) -> int:
        return self.h.integer("mamba_expand") * self.n_embd

    def change(self, tensors: Tensors) -> Tensors:
        return mamba2(super().change(tensors), self.h.integer("mamba_n_groups"), self.inner_size)


def mamba2(tensors: Tensors, n_groups: int, inner_size: int) -> Tensors:
    """Shape the parameters of Mamba 2 as llama.cpp has them."""
    tensors = apply(discretized(tensors), CONV1D, taps)
    tensors = apply(tensors, r"\.(A_log|D)$", lambda a: reshaped(a, a.shape[0], 1))
    shape = (n_groups, inner_size // n_groups)
    return apply(tensors, r"mamba\.norm\.weight$", lambda a: reshaped(a, *shape))


def stacks(a: Array) -> dict[str, Array]:
    """Part a stack that has each expert's gate above its up matrix."""
    n = a.shape[1] // 2
    return {
        r"blk.\1.ffn_gate_exps.weight": inner_part(a, slice(0, n)),
        r"blk.\1.ffn_up_exps.weight": inner_part(a, slice(n, 2 * n)),
    }


def halves(a: Array, kind: str) -> dict[str, Array]:
    """Part a matrix that has the gate above the up matrix."""
    n = a.shape[0] // 2
    return {
        rf"blk.\1.ffn_gate{kind}.weight": part(a, 0, n),
        rf"blk.\1.ffn_up{kind}.weight": part(a, n, 2 * n),
    }
