"""What a tensor is for, by its name, and whether it is quantized at all (llama-quant.cpp)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import Enum


class Role(Enum):
    """What decides on a tensor's type; OTHER gets that of the mix."""

    EMBEDDING = "embedding"
    OUTPUT = "output"
    VALUE = "value"
    KEY = "key"
    QUERY = "query"
    ATTENTION_OUTPUT = "attention output"
    UP = "up"
    GATE = "gate"
    DOWN = "down"
    OTHER = "other"


PARTS = {  # of names, the first that is found
    "attn_qkv.weight": Role.VALUE, "attn_kv_b.weight": Role.VALUE, "attn_v.weight": Role.VALUE,
    "attn_k.weight": Role.KEY, "attn_q.weight": Role.QUERY,
    "attn_output.weight": Role.ATTENTION_OUTPUT, "ffn_up": Role.UP, "ffn_gate": Role.GATE,
    "ffn_down": Role.DOWN,
}  # fmt: skip
NAMES = {
    "output.weight": Role.OUTPUT, "token_embd.weight": Role.EMBEDDING,
    "per_layer_token_embd.weight": Role.EMBEDDING,
}  # fmt: skip

KEPT = (  # small, or hurt by any rounding
    "_norm.weight", "ffn_gate_inp.weight", "ffn_gate_tid2eid.weight", "altup", "laurel",
    "per_layer_model_proj", "ssm_conv1d", "shortconv.conv.weight", "indexer.k_proj.weight",
    "indexer.q_proj.weight", "time_mix_first.weight", "time_mix_w0.weight", "time_mix_w1.weight",
    "time_mix_w2.weight", "time_mix_v0.weight", "time_mix_v1.weight", "time_mix_v2.weight",
    "time_mix_a0.weight", "time_mix_a1.weight", "time_mix_a2.weight", "time_mix_g1.weight",
    "time_mix_g2.weight", "time_mix_decay_w1.weight", "time_mix_decay_w2.weight",
    "time_mix_lerp_fused.weight", "attn_rel_b.weight", ".position_embd", "sam.pos_embd",
    "sam.neck.", "sam.net_", ".rel_pos", ".patch_embd", ".patch_merger", "a.rvq.codebook",
    "mm.a.code_embd",
)  # fmt: skip
KEPT_NAMES = ("position_embd.weight", "token_types.weight")


def role_of(name: str) -> Role:
    """Return a tensor's role."""
    found = (role for part, role in PARTS.items() if part in name)
    return NAMES.get(name) or next(found, Role.OTHER)


def is_quantized(name: str, shape: Sequence[int]) -> bool:
    """Tell whether a tensor is made another type at all: matrices of weights, most of them."""
    is_matrix = any(n > 1 for n in shape[:-1])
    kept = name in KEPT_NAMES or any(part in name for part in KEPT)
    return is_matrix and name.endswith("weight") and not kept


def layer_of(name: str) -> int:
    """Return the layer in a tensor's name, or -1."""
    found = re.match(r"blk\.(\d+)\.", name)
    return int(found[1]) if found else -1
