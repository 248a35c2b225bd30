"""Latent attention's two forms: absorbed, as graphs have it, and expanded; and which is cheaper.

Absorbed, queries are brought to the latent space, where one key serves all heads. Expanded, latent
vectors become keys and values of single heads, which are narrower. It pays where many queries meet
a key: expanding takes as long for one as for hundreds.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import Any, get_args

from ...gguf import Tensor
from ...graph import Attention, Buffer, Columns, HeadLinear, Join, Op
from .. import Latent

# In multiplications of absorbed attention, measured with DeepSeek-V2-Lite's shape: what one of
# expanded attention costs (1.1 on AVX-512, 1.4 on AVX2), and to decode a weight for expanding. All
# others cost about the same. What is chosen may not depend on the machine: results would.
EXPANDED, DECODED = 1.25, 10
FEWEST = 128  # tokens to expand for: fewer gain little, and are the same bits however they are cut


@dataclass(frozen=True)
class ExpandedAttention(Op):
    """out[t, h] = softmax(scale * q[t, h] . keys[s, h] for s <= t) @ values[:, h]; k is kept.

    A key is k_b[h].T @ c and behind it the rest of k[s], a value v_b[h] @ c, of the first L columns
    c of k[s]. Shapes: k_b [H, L, D], v_b [H, V, L].
    """

    q: Buffer
    k: Buffer
    k_b: Tensor
    v_b: Tensor
    layer: int
    n_heads: int
    scale: float

    @property
    def n_latent(self) -> int:
        return self.k_b.shape[1]

    @property
    def n_plain(self) -> int:
        """Columns of a head's keys that come from the latent vector."""
        return self.k_b.shape[2]

    @property
    def n_rot(self) -> int:
        return self.k.width - self.n_latent

    @property
    def k_dim(self) -> int:
        return self.n_plain + self.n_rot

    @property
    def v_dim(self) -> int:
        return self.v_b.shape[1]

    @property
    def sizes(self) -> tuple[int, ...]:
        """What the memory that it takes depends on."""
        return self.n_heads, self.n_latent, self.n_plain, self.k_dim, self.v_dim


def expanded(ops: list[Op]) -> list[Op]:
    """Return operations with latent attention in its expanded form, where it has matrices."""
    made = {op.out: op for op in ops}
    uses = Counter(b for op in ops for b in op.inputs())
    after: dict[Buffer, Op] = {b: op for op in ops for b in op.inputs() if uses[b] == 1}
    changed: dict[Buffer, list[Op]] = {}
    for op in ops:
        if parts := _absorbing(op, made, after):
            changed |= {part.out: [] for part in parts}
            changed[op.out] = _expanded(op, *parts)
    return [new for op in ops for new in changed.get(op.out, [op])]


def _absorbing(op: Any, made: dict[Buffer, Op], after: dict[Buffer, Op]) -> Any:
    """Return what absorbs queries, what joins them and what makes values, of latent attention."""
    if not isinstance(op, Attention) or not op.latent:
        return None
    queries, values = made.get(op.q), after.get(op.out)
    if not isinstance(queries, Join) or not isinstance(values, HeadLinear):
        return None
    absorbed = made.get(queries.a)
    if not isinstance(absorbed, HeadLinear) or after.get(absorbed.out) is not queries:
        return None
    return (absorbed, queries, values) if after.get(queries.out) is op else None


def _expanded(op: Any, absorbed: HeadLinear, queries: Join, values: HeadLinear) -> list[Op]:
    """Return the operations that stand for all of these."""
    n, n_plain = op.n_heads, absorbed.weight.shape[2]
    plain = Buffer(f"{absorbed.x.name}_plain", n * n_plain)
    q = Buffer(f"{absorbed.x.name}_joined", n * n_plain + queries.b.width)
    attention = ExpandedAttention(
        values.out, q, op.k, absorbed.weight, values.weight, op.layer, n, op.scale
    )
    return [Columns(plain, absorbed.x, n, 0), replace(queries, out=q, a=plain), attention]


class Choice:
    """Chooses the form of each batch, unless one is asked for. Raises: ValueError."""

    def __init__(self, ops: list[Op], latent: Latent) -> None:
        """Prepare for `ops`, latent attention expanded."""
        if latent not in get_args(Latent):
            raise ValueError(f"latent is {latent!r}, expected {', '.join(get_args(Latent))}")
        self.ops, self._latent = ops, latent
        self._attention = [op for op in ops if isinstance(op, ExpandedAttention)]

    def may_expand(self, n_context: int, n_batch: int) -> bool:
        """Tell whether some batch of at most so many tokens is to be expanded."""
        n = min(n_context, n_batch)
        return self.expands(0, n) or self.expands(n_context - n, n)

    def expands(self, n_past: int, n_tokens: int) -> bool:
        """Tell whether tokens of one sequence, behind `n_past` others, are to be expanded."""
        if self._latent != "auto" or not self._attention:
            return bool(self._attention) and self._latent == "expanded"
        return is_cheaper(self._attention[0], n_past, n_tokens)  # layers have one shape


def is_cheaper(op: ExpandedAttention, n_past: int, n_tokens: int) -> bool:
    """Tell whether the expanded form is the cheaper one for tokens behind `n_past` others.

    A head's matrices are multiplied by every token, or by every key so far.
    """
    n_keys, n_pairs = n_past + n_tokens, n_tokens * n_past + n_tokens * (n_tokens + 1) // 2
    n_weights = op.n_latent * (op.n_plain + op.v_dim)
    absorbed = n_pairs * (op.k.width + op.n_latent) + n_tokens * n_weights
    expanded = EXPANDED * n_pairs * (op.k_dim + op.v_dim) + (n_keys + DECODED) * n_weights
    return n_tokens >= FEWEST and expanded < absorbed
