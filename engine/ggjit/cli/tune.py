"""`ggjit tune`: measure what is fastest for a model on this machine, and remember it."""

from __future__ import annotations

from typing import Annotated

from .flags import Activations, ModelArgument, one_model, option
from .status import show_status

N_CONTEXT = 512  # tokens; longer than anything that is measured


def tune(
    model: ModelArgument = None,
    model_option: Annotated[
        str | None, option("-m", "--model", metavar="MODEL", help="The same as MODEL.")
    ] = None,
    activations: Activations = 16,
) -> None:
    """Measure threads and tiles for a model; what is best is used from then on."""
    from ..backends.cpu.tuning import Speed, Tuning
    from ..backends.cpu.tuning import tune as find_best
    from ..hub import resolve
    from ..loading import graph_of

    graph = graph_of(resolve(one_model(model, model_option)))

    def report(tuning: Tuning, speed: Speed) -> None:
        show_status("")
        print(f"{tuning}: prompt {speed.prompt:.0f} t/s, reply {speed.reply:.1f} t/s", flush=True)
        show_status("measuring")

    show_status("measuring")
    best = find_best(graph, N_CONTEXT, report, activations)
    show_status("")
    print(f"best: {best}")
