"""Small graphs of any operations in any order."""

from __future__ import annotations

from dataclasses import replace

import gguf
import numpy as np
from tensors import tensor

from ggjit.graph import Buffer, Graph, Param, RopeSpec, Routing

N_VOCAB = 40
WIDTHS = (32, 48, 64)
HEAD_DIM = 16
KINDS = (
    "norm", "product", "rope", "attention", "silu", "gate", "experts", "add", "residual", "shape",
)  # fmt: skip


def random_graph(
    rng: np.random.Generator,
    n_ops: int = 12,
    kind: gguf.GGMLQuantizationType = gguf.GGMLQuantizationType.F32,
) -> Graph:
    """Return a graph whose matrices are of one type; every buffer may be read again later."""
    graph = Graph()
    maker = _Maker(graph, rng, kind)
    for _ in range(n_ops):
        maker.step()
    maker.finish()
    return graph


UNITS = ["silu", "gelu", "sigmoid", "clamped"]


class _Maker:
    def __init__(self, g: Graph, rng: np.random.Generator, kind: gguf.GGMLQuantizationType):
        self.g, self.rng, self.kind = g, rng, kind
        self.widths = [w for w in WIDTHS if w % gguf.GGML_QUANT_SIZES[kind][0] == 0]
        self.spec = RopeSpec(100.0 ** -np.linspace(0, 1, HEAD_DIM // 2), bool(rng.integers(2)))
        table = replace(self.matrix(N_VOCAB, self.any_width()), bias=None)
        self.buffers: list[Buffer] = [g.embed(table)]
        self.n_layers = 0

    def any_width(self) -> int:
        return int(self.rng.choice(self.widths))

    def any_buffer(self, width: int | None = None) -> Buffer:
        """Choose a buffer, the later the likelier; of a width that none has, make one."""
        fitting = [b for b in self.buffers if width in (None, b.width)]
        if not fitting:
            return self.product(width)
        return fitting[-1 - min(int(self.rng.geometric(0.5)) - 1, len(fitting) - 1)]

    def matrix(
        self, n_rows: int, n_columns: int, kind: gguf.GGMLQuantizationType | None = None
    ) -> Param:
        name = f"w{len(self.g.ops)}"
        values = self.rng.normal(size=(n_rows, n_columns)) / np.sqrt(n_columns)
        bias = self.rng.normal(size=n_rows)
        added = Param(f"{name}.bias", tensor(f"{name}.bias", bias))
        return Param(
            name,
            tensor(f"{name}.weight", values, kind or self.kind),
            added if self.rng.random() < 0.3 else None,
        )

    def norm(self, x: Buffer) -> Buffer:
        values = 1 + 0.1 * self.rng.normal(size=x.width)
        return self.g.rms_norm(x, Param("n", tensor(f"n{len(self.g.ops)}", values)), 1e-5)

    def product(self, width: int | None = None) -> Buffer:
        x = self.any_buffer()
        return self.g.linear(x, self.matrix(width or self.any_width(), x.width))

    def step(self) -> None:
        """Add an operation, or a few that belong together."""
        kind = self.rng.choice([*KINDS])
        x = self.any_buffer()
        if kind == "norm":
            made = self.norm(x)
        elif kind == "product":
            made = self.product()
        elif kind == "rope":
            made = self.g.rope(x, HEAD_DIM, self.spec)
        elif kind == "attention":
            made = self.attention()
        elif kind == "silu":
            made = self.g.silu_mul(x, self.any_buffer(x.width))
        elif kind == "gate":
            made = self.g.sigmoid_gate(self.g.linear(x, self.matrix(1, x.width)), x)
        elif kind == "shape":
            made = self.shaped(x)
        elif kind == "experts":
            made = self.experts(x)
        elif kind == "add":
            made = self.g.add(x, self.any_buffer(x.width))
        else:
            made = self.residual(x)
        self.buffers.append(made)

    def shaped(self, x: Buffer) -> Buffer:
        """Do what is done element by element, or to a row or head alone."""
        g, at = self.g, len(self.g.ops)
        by = Param("n", tensor(f"n{at}", self.rng.normal(size=x.width)))
        bias = Param("n.bias", tensor(f"n{at}.bias", self.rng.normal(size=x.width)))
        head = Param("h", tensor(f"h{at}", 1 + 0.1 * self.rng.normal(size=HEAD_DIM)))
        choices = (
            lambda: g.gelu(x),
            lambda: g.gated(x, self.any_buffer(x.width), str(self.rng.choice(UNITS))),
            lambda: g.scale(x, 0.7),
            lambda: g.softcap(x, 3.0),
            lambda: g.temper(x, 0.3, 4),
            lambda: g.layer_norm(x, replace(by, bias=bias), 1e-5),
            lambda: g.rms_norm(x, head, 1e-5, x.width // HEAD_DIM),
            lambda: g.add(x, self.norm(self.any_buffer(x.width))),
        )
        return choices[int(self.rng.integers(len(choices)))]()

    def residual(self, x: Buffer) -> Buffer:
        """Add a product to x: of x itself, or of something else."""
        source = x if self.rng.random() < 0.3 else self.any_buffer()
        made = self.g.linear(source, self.matrix(x.width, source.width))
        if self.rng.random() < 0.3:
            self.buffers.append(made)
        return self.g.add(x, made) if self.rng.random() < 0.5 else self.g.add(made, x)

    def experts(self, x: Buffer) -> Buffer:
        """A mixture of five experts, gated; in the middle their width is odd where it can be."""
        g, rng, n = self.g, self.rng, 5
        router = self.matrix(n, x.width, gguf.GGMLQuantizationType.F32)
        block = gguf.GGML_QUANT_SIZES[self.kind][0]
        # rounded activations must not change what is chosen: the bias decides
        size = 1 if block == 1 else 1000
        chosen = Param("b", tensor(f"b{len(g.ops)}", size * rng.normal(size=n)))
        routing = Routing(
            n_used=int(rng.integers(1, 4)), normalize=bool(rng.integers(2)), scale=1.5,
            score=str(rng.choice(["softmax", "sigmoid", "chosen"])),  # type: ignore[arg-type]
        )  # fmt: skip
        bias = chosen if size > 1 or rng.random() < 0.5 else None
        routes = g.route(g.linear(x, router), routing, bias)
        width = int(rng.integers(1, 40)) if block == 1 else self.any_width()
        weigh = rng.random() < 0.2
        gate, up = (
            g.expert_linear(x, self.stack(n, width, x.width), routes, weigh=weigh) for _ in "ab"
        )
        down = g.expert_linear(g.silu_mul(gate, up), self.stack(n, self.any_width(), width), routes)
        return g.combine(down, routes, weigh=not weigh)

    def stack(self, n: int, n_rows: int, n_columns: int) -> Param:
        name = f"w{len(self.g.ops)}_{self.rng.integers(1 << 30)}"
        values = self.rng.normal(size=(n, n_rows, n_columns)) / np.sqrt(n_columns)
        bias = Param(f"{name}.bias", tensor(f"{name}.bias", self.rng.normal(size=(n, n_rows))))
        has_bias = self.rng.random() < 0.3
        return Param(name, tensor(f"{name}.weight", values, self.kind), bias if has_bias else None)

    def attention(self) -> Buffer:
        q, k, v = (self.norm(self.any_buffer()) for _ in range(3))
        n_kv = min(k.width, v.width) // HEAD_DIM
        k, v = (self.g.linear(b, self.matrix(n_kv * HEAD_DIM, b.width)) for b in (k, v))
        group = max(1, q.width // HEAD_DIM // n_kv)
        q = self.g.linear(q, self.matrix(n_kv * group * HEAD_DIM, q.width))
        self.n_layers += 1
        sinks = Param("s", tensor(f"sinks{self.n_layers}", self.rng.normal(size=n_kv * group)))
        window = int(self.rng.integers(1, 15)) if self.rng.random() < 0.3 else None
        return self.g.attention(
            q, k, v, layer=self.n_layers - 1, n_heads=n_kv * group, n_kv_heads=n_kv, scale=0.25,
            window=window, chunked=window is not None and self.rng.random() < 0.5,
            softcap=2.0 if self.rng.random() < 0.3 else None,
            sinks=sinks if self.rng.random() < 0.3 else None,
        )  # fmt: skip

    def finish(self) -> None:
        """Read something old, so that it has to be kept, and end with the logits."""
        last = self.buffers[-1]
        old = next(b for b in self.buffers if b.width == last.width)
        x = self.g.select(self.norm(self.g.add(last, old)))
        self.g.linear(x, self.matrix(N_VOCAB, x.width))
