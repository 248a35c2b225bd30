"""Tensors as a file would give them, without a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gguf
import numpy as np
from blocks import random_blocks

from ggjit.formats import Format
from ggjit.gguf import Tensor
from ggjit.graph import Param, Weights

F32 = gguf.GGMLQuantizationType.F32
PATH = Path("made-up.gguf")


def tensor(name: str, values: Any, kind: gguf.GGMLQuantizationType = F32) -> Tensor:
    """Return a tensor that holds `values`, quantized to `kind`."""
    values = np.asarray(values, np.float32)
    data = gguf.quants.quantize(values, kind) if values.size else values
    data = np.ascontiguousarray(data).view(np.uint8).reshape(-1)
    return Tensor(name, kind, values.shape, data, 0, PATH)


def random_matrix(fmt: Format, rng: np.random.Generator, n_rows: int, n_columns: int) -> Tensor:
    """Return a matrix of any type with ordinary scales and quants of any value."""
    data = random_blocks(fmt, rng, n_rows, n_columns).reshape(-1)
    return Tensor("w", fmt.type, (n_rows, n_columns), data, 0, PATH)


def param(name: str, shape: tuple[int, ...], bias: tuple[int, ...] | None = None) -> Param:
    """Return a parameter of zeros, with a bias of zeros where its shape is given."""
    added = Param(f"{name}.bias", tensor(f"{name}.bias", np.zeros(bias))) if bias else None
    return Param(name, tensor(f"{name}.weight", np.zeros(shape)), added)


def weights(*shapes: tuple[str, tuple[int, ...]]) -> Weights:
    """Return tensors of zeros by full name."""
    return Weights({name: tensor(name, np.zeros(shape)) for name, shape in shapes}, PATH)
