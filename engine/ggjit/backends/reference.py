"""The oracle: every operation in plain NumPy, float32, slow and obvious.

Weights are decoded once and kept as float32; the cache is float32 too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from typing import Any

import numpy as np
import numpy.typing as npt

from ..formats import find
from ..gguf import Tensor
from ..graph import (
    Add,
    Attention,
    Columns,
    Combine,
    Embed,
    ExpertLinear,
    Gated,
    Gelu,
    Graph,
    HeadLinear,
    Join,
    LayerNorm,
    Linear,
    Op,
    Recurrence,
    RMSNorm,
    Rope,
    Route,
    Scale,
    Select,
    ShortConv,
    Sigmoid,
    SigmoidGate,
    Softcap,
    Softplus,
    Temper,
)
from . import Float32, Logits, check_parts
from .reference_routing import routes_of, scores_of


class ReferenceState:
    """Keys and values of one sequence: per layer, [n_context, width]; and recurrent layers' states.

    The latter cannot go back: what is taken back starts anew.
    """

    def __init__(self, graph: Graph, n_context: int) -> None:
        self.n_past = 0
        self.states: dict[str, Float32] = {}
        self._is_recurrent = any(isinstance(op, ShortConv | Recurrence) for op in graph.ops)
        layers = [op for op in graph.ops if isinstance(op, Attention)]
        self.k = {op.layer: np.zeros((n_context, op.k.width), np.float32) for op in layers}
        self.v = {
            op.layer: np.zeros((n_context, op.v.width), np.float32)
            for op in layers
            if not op.latent
        }

    def truncate(self, n: int) -> int:
        assert 0 <= n <= self.n_past
        if self._is_recurrent and n < self.n_past:
            self.states, n = {}, 0
        self.n_past = n
        return n

    def fork(self, n: int | None = None) -> ReferenceState:
        made = copy(self)
        made.k, made.v = ({i: x.copy() for i, x in kept.items()} for kept in (self.k, self.v))
        made.states = {name: x.copy() for name, x in self.states.items()}
        made.truncate(self.n_past if n is None else n)
        return made


class ReferenceExecutor:
    """Runs a graph operation by operation. `trace` may be told of every result."""

    def __init__(self, graph: Graph, n_context: int) -> None:
        self.graph, self.n_context = graph, n_context
        self.n_vocab = graph.output.width
        self.trace: Callable[[Op, Float32], None] | None = None
        self._decoded: dict[str, Float32] = {}

    def new_state(self) -> ReferenceState:
        return ReferenceState(self.graph, self.n_context)

    def run(self, state: Any, ids: npt.NDArray[np.int32], logits: Logits = "last") -> Float32:
        return self.run_batch([(state, ids, logits)])[0]

    def run_batch(
        self, parts: Sequence[tuple[Any, npt.NDArray[np.int32], Logits]]
    ) -> list[Float32]:
        check_parts(parts, self.n_context)
        return [self._run(state, np.asarray(ids), logits) for state, ids, logits in parts]

    def _run(self, state: ReferenceState, ids: npt.NDArray[np.int32], logits: Logits) -> Float32:
        step = Step(self, state, ids, logits)
        for op in self.graph.ops:
            step.run(op)
        state.n_past += len(ids)
        return step.values[self.graph.output.name]

    def weight(self, tensor: Tensor) -> Float32:
        """Return a tensor as float32, decoded at first use."""
        if tensor.name not in self._decoded:
            fmt = find(tensor)
            rows = fmt.decode_rows(tensor.data.reshape(-1), tensor.shape[-1])
            self._decoded[tensor.name] = rows.reshape(tensor.shape)
        return self._decoded[tensor.name]


class Step:
    """One batch on its way through the graph."""

    def __init__(self, executor: ReferenceExecutor, state: ReferenceState, ids: Any, logits: str):
        self.executor, self.state, self.ids, self.logits = executor, state, ids, logits
        self.positions = state.n_past + np.arange(len(ids))
        self.values: dict[str, Float32] = {}

    def run(self, op: Op) -> None:
        """Compute one operation from the buffers before it."""
        result = getattr(self, type(op).__name__.lower())(op)
        self.values[op.out.name] = result
        if self.executor.trace:
            self.executor.trace(op, result)

    def of(self, buffer: Any) -> Float32:
        return self.values[buffer.name]

    def embed(self, op: Embed) -> Float32:
        return self.executor.weight(op.weight)[self.ids if op.of == "tokens" else self.positions]

    def rmsnorm(self, op: RMSNorm) -> Float32:
        x = self.of(op.x).reshape(-1, op.weight.shape[0]).astype(np.float64)
        unit = (x / np.sqrt(np.mean(x**2, axis=-1, keepdims=True) + op.eps)).astype(np.float32)
        out = (unit * self.executor.weight(op.weight)).reshape(self.of(op.x).shape)
        return out if op.residual is None else out + self.of(op.residual)

    def layernorm(self, op: LayerNorm) -> Float32:
        x = self.of(op.x).astype(np.float64)
        x = x - x.mean(axis=-1, keepdims=True)
        unit = (x / np.sqrt(np.mean(x**2, axis=-1, keepdims=True) + op.eps)).astype(np.float32)
        out = unit * self.executor.weight(op.weight)
        return out if op.bias is None else out + self.executor.weight(op.bias)

    def linear(self, op: Linear) -> Float32:
        out = self.of(op.x) @ self.executor.weight(op.weight).T
        if op.bias is not None:
            out = out + self.executor.weight(op.bias)
        return out if op.residual is None else out + self.of(op.residual)

    def rope(self, op: Rope) -> Float32:
        x = self.of(op.x).reshape(len(self.ids), -1, op.head_dim).copy()
        angles = self.positions[:, None, None] * op.spec.frequencies
        cos = (np.cos(angles) * op.spec.magnitude).astype(np.float32)
        sin = (np.sin(angles) * op.spec.magnitude).astype(np.float32)
        n = op.spec.n_pairs
        first = slice(0, 2 * n, 2) if op.spec.interleaved else slice(0, n)
        second = slice(1, 2 * n, 2) if op.spec.interleaved else slice(n, 2 * n)
        a, b = x[..., first].copy(), x[..., second].copy()
        x[..., first], x[..., second] = a * cos - b * sin, a * sin + b * cos
        return x.reshape(len(self.ids), -1)

    def attention(self, op: Attention) -> Float32:
        n, end = self.state.n_past, self.state.n_past + len(self.ids)
        keys = self.state.k[op.layer]
        keys[n:end] = self.of(op.k)
        values = keys[:, : op.latent]
        if not op.latent:
            values = self.state.v[op.layer]
            values[n:end] = self.of(op.v)
        q = self.of(op.q).reshape(len(self.ids), op.n_heads, op.k_dim)
        k = keys[:end].reshape(end, op.n_kv_heads, op.k_dim)
        v = values[:end].reshape(end, op.n_kv_heads, op.v_dim)
        group = op.n_heads // op.n_kv_heads
        heads = [
            self.weights(op, h, op.scale * (q[:, h] @ k[:, h // group].T)) @ v[:, h // group]
            for h in range(op.n_heads)
        ]
        return np.concatenate(heads, axis=-1)

    def weights(self, op: Attention, head: int, scores: Float32) -> Float32:
        """Turn scores [tokens, keys] into what the keys' values are multiplied by."""
        if op.softcap:
            scores = op.softcap * np.tanh(scores / op.softcap)
        behind = self.positions[:, None] - np.arange(scores.shape[1])[None, :]
        reach: Any = op.window or np.inf
        if op.chunked:
            reach = self.positions[:, None] % reach + 1
        seen = (behind >= 0) & (behind < reach)
        scores = np.where(seen, scores, -np.inf)
        if op.sinks is None:
            return softmax(scores)
        sink = np.full((len(scores), 1), self.executor.weight(op.sinks)[head], np.float32)
        return softmax(np.concatenate([scores, sink], axis=1))[:, :-1]

    def gated(self, op: Gated) -> Float32:
        return UNITS[op.unit](self.of(op.gate), self.of(op.up))

    def gelu(self, op: Gelu) -> Float32:
        return gelu(self.of(op.x))

    def scale(self, op: Scale) -> Float32:
        return self.of(op.x) * np.float32(op.by)

    def softcap(self, op: Softcap) -> Float32:
        return np.float32(op.cap) * np.tanh(self.of(op.x) / np.float32(op.cap))

    def temper(self, op: Temper) -> Float32:
        by = 1 + op.by * np.log(1 + (self.positions + op.offset) // op.span)
        return self.of(op.x) * by[:, None].astype(np.float32)

    def sigmoidgate(self, op: SigmoidGate) -> Float32:
        return scores_of(self.of(op.gate), "sigmoid") * self.of(op.x)

    def sigmoid(self, op: Sigmoid) -> Float32:
        return sigmoid(self.of(op.x)).astype(np.float32)

    def softplus(self, op: Softplus) -> Float32:
        x = self.of(op.x).astype(np.float64) + self.executor.weight(op.bias)
        scale = 1.0 if op.scale is None else self.executor.weight(op.scale)
        return (scale * np.logaddexp(0, x)).astype(np.float32)

    def shortconv(self, op: ShortConv) -> Float32:
        weight, x = self.executor.weight(op.weight), self.of(op.x)
        n = weight.shape[1] - 1
        rows = np.concatenate([self.state_of(op, (n, x.shape[1])), x])
        self.state.states[op.out.name] = rows[len(x) :]
        out = sum(weight[:, j] * rows[j : j + len(x)] for j in range(n + 1))
        if op.bias is not None:
            out = out + self.executor.weight(op.bias)
        return UNITS["silu"](out, np.float32(1)) if op.silu else out

    def recurrence(self, op: Recurrence) -> Float32:
        """Token by token, head by head."""
        n, group = len(self.ids), op.n_heads // op.n_kv_heads
        q, k = (self.of(x).reshape(n, op.n_kv_heads, -1) for x in (op.q, op.k))
        v, beta = self.of(op.v).reshape(n, op.n_heads, -1), self.of(op.beta)
        kept = np.exp(self.of(op.decay).reshape(n, op.n_heads, -1))
        states = self.state_of(op, (op.n_heads, op.k_dim, op.v_dim))
        out = np.empty_like(v)
        for t, h in np.ndindex(n, op.n_heads):
            at = h % op.n_kv_heads if op.tiled else h // group
            state = states[h] * kept[t, h][:, None]
            new = v[t, h] - state.T @ k[t, at] if op.delta else v[t, h]
            states[h] = state + np.outer(k[t, at], beta[t, h] * new)
            out[t, h] = states[h].T @ q[t, at]
            if op.skip is not None:
                out[t, h] += self.executor.weight(op.skip)[h] * v[t, h]
        self.state.states[op.out.name] = states
        return out.reshape(n, -1)

    def state_of(self, op: ShortConv | Recurrence, shape: tuple[int, ...]) -> Float32:
        """Return a copy of what the tokens before left, zeros if there are none."""
        kept = self.state.states.get(op.out.name)
        return np.zeros(shape, np.float32) if kept is None else kept.copy()

    def add(self, op: Add) -> Float32:
        return self.of(op.a) + self.of(op.b)

    def columns(self, op: Columns) -> Float32:
        heads = self.of(op.x).reshape(len(self.ids), op.n_heads, -1)
        end = op.start + op.out.width // op.n_heads
        return heads[:, :, op.start : end].reshape(len(self.ids), -1)

    def join(self, op: Join) -> Float32:
        a, b = (self.of(x).reshape(len(self.ids), op.n_heads, -1) for x in (op.a, op.b))
        return np.concatenate([a, b], axis=2).reshape(len(self.ids), -1)

    def headlinear(self, op: HeadLinear) -> Float32:
        weight = self.executor.weight(op.weight)
        weight = weight.swapaxes(1, 2) if op.transposed else weight
        x = self.of(op.x).reshape(len(self.ids), op.n_heads, -1)[:, :, : weight.shape[2]]
        return np.einsum("thc,hrc->thr", x, weight).reshape(len(self.ids), -1)

    def route(self, op: Route) -> Float32:
        bias = None if op.bias is None else self.executor.weight(op.bias)
        return routes_of(self.of(op.logits), op.routing, bias)

    def expertlinear(self, op: ExpertLinear) -> Float32:
        experts, by = np.split(self.of(op.routes), 2, axis=1)
        weight, x = self.executor.weight(op.weight), self.of(op.x)
        out = np.empty((*experts.shape, weight.shape[1]), np.float32)
        for t, s in np.ndindex(experts.shape):
            e, row = int(experts[t, s]), x[t, s] if x.ndim == 3 else x[t]
            out[t, s] = weight[e] @ (row * by[t, s] if op.weigh else row)
            if op.bias is not None:
                out[t, s] += self.executor.weight(op.bias)[e]
        return out

    def combine(self, op: Combine) -> Float32:
        _, by = np.split(self.of(op.routes), 2, axis=1)
        x = self.of(op.x)
        return (x * by[..., None] if op.weigh else x).sum(axis=1)

    def select(self, op: Select) -> Float32:
        n = {"all": len(self.ids), "last": 1, "none": 0}[self.logits]
        return self.of(op.x)[len(self.ids) - n :]


def gelu(x: Float32) -> Float32:
    """The Gaussian error linear unit, by its formula with tanh."""
    wide = x.astype(np.float64)
    bend = np.tanh(np.sqrt(2 / np.pi) * (wide + 0.044715 * wide**3))
    return (wide / 2 * (1 + bend)).astype(np.float32)


def sigmoid(x: Float32) -> npt.NDArray[np.float64]:
    """1 / (1 + exp(-x)), as float64."""
    return 1 / (1 + np.exp(-np.clip(x.astype(np.float64), -700, 700)))


def clamped(gate: Float32, up: Float32) -> Float32:
    """The unit of gpt-oss."""
    gate, up = np.minimum(gate, 7), np.clip(up, -7, 7)
    return (gate * sigmoid(1.702 * gate) * (up + 1)).astype(np.float32)


UNITS: dict[str, Callable[[Float32, Float32], Float32]] = {
    "silu": lambda gate, up: (gate * sigmoid(gate)).astype(np.float32) * up,
    "gelu": lambda gate, up: gelu(gate) * up,
    "sigmoid": lambda gate, up: sigmoid(gate).astype(np.float32) * up,
    "clamped": clamped,
    "plain": lambda gate, up: gate * up,
}


def softmax(x: Float32) -> Float32:
    """Softmax over the last axis."""
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return (e / e.sum(axis=-1, keepdims=True)).astype(np.float32)
