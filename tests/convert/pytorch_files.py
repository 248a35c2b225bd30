"""PyTorch checkpoints written by hand, opcode by opcode, so that they can be as bad as need be."""

from __future__ import annotations

import io
import struct
import zipfile
from dataclasses import dataclass

import numpy as np

STORAGES = {
    "f8": "Double", "f4": "Float", "f2": "Half", "i8": "Long", "i4": "Int", "i2": "Short",
    "i1": "Char", "u1": "Byte", "b1": "Bool",
}  # fmt: skip


@dataclass(frozen=True)
class Name:
    full: str


@dataclass(frozen=True)
class Call:
    function: object
    arguments: tuple


@dataclass(frozen=True)
class Stored:
    """A persistent id."""

    identity: object


@dataclass(frozen=True)
class Raw:
    opcodes: bytes


def opcodes(value: object) -> bytes:
    """Return what makes a value, as protocol 2 does."""
    match value:
        case Raw():
            return value.opcodes
        case Name():
            module, _, name = value.full.rpartition(".")
            return f"c{module}\n{name}\n".encode()
        case Call():
            return opcodes(value.function) + opcodes(value.arguments) + b"R"
        case Stored():
            return opcodes(value.identity) + b"Q"
        case bool():
            return b"\x88" if value else b"\x89"
        case int():
            n_bytes = value.bit_length() // 8 + 1
            return b"\x8a" + bytes([n_bytes]) + value.to_bytes(n_bytes, "little", signed=True)
        case float():
            return b"G" + struct.pack(">d", value)
        case str():
            return b"X" + struct.pack("<I", len(value.encode())) + value.encode()
        case tuple():
            return b"(" + b"".join(map(opcodes, value)) + b"t"
        case list():
            return b"](" + b"".join(map(opcodes, value)) + b"e"
        case dict():
            return b"}(" + b"".join(opcodes(k) + opcodes(v) for k, v in value.items()) + b"u"
    assert value is None
    return b"N"


def pickled(value: object) -> bytes:
    return b"\x80\x02" + opcodes(value) + b"."


def stored(key: str, kind: str, n: int) -> Stored:
    return Stored(("storage", Name(f"torch.{kind}Storage"), key, "cpu", n))


def tensor(storage: object, offset: object, shape: object, strides: object) -> Call:
    rest = (False, Call(Name("collections.OrderedDict"), ()))
    arguments = (storage, offset, shape, strides, *rest)
    return Call(Name("torch._utils._rebuild_tensor_v2"), arguments)


def archive(pickle: bytes, storages: dict[str, bytes], **more: bytes) -> bytes:
    """Return a file of a pickle and storages; further entries by name, dots as two underscores."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        file.writestr("archive/data.pkl", pickle)
        for key, data in storages.items():
            file.writestr(f"archive/data/{key}", data)
        for name, data in more.items():
            file.writestr("archive/" + name.replace("__", "."), data)
    return out.getvalue()


def pytorch(tensors: dict) -> bytes:
    """Return a file; a tensor is an array of any strides, or (storage's name, its bits)."""
    made, storages = {}, {}
    for key, (name, value) in enumerate(tensors.items()):
        kind, array = value if isinstance(value, tuple) else (STORAGES[value.dtype.str[1:]], value)
        base = array if array.base is None else array.base
        offset = array.__array_interface__["data"][0] - base.__array_interface__["data"][0]
        size = array.itemsize
        strides = tuple(n // size for n in array.strides)
        storage = stored(str(key), kind, base.size)
        made[name] = tensor(storage, offset // size, array.shape, strides)
        storages[str(key)] = base.tobytes()
    return archive(pickled(made), storages)


def bf16(values: np.ndarray) -> tuple[str, np.ndarray]:
    return "BFloat16", (np.asarray(values, np.float32).view(np.uint32) >> 16).astype(np.uint16)
