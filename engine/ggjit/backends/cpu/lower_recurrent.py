"""Steps of recurrent layers: convolutions and states that sequences keep."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from ...graph import Recurrence, ShortConv, Sigmoid, Softplus
from ...kernels import recurrence, softplus
from ...kernels.short_conv import short_conv
from .lower_heads import HeadLowering
from .memory import address, aligned
from .steps import Operands, Step


class RecurrentLowering(HeadLowering):
    """Makes the steps of recurrent layers."""

    def sigmoid(self, op: Sigmoid) -> Iterable[Step]:
        operands = {"x": self._at(op.x), "n_columns": op.out.width, **self._rows("out", op.out)}
        yield self._step(op, softplus.sigmoid, operands)
        yield from self._quantize(op.out)

    def softplus(self, op: Softplus) -> Iterable[Step]:
        operands = {
            "x": self._at(op.x), "n_columns": op.out.width, **self._rows("out", op.out),
            "bias": address(self.weights.vector(op.bias)),
            "scale": address(self.weights.vector(op.scale)) if op.scale else 0,
        }  # fmt: skip
        yield self._step(op, softplus.softplus, operands)
        yield from self._quantize(op.out)

    def shortconv(self, op: ShortConv) -> Iterable[Step]:
        n_columns, n_taps = op.weight.shape
        padded = self.storage.rows[op.out].array.shape[1]
        taps = aligned(n_taps * padded, np.float32).reshape(n_taps, padded)
        rows = self.weights.vector(op.weight).reshape(n_columns, -1)
        taps[:, :n_columns] = rows[:, :n_taps].T
        zero = aligned(padded, np.float32)
        self._kept += [taps, zero]
        operands = {
            "weight": address(taps),
            "bias": address(self.weights.vector(op.bias) if op.bias else zero),
            "n_taps": n_taps,
            "silu": int(op.silu),
            **self._rows("x", op.x, "x_stride"),
            **self._rows("out", op.out),
            **self._state(op),
        }
        yield self._step(op, short_conv, operands)
        yield from self._quantize(op.out)

    def recurrence(self, op: Recurrence) -> Iterable[Step]:
        wide = op.decay.width > op.n_heads
        operands = {
            "skip": address(self.weights.vector(op.skip)) if op.skip else 0,
            "n_heads": op.n_heads,
            "n_kv_heads": op.n_kv_heads,
            "tiled": int(op.tiled),
            "k_dim": op.k_dim,
            "v_dim": op.v_dim,
            **self._rows("q", op.q, "q_stride"),
            **self._rows("k", op.k, "k_stride"),
            **self._rows("v", op.v, "v_stride"),
            **self._rows("decay", op.decay, "decay_stride"),
            **self._rows("beta", op.beta, "beta_stride"),
            **self._rows("out", op.out),
            **self._scratch_of(recurrence.scratch_bytes(op.k_dim)),
            **self._state(op),
        }
        yield self._step(op, recurrence.recurrence(op.delta, wide), operands)
        yield from self._quantize(op.out)

    def _state(self, op: ShortConv | Recurrence) -> Operands:
        return {
            "state_offset": self.cache.states.offsets[op.out],
            "table_offset": self.cache.states.table_offset,
            "batch_tables": self.batch.address_of("tables"),
            "batch_starts": self.batch.address_of("starts"),
            "part_count": self.batch.address_of("n_parts"),
        }
