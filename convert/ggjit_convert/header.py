"""The head of a GGUF file: counts, metadata, tensor table. Source: ggml `docs/gguf.md`."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from ggjit.gguf.shard import MAGIC
from ggjit.gguf.values import ARRAY, BOOL, DEFAULT_ALIGNMENT, NUMBERS, STRING

from .keys import Pair
from .written import Written

VERSION = 3
ALIGNMENT_KEY = "general.alignment"


def header(pairs: Sequence[Pair], tensors: Sequence[Written]) -> bytes:
    """Return everything before the data, padded; tensors follow in order, each padded.

    Raises: ValueError naming the key of a value that its type cannot hold.
    """
    alignment = alignment_of(pairs)
    out = bytearray(MAGIC + struct.pack("<IQQ", VERSION, len(tensors), len(pairs)))
    for pair in pairs:
        out += _pair(pair)
    offset = 0
    for tensor in tensors:
        shape = tensor.shape[::-1]
        out += _string(tensor.name) + struct.pack("<I", len(shape))
        out += struct.pack(f"<{len(shape)}QIQ", *shape, tensor.type, offset)
        offset += tensor.n_bytes + -tensor.n_bytes % alignment
    return bytes(out) + bytes(-len(out) % alignment)


def alignment_of(pairs: Iterable[Pair]) -> int:
    """Return how tensors are aligned."""
    return next((int(p.value) for p in pairs if p.name == ALIGNMENT_KEY), DEFAULT_ALIGNMENT)


def _pair(pair: Pair) -> bytes:
    head = _string(pair.name) + struct.pack("<I", pair.kind)
    try:
        if pair.item_kind is None:
            return head + _scalar(pair.kind, pair.value)
        assert pair.kind == ARRAY
        return head + struct.pack("<IQ", pair.item_kind, len(pair.value)) + _items(pair)
    except (struct.error, OverflowError):
        shown = str(pair.value)[:40]
        raise ValueError(f"{pair.name}: {shown} does not fit its type in GGUF") from None


def _items(pair: Pair) -> bytes:
    kind, values = pair.item_kind, pair.value
    if kind == STRING:
        return b"".join(map(_string, values))
    assert kind is not None
    if isinstance(values, np.ndarray) and values.dtype.itemsize == NUMBERS[kind].dtype.itemsize:
        return values.astype(NUMBERS[kind].dtype).tobytes()
    return struct.pack(f"<{len(values)}{_code(kind)}", *values)


def _scalar(kind: int, value: Any) -> bytes:
    return _string(value) if kind == STRING else struct.pack(f"<{_code(kind)}", value)


def _code(kind: int) -> str:
    return "?" if kind == BOOL else NUMBERS[kind].layout.format[1:]


def _string(text: str | bytes) -> bytes:
    data = text.encode() if isinstance(text, str) else text
    return struct.pack("<Q", len(data)) + data
