"""What converting one family of checkpoints takes: its keys, its tensors, what is moved in them."""

from __future__ import annotations

import math
import re
from typing import Any, ClassVar

import gguf
import numpy as np

from ..arrays import Array
from ..hyperparameters import Hyperparameters
from ..keys import Keys
from ..sources import Checkpoint
from ..transforms import computed, floats, ordered

Tensors = dict[str, Array]

# Of a checkpoint's tensors, what a text model does not need: buffers, other modalities.
NOT_WEIGHTS = re.compile(
    r"\.attention\.(masked_)?bias$|\.attn\.(masked_)?bias$|rotary_emb\.inv_freq$"
    r"|^(model\.)?(visual|vision|audio|vision_tower|vision_model|multi_modal_projector)"
)
# GGUF's key, config.json's names for it, and whether it is an integer.
SHARED_KEYS: list[tuple[str, tuple[str, ...], bool]] = [
    (
        "context_length",
        ("max_position_embeddings", "n_ctx", "n_positions", "model_max_length"),
        True,
    ),
    ("embedding_length", ("hidden_size", "n_embd", "dim"), True),
    ("feed_forward_length", ("intermediate_size", "n_inner", "hidden_dim"), True),
    ("attention.head_count", ("num_attention_heads", "n_head", "n_heads"), True),
    ("attention.head_count_kv", ("num_key_value_heads", "n_kv_heads"), True),
    ("attention.layer_norm_rms_epsilon", ("rms_norm_eps", "norm_eps"), False),
    ("attention.layer_norm_epsilon", ("layer_norm_eps", "layer_norm_epsilon"), False),
    ("expert_count", ("num_local_experts", "num_experts", "n_routed_experts"), True),
    ("expert_used_count", ("num_experts_per_tok", "num_experts_per_token"), True),
    ("expert_group_count", ("n_group",), True),
    ("expert_group_used_count", ("topk_group",), True),
    ("attention.key_length", ("head_dim",), True),
    ("attention.value_length", ("head_dim",), True),
]
SCORES = {"softmax": 1, "sigmoid": 2}
YARN = {
    "extrapolation_factor": "rope.scaling.yarn_ext_factor",
    "beta_fast": "rope.scaling.yarn_beta_fast",
    "beta_slow": "rope.scaling.yarn_beta_slow",
}


class Architecture:
    """A family: class Name(Architecture, arch=GGUF's name, classes=those that config.json names).

    `defaults` are values of transformers' configuration class, for what config.json leaves out.
    Source of names, keys and transforms: llama.cpp's converter.
    """

    known: ClassVar[dict[str, type[Architecture]]] = {}  # by the names of classes
    arch: str
    defaults: ClassVar[dict[str, Any]] = {}
    transposed: ClassVar[str] = r"(?!)"  # pattern of matrices whose rows are inputs
    needed: ClassVar[tuple[str, ...]] = ("token_embd.weight", "output_norm.weight")

    def __init_subclass__(cls, arch: str, classes: list[str]) -> None:
        cls.arch = arch
        Architecture.known |= dict.fromkeys(classes, cls)

    def __init__(self, checkpoint: Checkpoint) -> None:
        self.checkpoint = checkpoint
        self.h = Hyperparameters(checkpoint, self.defaults)
        self.n_layers = self.h.integer("num_hidden_layers", "n_layer", "n_layers", low=1)
        self.rope = self._rope()

    # -- what a family adds to ---------------------------------------------------------------------

    @property
    def n_blocks(self) -> int:
        """Layers in the file, those that predict further tokens among them."""
        return self.n_layers

    def write_keys(self, k: Keys) -> None:
        """Set the architecture's keys."""
        self.write_shared_keys(k)

    def change(self, tensors: Tensors) -> Tensors:
        """Return the tensors as GGUF has them, by the checkpoint's names, or GGUF's own."""
        return tensors

    def more_tensors(self) -> Tensors:
        """Return tensors that are made of hyperparameters, by GGUF's names."""
        return {}

    def notes(self) -> list[str]:
        """Return what other engines will not make of the file as it is meant, a line each."""
        return []

    # -- what they share -------------------------------------------------------------------------

    @property
    def n_head(self) -> int:
        return self.h.integer("num_attention_heads", "n_head", "n_heads", low=1)

    @property
    def n_kv_head(self) -> int:
        names = ("num_key_value_heads", "n_kv_heads")
        return self.h.integer(*names, default=self.n_head, low=1)

    @property
    def n_embd(self) -> int:
        return self.h.integer("hidden_size", "n_embd", "dim", low=1)

    @property
    def head_dim(self) -> int:
        return self.h.integer("head_dim", default=self.n_embd // self.n_head)

    def write_shared_keys(self, k: Keys) -> None:
        """Set what most families have."""
        k["block_count"] = self.n_blocks
        for key, names, whole in SHARED_KEYS:
            read = self.h.integer if whole else self.h.number
            if (value := read(*names, default=None)) is not None:
                k[key] = value
        score = self.h.text("score_function", "scoring_func", default=None)
        if score is not None:
            if score not in SCORES:
                raise self.h.error("scoring_func", f"is {score!r}, known: {', '.join(SCORES)}")
            k["expert_gating_func"] = SCORES[score]
        self._write_rope(k)

    def _write_rope(self, k: Keys) -> None:
        rope = self.rope
        kind = rope.text("rope_type", "type", default="default")
        factor = rope.number("factor", default=None)
        if kind in ("linear", "yarn") and factor is not None:
            k["rope.scaling.type"] = kind
            k["rope.scaling.factor"] = factor
        if kind == "yarn" and factor is not None:
            name = "original_max_position_embeddings"
            k["rope.scaling.original_context_length"] = rope.integer(name)
            if rope.has("truncate"):
                k["ggjit.rope.scaling.yarn_truncate"] = rope.flag("truncate")
            for field, key in YARN.items():
                if (value := rope.number(field, default=None)) is not None:
                    k[key] = value
            attn = rope.number("attention_factor", "attn_factor", default=None)
            if attn is not None:
                k["rope.scaling.yarn_attn_factor"] = attn
        elif kind in ("su", "longrope"):
            k["rope.scaling.type"] = "longrope"
        elif kind not in ("default", "linear", "llama3", "yarn", "proportional"):
            raise self.h.error("rope_parameters", f"has type {kind!r}, which is not known")
        if (base := rope.number("rope_theta", default=None)) is not None:
            k["rope.freq_base"] = base
        local = self._all_rope().get("sliding_attention", {})
        if (base := self.h.of(local).number("rope_theta", default=None)) is not None:
            k["rope.freq_base_swa"] = base

    def _all_rope(self) -> dict[str, Any]:
        for name in ("rope_parameters", "rope_scaling"):
            if self.h.has(name):
                return dict(self.h.below(name)._values)
        return {}

    def _rope(self) -> Hyperparameters:
        """Return the rotary embedding's values, of layers that see everything."""
        values = self._all_rope()
        values = dict(values.get("full_attention", values))
        for name in ("rope_theta", "original_max_position_embeddings", "partial_rotary_factor"):
            if name not in values and self.h.has(name):
                values[name] = self.h._first((name,), None)[1]
        return self.h.of(values)

    def llama3_frequencies(self) -> Tensors:
        """Return the factors that divide frequencies in Llama 3.1 and later, if there are any."""
        if self.rope.text("rope_type", "type", default="").lower() != "llama3":
            return {}
        dim = self.head_dim
        base = self.rope.number("rope_theta", default=10000.0)
        factor = self.rope.number("factor", default=8.0)
        low = self.rope.number("low_freq_factor", default=1.0)
        high = self.rope.number("high_freq_factor", default=4.0)
        old = self.rope.number("original_max_position_embeddings", default=8192.0)
        turned = np.arange(0, dim, 2, dtype=np.float32) / np.float32(dim)
        frequencies = np.float32(1) / np.float32(base) ** turned
        turns = old / (2 * math.pi / frequencies)
        smooth = np.clip((turns - low) / (high - low), 0, 1)
        return {"rope_freqs.weight": floats("rope_freqs", 1 / ((1 - smooth) / factor + smooth))}


def permuted(a: Array, n_heads: int) -> Array:
    """Put rotary pairs of each head's rows side by side, which were in its halves."""
    if a.shape[0] % (2 * n_heads):
        raise ValueError(f"{a.shape[0]} rows are no {n_heads} heads of pairs")
    order = np.arange(a.shape[0]).reshape(n_heads, 2, -1).swapaxes(1, 2).reshape(-1)
    return ordered(a, order)


def names_of(arch: str, n_blocks: int) -> gguf.TensorNameMap:
    """Return GGUF's names by those of checkpoints."""
    by_name = {name: number for number, name in gguf.MODEL_ARCH_NAMES.items()}
    return gguf.get_tensor_name_map(by_name[arch], n_blocks)


def decays(a: Array) -> Array:
    """Return what A_log stands for, -exp of it."""
    return computed(a, lambda x: -np.exp(x.astype(np.float64)), "-exp")
