"""What a model writes its forward pass with; it leaves a list of operations."""

from __future__ import annotations

from dataclasses import fields
from typing import TypeVar

from ..gguf import Tensor
from .ops import (
    Add,
    Attention,
    Buffer,
    Columns,
    Combine,
    Embed,
    ExpertLinear,
    Gated,
    Gelu,
    HeadLinear,
    Join,
    LayerNorm,
    Linear,
    Op,
    Recurrence,
    RMSNorm,
    Rope,
    RopeSpec,
    Route,
    Routing,
    Scale,
    Select,
    ShortConv,
    Sigmoid,
    SigmoidGate,
    Softcap,
    Softplus,
    Temper,
    Unit,
)
from .weights import Param

AnyOp = TypeVar("AnyOp", bound=Op)


class Graph:
    """Operations in order. Shapes are checked as they are added."""

    def __init__(self) -> None:
        self.ops: list[Op] = []
        self._names: dict[str, int] = {}

    @property
    def output(self) -> Buffer:
        """The logits: what the last operation leaves."""
        return self.ops[-1].out

    def tensors(self) -> list[Tensor]:
        """Return every tensor that an operation reads."""
        values = (getattr(op, f.name) for op in self.ops for f in fields(op))
        return [v for v in values if isinstance(v, Tensor)]

    def embed(self, weight: Param) -> Buffer:
        """Look the tokens up."""
        weight.expect_no_bias()
        out = self._buffer(weight.name, weight.n_columns)
        return self._add(Embed(out, weight.matrix()))

    def embed_positions(self, weight: Param) -> Buffer:
        """Look the tokens' positions up."""
        weight.expect_no_bias()
        out = self._buffer(weight.name, weight.n_columns)
        return self._add(Embed(out, weight.matrix(), "positions"))

    def rms_norm(self, x: Buffer, weight: Param, eps: float, n_heads: int = 1) -> Buffer:
        """Normalize rows, or each of their heads, to unit mean square and scale their columns."""
        assert x.width % n_heads == 0
        weight.expect_vector(x.width // n_heads)
        weight.expect_no_bias()
        return self._add(RMSNorm(self._like(weight.name, x), x, weight.tensor, eps))

    def layer_norm(self, x: Buffer, weight: Param, eps: float) -> Buffer:
        """Normalize rows to zero mean and unit variance, scale their columns and add the bias."""
        weight.expect_vector(x.width)
        if weight.bias:
            weight.bias.expect_vector(x.width)
        bias = weight.bias.tensor if weight.bias else None
        return self._add(LayerNorm(self._like(weight.name, x), x, weight.tensor, bias, eps))

    def linear(self, x: Buffer, weight: Param) -> Buffer:
        """Multiply rows by a matrix and add its bias, if it has one."""
        assert not x.n_chosen
        weight.expect_columns(x.width)
        if weight.bias:
            weight.bias.expect_vector(weight.n_rows)
        out = self._buffer(weight.name, weight.n_rows, x.selected)
        bias = weight.bias.tensor if weight.bias else None
        return self._add(Linear(out, x, weight.matrix(), bias))

    def rope(self, x: Buffer, head_dim: int, spec: RopeSpec) -> Buffer:
        """Turn each head by its token's position."""
        assert not x.selected
        assert x.width % head_dim == 0
        assert 2 * spec.n_pairs <= head_dim
        return self._add(Rope(self._like(f"{x.name}_rope", x), x, head_dim, spec))

    def attention(
        self, q: Buffer, k: Buffer, v: Buffer, *, layer: int, n_heads: int, n_kv_heads: int,
        scale: float, window: int | None = None, softcap: float | None = None,
        sinks: Param | None = None, chunked: bool = False,
    ) -> Buffer:  # fmt: skip
        """Keep k and v, and attend from q to the sequence so far, or to its last `window` tokens.

        `softcap` bounds scores, `sinks` is a logit per head in the softmax: see `Attention`.
        """
        assert not any(x.selected for x in (q, k, v))
        assert n_heads % n_kv_heads == 0
        assert q.width // n_heads == k.width // n_kv_heads
        assert window is None or window > 0
        assert softcap is None or softcap > 0
        if sinks:
            sinks.expect_vector(n_heads)
            sinks.expect_no_bias()
        out = self._buffer(f"blk.{layer}.attn", n_heads * (v.width // n_kv_heads))
        tensor = sinks.tensor if sinks else None
        op = Attention(
            out, q, k, v, layer, n_heads, n_kv_heads, scale, window, softcap, tensor, 0, chunked
        )  # fmt: skip
        return self._add(op)

    def silu_mul(self, gate: Buffer, up: Buffer) -> Buffer:
        """Gate `up`: the middle of SwiGLU."""
        return self.gated(gate, up, "silu")

    def gated(self, gate: Buffer, up: Buffer, unit: Unit) -> Buffer:
        """Gate `up` by a unit of `gate`: see `Gated`."""
        assert _alike(gate, up)
        return self._add(Gated(self._like(f"{up.name}_gated", up), gate, up, unit))

    def gelu(self, x: Buffer) -> Buffer:
        """Take the Gaussian error linear unit, by its formula with tanh."""
        return self._add(Gelu(self._like(f"{x.name}_gelu", x), x))

    def scale(self, x: Buffer, by: float) -> Buffer:
        """Multiply by a number; by 1 nothing is done."""
        return x if by == 1 else self._add(Scale(self._like(f"{x.name}_scaled", x), x, by))

    def softcap(self, x: Buffer, cap: float) -> Buffer:
        """Bound values smoothly to less than `cap`."""
        assert cap > 0
        return self._add(Softcap(self._like(f"{x.name}_capped", x), x, cap))

    def temper(self, x: Buffer, by: float, span: int, offset: int = 0) -> Buffer:
        """Multiply rows by what grows with every `span` positions: see `Temper`."""
        assert span > 0
        assert not x.selected
        return self._add(Temper(self._like(f"{x.name}_tempered", x), x, by, span, offset))

    def sigmoid_gate(self, gate: Buffer, x: Buffer) -> Buffer:
        """Multiply each row by the sigmoid of a number."""
        assert gate.width == 1
        assert (gate.selected, gate.n_chosen) == (x.selected, x.n_chosen)
        return self._add(SigmoidGate(self._like(f"{x.name}_gated", x), gate, x))

    def sigmoid(self, x: Buffer) -> Buffer:
        """Take the logistic function."""
        return self._add(Sigmoid(self._like(f"{x.name}_sigmoid", x), x))

    def softplus(self, x: Buffer, bias: Param, scale: Param | None = None) -> Buffer:
        """Take the smooth maximum with 0 of columns with their bias, and scale them."""
        for vector in (bias, *([scale] if scale else [])):
            vector.expect_vector(x.width)
        out = self._like(f"{x.name}_softplus", x)
        return self._add(Softplus(out, x, bias.tensor, scale.tensor if scale else None))

    def add(self, a: Buffer, b: Buffer) -> Buffer:
        """Add two buffers."""
        assert _alike(a, b)
        return self._add(Add(self._like(f"{b.name}_sum", b), a, b))

    def select(self, x: Buffer) -> Buffer:
        """Go on with only the rows whose logits are asked for."""
        assert not x.selected
        return self._add(Select(self._buffer(f"{x.name}_selected", x.width, selected=True), x))

    # -- multi-head latent attention --------------------------------------------------------------

    def columns(self, x: Buffer, n_heads: int, start: int, n: int) -> Buffer:
        """Take n columns of each head."""
        assert x.width % n_heads == 0
        assert 0 <= start <= x.width // n_heads - n
        out = self._buffer(f"{x.name}_columns", n_heads * n, x.selected)
        return self._add(Columns(out, x, n_heads, start))

    def join(self, a: Buffer, b: Buffer, n_heads: int) -> Buffer:
        """Put the columns of each head side by side."""
        assert a.width % n_heads == b.width % n_heads == 0
        assert a.selected == b.selected
        out = self._buffer(f"{a.name}_joined", a.width + b.width, a.selected)
        return self._add(Join(out, a, b, n_heads))

    def head_linear(self, x: Buffer, weight: Param, *, transposed: bool = False) -> Buffer:
        """Multiply each head's first columns by a matrix of its own, or its transpose."""
        n_heads, n_rows, n_columns = weight.tensor.shape
        if transposed:
            n_rows, n_columns = n_columns, n_rows
        weight.expect_no_bias()
        assert x.width % n_heads == 0
        assert n_columns <= x.width // n_heads
        out = self._buffer(weight.name, n_heads * n_rows)
        return self._add(HeadLinear(out, x, weight.tensor, transposed))

    def latent_attention(
        self, q: Buffer, k: Buffer, *, layer: int, n_heads: int, v_dim: int, scale: float
    ) -> Buffer:
        """Keep k, and attend from all heads to it; its first `v_dim` columns are the values."""
        assert q.width == n_heads * k.width
        assert v_dim <= k.width
        out = self._buffer(f"blk.{layer}.attn", n_heads * v_dim)
        return self._add(Attention(out, q, k, k, layer, n_heads, 1, scale, latent=v_dim))

    # -- mixture of experts -----------------------------------------------------------------------

    def route(self, logits: Buffer, routing: Routing, bias: Param | None = None) -> Buffer:
        """Choose each token's experts; `bias` helps to choose and does not weigh."""
        assert 0 < routing.n_used <= logits.width // routing.n_groups * routing.n_groups_used
        assert logits.width % routing.n_groups == 0
        if bias:
            bias.expect_vector(logits.width)
        out = self._buffer(f"{logits.name}_routes", 2 * routing.n_used)
        return self._add(Route(out, logits, routing, bias.tensor if bias else None))

    def expert_linear(
        self, x: Buffer, weight: Param, routes: Buffer, *, weigh: bool = False
    ) -> Buffer:
        """Multiply each token by its experts' matrices: a row for each of them."""
        n_used = routes.width // 2
        assert x.n_chosen in (0, n_used)
        n, rows = weight.tensor.shape[:2]
        weight.expect_stack(n, rows, x.width)
        bias = weight.bias.tensor if weight.bias else None
        out = self._buffer(weight.name, rows, n_chosen=n_used)
        return self._add(ExpertLinear(out, x, routes, weight.tensor, bias, weigh))

    def combine(self, x: Buffer, routes: Buffer, *, weigh: bool = True) -> Buffer:
        """Add up what a token's experts made of it, each times its weight."""
        assert x.n_chosen == routes.width // 2
        return self._add(Combine(self._buffer(f"{x.name}_sum", x.width), x, routes, weigh))

    # -- recurrent layers ------------------------------------------------------------------------

    def short_conv(self, x: Buffer, weight: Param, *, silu: bool = False) -> Buffer:
        """Mix each column's last few values; the sequence's last rows are kept."""
        assert not x.selected
        weight.expect_rows(x.width)
        if weight.bias:
            weight.bias.expect_vector(x.width)
        bias = weight.bias.tensor if weight.bias else None
        return self._add(ShortConv(self._like(weight.name, x), x, weight.matrix(), bias, silu))

    def recurrence(
        self, q: Buffer, k: Buffer, v: Buffer, decay: Buffer, beta: Buffer, *, n_heads: int,
        n_kv_heads: int, delta: bool, tiled: bool = False, skip: Param | None = None,
    ) -> Buffer:  # fmt: skip
        """Attend linearly, with a state instead of a cache: see `Recurrence`."""
        assert not any(x.selected for x in (q, k, v, decay, beta))
        assert n_heads % n_kv_heads == 0
        assert q.width == k.width
        assert beta.width == n_heads
        assert decay.width in (n_heads, n_heads * (k.width // n_kv_heads))
        if skip:
            skip.expect_vector(n_heads)
        out = self._buffer(f"{v.name}_recurrence", v.width)
        tensor = skip.tensor if skip else None
        op = Recurrence(
            out, q, k, v, decay, beta, n_heads, n_kv_heads, delta, tiled, tensor
        )  # fmt: skip
        return self._add(op)

    def _add(self, op: AnyOp) -> Buffer:
        self.ops.append(op)
        return op.out

    def _like(self, name: str, x: Buffer) -> Buffer:
        return self._buffer(name, x.width, x.selected, x.n_chosen)

    def _buffer(
        self, name: str, width: int, selected: bool = False, n_chosen: int = 0
    ) -> Buffer:  # fmt: skip
        """Name a buffer; a second use of a name gets a number."""
        seen = self._names[name] = self._names.get(name, 0) + 1
        return Buffer(name if seen == 1 else f"{name}.{seen}", width, selected, n_chosen)


def _alike(a: Buffer, b: Buffer) -> bool:
    return (a.width, a.selected, a.n_chosen) == (b.width, b.selected, b.n_chosen)
