"""Adapters as PEFT saves them, a few numbers each."""

import numpy as np
from checkpoint_files import write

from ggjit_convert.sources import open_checkpoint

PREFIX = "base_model.model."


def pair(rng, module, n_out, n_in, rank=2, embedding=False):
    """Return factors by PEFT's names."""
    a, b = (rng.normal(size=s).astype(np.float32) for s in ((rank, n_in), (n_out, rank)))
    kind, end = ("embedding_", "") if embedding else ("", ".weight")
    return {f"{PREFIX}{module}.lora_{kind}{side}{end}": x for side, x in (("A", a), ("B", b))}


def settings(**changes):
    return {"peft_type": "LORA", "r": 2, "lora_alpha": 3} | changes


def values_of(a):
    return a.rows(0, a.shape[0])


def tensors_of(folder):
    return {name: values_of(a) for name, a in open_checkpoint(folder).tensors.items()}


def write_adapter(folder, tensors, **changes):
    """Write an adapter's folder."""
    files = {"adapter_config__json": settings(**changes), "adapter_model__safetensors": tensors}
    return write(folder, **files)
