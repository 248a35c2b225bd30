"""Encodes weights: by gguf-py where it can, else by ggml's C code in a library that is named."""

from __future__ import annotations

import ctypes
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import gguf
import numpy as np

from ggjit.gguf import GGMLType as Type


class Encoder:
    """Turns float32 rows into blocks. Called with rows [n, columns]; returns [n, bytes]."""

    def __init__(self, library: Path | None = None) -> None:
        """Take ggml's `libggml-base.so` for types that gguf-py cannot encode."""
        self._ggml = ctypes.CDLL(str(library)) if library else None

    def __call__(self, rows: Any, type: Type) -> Any:
        if self._ggml:
            return self._by_ggml(np.ascontiguousarray(rows, np.float32), type)
        try:
            return gguf.quants.quantize(rows, gguf.GGMLQuantizationType(int(type))).view(np.uint8)
        except NotImplementedError as error:
            message = f"gguf-py cannot encode {type.name}: name llama.cpp's libggml-base"
            raise SystemExit(message) from error

    def _by_ggml(self, rows: Any, type: Type) -> Any:
        """Encode a share of the rows in each thread, every column as important as the others."""
        assert self._ggml
        n_rows, width = rows.shape
        out = np.empty((n_rows, width // type.n_columns * type.n_bytes), np.uint8)
        importance = np.ones(width, np.float32)
        self._ggml.ggml_quantize_init(int(type))
        step = max(1, n_rows // (4 * (os.cpu_count() or 1)))

        def encode(start: int) -> None:
            part = rows[start : start + step]
            pointers = [ctypes.c_void_p(a.ctypes.data) for a in (part, out[start:], importance)]
            sizes = [ctypes.c_int64(n) for n in (0, len(part), width)]
            self._ggml.ggml_quantize_chunk(int(type), *pointers[:2], *sizes, pointers[2])

        with ThreadPoolExecutor() as pool:
            list(pool.map(encode, range(0, n_rows, step)))
        return out
