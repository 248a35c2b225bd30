"""Random GGML blocks of any format."""

from __future__ import annotations

from typing import Any

import gguf
import numpy as np

from ggjit.formats import Format


def whole_blocks(fmt: Format, n_columns: int) -> int:
    """Return how many columns the blocks for `n_columns` have."""
    return -(-n_columns // fmt.n_columns) * fmt.n_columns


def random_blocks(fmt: Format, rng: np.random.Generator, n_rows: int, n_columns: int) -> Any:
    """Return blocks [n_rows, n_blocks, bytes]: ordinary scales, and quants of any value."""
    shape = n_rows, n_columns // fmt.n_columns, fmt.n_bytes
    return with_ordinary_scales(fmt, rng.integers(0, 256, shape, np.uint8), rng)


def with_ordinary_scales(
    fmt: Format, blocks: Any, rng: np.random.Generator, size: float = 1.0
) -> Any:
    """Replace every float of blocks [..., bytes], by one of at most `size`; return them."""
    b = blocks.reshape(-1).view(fmt.block)
    for item in [b[name] for name in b.dtype.names] if b.dtype.names else [b]:
        if item.dtype.kind == "f":
            item[...] = size * ordinary(rng, item.shape)
    if fmt.name == "bf16":
        b[:] = (size * ordinary(rng, b.shape)).astype(np.float32).view(np.uint32) >> 16
    if fmt.name == "mxfp4":
        b["e"] = rng.integers(100, 130, len(b)) + round(np.log2(size))
    if fmt.name == "nvfp4":
        small = np.abs(size * ordinary(rng, b["d"].shape)) / 2.0**119
        b["d"] = small.astype(np.float32).view(np.uint32) >> 20
        b["d"][::16] = 127  # zero
    if fmt.name == "iq1_m":
        d = (size * ordinary(rng, (len(b), 1))).astype(np.float16).view(np.uint16)
        b["scales"] = b["scales"] & 0xFFF | d >> np.array([0, 4, 8, 12], np.uint16) << 12
    return blocks


def ordinary(rng: np.random.Generator, shape: Any) -> Any:
    return rng.choice([-1, 1], shape) * rng.uniform(0.01, 1, shape)


def decoded(fmt: Format, blocks: Any) -> Any:
    """Shapes: returns float32 [n_rows, n_columns], by gguf-py where it can."""
    if not gguf_decodes(fmt):
        return fmt.decode_rows(blocks.reshape(-1), blocks.shape[1] * fmt.n_columns)
    rows = blocks.reshape(len(blocks), -1)
    typed = rows.view({"f32": np.float32, "f16": np.float16}.get(fmt.name, np.uint8))
    return gguf.quants.dequantize(typed, gguf.GGMLQuantizationType[fmt.type.name])


def gguf_decodes(fmt: Format) -> bool:
    return fmt.name in ("f32", "f16") or hasattr(gguf.quants, fmt.type.name)
