"""Rotary embeddings from metadata: base, and how long contexts stretch them.

Linear scaling; factors of frequencies (Llama 3.1, LongRoPE: arXiv:2402.13753); YaRN
(arXiv:2309.00071). Names and defaults: llama.cpp, llama-context.cpp and ggml's rope.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from ..graph import Param, RopeSpec, Weights
from .config import Config

Frequencies = npt.NDArray[np.float64]


def rope(
    c: Config, *, interleaved: bool, factors: Param | None = None, truncate: bool = True
) -> RopeSpec:
    """Return how positions turn pairs. `factors` divide frequencies; `truncate` is YaRN's.

    Raises: ValueError for a scaling type that is not known here.
    """
    base = c.number("rope.freq_base", 10000.0)
    frequencies = plain(c, base)
    if factors is not None:
        frequencies /= checked(factors, len(frequencies))
    kind = c.text("rope.scaling.type", "linear")
    if kind == "yarn":
        return yarn(c, base, frequencies, interleaved, truncate)
    if kind not in ("none", "linear", "longrope"):
        raise c.wrong("rope.scaling.type", kind, "'none', 'linear', 'yarn' or 'longrope'")
    old_name = c.number("rope.scale_linear", 0.0, low=0.0)
    factor = c.number("rope.scaling.factor", old_name or 1.0)
    stretched = frequencies / (factor if kind == "linear" else 1.0)
    return RopeSpec(stretched, interleaved, c.number("rope.scaling.attn_factor", 1.0))


def unscaled(c: Config, base: float, *, interleaved: bool) -> RopeSpec:
    """Return a rotary embedding of another base, without scaling: that of layers with a window."""
    return RopeSpec(plain(c, base), interleaved)


def plain(c: Config, base: float) -> Frequencies:
    """Return base ** (-2i / n_rot) for each pair i."""
    n_rot = c.n_rot
    return base ** (-np.arange(0, n_rot, 2, dtype=np.float64) / n_rot)


def long_or_short(c: Config, w: Weights) -> Param | None:
    """Return LongRoPE's factors for the context in use, None if the file has none."""
    if not w.has("rope_factors_long"):
        return None
    long, short = w.rope_factors_long, w.rope_factors_short
    return long if c.n_context > original_context(c) else short


def original_context(c: Config) -> int:
    """Return the context of training before it was made longer."""
    return c.integer("rope.scaling.original_context_length", c.n_context_trained, high=1 << 30)


def yarn(
    c: Config, base: float, frequencies: Frequencies, interleaved: bool, truncate: bool
) -> RopeSpec:
    """Stretch slow pairs by the factor, fast ones not, those between in part."""
    factor = c.number("rope.scaling.factor")
    old, n_pairs = original_context(c), len(frequencies)
    if base == 1:
        raise c.wrong("rope.freq_base", base, "another base than 1 for YaRN")

    def pair_with(turns: float) -> float:
        """Return which pair turns so often within the context of training."""
        return n_pairs * math.log(old / (turns * 2 * math.pi)) / math.log(base)

    low = pair_with(c.number("rope.scaling.yarn_beta_fast", 32.0))
    high = pair_with(c.number("rope.scaling.yarn_beta_slow", 1.0))
    if c.flag("ggjit.rope.scaling.yarn_truncate", truncate):
        low, high = math.floor(low), math.ceil(high)
    low, high = max(low, 0), min(high, 2 * n_pairs - 1)
    ramp = np.clip((np.arange(n_pairs) - low) / max(high - low, 0.001), 0, 1)
    kept = (1 - ramp) * c.number("rope.scaling.yarn_ext_factor", 1.0)
    stretched = frequencies * (kept + (1 - kept) / factor)
    return RopeSpec(stretched, interleaved, magnitude(c, factor))


def magnitude(c: Config, factor: float) -> float:
    """Return YaRN's factor on cos and sin."""
    named = c.number("rope.scaling.yarn_attn_factor", 0.0, low=0.0)
    if named:
        return named
    all_dims = c.number("rope.scaling.yarn_log_multiplier", 0.0, low=0.0)
    value = mscale(factor, 1.0) / (mscale(factor, all_dims) if all_dims else 1.0)
    return value * c.number("rope.scaling.attn_factor", 1.0)


def mscale(factor: float, multiplier: float) -> float:
    """Return how much attention sharpens with the context (YaRN, section 3.4)."""
    return 0.1 * multiplier * math.log(factor) + 1.0 if factor > 1 else 1.0


def checked(factors: Param, n_pairs: int) -> npt.NDArray[np.float64]:
    """Return factors as numbers. Raises: ValueError unless there are n_pairs, all positive."""
    values = factors.floats()
    if values.shape != (n_pairs,) or not np.all(values > 0):
        where = f"{factors.tensor.path}: tensor {factors.tensor.name!r}"
        raise ValueError(f"{where} needs {n_pairs} positive values")
    return values.astype(np.float64)
