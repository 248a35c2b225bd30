"""Checkpoints written by hand, good and bad, as bytes."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np

NAMES = {"f8": "F64", "f4": "F32", "f2": "F16", "i8": "I64", "i4": "I32", "i2": "I16", "i1": "I8"}
NAMES |= {"u4": "U32", "u2": "U16", "u1": "U8", "b1": "BOOL"}


def bf16(values: np.ndarray) -> tuple[str, np.ndarray]:
    return "BF16", (np.asarray(values, np.float32).view(np.uint32) >> 16).astype(np.uint16)


def pack_header(header: object, data: bytes = b"") -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def safetensors(tensors: dict) -> bytes:
    """Return a file; a tensor is an array, or (dtype's name, array of its bits)."""
    header, data = {}, b""
    for name, tensor in tensors.items():
        kind, array = tensor if isinstance(tensor, tuple) else (NAMES[tensor.dtype.str[1:]], tensor)
        begin, data = len(data), data + np.ascontiguousarray(array).tobytes()
        header[name] = {
            "dtype": kind,
            "shape": list(array.shape),
            "data_offsets": [begin, len(data)],
        }
    return pack_header(header, data)


def write(folder: Path, **files: object) -> Path:
    """Write files; dots in names are two underscores. Dicts of arrays become safetensors."""
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        file = folder / name.replace("__", ".")
        if file.suffix == ".safetensors" and isinstance(content, dict):
            content = safetensors(content)
        elif isinstance(content, dict):
            content = json.dumps(content).encode()
        file.write_bytes(content)
    return folder
