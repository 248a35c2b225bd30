"""A model's tensors by GGUF name, checked as they are taken."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..gguf import GGMLType, Tensor


class ShapeError(ValueError):
    """A tensor of another shape than the model needs; None in `wanted` stands for any number."""

    def __init__(self, tensor: Tensor, wanted: tuple[int | None, ...]) -> None:
        shown = ", ".join("*" if n is None else str(n) for n in wanted)
        where = f"{tensor.path}: tensor {tensor.name!r}"
        super().__init__(f"{where} has shape {list(tensor.shape)}, expected [{shown}]")
        self.tensor, self.wanted = tensor, wanted


class MissingError(ValueError):
    """A tensor that the model needs and the file has not."""

    def __init__(self, name: str, path: object) -> None:
        super().__init__(f"{path}: tensor {name!r} is missing")
        self.name = name


@dataclass(frozen=True)
class Param:
    """A tensor NAME.weight and, where the file has it, NAME.bias."""

    name: str
    tensor: Tensor
    bias: Param | None = None

    @property
    def n_rows(self) -> int:
        return self.matrix().shape[0]

    @property
    def n_columns(self) -> int:
        return self.matrix().shape[1]

    def matrix(self) -> Tensor:
        """Return the tensor. Raises: ValueError unless it has two dimensions, none of them 0."""
        if len(self.tensor.shape) != 2:
            raise ShapeError(self.tensor, (None, None))
        if 0 in self.tensor.shape:
            where = f"{self.tensor.path}: tensor {self.tensor.name!r}"
            raise ValueError(f"{where} has shape {list(self.tensor.shape)}, expected a matrix")
        return self.tensor

    def of_heads(self, n_heads: int, start: int, n: int) -> Param:
        """Take n rows, from `start` on, of each head's share of a matrix, as a stack."""
        self.expect_no_bias()
        t, (n_rows, n_columns) = self.tensor, self.matrix().shape
        rows = t.data.reshape(n_heads, n_rows // n_heads, -1)[:, start : start + n]
        name, shape = f"{t.name}[{start}:]", (n_heads, n, n_columns)
        return Param(name, replace(t, name=name, shape=shape, data=rows.reshape(-1)))

    def rows(self, start: int, n: int) -> Param:
        """Take some rows of a matrix, and of its bias, as a matrix of its own."""
        t, (n_rows, n_columns) = self.tensor, self.matrix().shape
        if self.bias:
            self.bias.expect_vector(n_rows)
        data = t.data.reshape(n_rows, -1)[start : start + n].reshape(-1)
        name = f"{t.name}[{start}:{start + n}]"
        part = replace(t, name=name, shape=(n, n_columns), data=data)
        return Param(f"{self.name}[{start}]", part, self.bias and self.bias.elements(start, n))

    def elements(self, start: int, n: int) -> Param:
        """Take some elements of a vector."""
        self.expect_no_bias()
        t = self.tensor
        data = t.data.reshape(t.n_elements, -1)[start : start + n].reshape(-1)
        name = f"{t.name}[{start}:{start + n}]"
        return Param(f"{self.name}[{start}]", replace(t, name=name, shape=(n,), data=data))

    def flat(self) -> Param:
        """Return a tensor of any shape as a vector."""
        return replace(self, tensor=replace(self.tensor, shape=(self.tensor.n_elements,)))

    def as_rows(self, n_columns: int) -> Param:
        """Return a tensor of any shape as a matrix of rows of n columns. Raises: ValueError."""
        if self.tensor.n_elements % n_columns:
            raise ShapeError(self.tensor, (None, n_columns))
        shape = (self.tensor.n_elements // n_columns, n_columns)
        return replace(self, tensor=replace(self.tensor, shape=shape))

    def as_row(self) -> Param:
        """Return a vector as a matrix of one row."""
        shape = (1, self.tensor.n_elements)
        return replace(self, tensor=replace(self.tensor, shape=shape))

    def expect_stack(self, n: int, rows: int, columns: int) -> None:
        """Raise ValueError unless it is n matrices [rows, columns]; a bias is [n, rows]."""
        if self.tensor.shape != (n, rows, columns):
            raise ShapeError(self.tensor, (n, rows, columns))
        if self.bias and self.bias.tensor.shape != (n, rows):
            raise ShapeError(self.bias.tensor, (n, rows))

    def expect_rows(self, n: int) -> None:
        """Raise ValueError unless there are n rows."""
        if self.n_rows != n:
            raise ShapeError(self.tensor, (n, None))

    def expect_columns(self, n: int) -> None:
        """Raise ValueError unless rows have n columns."""
        if self.n_columns != n:
            raise ShapeError(self.tensor, (None, n))

    def expect_shape(self, rows: int, columns: int) -> None:
        """Raise ValueError unless the matrix is [rows, columns]."""
        if self.matrix().shape != (rows, columns):
            raise ShapeError(self.tensor, (rows, columns))

    def expect_vector(self, n: int) -> None:
        """Raise ValueError unless it is a vector of n."""
        if self.tensor.shape != (n,):
            raise ShapeError(self.tensor, (n,))

    def floats(self) -> npt.NDArray[np.float32]:
        """Return the values. Raises: ValueError unless it is a vector of float32."""
        self.expect_no_bias()
        t = self.tensor
        if t.type != GGMLType.F32 or len(t.shape) != 1:
            found = f"is {t.type.name} {list(t.shape)}"
            raise ValueError(f"{t.path}: tensor {t.name!r} {found}, expected an F32 vector")
        return t.data.view(np.float32)

    def expect_no_bias(self) -> None:
        """Raise ValueError if there is a bias."""
        if self.bias:
            where = f"{self.bias.tensor.path}: tensor {self.bias.tensor.name!r}"
            raise ValueError(f"{where} is not expected in this architecture")


def constant(name: str, values: npt.ArrayLike) -> Param:
    """Return a tensor of float32 that no file has."""
    array = np.ascontiguousarray(values, np.float32)
    data = array.reshape(-1).view(np.uint8)
    return Param(name, Tensor(name, GGMLType.F32, array.shape, data, 0, Path()))


class Weights:
    """Tensors below a prefix: `weights.output_norm`, `weights.block(3).attn_q`."""

    def __init__(self, tensors: Mapping[str, Tensor], path: object, prefix: str = "") -> None:
        self._tensors, self._path, self._prefix = tensors, path, prefix
        self._left = dict(tensors)  # what was not asked for yet; layers share it

    def block(self, i: int) -> Weights:
        """Return the tensors of one layer."""
        return self.within(f"blk.{i}")

    def within(self, name: str) -> Weights:
        """Return the tensors whose names begin with `name.`."""
        part = Weights(self._tensors, self._path, f"{self._prefix}{name}.")
        part._left = self._left
        return part

    def expect_all_used(self) -> None:
        """Raise ValueError if nothing asked for some tensor: it would have meant something."""
        if self._left:
            names = ", ".join(repr(name) for name in list(self._left)[:3])
            n = len(self._left)
            text = f"{n} tensors have no place in this architecture: {names}"
            raise ValueError(f"{self._path}: {text}")

    def leave_block(self, i: int) -> None:
        """Take all tensors of a layer as known, though nothing asks for them."""
        for name in [n for n in self._left if n.startswith(f"{self._prefix}blk.{i}.")]:
            del self._left[name]

    def has(self, name: str) -> bool:
        """Tell whether the file has NAME.weight."""
        return f"{self._prefix}{name}.weight" in self._tensors

    def bare(self, name: str) -> Param:
        """Return the tensor NAME, without `.weight`, as a vector."""
        return self._named(f"{self._prefix}{name}").flat()

    def bias_of(self, name: str) -> Param:
        """Return NAME.bias, which stands without a weight."""
        return self._named(f"{self._prefix}{name}.bias").flat()

    def _named(self, full: str) -> Param:
        if full not in self._tensors:
            raise MissingError(full, self._path)
        self._left.pop(full, None)
        return Param(full, self._tensors[full])

    def bias_alone(self, name: str) -> Param | None:
        """Return NAME.bias where the file has it; there is no NAME.weight."""
        full = f"{self._prefix}{name}.bias"
        tensor = self._left.pop(full, self._tensors.get(full))
        return None if tensor is None else Param(full, tensor)

    def __getattr__(self, name: str) -> Param:
        full = self._prefix + name
        tensor = self._tensors.get(f"{full}.weight")
        if tensor is None:
            raise MissingError(f"{full}.weight", self._path)
        bias = self._tensors.get(f"{full}.bias")
        for used in (tensor, bias):
            if used is not None:
                self._left.pop(used.name, None)
        return Param(full, tensor, Param(f"{full}.bias", bias) if bias is not None else None)
