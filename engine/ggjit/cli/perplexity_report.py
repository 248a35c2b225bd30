"""Results of `ggjit perplexity`: lines with llama-perplexity's labels, or JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np

from ..generate import Model
from ..measure import Divergence, Estimate, mean
from ..measure.estimate import Float64
from .perplexity_measure import Figures
from .wording import counted

PERCENTS = (99.9, 99, 95, 90, 75, 50, 25, 10, 5, 1, 0.1)


def print_figures(figures: Figures, model: Model, as_json: bool) -> None:
    """Print what was found."""
    if as_json:
        print(json.dumps(record(figures, model), ensure_ascii=False, indent=2))
        return
    for line in lines(figures):
        print(line)


def record(figures: Figures, model: Model) -> dict[str, Any]:
    """Return the figures by name; those with an error are {"value", "error"}."""
    found = {
        "model": str(model.file.path),
        "n_windows": figures.shape[0],
        "n_context": figures.shape[1],
        "n_scored": len(figures.nll),
        "seconds": round(figures.seconds, 3),
        "perplexity": figures.perplexity._asdict(),
    }
    return found | (_record(figures.divergence) if figures.divergence else {})


def _record(found: Divergence) -> dict[str, Any]:
    return {
        "base_perplexity": found.base_perplexity._asdict(),
        "correlation": found.correlation,
        "log_ratio": found.log_ratio._asdict(),
        "ratio": found.log_ratio.exp()._asdict(),
        "difference": found.difference._asdict(),
        "kl": {"mean": found.mean_kl._asdict(), **_spread(found.kl)},
        "delta_p": {
            "mean": mean(found.delta_p)._asdict(),
            "rms": found.rms_delta_p._asdict(),
            **_spread(found.delta_p),
        },
        "same_top": found.same_top_share._asdict(),
    }


def _spread(values: Float64) -> dict[str, float]:
    percents = {f"{p:g}%": float(np.percentile(values, p)) for p in PERCENTS}
    return {"max": float(values.max()), **percents, "min": float(values.min())}


def lines(figures: Figures) -> Iterator[str]:
    """Yield what a person reads."""
    if figures.divergence:
        yield from _comparison(figures.divergence)
    n_windows, size = figures.shape
    speed, ppl = n_windows * size / figures.seconds, figures.perplexity
    yield f"Final estimate: PPL = {ppl.value:.4f} +/- {ppl.error:.5f}"
    yield (
        f"{counted(len(figures.nll), 'token')} scored in {counted(n_windows, 'window')} of {size}; "
        f"{figures.seconds:.1f} s, {speed:.0f} t/s"
    )


def _comparison(found: Divergence) -> Iterator[str]:
    yield "====== Perplexity statistics ======"
    yield f"Mean PPL(Q)                   : {_plain(found.perplexity)}"
    yield f"Mean PPL(base)                : {_plain(found.base_perplexity)}"
    yield f"Cor(ln(PPL(Q)), ln(PPL(base))): {found.correlation:10.4%}"
    yield f"Mean ln(PPL(Q)/PPL(base))     : {_plain(found.log_ratio)}"
    yield f"Mean PPL(Q)/PPL(base)         : {_plain(found.log_ratio.exp())}"
    yield f"Mean PPL(Q)-PPL(base)         : {_plain(found.difference)}"
    yield "\n====== KL divergence statistics ======"
    yield f"Mean    KLD: {found.mean_kl.value:12.6g} ± {found.mean_kl.error:.6g}"
    yield from (f"{name} KLD: {value:12.6g}" for name, value in _labelled(found.kl))
    yield "\n====== Token probability statistics ======"
    yield f"Mean    Δp: {_percent(mean(found.delta_p))}"
    yield from (f"{name} Δp: {value:8.4%}" for name, value in _labelled(found.delta_p))
    yield f"RMS Δp    : {_percent(found.rms_delta_p)}"
    yield f"Same top p: {_percent(found.same_top_share)}\n"


def _labelled(values: Float64) -> Iterator[tuple[str, float]]:
    yield "Maximum", float(values.max())
    for percent in PERCENTS:
        name = "Median " if percent == 50 else f"{percent:4.1f}%  "
        yield name, float(np.percentile(values, percent))
    yield "Minimum", float(values.min())


def _plain(estimate: Estimate) -> str:
    return f"{estimate.value:10.6f} ± {estimate.error:10.6f}"


def _percent(estimate: Estimate) -> str:
    return f"{estimate.value:8.4%} ± {estimate.error:.4%}"
