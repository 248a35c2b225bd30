"""The vocabulary kernels are written in: vectors, tiles of vectors, and one operation each.

A kernel is written once for a logical width of 512 bits; LLVM splits what the machine lacks.
Only the integer dot product has a version per instruction set (`dot.py`); float16 has one more
(`halves.py`) for machines that do not convert it.
"""
