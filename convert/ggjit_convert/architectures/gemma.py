"""Gemma 1 to 3: norms' weights are kept without the 1 that is added to them."""

from __future__ import annotations

from typing import Any, ClassVar

from ..errors import CheckpointError
from ..keys import Keys
from ..sources.strict_json import read_json
from ..transforms import computed, part
from .base import Architecture, Tensors
from .tensors import apply, drop


class Gemma(Architecture, arch="gemma", classes=["GemmaForCausalLM"]):
    defaults: ClassVar[dict[str, Any]] = {
        "rms_norm_eps": 1e-6, "head_dim": 256, "max_position_embeddings": 8192,
    }  # fmt: skip

    def write_keys(self, k: Keys) -> None:
        self.write_shared_keys(k)
        k["attention.head_count_kv"] = self.n_kv_head
        k.drop("rope.freq_base")  # llama.cpp's converter leaves it at 10000

    def change(self, tensors: Tensors) -> Tensors:
        tensors = drop(tensors, r"lm_head\.weight$")  # the embedding's
        return apply(tensors, r"norm\.weight$", lambda a: computed(a, lambda x: x + 1, "1 added"))


class Gemma2(Gemma, arch="gemma2", classes=["Gemma2ForCausalLM"]):
    defaults: ClassVar[dict[str, Any]] = Gemma.defaults | {
        "attn_logit_softcapping": 50.0, "final_logit_softcapping": 30.0, "sliding_window": 4096,
    }  # fmt: skip

    def write_keys(self, k: Keys) -> None:
        super().write_keys(k)
        k["attn_logit_softcapping"] = self.h.number("attn_logit_softcapping")
        k["final_logit_softcapping"] = self.h.number("final_logit_softcapping")
        k["attention.sliding_window"] = self.h.integer("sliding_window")
        write_scale(self, k, n_layer_27b=46)


class Gemma3(Gemma, arch="gemma3", classes=["Gemma3ForCausalLM", "Gemma3ForConditionalGeneration"]):
    defaults: ClassVar[dict[str, Any]] = {
        "rms_norm_eps": 1e-6, "head_dim": 256, "max_position_embeddings": 131072,
        "num_attention_heads": 8, "num_key_value_heads": 4, "rope_theta": 1e6,
        "vocab_size": 262208,
    }  # fmt: skip

    def write_keys(self, k: Keys) -> None:
        self.write_shared_keys(k)
        k["rope.freq_base"] = self.rope.number("rope_theta", default=1e6)
        if (cap := self.h.number("final_logit_softcapping", default=None)) is not None:
            k["final_logit_softcapping"] = cap
        if self.h.integer("sliding_window_pattern", default=0) != 1:
            k["attention.sliding_window"] = self.h.integer("sliding_window")
        write_scale(self, k, n_layer_27b=62)

    def change(self, tensors: Tensors) -> Tensors:
        n = self.n_vocab
        tensors = apply(tensors, r"embed_tokens\.weight$", lambda a: part(a, 0, min(n, a.shape[0])))
        return super().change(tensors)

    @property
    def n_vocab(self) -> int:
        """Tokens that the tokenizer knows: rows behind them are dropped."""
        path = self.checkpoint.tokenizer_file("tokenizer.json")
        if path is None or self.checkpoint.tokenizer_file("tokenizer.model"):
            return self.h.integer("vocab_size")
        known = read_json(path)
        try:
            return len(known["model"]["vocab"]) + len(known["added_tokens"])
        except (KeyError, TypeError):
            raise CheckpointError("lists no tokens", path=path, field="model.vocab") from None


def write_scale(family: Architecture, k: Keys, n_layer_27b: int) -> None:
    """Say how scores are scaled where it is not what engines take it to be."""
    share = family.n_embd // family.n_head
    usual = share if family.n_layers == n_layer_27b else family.head_dim
    if (scalar := family.h.number("query_pre_attn_scalar", default=float(usual))) != usual:
        k["ggjit.attention.scale"] = scalar**-0.5
