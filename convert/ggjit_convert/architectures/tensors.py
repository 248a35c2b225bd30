"""Changes to a checkpoint's tensors, chosen by patterns of their names."""

from __future__ import annotations

import re
from collections.abc import Callable

from ..arrays import Array
from ..errors import listed
from ..transforms import inner_part, stacked

Tensors = dict[str, Array]


def apply(tensors: Tensors, pattern: str, change: Callable[[Array], Array]) -> Tensors:
    """Change those whose name has the pattern."""
    return {n: change(a) if re.search(pattern, n) else a for n, a in tensors.items()}


def rename(tensors: Tensors, pattern: str, by: str) -> Tensors:
    """Replace the pattern in names."""
    return {re.sub(pattern, by, name): a for name, a in tensors.items()}


def drop(tensors: Tensors, pattern: str) -> Tensors:
    """Leave out those whose name has the pattern."""
    return {name: a for name, a in tensors.items() if not re.search(pattern, name)}


def divide(tensors: Tensors, pattern: str, parts: Callable[[Array], dict[str, Array]]) -> Tensors:
    """Replace each whose name has the pattern by parts; their names stand for the pattern."""
    out: Tensors = {}
    for name, a in tensors.items():
        if re.search(pattern, name):
            out |= {re.sub(pattern, part, name): p for part, p in parts(a).items()}
        else:
            out[name] = a
    return out


def gate_and_up(a: Array) -> dict[str, Array]:
    """Part a stack that has each expert's gate above its up matrix."""
    n = a.shape[1] // 2
    return {
        r"\1.gate_proj.weight": inner_part(a, slice(0, n)),
        r"\1.up_proj.weight": inner_part(a, slice(n, 2 * n)),
    }


def stack_experts(tensors: Tensors, n_experts: int) -> Tensors:
    """Put `....experts.I.NAME.weight` of all experts into one `....experts.NAME.weight`.

    Those that are in one already, as transformers has them in memory, and MLX in files, get names
    as others. Raises: ValueError naming all that lack experts, or have some that do not fit.
    """
    tensors = rename(tensors, r"\.(mlp|block_sparse_moe)\.switch_mlp\.", ".mlp.experts.")
    tensors = divide(tensors, r"(\.experts)\.gate_up_proj(\.weight)?$", gate_and_up)
    tensors = rename(tensors, r"(\.experts\.down_proj)$", r"\1.weight")
    out: Tensors = {}
    stacks: dict[str, dict[int, Array]] = {}
    for name, a in tensors.items():
        if found := re.fullmatch(r"(.*\.experts)\.(\d{1,9})(\..*)", name):
            stacked_name = found[1] + found[3]
            out[stacked_name] = a  # keeps its place
            stacks.setdefault(stacked_name, {})[int(found[2])] = a
        else:
            out[name] = a
    return out | _stacked(stacks, n_experts)


def _stacked(stacks: dict[str, dict[int, Array]], n_experts: int) -> Tensors:
    lacking = [n for n, of in stacks.items() if len(of) != n_experts or max(of) != n_experts - 1]
    odd = [n for n, of in stacks.items() if len({a.shape for a in of.values()}) > 1]
    problems = listed(f"have not the {n_experts} experts that config.json says", lacking)
    problems += listed("have experts of different shapes", odd)
    if problems:
        raise ValueError("; ".join(problems))
    return {n: stacked([of[i] for i in range(n_experts)]) for n, of in stacks.items()}
