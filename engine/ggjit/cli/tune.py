"""`ggjit tune`: measure what is fastest for a model on this machine, and remember it."""

from __future__ import annotations

from typing import Annotated

from .flags import Activations, ModelArgument, one_model, option
from .status import show_status

N_CONTEXT = 768  # tokens; longer than anything that is measured


def tune(
    model: ModelArgument = None,
    model_option: Annotated[
        str | None, option("-m", "--model", metavar="MODEL", help="The same as MODEL.")
    ] = None,
    activations: Activations = 16,
) -> None:
    """Find the fastest threads and tiles for a model.

    What is best is remembered on this machine in place of what was, and used from then on.
    """
    from ..backends.cpu.tuning import Speed, Tuning, place_of_model
    from ..backends.cpu.tuning import tune as find_best
    from ..hub import resolve
    from ..loading import graph_of

    graph = graph_of(resolve(one_model(model, model_option)))
    seen: list[Tuning] = []

    def report(tuning: Tuning, speed: Speed) -> None:
        show_status("")
        of = f"{tuning}, the default" if not seen else f"{tuning}"
        seen.append(tuning)
        print(f"{of}: prompt {speed.prompt:.0f} t/s, reply {speed.reply:.1f} t/s", flush=True)
        show_status("measuring")

    show_status("measuring")
    best = find_best(graph, N_CONTEXT, report, activations)
    show_status("")
    print(f"best: {best}, kept in {place_of_model(graph, activations)}")
