"""Tensors that several of a checkpoint's make together, a few rows at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..arrays import INTEGERS, Array, Floats
from ..transforms import Combined
from .settings import Tensors

Integers = npt.NDArray[Any]


def integers(a: Array, start: int = 0, stop: int | None = None) -> Integers:
    """Return part of the first axis of a tensor of integers. Raises: ValueError for another."""
    check_integers(a)
    stop = a.shape[0] if stop is None else stop
    return a.blocks(start, stop).view(INTEGERS[a.type]).reshape(stop - start, *a.shape[1:])


def taken(tensors: Tensors, name: str) -> Array:
    """Take out a tensor. Raises: ValueError if it is missing."""
    if name not in tensors:
        raise ValueError(f"tensor {name[:96]!r} is missing, which others need")
    return tensors.pop(name)


def taken_integers(tensors: Tensors, name: str) -> Array:
    """Take out a tensor of integers. Raises: ValueError if it is missing, or another."""
    check_integers(a := taken(tensors, name))
    return a


def check_integers(a: Array) -> None:
    """Raise ValueError if a tensor is not of integers."""
    if a.type not in INTEGERS:
        raise ValueError(f"tensor {a.name!r} is {a.type.name}, expected integers")


def check_shape(a: Array, *expected: int) -> None:
    """Raise ValueError if a tensor has another shape."""
    if a.shape != expected:
        raise ValueError(f"tensor {a.name!r} has the shape {a.shape}, expected {expected}")


def check_matrix(a: Array) -> None:
    """Raise ValueError if a tensor has but one axis, or none."""
    if len(a.shape) < 2:
        raise ValueError(f"tensor {a.name!r} has the shape {a.shape}, expected a matrix")


def groups_of(order: Array, n_groups: int) -> Integers:
    """Return each input's group. Raises: ValueError for one that there is not."""
    check_shape(order, order.shape[0])
    groups = integers(order)
    if groups.size and not (groups.min() >= 0 and groups.max() < n_groups):
        raise ValueError(f"tensor {order.name!r} has a group beyond the {n_groups} there are")
    return groups


def unpacked(words: Integers, shifts: Integers, bits: int) -> Integers:
    """Return the numbers in each word, along a new last axis. Shapes: [...] to [..., n]."""
    return (words.astype(np.uint32)[..., None] >> shifts.astype(np.uint32)) & ((1 << bits) - 1)


def codes(words: Integers, bits: int) -> Integers:
    """Return the numbers in rows of words, the first lowest; those of 3, 5 and 6 bits may go on in
    the next word. Shapes: [..., n_words] to [..., n].
    """
    n = 32 * words.shape[-1] // bits
    if 32 % bits == 0:
        return unpacked(words, np.arange(0, 32, bits), bits).reshape(*words.shape[:-1], n)
    bytes = np.ascontiguousarray(words).astype("<u4").view(np.uint8)
    stream = np.unpackbits(bytes, axis=-1, bitorder="little")
    return stream.reshape(*words.shape[:-1], n, bits) @ (1 << np.arange(bits, dtype=np.uint8))


def nibbles(pairs: Integers) -> Integers:
    """Return the numbers in bytes, the lower first. Shapes: [..., n] to [..., 2 * n]."""
    return np.stack([pairs & 15, pairs >> 4 & 15], -1).reshape(
        *pairs.shape[:-1], 2 * pairs.shape[-1]
    )


def scaled(a: Array, scale: Array, block: tuple[int, ...] = ()) -> Array:
    """Return a tensor times its scales: of blocks, whose last sizes are given, of rows or of all.

    Raises: ValueError if the shapes do not fit.
    """
    n_axes = len(a.shape)
    sizes = (1,) * (n_axes - len(block)) + block[-n_axes:]
    shape = scale.shape + (1,) * (n_axes - len(scale.shape))
    sizes = tuple(n if s == 1 else b for n, s, b in zip(a.shape, shape, sizes, strict=False))
    if shape != tuple(-(-n // b) if b else 1 for n, b in zip(a.shape, sizes, strict=True)):
        expected = f"does not fit {a.shape} in blocks of {list(block)}"
        raise ValueError(f"tensor {scale.name!r} has the shape {scale.shape}, which {expected}")

    def read(start: int, stop: int) -> Floats:
        first = start // sizes[0]
        scales = scale.rows(first, -(-stop // sizes[0])).reshape(-1, *shape[1:])
        scales = scales[np.arange(start, stop) // sizes[0] - first]
        for axis in range(1, n_axes):
            if shape[axis] > 1:
                scales = np.repeat(scales, sizes[axis], axis).swapaxes(axis, 0)
                scales = scales[: a.shape[axis]].swapaxes(axis, 0)
        return a.rows(start, stop) * scales

    return Combined(a.name, a.shape, read, (a, scale), "scaled")
