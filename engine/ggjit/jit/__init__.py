"""From a Python function to machine code at an address, compiled once per machine."""

from .kernel import Kernel, device, kernel
from .library import compile_kernels

__all__ = ["Kernel", "compile_kernels", "device", "kernel"]
