"""Tensors in lanes: packed once at load, or left in the mapped file and packed as they are used."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, get_args

import numpy as np
import numpy.typing as npt

from ...formats import N_ROWS, find
from ...gguf import Tensor
from ...gguf.pages import drop_pages
from ...graph import Embed, ExpertLinear, HeadLinear, Linear, Op
from .. import Packing
from .budget import available_bytes
from .memory import ALIGNMENT, Arena, address, aligned
from .packing import damaged, fields_of, n_matrices, packed_bytes, read_slices, slices_of

Progress = Callable[[int, int], None]

Matrices = Embed | Linear | ExpertLinear | HeadLinear

log = logging.getLogger("ggjit")


def matrices_of(ops: list[Op]) -> list[Tensor]:
    """Return the matrices that operations multiply by or look up in, each once."""
    used = [op.weight for op in ops if isinstance(op, Matrices)]
    return list({t.name: t for t in used}.values())


def to_pack(matrices: list[Tensor], packing: Packing, beside: int) -> list[Tensor]:
    """Return the matrices to pack: all if they fit (`beside` so many other bytes), or as told.

    Where not all fit, experts stay in the file first: a token reads only a few of them. What is not
    computed with as it is has to be packed in any case. Raises: ValueError.
    """
    if packing not in get_args(Packing):
        raise ValueError(f"pack is {packing!r}, expected {', '.join(get_args(Packing))}")
    left, dense = available_bytes(), [t for t in matrices if n_matrices(t) == 1]
    nothing: list[Tensor] = []
    choices = {"always": [matrices], "never": [nothing], "experts-mmap": [dense]}
    for chosen in choices.get(packing, [matrices, dense, nothing]):
        wanted = sum(map(packed_bytes, chosen)) + beside
        if packing != "auto" or left is None or not chosen or wanted <= left:
            break
        text = "packed weights need %d MB and %d MB are left: %s"
        log.warning(text, wanted >> 20, left >> 20, "some are used from the file, which is slower")
    names = {t.name for t in chosen}
    return [t for t in matrices if t.name in names or find(t).relay]


class PackedWeights:
    """Every matrix of a model in lanes, every vector as float32 padded to 16."""

    def __init__(
        self, matrices: list[Tensor], n_threads: int, progress: Progress | None = None,
        packing: Packing = "always", beside: int = 0,
    ) -> None:  # fmt: skip
        """Pack matrices; `progress(done, total)` counts bytes. Raises: ValueError for a bad one."""
        self._n_threads = n_threads
        self._matrices = {t.name: t for t in matrices}
        self._vectors: dict[str, npt.NDArray[np.float32]] = {}
        self._read_all(to_pack(matrices, packing, beside), progress)

    def is_mapped(self, tensor: Tensor) -> bool:
        """Tell whether a matrix is left in the file."""
        return tensor.name not in self._packed

    def matrix(self, tensor: Tensor) -> npt.NDArray[Any]:
        """Return a matrix in lanes, or as it is in the file."""
        return self._packed.get(tensor.name, tensor.data)

    def operands(self, tensor: Tensor) -> dict[str, float]:
        """Return where a matrix is, and how it is packed if it is not."""
        fields = fields_of(find(tensor))
        return {
            "weights": address(self.matrix(tensor)),
            "n_rows": tensor.shape[-2], "n_columns": tensor.shape[-1],
            "fields": address(fields), "n_fields": len(fields),
        }  # fmt: skip

    def strides(self, tensor: Tensor) -> dict[str, float]:
        """Return the bytes from one stacked matrix to the next, and from 16 rows to the next."""
        fmt, n_columns = find(tensor), tensor.shape[-1]
        n_bytes = fmt.n_bytes if self.is_mapped(tensor) else fmt.packed_bytes
        return {
            "stack_step": self.n_bytes(tensor) // n_matrices(tensor),
            "group_bytes": N_ROWS * n_columns // fmt.n_columns * n_bytes,
        }

    def vector(self, tensor: Tensor) -> npt.NDArray[np.float32]:
        """Return a vector, or rows of them, as float32, each with zeros up to a multiple of 16."""
        if tensor.name not in self._vectors:
            n = tensor.shape[-1]
            n_rows, padded = tensor.n_elements // n, (n + 15) // 16 * 16
            values = aligned(n_rows * padded, np.float32)
            rows = find(tensor).decode_rows(tensor.data.reshape(-1), n)
            values.reshape(n_rows, padded)[:, :n] = rows
            if not np.isfinite(values).all():
                raise damaged(tensor)
            self._vectors[tensor.name] = values
        return self._vectors[tensor.name]

    def n_bytes(self, tensor: Tensor) -> int:
        """Bytes of a matrix, as they are read when it is used."""
        return tensor.data.nbytes if self.is_mapped(tensor) else packed_bytes(tensor)

    def _read_all(self, chosen: list[Tensor], progress: Progress | None) -> None:
        """Pack the chosen matrices, and look through the others."""
        report = progress or (lambda done, total: None)
        arena = Arena(sum(packed_bytes(t) + ALIGNMENT for t in chosen))
        self._packed = {t.name: arena.take(packed_bytes(t)) for t in chosen}
        everything = self._matrices.values()
        total, done = sum(t.data.nbytes for t in everything), 0
        # Experts that stay in the file are not read: that is what is to be avoided.
        read = [t for t in everything if t.name in self._packed or n_matrices(t) == 1]
        n_threads = self._n_threads
        slices = (s for t in read for s in slices_of(t, self._packed.get(t.name), n_threads))
        report(done, total)
        for n_bytes in read_slices(slices, n_threads):
            done += n_bytes
            report(done, total)
        report(total, total)
        for tensor in read:  # pages that two slices share
            drop_pages(tensor.data)
        _tell_relaid(chosen)


def _tell_relaid(matrices: list[Tensor]) -> None:
    """Note in the log what types that are relaid cost."""
    for fmt in {find(t) for t in matrices if find(t).relay}:
        of = [t for t in matrices if find(t) is fmt]
        before, after = sum(t.data.nbytes for t in of), sum(map(packed_bytes, of))
        log.info("%s: %d MB of weights take %d MB", fmt.type.name, before >> 20, after >> 20)
