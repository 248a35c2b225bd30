"""What quantized checkpoints in tests are made of and compared with."""

import numpy as np

from ggjit.gguf import GGMLType

AUTO_ROUND = {"quant_method": "auto-round", "packing_format": "auto_round:auto_gptq"}


def check(a, expected, rng):
    """Compare all rows, and parts that begin and end anywhere."""
    assert a.shape == expected.shape
    assert a.type is GGMLType.F32
    np.testing.assert_array_equal(a.rows(0, len(expected)), expected)
    for _ in range(5):
        start, stop = np.sort(rng.integers(0, len(expected) + 1, 2))
        np.testing.assert_array_equal(a.rows(start, stop), expected[start:stop])
        stored = a.blocks(start, stop)
        np.testing.assert_array_equal(stored.view(np.float32), expected[start:stop])


def e4m3(rng, *shape):
    bits = (rng.integers(0, 127, shape) | rng.integers(0, 2, shape) << 7).astype(np.uint8)
    exponent, mantissa = (bits >> 3 & 15).astype(float), (bits & 7).astype(float)
    small = exponent == 0
    size = np.where(small, mantissa / 8 * 2**-6, (1 + mantissa / 8) * 2.0 ** (exponent - 7))
    values = np.where(bits < 128, size, -size).astype(np.float32)
    return ("F8_E4M3", bits), values


def scales_of(rng, *shape):
    return rng.uniform(0.5, 2, shape).astype(np.float32)
