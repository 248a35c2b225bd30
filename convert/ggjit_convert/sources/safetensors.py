"""One safetensors file: a length, a JSON header, and the tensors one after the other.

Source: the format's description and the checks of its own reader (safetensors/src/tensor.rs):
tensors are contiguous from zero to the end of the file, and nothing is left over.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from ..errors import CheckpointError
from .elements import ELEMENTS, Element
from .files import Bytes, map_file
from .stored import Stored, is_sane
from .strict_json import parse_object

MAX_HEADER = 100_000_000
MAX_TENSORS = 1 << 20
MAX_DIMS = 16


def read_safetensors(path: Path) -> dict[str, Stored]:
    """Map the tensors of a file, in the order they lie in.

    Raises: CheckpointError naming the tensor; OSError.
    """
    data = map_file(path)
    header, start = _header(data, path)
    header.pop("__metadata__", None)
    if len(header) > MAX_TENSORS:
        problem = f"has {len(header)} tensors, at most {MAX_TENSORS} are read"
        raise CheckpointError(problem, path=path)
    entries = [_Entry(path, name, facts) for name, facts in header.items()]
    entries.sort(key=lambda entry: (entry.begin, entry.end))
    _check_layout(entries, len(data) - start, path)
    return {entry.name: entry.map(data[start:]) for entry in entries}


class _Entry:
    """A line of the header: a tensor's element, shape and place, each checked."""

    def __init__(self, path: Path, name: str, facts: Any) -> None:
        self.path, self.name = path, name
        if not isinstance(facts, dict) or set(facts) != {"dtype", "shape", "data_offsets"}:
            raise self.error("must have dtype, shape and data_offsets")
        self.element = self._element(facts["dtype"])
        self.shape = self._integers(facts["shape"], "shape", MAX_DIMS)
        offsets = self._integers(facts["data_offsets"], "data_offsets", 2)
        if len(offsets) != 2 or offsets[0] > offsets[1]:
            raise self.error(f"data_offsets {list(offsets)} are not a beginning and an end")
        self.begin, self.end = offsets
        n_bytes = math.prod(self.shape) * self.element.dtype.itemsize
        if self.end - self.begin != n_bytes or not is_sane(self.shape):
            size = "x".join(map(str, self.shape))
            problem = f"{facts['dtype']} of {size} has {n_bytes}"
            raise self.error(f"{self.end - self.begin} bytes are stored, {problem}")

    def error(self, problem: str) -> CheckpointError:
        return CheckpointError(problem, path=self.path, field=f"tensor {self.name[:96]!r}")

    def map(self, data: Bytes) -> Stored:
        view = data[self.begin : self.end].view(self.element.dtype)
        return Stored(self.name, view.reshape(self.shape or (1,)), self.element)

    def _element(self, name: Any) -> Element:
        if isinstance(name, str) and name in ELEMENTS:
            return ELEMENTS[name]
        raise self.error(f"dtype {str(name)[:40]!r} is not supported, known: {', '.join(ELEMENTS)}")

    def _integers(self, value: Any, what: str, most: int) -> tuple[int, ...]:
        if not isinstance(value, list) or len(value) > most:
            raise self.error(f"{what} must be a list of at most {most} integers")
        if not all(type(n) is int and 0 <= n < 1 << 63 for n in value):
            raise self.error(f"{what} has something that is not an integer from 0 to 2**63 - 1")
        return tuple(value)


def _header(data: Bytes, path: Path) -> tuple[dict[str, Any], int]:
    """Return the header and where it ends."""
    if len(data) < 8:
        raise CheckpointError(f"has {len(data)} bytes, less than a header", path=path)
    if data[:16].tobytes().startswith(b"version https://"):
        problem = "is a Git LFS pointer: the file itself was not downloaded"
        raise CheckpointError(problem, path=path)
    n_bytes = int.from_bytes(data[:8].tobytes(), "little")
    if n_bytes > min(MAX_HEADER, len(data) - 8):
        problem = f"says {n_bytes} bytes, the file has {len(data) - 8} after the length"
        raise CheckpointError(
            f"{problem}, at most {MAX_HEADER} are read", path=path, field="header"
        )
    text = data[8 : 8 + n_bytes].tobytes()
    if not text.startswith(b"{"):
        raise CheckpointError("does not begin with '{'", path=path, field="header")
    return parse_object(text, path, "header"), 8 + n_bytes


def _check_layout(entries: list[_Entry], n_bytes: int, path: Path) -> None:
    expected = 0
    for entry in entries:
        if entry.begin != expected:
            raise entry.error(f"begins at byte {entry.begin}, the tensor before ends at {expected}")
        expected = entry.end
    if expected != n_bytes:
        problem = f"tensors end at byte {expected}, the file has {n_bytes}; is it incomplete?"
        raise CheckpointError(problem, path=path)
