"""The operations. Each writes one buffer, `out`; what it reads are its other buffers.

Shape letters: T tokens, C width, H heads, K key heads, D head dim.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Literal

import numpy as np
import numpy.typing as npt

from ..gguf import Tensor

Unit = Literal["silu", "gelu", "sigmoid", "clamped", "plain"]


@dataclass(frozen=True)
class Buffer:
    """A float32 matrix [T, width], named after what fills it (`blk.3.attn_q`)."""

    name: str
    width: int
    selected: bool = False  # rows are only those whose logits are asked for
    n_chosen: int = 0  # rows of each token, one for each expert it has chosen; 0: one, its own


@dataclass(frozen=True)
class Op:
    """One operation."""

    out: Buffer

    def inputs(self) -> tuple[Buffer, ...]:
        """Return the buffers this operation reads."""
        values = (getattr(self, f.name) for f in fields(self) if f.name != "out")
        return tuple(v for v in values if isinstance(v, Buffer))


@dataclass(frozen=True)
class Embed(Op):
    """out[t] = weight[token of t], or weight[position of t]."""

    weight: Tensor
    of: Literal["tokens", "positions"] = "tokens"


@dataclass(frozen=True)
class RMSNorm(Op):
    """out = x / sqrt(mean(x**2) + eps) * weight + residual.

    A weight shorter than a row is that of a head: each is normalized by itself.
    """

    x: Buffer
    weight: Tensor
    eps: float
    residual: Buffer | None = None

    @property
    def n_heads(self) -> int:
        return self.x.width // self.weight.shape[0]


@dataclass(frozen=True)
class LayerNorm(Op):
    """out = (x - mean(x)) / sqrt(variance(x) + eps) * weight + bias."""

    x: Buffer
    weight: Tensor
    bias: Tensor | None
    eps: float


@dataclass(frozen=True)
class Linear(Op):
    """out = x @ weight.T + bias + residual."""

    x: Buffer
    weight: Tensor
    bias: Tensor | None = None
    residual: Buffer | None = None


@dataclass(frozen=True)
class RopeSpec:
    """How positions turn pairs: angle of pair i = position * frequencies[i] (float64)."""

    frequencies: npt.NDArray[np.float64]
    interleaved: bool  # pairs (0,1)(2,3).. rather than (0,n)(1,n+1)..
    magnitude: float = 1.0  # factor on cos and sin

    @property
    def n_pairs(self) -> int:
        return len(self.frequencies)


@dataclass(frozen=True)
class Rope(Op):
    """out = x with the first 2 * n_pairs elements of each head turned by position."""

    x: Buffer
    head_dim: int
    spec: RopeSpec


@dataclass(frozen=True)
class Attention(Op):
    """out[t, h] = softmax(scale * q[t, h] . k[s, h // (H/K)] for s <= t) @ v; k and v are kept.

    With a window only the last `window` keys are seen, the token's own among them; `chunked`: those
    since the last multiple of `window`. `softcap` makes
    scores softcap * tanh(score / softcap). `sinks` holds a logit per head that takes its share of
    the softmax and adds nothing. With `latent` there is one key head, and values are the first so
    many columns of the keys, which alone are kept.
    """

    q: Buffer
    k: Buffer
    v: Buffer
    layer: int
    n_heads: int
    n_kv_heads: int
    scale: float
    window: int | None = None
    softcap: float | None = None
    sinks: Tensor | None = None
    latent: int = 0
    chunked: bool = False

    @property
    def k_dim(self) -> int:
        return self.k.width // self.n_kv_heads

    @property
    def v_dim(self) -> int:
        return self.latent or self.v.width // self.n_kv_heads


@dataclass(frozen=True)
class Gated(Op):
    """out = unit(gate) * up.

    silu: gate * sigmoid(gate); gelu: see `Gelu`; sigmoid; plain: gate. clamped, of gpt-oss: gate
    is at most 7, up between -7 and 7, and out = gate * sigmoid(1.702 * gate) * (up + 1).
    """

    gate: Buffer
    up: Buffer
    unit: Unit


@dataclass(frozen=True)
class Gelu(Op):
    """out = x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x**3)))."""

    x: Buffer


@dataclass(frozen=True)
class Scale(Op):
    """out = x * by."""

    x: Buffer
    by: float


@dataclass(frozen=True)
class Softcap(Op):
    """out = cap * tanh(x / cap)."""

    x: Buffer
    cap: float


@dataclass(frozen=True)
class Temper(Op):
    """out[t] = x[t] * (1 + by * log(1 + floor((position of t + offset) / span)))."""

    x: Buffer
    by: float
    span: int
    offset: int = 0


@dataclass(frozen=True)
class SigmoidGate(Op):
    """out[t] = sigmoid(gate[t]) * x[t], for a gate of one number a row."""

    gate: Buffer
    x: Buffer


@dataclass(frozen=True)
class Sigmoid(Op):
    """out = 1 / (1 + exp(-x))."""

    x: Buffer


@dataclass(frozen=True)
class Softplus(Op):
    """out = scale * log(1 + exp(x + bias)), column by column."""

    x: Buffer
    bias: Tensor
    scale: Tensor | None = None


@dataclass(frozen=True)
class Add(Op):
    """out = a + b."""

    a: Buffer
    b: Buffer


@dataclass(frozen=True)
class Select(Op):
    """out = the rows of x whose logits are asked for."""

    x: Buffer


# -- multi-head latent attention: rows are heads side by side -------------------------------------


@dataclass(frozen=True)
class Columns(Op):
    """out[t, h] = some columns of x[t, h]: from `start` on, as many as fit."""

    x: Buffer
    n_heads: int
    start: int


@dataclass(frozen=True)
class Join(Op):
    """out[t, h] = the columns of a[t, h], and those of b[t, h] behind them."""

    a: Buffer
    b: Buffer
    n_heads: int


@dataclass(frozen=True)
class HeadLinear(Op):
    """out[t, h] = weight[h] @ (the first C columns of x[t, h]). Shapes: weight [H, rows, C].

    Transposed, the weight is [H, C, rows].
    """

    x: Buffer
    weight: Tensor
    transposed: bool = False

    @property
    def n_heads(self) -> int:
        return self.weight.shape[0]


# -- mixture of experts: E experts, S of them chosen by each token --------------------------------


@dataclass(frozen=True)
class Routing:
    """How a router's logits become experts and weights.

    Scores are the softmax or the sigmoid of all logits; of "chosen" the logits themselves choose,
    and the weights are the softmax of those chosen. Of `n_groups` equal groups of experts only the
    best `n_groups_used` are chosen from; a group counts as much as its `n_best` best experts.
    """

    n_used: int
    score: Literal["softmax", "sigmoid", "chosen"] = "softmax"
    normalize: bool = False  # to a sum of 1
    scale: float = 1.0
    n_groups: int = 1
    n_groups_used: int = 1
    n_best: int = 2


@dataclass(frozen=True)
class Route(Op):
    """out[t] = the S experts with the largest scores, best first, and behind them their weights.

    `bias` is added to scores to choose by, and not to weights.
    """

    logits: Buffer
    routing: Routing
    bias: Tensor | None = None


@dataclass(frozen=True)
class ExpertLinear(Op):
    """out[t, s] = weight[e] @ x[t] + bias[e], where e is t's s-th expert; x may have such rows too.

    Shapes: weight [E, rows, C], bias [E, rows]. `weigh`: x is multiplied by the expert's weight.
    """

    x: Buffer
    routes: Buffer
    weight: Tensor
    bias: Tensor | None = None
    weigh: bool = False


@dataclass(frozen=True)
class Combine(Op):
    """out[t] = sum over s of x[t, s], times the experts' weights if `weigh`."""

    x: Buffer
    routes: Buffer
    weigh: bool = True


# -- recurrent layers: what a sequence leaves is a state of one size ------------------------------


@dataclass(frozen=True)
class ShortConv(Op):
    """out[t] = sum over j of weight[:, j] * x[t - (K - 1) + j] + bias; before the first are zeros.

    Shapes: weight [C, K]. `silu`: out = out * sigmoid(out). The last K - 1 rows are kept.
    """

    x: Buffer
    weight: Tensor
    bias: Tensor | None = None
    silu: bool = False

    @property
    def state_floats(self) -> int:
        return (self.weight.shape[1] - 1) * padded(self.x.width, 16)


@dataclass(frozen=True)
class Recurrence(Op):
    """Linear attention with decay; each head keeps a matrix S [D, V], zero at first.

    For each token S = exp(decay) * S; then with `delta` S = S + k (beta * (v - S^T k))^T
    (gated DeltaNet, arXiv:2412.06464), else S = S + k (beta * v)^T (Mamba 2, arXiv:2405.21060);
    out = S^T q + skip * v. Decay is a number a head, or one for each of its D columns. A key
    head's q and k serve H/K heads next to each other, or K apart if `tiled`.
    """

    q: Buffer
    k: Buffer
    v: Buffer
    decay: Buffer
    beta: Buffer
    n_heads: int
    n_kv_heads: int
    delta: bool
    tiled: bool = False
    skip: Tensor | None = None

    @property
    def k_dim(self) -> int:
        return self.k.width // self.n_kv_heads

    @property
    def v_dim(self) -> int:
        return self.v.width // self.n_heads

    @property
    def state_floats(self) -> int:
        return self.n_heads * self.k_dim * padded(self.v_dim, 32)


def padded(n: int, multiple: int) -> int:
    """Return n, rounded up to a multiple."""
    return (n + multiple - 1) // multiple * multiple
