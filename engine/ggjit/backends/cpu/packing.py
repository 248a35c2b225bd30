"""Tensors of the file slice by slice, several threads at a time: packed, or only looked through."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ...formats import N_ROWS, Format, find
from ...gguf import Tensor
from ...gguf.pages import drop_pages
from ...jit import compile_kernels
from ...kernels.pack import pack
from .memory import address
from .threads import Call

SLICE = 8 << 20  # bytes of the file at a time, for each thread


class Slice(NamedTuple):
    """Rows of a matrix: blocks [n, n_bytes] of the file, and where they go, if they are packed."""

    tensor: Tensor
    blocks: npt.NDArray[Any]
    packed: npt.NDArray[Any] | None


def n_matrices(tensor: Tensor) -> int:
    """Return how many matrices are stacked; 1 if it is one matrix."""
    return math.prod(tensor.shape[:-2])


def packed_bytes(tensor: Tensor) -> int:
    """Bytes of a matrix in lanes, the last group of rows filled up; of a stack, of all of them."""
    fmt, (n_rows, n_columns) = find(tensor), tensor.shape[-2:]
    n_bytes = -(-n_rows // N_ROWS) * N_ROWS * n_columns // fmt.n_columns * fmt.packed_bytes
    return n_bytes * n_matrices(tensor)


def slices_of(tensor: Tensor, packed: npt.NDArray[Any] | None, n_threads: int) -> Iterator[Slice]:
    """Cut a matrix, or each of a stack, into slices of whole groups of rows."""
    fmt, n = find(tensor), n_matrices(tensor)
    group = N_ROWS * tensor.shape[-1] // fmt.n_columns  # blocks
    n_bytes = SLICE // n_threads if fmt.relay else SLICE  # what is relaid needs memory meanwhile
    step = max(1, n_bytes // (group * fmt.n_bytes)) * group
    stack = tensor.data.reshape(n, -1, fmt.n_bytes)
    for i, blocks in enumerate(stack):
        own = None if packed is None else packed.reshape(n, -1)[i]
        for start in range(0, len(blocks), step):
            to = None if own is None else own[start * fmt.packed_bytes :]
            yield Slice(tensor, blocks[start : start + step], to)


def read_slices(slices: Iterable[Slice], n_threads: int) -> Iterator[int]:
    """Read slices, packing those that are to be, and yield the bytes of each as they are done.

    The file's pages are given back behind. Raises: ValueError for a scale that is none.
    """
    compile_kernels([pack])  # before threads all do
    with ThreadPoolExecutor(n_threads) as pool:
        yield from pool.map(_read, slices)


def _read(piece: Slice) -> int:
    tensor, blocks, packed = piece
    fmt, n_blocks = find(tensor), tensor.shape[-1] // find(tensor).n_columns
    fine = fmt.finite(blocks) if packed is None else pack_blocks(blocks, packed, fmt, n_blocks)
    if not fine:
        raise damaged(tensor)
    drop_pages(blocks)
    return blocks.nbytes


def damaged(tensor: Tensor) -> ValueError:
    """Return the error for a tensor with numbers that are none."""
    return ValueError(f"{tensor.path}: tensor {tensor.name!r} has a scale that is NaN or infinite")


def pack_blocks(
    blocks: npt.NDArray[Any], packed: npt.NDArray[Any], fmt: Format, n_blocks: int
) -> bool:
    """Pack rows of `n_blocks`; return whether all scales and floats are numbers."""
    if not (fmt.checks_itself or fmt.finite(blocks)):
        return False
    source = fmt.relay(blocks) if fmt.relay else blocks
    fields, wrong = fields_of(fmt), np.zeros(1, np.int64)
    operands = {
        "source": address(source), "packed": address(packed), "fields": address(fields),
        "n_fields": len(fields), "n_rows": len(blocks) // n_blocks, "n_blocks": n_blocks,
        "block_bytes": fmt.packed_bytes, "wrong": address(wrong),
    }  # fmt: skip
    Call(pack, 0, 1, **operands)()
    return not (fmt.checks_itself and wrong[0])


_fields: dict[Format, npt.NDArray[np.int64]] = {}


def fields_of(fmt: Format) -> npt.NDArray[np.int64]:
    """Return a format's fields as kernels read them; they stay where they are.

    Any thread may be the first to ask: all get one array, as a cached function does not promise.
    """
    return _fields.setdefault(fmt, fmt.field_table)
