"""A GGUF file from a plan: header first, then tensor by tensor, under its name once it is whole.

Rows are read, checked and encoded a few at a time by several threads, and written in order.
"""

from __future__ import annotations

import math
import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np
from gguf import GGMLQuantizationType, GGUFWriter

from .arrays import Bytes, Floats
from .keys import Keys
from .plan import Planned
from .quantize import FLOATS, encode

Progress = Callable[[str, int, int], None]

PIECE = 1 << 20  # elements that are read at a time: a cache holds them
ALIGNMENT = 32


def write(
    path: Path, keys: Keys, plan: list[Planned], n_threads: int, progress: Progress
) -> None:
    """Write a file; whatever happens, there is the whole file under its name or none.

    Raises: ValueError for values that are not finite; OSError where the system cannot write.
    """
    with _replacing(path) as temporary:
        writer = _header(temporary, keys, plan)
        assert writer.fout
        out = writer.fout[0]
        _pad(out)
        try:
            _write_tensors(out, plan, n_threads, progress)
            out.flush()
            os.fsync(out.fileno())
        finally:
            writer.close()


@contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _header(path: Path, keys: Keys, plan: list[Planned]) -> GGUFWriter:
    writer = GGUFWriter(path, keys.arch)
    for name, value, kind, item_kind in keys.items():
        if name != "general.architecture":  # the writer's own
            writer.add_key_value(name, value, kind, item_kind)
    for planned in plan:
        raw = GGMLQuantizationType(planned.type)
        shape, n_bytes = planned.shape, planned.n_bytes
        writer.add_tensor_info(planned.name, shape, np.dtype(np.float32), n_bytes, raw)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    return writer


def _write_tensors(
    out: BinaryIO, plan: list[Planned], n_threads: int, progress: Progress
) -> None:
    n_all, n_done = sum(planned.n_bytes for planned in plan), 0
    pieces = ((p, *bounds) for p in plan for bounds in _pieces(p))
    with ThreadPoolExecutor(n_threads) as pool:
        waiting: deque[tuple[bool, Future[Bytes]]] = deque()
        try:
            for planned, start, stop in pieces:
                last = stop == planned.shape[0]
                waiting.append((last, pool.submit(_encoded, planned, start, stop)))
                if len(waiting) > 2 * n_threads:
                    n_done += _write_one(out, *waiting.popleft())
                    progress("writing", n_done, n_all)
            while waiting:
                n_done += _write_one(out, *waiting.popleft())
                progress("writing", n_done, n_all)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _write_one(out: BinaryIO, is_last: bool, piece: Future[Bytes]) -> int:
    data = piece.result()
    out.write(data.reshape(-1).data)
    if is_last:
        _pad(out)
    return data.nbytes


def _pieces(planned: Planned) -> Iterator[tuple[int, int]]:
    """Yield parts of the first axis; a tensor without elements has one."""
    n_rows = planned.shape[0]
    elements = max(int(np.prod(planned.shape[1:], dtype=np.int64)), 1)
    step = max(PIECE // elements, 1)
    for start in range(0, max(n_rows, 1), step):
        yield start, min(start + step, n_rows)


def _encoded(planned: Planned, start: int, stop: int) -> Bytes:
    source = planned.source
    if source.type == planned.type and (source.type.n_columns > 1 or source.type not in FLOATS):
        return source.blocks(start, stop)  # as it is
    rows = source.rows(start, stop).reshape(-1, planned.shape[-1] if planned.shape[1:] else stop)
    rows = np.ascontiguousarray(rows)
    _check(planned, rows, start)
    try:
        return _encode(planned, rows, start, stop)
    except ValueError as error:
        raise ValueError(f"tensor {planned.name!r}: {error}") from None


def _encode(planned: Planned, rows: Floats, start: int, stop: int) -> Bytes:
    means = planned.importance
    if means is None or len(means) == 1:
        return encode(planned.type, rows, None if means is None else means[0], 1)
    parts = np.split(rows, stop - start)  # one for each matrix of a stack
    pairs = zip(parts, means[start:stop], strict=True)
    return np.concatenate([encode(planned.type, part, mean, 1) for part, mean in pairs])


def _check(planned: Planned, rows: Floats, start: int) -> None:
    """Raise ValueError naming the place of a value that is not finite."""
    if np.isfinite(rows).all():
        return
    at = int(np.flatnonzero(~np.isfinite(rows.reshape(-1)))[0])
    whole = at + start * math.prod(planned.shape[1:])
    index = [int(i) for i in np.unravel_index(whole, planned.shape)]
    raise ValueError(f"tensor {planned.source.name!r} is {rows.reshape(-1)[at]} at {index}")


def _pad(out: BinaryIO) -> None:
    out.write(bytes(-out.tell() % ALIGNMENT))
