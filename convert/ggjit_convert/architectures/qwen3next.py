"""Qwen 3 Next and 3.5: gated DeltaNet between layers that attend."""

from __future__ import annotations

import re
from functools import partial

import numpy as np

from ..arrays import Array
from ..keys import Keys
from ..transforms import columns_ordered, computed, joined, ordered, part
from .base import Tensors
from .qwen2moe import Qwen2Moe
from .recurrent import CONV1D, discretized, taps
from .tensors import apply, divide

# Of layers that predict further tokens, `mtp.*`: what GGUF calls them
FURTHER = {
    "fc": "eh_proj",
    "pre_fc_norm_embedding": "enorm",
    "pre_fc_norm_hidden": "hnorm",
    "norm": "shared_head_norm",
}


class Qwen3Next(Qwen2Moe, arch="qwen3next", classes=["Qwen3NextForCausalLM"]):
    @property
    def n_further(self) -> int:
        """Layers that predict further tokens."""
        found = [re.search(r"mtp\.layers\.(\d+)\.", n) for n in self.checkpoint.tensors]
        return max((int(at[1]) + 1 for at in found if at), default=0)

    @property
    def n_blocks(self) -> int:
        return self.n_layers + self.n_further

    def write_keys(self, k: Keys) -> None:
        super().write_keys(k)
        h = self.h
        k["ssm.conv_kernel"] = h.integer("linear_conv_kernel_dim")
        k["ssm.state_size"] = h.integer("linear_key_head_dim")
        k["ssm.group_count"] = self.n_k
        k["ssm.time_step_rank"] = self.n_v
        k["ssm.inner_size"] = self.v_dim * self.n_v
        kinds = h.items("layer_types", str, default=None)
        if kinds:
            recurrent = [kind == "linear_attention" for kind in kinds]
            k["attention.recurrent_layers"] = recurrent + [False] * self.n_further
        k["full_attention_interval"] = h.integer("full_attention_interval", default=4)
        share = self.rope.number("partial_rotary_factor", default=0.25)
        k["rope.dimension_count"] = int(self.head_dim * share)
        if self.n_further:
            k["nextn_predict_layers"] = self.n_further

    @property
    def n_k(self) -> int:
        return self.h.integer("linear_num_key_heads", low=1)

    @property
    def n_v(self) -> int:
        return self.h.integer("linear_num_value_heads", low=1)

    @property
    def v_dim(self) -> int:
        return self.h.integer("linear_value_head_dim")

    def change(self, tensors: Tensors) -> Tensors:
        tensors = self.change_recurrent(self.change_further(tensors))
        if self.h.has("num_experts"):
            tensors = super().change(tensors)
        tensors = apply(discretized(tensors), CONV1D, taps)
        if self.is_of_mlx:
            return tensors
        shifted = r"(?<!linear_attn\.)norm\.weight$"
        return apply(tensors, shifted, lambda a: computed(a, lambda x: x + 1, "1 added"))

    @property
    def is_of_mlx(self) -> bool:
        """Whether mlx-lm has converted it: to norms with 1 added, and taps along the second axis.

        Source: mlx-lm `models/qwen3_5.py` (`sanitize`), which tells by the same shape.
        """
        given = self.checkpoint.tensors.items()
        return any(a.shape[-1] == 1 != a.shape[1] for n, a in given if re.search(CONV1D, n))

    def change_further(self, tensors: Tensors) -> Tensors:
        """Number layers that predict further tokens behind the others."""

        def renamed(name: str) -> str:
            name = re.sub(r"^model\.mtp\.", "mtp.", name)
            if at := re.fullmatch(r"mtp\.layers\.(\d+)\.(.*)", name):
                return f"model.layers.{self.n_layers + int(at[1])}.{at[2]}"
            if (at := re.fullmatch(r"mtp\.(\w+)\.(\w+)", name)) and at[1] in FURTHER:
                return f"blk.{self.n_layers}.nextn.{FURTHER[at[1]]}.{at[2]}"
            return name

        return {renamed(name): a for name, a in tensors.items()}

    def change_recurrent(self, tensors: Tensors) -> Tensors:
        """Part what has a key head's q, k, v and z side by side."""
        layer = r"^model\.layers\.(\d+)\.linear_attn\.in_proj_qkvz\.weight$"
        return divide(tensors, layer, self.q_k_v_z)

    def q_k_v_z(self, a: Array) -> dict[str, Array]:
        """Return all heads' q, then k, then v; and z. Rows of a key head were q, k, v, z."""
        k_dim, v_dim = self.h.integer("linear_key_head_dim"), self.n_v // self.n_k * self.v_dim
        rows = np.arange(a.shape[0]).reshape(self.n_k, -1)
        q, k, v, z = np.split(rows, np.cumsum([k_dim, k_dim, v_dim]), axis=1)
        order = np.concatenate([x.reshape(-1) for x in (q, k, v)])
        return {
            r"blk.\1.attn_qkv.weight": ordered(a, order),
            r"blk.\1.attn_gate.weight": ordered(a, z.reshape(-1)),
        }


class Qwen35(
    Qwen3Next, arch="qwen35", classes=["Qwen3_5ForCausalLM", "Qwen3_5ForConditionalGeneration"]
):
    """Value heads of one key head are a stride apart: then keys repeat as a whole."""

    def write_keys(self, k: Keys) -> None:
        super().write_keys(k)
        sections = self.rope.items("mrope_section", int, default=[11, 11, 10])
        k["rope.dimension_sections"] = (sections + [0] * 4)[:4]

    def change_recurrent(self, tensors: Tensors) -> Tensors:
        heads, rows = partial(self.spread, size=1), partial(self.spread, size=self.v_dim)
        where = r"linear_attn\."
        tensors = apply(tensors, where + r"(in_proj_[ab]\.weight|A_log|dt_bias)$", heads)
        tensors = apply(tensors, where + r"in_proj_z\.weight$", rows)
        tensors = apply(tensors, where + r"(in_proj_qkv|conv1d)\.weight$", self.spread_values)
        return apply(tensors, where + r"out_proj\.weight$", self.spread_columns)

    def spread_order(self, size: int) -> np.ndarray:
        """Return places of value heads of `size` rows."""
        places = np.arange(self.n_v * size).reshape(self.n_k, self.n_v // self.n_k, size)
        return places.swapaxes(0, 1).reshape(-1)

    def spread(self, a: Array, size: int) -> Array:
        """Put value heads that are rows in their places."""
        return ordered(a, self.spread_order(size))

    def spread_values(self, a: Array) -> Array:
        """Put values in their places, behind q and k."""
        n = 2 * self.n_k * self.h.integer("linear_key_head_dim")
        values = part(a, n, a.shape[0])
        return joined([part(a, 0, n), self.spread(values, self.v_dim)])

    def spread_columns(self, a: Array) -> Array:
        """Put value heads that are columns in their places."""
        return columns_ordered(a, self.spread_order(self.v_dim))


class Qwen35Moe(
    Qwen35,
    arch="qwen35moe",
    classes=["Qwen3_5MoeForCausalLM", "Qwen3_5MoeForConditionalGeneration"],
):
    """The same with experts."""
