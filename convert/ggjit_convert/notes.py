"""What a user may not expect of a file, said in a line each before it is written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np

from ggjit.gguf import GGMLType

from .plan import Planned
from .quantize import FLOATS
from .quantize.roles import Role, role_of

# What llama-quantize makes of layers only with an importance matrix.
WEIGHTED = ("IQ1_S", "IQ1_M", "IQ2_XXS", "IQ2_XS", "IQ2_S", "IQ3_XXS")
TERNARY = ("TQ1_0", "TQ2_0")
N_SAMPLED = 16  # blocks that are looked at to tell ternary weights from others
CLOSE = 0.9  # of the largest weight in a block; ternary ones are 0 or as large


def notes_on(plan: Sequence[Planned]) -> list[str]:
    """Return what types cost that a plan has."""
    changed = [p for p in plan if p.type is not p.source.type]
    return [*_unfit(plan), *_unweighted(changed), *_ternary(changed), *_again(changed)]


def _unfit(plan: Sequence[Planned]) -> Iterator[str]:
    n_of = Counter((p.wanted, p.type) for p in plan if p.type is not p.wanted)
    for (wanted, type), n in n_of.items():
        tensors = "1 tensor is" if n == 1 else f"{n} tensors are"
        yield (
            f"{tensors} {_name(type)}, not {_name(wanted)}: "
            f"rows are no multiple of {wanted.n_columns}"
        )


def _unweighted(changed: Sequence[Planned]) -> Iterator[str]:
    layers = (p for p in changed if role_of(p.name) not in (Role.EMBEDDING, Role.OUTPUT))
    types = {p.type for p in layers if p.importance is None and p.type.name in WEIGHTED}
    if types:
        yield f"{_names(types)} without --imatrix loses much (ggjit imatrix makes one)"


def _ternary(changed: Sequence[Planned]) -> Iterator[str]:
    types = {p.type for p in changed if p.type.name in TERNARY and not _is_ternary(p)}
    if types:
        yield (
            f"{_names(types)} keeps of a weight whether it is above, below or 0: "
            "this model was not trained for that and will not make sense"
        )


def _is_ternary(planned: Planned) -> bool:
    """Tell by a few blocks whether weights are 0 or all alike but for their sign."""
    rows = planned.source.rows(0, min(1, planned.shape[0])).reshape(-1, planned.type.n_columns)
    sizes = np.abs(rows[:N_SAMPLED])
    alike = sizes >= CLOSE * sizes.max(axis=1, keepdims=True, initial=0)
    return bool((alike | (sizes == 0)).all())


def _again(changed: Sequence[Planned]) -> Iterator[str]:
    types = {p.source.type for p in changed if p.type not in FLOATS}
    types = {type for type in types if type.n_columns > 1}
    if types:
        yield f"the source has {_names(types)} already: rounding once more adds to its errors"


def _names(types: set[GGMLType]) -> str:
    return ", ".join(sorted(map(_name, types)))


def _name(type: GGMLType) -> str:
    return type.name.lower()
