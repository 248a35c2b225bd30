"""One GGUF file: header, metadata, tensor table, mapped data. A model may be several of them.

Little-endian files of version 2 and 3, which differ in nothing else.
"""

from __future__ import annotations

import io
import mmap
import os
from pathlib import Path
from typing import NamedTuple

import numpy as np

from .cursor import Cursor
from .errors import GGUFError
from .source import SNIFF_BYTES, looks_like, open_regular
from .tensors import (
    MAX_TENSORS,
    MIN_INFO_BYTES,
    Tensor,
    TensorInfo,
    check_layout,
    read_tensor_table,
)
from .values import MAX_KEYS, MIN_PAIR_BYTES, Metadata, alignment_of, read_metadata

MAGIC = b"GGUF"
VERSIONS = (2, 3)


class Shard(NamedTuple):
    """What one file holds; `pages` is its mapping, None where it has no tensors."""

    path: Path
    version: int
    metadata: Metadata
    tensors: list[Tensor]
    pages: mmap.mmap | None


class Header(NamedTuple):
    version: int
    n_tensors: int
    n_kv: int


def read_shard(path: Path) -> Shard:
    """Read and check one file.

    Raises: GGUFError for a file that breaks the format; OSError where it cannot be read.
    """
    with open_regular(path) as source:
        cursor = Cursor(source, os.fstat(source.fileno()).st_size, path)
        header = _read_header(cursor)
        metadata = read_metadata(cursor, header.n_kv)
        alignment = alignment_of(metadata, path)
        table = read_tensor_table(cursor, header.n_tensors)
        data_start = -(-cursor.offset // alignment) * alignment
        check_layout(cursor, table, data_start, alignment)
        pages = _map(source, cursor) if table else None
    tensors = _views(path, table, data_start, pages) if pages is not None else []
    return Shard(path, header.version, metadata, tensors, pages)


def _read_header(cursor: Cursor) -> Header:
    head = cursor.peek(SNIFF_BYTES)
    if head[:4] != MAGIC:
        problem = f"this is not a GGUF file; {looks_like(head, cursor.size)}"
        raise cursor.error(problem, "magic", 0)
    cursor.raw(len(MAGIC), "magic")
    version = _read_version(cursor)
    n_tensors = _read_count(cursor, "n_tensors", MAX_TENSORS, MIN_INFO_BYTES)
    n_kv = _read_count(cursor, "n_kv", MAX_KEYS, MIN_PAIR_BYTES)
    return Header(version, n_tensors, n_kv)


def _read_version(cursor: Cursor) -> int:
    at = cursor.offset
    version = cursor.u32("version")
    if version in VERSIONS:
        return version
    if version and version & 0xFFFF == 0:
        problem = "this is a big-endian GGUF file; only little-endian files can be read"
    else:
        problem = f"GGUF version {version} cannot be read, only versions 2 and 3"
    raise cursor.error(problem, "version", at)


def _read_count(cursor: Cursor, field: str, most: int, item_bytes: int) -> int:
    at = cursor.offset
    count = cursor.u64(field)
    if count * item_bytes > cursor.remaining:
        problem = f"{count} cannot fit in the {cursor.remaining} bytes that remain in the file"
        raise cursor.error(problem, field, at)
    if count > most:
        raise cursor.error(f"{count} is more than the {most} that are allowed", field, at)
    return count


def _map(source: io.FileIO, cursor: Cursor) -> mmap.mmap:
    try:
        return mmap.mmap(source.fileno(), cursor.size, access=mmap.ACCESS_READ)
    except ValueError:  # the file is shorter than it was when opened
        raise GGUFError("the file shrank while it was opened", path=cursor.path) from None


def _views(path: Path, table: list[TensorInfo], start: int, pages: mmap.mmap) -> list[Tensor]:
    file_bytes = np.frombuffer(pages, np.uint8)
    tensors = []
    for info in table:
        offset = start + info.offset
        data = file_bytes[offset : offset + info.n_bytes]
        assert data.nbytes == info.n_bytes, "a slice past the end is cut silently"
        tensors.append(Tensor(info.name, info.type, info.shape, data, offset, path))
    return tensors
