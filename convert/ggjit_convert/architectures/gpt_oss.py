"""gpt-oss: gate and up rows take turns; experts are MXFP4, kept as they are."""

from __future__ import annotations

from typing import Any, ClassVar

from ..arrays import Array
from ..keys import Keys
from ..transforms import inner_part, transposed
from .base import Architecture, Tensors
from .tensors import divide, rename


class GptOss(Architecture, arch="gpt-oss", classes=["GptOssForCausalLM"]):
    defaults: ClassVar[dict[str, Any]] = {"rms_norm_eps": 1e-5}

    def write_keys(self, k: Keys) -> None:
        self.write_shared_keys(k)
        k["attention.sliding_window"] = self.h.integer("sliding_window")
        k["expert_feed_forward_length"] = self.h.integer("intermediate_size")

    def change(self, tensors: Tensors) -> Tensors:
        tensors = rename(tensors, r"\.sinks$", ".sinks.weight")
        tensors = divide(tensors, r"\.down_proj$", lambda a: {".down_proj.weight": rows(a)})
        tensors = rename(tensors, r"\.down_proj_bias$", ".down_proj.bias")
        tensors = divide(tensors, r"\.gate_up_proj$", lambda a: turns(rows(a), "weight"))
        return divide(tensors, r"\.gate_up_proj_bias$", lambda a: turns(a, "bias"))


def rows(a: Array) -> Array:
    """Return a stack with outputs as rows: floats are stored transposed, blocks are not."""
    return a if a.type.n_columns > 1 else transposed(a)


def turns(a: Array, kind: str) -> dict[str, Array]:
    """Part what has gate and up in turn."""
    return {
        f".gate_proj.{kind}": inner_part(a, slice(0, None, 2)),
        f".up_proj.{kind}": inner_part(a, slice(1, None, 2)),
    }
