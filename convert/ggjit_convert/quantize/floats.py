"""F32, F16 and BF16: every value rounded to the nearest, ties to even."""

from __future__ import annotations

import numpy as np

from ggjit.backends.cpu.memory import address
from ggjit.backends.cpu.threads import Call, run_parallel
from ggjit.gguf import GGMLType
from ggjit.jit import Kernel, kernel
from ggjit.kernels.threads import share
from ggjit.simd.ops import absolute, load, max_all, maximum, round_to, store, zeros
from ggjit.simd.types import Vec, bf16x16, f16x16, f32x16

from ..arrays import Bytes, Floats
from .encoder import expect_below, fingerprint

# From half way between the largest number and the one that would be next, floats become infinite.
LIMITS = {GGMLType.F16: 65520.0, GGMLType.BF16: (2 - 2**-8) * 2.0**127}


def narrow(name: str, vec: Vec) -> Kernel:
    """Make the kernel that rounds n vectors of values; each thread tells its largest magnitude."""

    def narrow(values: int, made: int, n: int, largest: int, thread: int, n_threads: int) -> None:
        first, last = share(n, thread, n_threads)
        size = zeros(f32x16)
        for i in range(first, last):
            v = load(f32x16, values + 64 * i)
            size = maximum(absolute(v), size)
            store(made + 32 * i, round_to(vec, v))
        store(largest + 4 * thread, max_all(size))

    return kernel(narrow, f"narrow_{name}_{fingerprint()}")


NARROW = {GGMLType.F16: narrow("f16", f16x16), GGMLType.BF16: narrow("bf16", bf16x16)}
FLOATS = {GGMLType.F32, *NARROW}


def encode_floats(type: GGMLType, rows: Floats, n_threads: int) -> Bytes:
    """Shapes: [n_rows, n_columns] to [n_rows, row bytes]."""
    if type is GGMLType.F32:
        return rows.view(np.uint8)
    values = rows.reshape(-1)
    padded = np.resize(values, -(-values.size // 16) * 16) if values.size % 16 else values
    made, largest = np.empty(padded.size, np.uint16), np.empty(n_threads, np.float32)
    operands = {
        "values": address(padded), "made": address(made), "n": padded.size // 16,
        "largest": address(largest),
    }  # fmt: skip
    run_parallel([Call(NARROW[type], i, n_threads, **operands) for i in range(n_threads)])
    expect_below(LIMITS[type], type, largest, rows)
    return made[: values.size].view(np.uint8).reshape(len(rows), -1)
