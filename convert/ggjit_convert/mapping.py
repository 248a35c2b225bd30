"""A checkpoint's tensors by GGUF's names, all checked before a byte is written.

A problem does not come alone: all are named in one message.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable

import numpy as np

from .architectures import Architecture
from .architectures.base import Tensors, names_of
from .architectures.nested import NOT_WEIGHTS, text_tensors
from .arrays import INTEGERS, Array, made_of
from .errors import CheckpointError, listed
from .rehearsal import EMBEDDING, OUTPUT, rehearsed

GGUF_NAME = re.compile(r"blk\.\d{1,4}\.")
COMPARED = 256  # rows at a time


def mapped(family: Architecture) -> Tensors:
    """Return the checkpoint's tensors as GGUF has them, by GGUF's names.

    Raises: CheckpointError naming every tensor that maps nowhere, is missing or has another shape
    than the configuration says.
    """
    found, unknown = named(family, family.more_tensors())
    missing, wrong = rehearsed(family, found, _missing(found, family))
    problems = listed("have no place in this architecture", unknown)
    problems += listed("are missing", missing)
    problems += listed(f"have other shapes than {family.checkpoint.config_file} says", wrong)
    problems += listed("are of integers, which nothing says the scales of", _integers(found))
    problems += listed("are empty", [n for n, a in found.items() if 0 in a.shape])
    if problems:
        raise CheckpointError("; ".join(problems), path=family.checkpoint.path)
    if family.h.flag("tie_word_embeddings") and is_copy(found.get(OUTPUT), found[EMBEDDING]):
        del found[OUTPUT]  # engines take the embedding where there is none
    return found


def named(family: Architecture, made: Tensors) -> tuple[Tensors, list[str]]:
    """Return those that were made and the checkpoint's by GGUF's names, and names that have none.

    Raises: CheckpointError for two of one name, or if they are not what the family expects.
    """
    path = family.checkpoint.path
    try:
        given = text_tensors(dict(family.checkpoint.tensors))
        changed = family.change(given)
    except ValueError as error:
        if isinstance(error, CheckpointError):
            raise
        raise CheckpointError(str(error), path=path) from None
    names = names_of(family.arch, family.n_blocks)
    found, unknown = dict(made), []
    for name, a in changed.items():
        known = names.get_name(name, try_suffixes=(".weight", ".bias"))
        if known is None and GGUF_NAME.match(name) and name not in given:
            known = name  # a family's own, which the table has not for it
        if known is None:
            unknown.append(name)
        elif known in found:
            raise CheckpointError(f"is {known!r}, which is there already", path=path, field=name)
        else:
            found[known] = a
    return found, unknown


def _integers(found: Tensors) -> list[str]:
    return [name for name, a in found.items() if a.type in INTEGERS]


def unused(given: Tensors, found: Tensors) -> list[str]:
    """Return names of weights that nothing found is made of."""
    used = {id(part) for a in found.values() for part in made_of(a)}
    return [n for n, a in given.items() if id(a) not in used and not NOT_WEIGHTS.search(n)]


def is_copy(a: Array | None, b: Array) -> bool:
    """Tell whether two arrays hold the same, of the same type."""
    if a is None or (a.shape, a.type) != (b.shape, b.type):
        return False
    starts = range(0, a.shape[0], COMPARED)
    return all(np.array_equal(a.blocks(i, end := min(i + COMPARED, a.shape[0])), b.blocks(i, end))
               for i in starts)  # fmt: skip


def _missing(found: Iterable[str], family: Architecture) -> list[str]:
    """Return what every model needs, and what some layers have and others of their kind lack.

    Two layers are of a kind if they attend alike: what tells them apart is what they have most of.
    """
    names, n_layers = set(found), family.n_layers
    missing = [name for name in family.needed if name not in names]
    layers: dict[int, set[str]] = {i: set() for i in range(n_layers)}
    for name in names:
        if (at := re.match(r"blk\.(\d+)\.(.*)", name)) and int(at[1]) < n_layers:
            layers[int(at[1])].add(at[2])
    kinds: dict[frozenset[str], list[int]] = defaultdict(list)
    for i, parts in layers.items():
        kinds[frozenset(parts)].append(i)
    whole = [kind for kind in kinds if not any(kind < other for other in kinds)]
    for kind, numbers in kinds.items():
        fuller = [other for other in whole if kind < other]
        if fuller:
            best = min(fuller, key=len)
            missing += [f"blk.{i}.{part}" for i in numbers for part in sorted(best - kind)]
    return missing
