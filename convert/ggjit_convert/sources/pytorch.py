"""One file of `torch.save`: a zip archive of a pickle and, an entry each, the storages it names.

Tensors are views of the mapped file. Source of names and layouts: torch/serialization.py and
torch/_utils.py; nothing of torch is imported.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.lib.stride_tricks import as_strided

from ..errors import CheckpointError
from .archive import read_archive
from .elements import ELEMENTS, Element
from .files import Bytes, map_file
from .pickled import Function, PickleProblem, unpickle
from .stored import MAX_ELEMENTS, Stored, is_sane

MAX_PICKLE = 1 << 26
MAX_DIMS = 16
BYTE = ELEMENTS["U8"]

STORAGES = {
    "DoubleStorage": "F64", "FloatStorage": "F32", "HalfStorage": "F16", "BFloat16Storage": "BF16",
    "LongStorage": "I64", "IntStorage": "I32", "ShortStorage": "I16", "CharStorage": "I8",
    "ByteStorage": "U8", "BoolStorage": "BOOL",
}  # fmt: skip
# Of types without a storage of their own, which lie in an untyped one.
DTYPES = {
    "float64": "F64", "float32": "F32", "float16": "F16", "bfloat16": "BF16", "int64": "I64",
    "int32": "I32", "int16": "I16", "int8": "I8", "uint32": "U32", "uint16": "U16", "uint8": "U8",
    "bool": "BOOL", "float8_e4m3fn": "F8_E4M3", "float8_e5m2": "F8_E5M2",
    "float8_e8m0fnu": "F8_E8M0",
}  # fmt: skip


def read_pytorch(path: Path) -> dict[str, Stored]:
    """Map the tensors of a file, in the order of its dictionary.

    Raises: CheckpointError naming the tensor, the entry or what the pickle wants; OSError.
    """
    data = map_file(path)
    _check_kind(data, path)
    entries = read_archive(data, path)
    pickles = [name for name in entries if name.endswith("/data.pkl") and name.count("/") == 1]
    if len(pickles) != 1:
        raise CheckpointError("is a zip archive without a checkpoint's data.pkl", path=path)
    [pickle] = pickles
    file = _File(path, entries, pickle.removesuffix("data.pkl"))
    return {name: tensor.mapped(name) for name, tensor in file.tensors().items()}


def _check_kind(data: Bytes, path: Path) -> None:
    head = data[:64].tobytes()
    if head.startswith(b"version https://"):
        problem = "is a Git LFS pointer: the file itself was not downloaded"
    elif head.startswith(b"\x80") or b"\0ustar" in data[:512].tobytes():
        problem = "is in PyTorch's format of before version 1.6, which is not read: save it again"
        problem += " with a newer torch, or take safetensors"
    elif not head.startswith(b"PK\3\4"):
        problem = f"is no PyTorch checkpoint: a zip archive is expected, it begins {head[:4]!r}"
    else:
        return
    raise CheckpointError(problem, path=path)


@dataclass(frozen=True)
class _Storage:
    """Elements of a storage. Shapes: data [bytes]."""

    data: Bytes
    element: Element

    def of(self, element: Element) -> _Storage:
        return _Storage(self.data, element)

    @property
    def n_elements(self) -> int:
        return len(self.data) // self.element.dtype.itemsize


@dataclass(frozen=True)
class _Tensor:
    """A tensor that lies inside its storage."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def mapped(self, name: str) -> Stored:
        element = self.storage.element
        size = element.dtype.itemsize
        n_bytes = self.storage.n_elements * size
        flat = self.storage.data[:n_bytes].view(element.dtype)[self.offset :]
        strides = [size * stride for stride in self.strides]
        view = as_strided(flat, self.shape, strides, writeable=False)
        return Stored(name, view if self.shape else view.reshape(1), element)


@dataclass(frozen=True, eq=False)
class _File:
    """Entries by name; those of the checkpoint begin with `prefix`."""

    path: Path
    entries: dict[str, Bytes]
    prefix: str

    def tensors(self) -> dict[str, _Tensor]:
        order = self.entries.get(f"{self.prefix}byteorder")
        if order is not None and order[:8].tobytes() != b"little":
            raise CheckpointError("is not of little-endian order", path=self.path)
        found = self._unpickled()
        if type(found) is not dict:
            problem = f"holds {type(found).__name__}, expected a dictionary of tensors"
            raise CheckpointError(problem, path=self.path)
        for name, value in found.items():
            if type(name) is not str or type(value) is not _Tensor:
                kind = type(value).__name__.strip("_")
                problem = f"{str(name)[:96]!r} is {kind}, expected tensors by name"
                raise CheckpointError(problem, path=self.path)
        return found

    def _unpickled(self) -> Any:
        data = self.entries[f"{self.prefix}data.pkl"]
        try:
            if len(data) > MAX_PICKLE:
                raise PickleProblem(f"has {len(data)} bytes, at most {MAX_PICKLE} are read")
            return unpickle(data.tobytes(), KNOWN, self._storage)
        except PickleProblem as error:
            raise CheckpointError(str(error), path=self.path, field="data.pkl") from None

    def _storage(self, identity: Any) -> _Storage:
        """Return the storage of a persistent id: ("storage", type, key, device, n_elements)."""
        if type(identity) is not tuple or len(identity) != 5 or identity[0] != "storage":
            raise PickleProblem("has a persistent id that is no storage")
        _, element, key, _, n_elements = identity
        if type(element) is not Element or type(key) is not str or type(n_elements) is not int:
            raise PickleProblem("has a storage without type, key and size")
        if (data := self.entries.get(f"{self.prefix}data/{key}")) is None:
            raise PickleProblem(f"names the storage {key[:96]!r}, which is not in the archive")
        if len(data) != n_elements * element.dtype.itemsize:
            problem = f"{n_elements} elements of {element.dtype.itemsize} bytes"
            raise PickleProblem(f"storage {key[:96]!r} has {len(data)} bytes, expected {problem}")
        return _Storage(data, element)


def _tensor(arguments: tuple[Any, ...]) -> _Tensor:
    """Check _rebuild_tensor_v2(storage, offset, shape, strides, requires_grad, hooks, ...)."""
    if len(arguments) not in (6, 7) or type(arguments[0]) is not _Storage:
        raise PickleProblem("has a tensor without a storage")
    storage, offset, shape, strides = arguments[:4]
    if type(shape) is not tuple or type(strides) is not tuple or len(shape) != len(strides):
        raise PickleProblem("has a tensor whose shape and strides do not fit")
    if len(shape) > MAX_DIMS:
        raise PickleProblem(f"has a tensor of {len(shape)} axes, at most {MAX_DIMS} are read")
    numbers = (offset, *shape, *strides)
    if not all(type(n) is int and 0 <= n <= MAX_ELEMENTS for n in numbers):
        raise PickleProblem("has a tensor whose offset, shape or strides are no sizes")
    tensor = _Tensor(storage, offset, shape, strides)
    last = offset + sum((n - 1) * stride for n, stride in zip(shape, strides, strict=True))
    end = offset if 0 in shape else last + 1
    if max(end, math.prod(shape)) > storage.n_elements or not is_sane(shape):
        problem = f"has a tensor of shape {list(shape)} and strides {list(strides)} at {offset}"
        raise PickleProblem(f"{problem}, its storage has {storage.n_elements} elements")
    return tensor


def _typed_tensor(arguments: tuple[Any, ...]) -> _Tensor:
    """Check _rebuild_tensor_v3: as _rebuild_tensor_v2, with a dtype behind the hooks."""
    if len(arguments) not in (7, 8) or type(arguments[0]) is not _Storage:
        raise PickleProblem("has a tensor without a storage")
    if type(arguments[6]) is not Element:
        raise PickleProblem("has a tensor without a type")
    return _tensor((arguments[0].of(arguments[6]), *arguments[1:6]))


def _parameter(arguments: tuple[Any, ...]) -> _Tensor:
    """Return the tensor of _rebuild_parameter(tensor, requires_grad, hooks)."""
    if len(arguments) != 3 or type(arguments[0]) is not _Tensor:
        raise PickleProblem("has a parameter that is no tensor")
    return arguments[0]


def _dictionary(arguments: tuple[Any, ...]) -> dict[Any, Any]:
    if arguments:
        raise PickleProblem("has a dictionary made of something")
    return {}


KNOWN: dict[str, object] = {
    "collections.OrderedDict": Function(_dictionary),
    "torch._utils._rebuild_tensor_v2": Function(_tensor),
    "torch._utils._rebuild_tensor_v3": Function(_typed_tensor),
    "torch._utils._rebuild_parameter": Function(_parameter),
    "torch.storage.UntypedStorage": BYTE,
    **{f"torch.{name}": ELEMENTS[kind] for name, kind in STORAGES.items()},
    **{f"torch.{name}": ELEMENTS[kind] for name, kind in DTYPES.items()},
}
