"""Random GGML blocks of any format."""

from __future__ import annotations

from typing import Any

import gguf
import numpy as np

from ggjit.formats import Format, IntLanes


def random_blocks(fmt: Format, rng: np.random.Generator, n_rows: int, n_columns: int) -> Any:
    """Return blocks [n_rows, n_blocks, bytes]: ordinary scales, and quants of any value."""
    values = rng.normal(size=(n_rows, n_columns)).astype(np.float32)
    blocks = gguf.quants.quantize(values, fmt.type).view(np.uint8)
    blocks = blocks.reshape(n_rows, n_columns // fmt.n_columns, fmt.n_bytes)
    if isinstance(fmt.lanes, IntLanes):
        for f in (f for f in fmt.lanes.fields if f.size == 4):
            quants = blocks[..., f.offset : f.offset + 4 * f.count]
            quants[:] = rng.integers(0, 256, quants.shape, np.uint8)
    return blocks


def decoded(fmt: Format, blocks: Any) -> Any:
    """Shapes: returns float32 [n_rows, n_columns], by gguf-py."""
    rows = blocks.reshape(len(blocks), -1)
    typed = rows.view({"f32": np.float32, "f16": np.float16}.get(fmt.name, np.uint8))
    return gguf.quants.dequantize(typed, fmt.type)
