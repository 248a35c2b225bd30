"""Rotary embeddings as config.json tells them, in transformers' older ways and its newer one.

`rope_parameters` has all of it, or an object for each kind of layers; before there were
`rope_scaling` and single values beside it.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..hyperparameters import Hyperparameters
from ..keys import Keys
from ..transforms import floats
from .tensors import Tensors

YARN = {
    "extrapolation_factor": "rope.scaling.yarn_ext_factor",
    "beta_fast": "rope.scaling.yarn_beta_fast",
    "beta_slow": "rope.scaling.yarn_beta_slow",
}
BESIDE = ("rope_theta", "original_max_position_embeddings", "partial_rotary_factor")
# Nothing is scaled, or only beyond the longest context (dynamic), or elsewhere (llama3, by tensors;
# proportional and sections of mrope, by their families).
UNSCALED = ("default", "dynamic", "linear", "llama3", "mrope", "proportional", "yarn")


def rotary(h: Hyperparameters) -> Hyperparameters:
    """Return the values of layers that see everything."""
    values = _all_layers(h)
    if not isinstance(values.get("full_attention", {}), dict):
        raise h.error("rope_parameters", "has a full_attention that is no object")
    values = dict(values.get("full_attention", values))
    for name in BESIDE:
        if name not in values and h.has(name):
            values[name] = h.value(name)
    return h.of(values)


def write_rotary(k: Keys, h: Hyperparameters, rope: Hyperparameters) -> None:
    """Set the keys of `rope`, which `rotary` found."""
    kind = rope.text("rope_type", "type", default="default")
    factor = rope.number("factor", default=None)
    if kind in ("su", "longrope"):
        k["rope.scaling.type"] = "longrope"
    elif kind not in UNSCALED:
        raise h.error("rope_parameters", f"has type {kind!r}, which is not known")
    if kind in ("linear", "yarn") and factor is not None:
        k["rope.scaling.type"] = kind
        k["rope.scaling.factor"] = factor
    if kind == "yarn" and factor is not None:
        _write_yarn(k, h, rope)
    if (base := rope.number("rope_theta", default=None)) is not None:
        k["rope.freq_base"] = base
    if (local := _base_of_windows(h)) is not None:
        k["rope.freq_base_swa"] = local


def llama3_frequencies(rope: Hyperparameters, n_dims: int) -> Tensors:
    """Return the factors that divide frequencies in Llama 3.1 and later, if there are any."""
    if rope.text("rope_type", "type", default="").lower() != "llama3":
        return {}
    base = rope.number("rope_theta", default=10000.0)
    factor = rope.number("factor", default=8.0, low=1.0)
    low = rope.number("low_freq_factor", default=1.0)
    high = rope.number("high_freq_factor", default=4.0)
    old = rope.number("original_max_position_embeddings", default=8192.0)
    turned = np.arange(0, n_dims, 2, dtype=np.float32) / np.float32(n_dims)
    frequencies = np.float32(1) / np.float32(base) ** turned
    turns = old / (2 * math.pi / frequencies)
    span = max(high - low, 1e-9)  # Llama 4 has none
    smooth = np.clip((turns - low) / span, 0, 1)
    return {"rope_freqs.weight": floats("rope_freqs", 1 / ((1 - smooth) / factor + smooth))}


def _all_layers(h: Hyperparameters) -> dict[str, Any]:
    for name in ("rope_parameters", "rope_scaling"):
        if h.has(name):
            return h.below(name).values
    return {}


def _base_of_windows(h: Hyperparameters) -> float | None:
    """Return the base of layers with a window, where it is one of their own."""
    local = _all_layers(h).get("sliding_attention")
    if isinstance(local, dict):
        return h.of(local).number("rope_theta", default=None)
    return h.number("rope_local_base_freq", default=None)


def _write_yarn(k: Keys, h: Hyperparameters, rope: Hyperparameters) -> None:
    name = "original_max_position_embeddings"
    longest = h.integer("max_position_embeddings", default=None)
    k["rope.scaling.original_context_length"] = (
        rope.integer(name) if rope.has(name) or longest is None else longest
    )
    if rope.has("truncate"):
        k["ggjit.rope.scaling.yarn_truncate"] = rope.flag("truncate")
    for field, key in YARN.items():
        if (value := rope.number(field, default=None)) is not None:
            k[key] = value
    attn = rope.number("attention_factor", "attn_factor", default=None)
    if attn is not None:
        k["rope.scaling.yarn_attn_factor"] = attn
