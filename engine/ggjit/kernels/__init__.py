"""Compiled loops over arrays and numbers; nothing here knows a model.

A kernel of a tape reads the number of tokens from memory, so that one tape serves any batch.
Matrices are rows of float32 (`stride` bytes apart) unless said otherwise. A value never depends on
the batch it is computed in or on the number of threads.
"""
