"""The loops that measure the machine do the work that is counted."""

import re

import numpy as np
import pytest
from guarded import Guarded, run

from ggjit.jit.compiler import assembly
from ggjit.kernels import peaks
from ggjit.simd import target
from ggjit.simd.dot import in_words

NAME = target.current().name


@pytest.mark.parametrize("n_threads", [1, 3])
@pytest.mark.parametrize(("n_streams", "ahead"), [(1, 0), (1, 4096), (4, 1024)])
def test_read_memory_reads_every_byte(rng, n_threads, n_streams, ahead):
    memory = Guarded.of(rng.integers(0, 2**31, 28 * peaks.READ // 4, np.int32))
    sums = Guarded((n_threads, peaks.READ // 4), np.int32)
    run(
        peaks.read_memory(n_streams), n_threads, memory, sums, memory=memory.address,
        n_bytes=memory.array.nbytes, ahead=ahead, sums=sums.address,
    )  # fmt: skip
    wanted = memory.array.sum(dtype=np.int64).astype(np.int32)
    assert sums.array.sum(dtype=np.int64).astype(np.int32) == wanted


def test_multiply_does_every_dot(rng):
    n_steps, n = 37, peaks.n_sums()
    x = Guarded.of(rng.integers(0, 120, 64, np.int8))
    sums = Guarded((n, 16), np.int32)
    run(
        peaks.multiply(), 1, x, sums, x=x.address, sums=sums.address, sums_step=64 * n,
        n_steps=n_steps,
    )  # fmt: skip
    weights = (x.array.view(np.uint8) + np.arange(n_steps)[:, None]).astype(np.uint8)
    columns = x.array[: 4 * n]
    if in_words(True):
        weights, columns = weights.view(np.int16), columns.view(np.int16)
    weights, columns = weights.reshape(n_steps, 16, -1), columns.reshape(n, -1)
    wanted = np.einsum("srk,tk->tr", weights.astype(np.int64), columns.astype(np.int64))
    wanted = wanted.astype(np.int32)  # of words it wraps around
    np.testing.assert_array_equal(sums.array, wanted)


@pytest.mark.skipif(NAME != "avx512-amx", reason="needs AMX")
def test_multiply_tiles_multiplies_whole_tiles(rng):
    x = Guarded.of(rng.integers(-128, 128, (16, 64), np.int8))
    config, sums = Guarded(64, np.uint8), Guarded((16, 16), np.int32)
    run(
        peaks.multiply_tiles, 1, x, config, sums, x=x.address, config=config.address,
        sums=sums.address, sums_step=1024, n_steps=3,
    )  # fmt: skip
    a = x.array.astype(np.int64)
    b = a.reshape(16, 16, 4)
    np.testing.assert_array_equal(sums.array, np.einsum("mkj,knj->mn", a.reshape(16, 16, 4), b))


@pytest.mark.skipif(target.current().dot != "vnni512", reason="looks for its instructions")
def test_multiply_stays_in_registers():
    code = assembly(peaks.multiply())
    dots = re.findall(r"vpdpbusd\s+(\S+),", code)
    assert len(dots) >= peaks.n_sums()
    assert all(operand.startswith("%zmm") for operand in dots)
    assert not re.search(r"\(%rsp\).*%zmm|%zmm\d+, *-?\d*\(%rsp\)", code)
