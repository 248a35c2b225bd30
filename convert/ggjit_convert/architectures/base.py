"""What converting one family of checkpoints takes: its keys, its tensors, what is moved in them."""

from __future__ import annotations

from typing import Any, ClassVar

import gguf
import numpy as np

from ..arrays import Array
from ..hyperparameters import REQUIRED, Hyperparameters
from ..keys import Keys
from ..sources import Checkpoint
from ..transforms import ordered
from .nested import text_defaults
from .rotary import rotary, write_rotary
from .tensors import Tensors

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
NEEDED = ("context_length", "embedding_length", "attention.head_count")
MOST_BLOCKS = 1024  # each takes a line in the table of names
SCORES = {"softmax": 1, "sigmoid": 2}
SCORE_NAMES = ("score_function", "scoring_func", "moe_router_activation_func")


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
        again = Architecture.known.keys() & classes
        assert not again, f"{again} have a family already"
        Architecture.known |= dict.fromkeys(classes, cls)

    def __init__(self, checkpoint: Checkpoint) -> None:
        self.checkpoint = checkpoint
        self.h = Hyperparameters(checkpoint, self.defaults | text_defaults(checkpoint.config))
        self.n_layers = self.h.integer("num_hidden_layers", "n_layer", "n_layers", low=1)
        self.rope = rotary(self.h)
        if self.n_blocks > MOST_BLOCKS:
            problem = f"makes {self.n_blocks} layers, at most {MOST_BLOCKS} are converted"
            raise self.h.error("num_hidden_layers", problem)

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
            default = REQUIRED if key in NEEDED else None
            if (value := read(*names, default=default)) is not None:
                k[key] = value
        score = self.h.text(*SCORE_NAMES, default=None)
        if score is not None:
            if score not in SCORES:
                name = next(name for name in SCORE_NAMES if self.h.has(name))
                raise self.h.error(name, f"is {score!r}, known: {', '.join(SCORES)}")
            k["expert_gating_func"] = SCORES[score]
        write_rotary(k, self.h, self.rope)


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
