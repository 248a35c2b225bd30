"""GGUF-compatible quantized inference: NumPy and Numba JIT SIMD kernels, no compiler, no torch."""

__version__ = "0.1.0"
