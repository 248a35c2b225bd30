"""Every kernel as a function of arrays. The names of kernels and operands are here and in
`attention_cache` only.

Outputs are poisoned before and guarded on both sides; the threads' parts run one after the other.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from guarded import Guarded, Part, padded, run
from quantized import Quantized, guarded_parts, integers_of, quantized_operands

from ggjit.backends.cpu.memory import aligned
from ggjit.formats import Format, IntLanes
from ggjit.kernels import activation, linear_float, linear_int8, norm, pack, quantize, rope, scale
from ggjit.kernels import embed as embed_kernels
from ggjit.kernels import gelu as gelu_kernels
from ggjit.kernels.gates import gated
from ggjit.kernels.tiles import BYTES, TileShape, tile_shape

Threads = int | Part
MAX_THREADS = 8


def count_of(n: int) -> Guarded:
    return Guarded.of(np.array([n], np.int64))


# -- activations ----------------------------------------------------------------------------------


def quantize_rows(x: Any, n_threads: Threads = 1, form: int = BYTES) -> Quantized:
    rows, count = Guarded.rows(x), count_of(len(x))
    out = Quantized(*x.shape, form)
    run(
        quantize.quantize, n_threads, *guarded_parts(out), x=rows.address, stride=rows.stride,
        n_columns=x.shape[1], count=count.address, **quantized_operands(out),
    )  # fmt: skip
    return out


def rms_norm(
    x: Any, weight: Any, eps: float, n_threads: Threads = 1, form: int = 0, residual: Any = None
) -> tuple[Any, Quantized | None]:
    rows, count, by = Guarded.rows(x), count_of(len(x)), Guarded.rows(weight[None])
    out, q = Guarded(rows.array.shape, np.float32), integers_of(x.shape, form)
    added = None if residual is None else Guarded.rows(residual)
    run(
        norm.rms_norm, n_threads, out, *guarded_parts(q), x=rows.address, weight=by.address,
        eps=eps, residual=added.address if added else 0, out=out.address, stride=rows.stride,
        n_columns=x.shape[1], count=count.address, **quantized_operands(q),
    )  # fmt: skip
    return checked_padding(out, x.shape[1]), q


def head_norm(
    x: Any, weight: Any, eps: float, n_heads: int, n_threads: Threads = 1, in_place: bool = False
) -> Any:
    rows, count, by = Guarded.rows(x), count_of(len(x)), Guarded.rows(weight[None])
    out = rows if in_place else Guarded(rows.array.shape, np.float32)
    run(
        norm.head_norm, n_threads, out, x=rows.address, weight=by.address, eps=eps, out=out.address,
        stride=rows.stride, n_heads=n_heads, head_dim=len(weight), count=count.address,
    )  # fmt: skip
    return out.array[:, : x.shape[1]]


def layer_norm(
    x: Any, weight: Any, bias: Any, eps: float, n_threads: Threads = 1, form: int = 0
) -> tuple[Any, Quantized | None]:
    rows, count, by = Guarded.rows(x), count_of(len(x)), Guarded.rows(weight[None])
    out, q = Guarded(rows.array.shape, np.float32), integers_of(x.shape, form)
    added = None if bias is None else Guarded.rows(bias[None])
    run(
        norm.layer_norm, n_threads, out, *guarded_parts(q), x=rows.address, weight=by.address,
        bias=added.address if added else 0, eps=eps, out=out.address, stride=rows.stride,
        n_columns=x.shape[1], count=count.address, **quantized_operands(q),
    )  # fmt: skip
    return checked_padding(out, x.shape[1]), q


def gelu(x: Any, n_threads: Threads = 1, form: int = 0) -> tuple[Any, Quantized | None]:
    rows, count = Guarded.rows(x), count_of(len(x))
    out, q = Guarded(rows.array.shape, np.float32), integers_of(x.shape, form)
    run(
        gelu_kernels.gelu, n_threads, out, *guarded_parts(q), x=rows.address, out=out.address,
        stride=rows.stride, n_columns=x.shape[1], count=count.address, **quantized_operands(q),
    )  # fmt: skip
    return checked_padding(out, x.shape[1]), q


def scaled(kernel: str, x: Any, n_threads: Threads = 1, **operands: float) -> Any:
    """Run "scale" or "softcap"."""
    rows, count = Guarded.rows(x), count_of(len(x))
    out = Guarded(rows.array.shape, np.float32)
    run(
        getattr(scale, kernel), n_threads, out, x=rows.address, out=out.address, stride=rows.stride,
        n_columns=x.shape[1], count=count.address, **operands,
    )  # fmt: skip
    return checked_padding(out, x.shape[1])


def temper(
    x: Any, positions: Any, by: float, span: int, n_threads: Threads = 1, offset: int = 0
) -> Any:
    rows, count = Guarded.rows(x), count_of(len(x))
    listed = Guarded.of(np.array(positions, np.int32))
    where = Guarded.of(np.array([listed.address], np.int64))
    out = Guarded(rows.array.shape, np.float32)
    run(
        scale.temper, n_threads, out, x=rows.address, by=by, span=span, positions=where.address,
        offset=offset, out=out.address, stride=rows.stride, count=count.address,
    )  # fmt: skip
    return checked_padding(out, x.shape[1])


def silu_mul(
    gate: Any, up: Any, n_threads: Threads = 1, form: int = 0, kernel: Any = None
) -> tuple[Any, Quantized | None]:
    """Run a gate, by default that of SwiGLU."""
    kernel = kernel or gated("silu")
    gates, ups, count = Guarded.rows(gate), Guarded.rows(up), count_of(len(gate))
    out, q = Guarded(gates.array.shape, np.float32), integers_of(gate.shape, form)
    run(
        kernel, n_threads, out, *guarded_parts(q), gate=gates.address, up=ups.address,
        out=out.address, gate_stride=gates.stride, up_stride=ups.stride, stride=out.stride,
        n_columns=gate.shape[1], count=count.address, **quantized_operands(q),
    )  # fmt: skip
    return checked_padding(out, gate.shape[1]), q


def add(a: Any, b: Any, n_threads: Threads = 1) -> Any:
    rows, others, count = Guarded.rows(a), Guarded.rows(b), count_of(len(a))
    out = Guarded(rows.array.shape, np.float32)
    run(
        activation.add, n_threads, out, a=rows.address, b=others.address, out=out.address,
        stride=rows.stride, count=count.address,
    )  # fmt: skip
    return checked_padding(out, a.shape[1])


def select(x: Any, chosen: Any, n_threads: Threads = 1) -> Any:
    rows, count = Guarded.rows(x), count_of(len(chosen))
    listed = Guarded.of(np.array(chosen, np.int64))
    where = Guarded.of(np.array([listed.address], np.int64))
    out = Guarded((len(chosen), rows.array.shape[1]), np.float32)
    run(
        activation.select, n_threads, out, x=rows.address, rows=where.address, out=out.address,
        stride=rows.stride, count=count.address,
    )  # fmt: skip
    return checked_padding(out, x.shape[1])


def checked_padding(out: Guarded, n_columns: int) -> Any:
    """Return the columns; fail unless zeros (or poison, if not yet written) follow them."""
    padding = out.array[:, n_columns:]
    assert np.all((padding == 0) | np.isnan(out.array[:, n_columns - 1 : n_columns]))
    return out.array[:, :n_columns]


# -- matrices -------------------------------------------------------------------------------------


def pack_matrix(fmt: Format, blocks: Any, n_rows: int, n_threads: Threads = 1) -> Guarded:
    """Shapes: blocks [n_rows, n_blocks, bytes]."""
    return pack_and_check(fmt, blocks, n_rows, n_threads)[0]


def pack_and_check(
    fmt: Format, blocks: Any, n_rows: int, n_threads: Threads = 1
) -> tuple[Guarded, bool]:
    """Return a packed matrix and whether the kernel found a float that is none."""
    source, wrong = Guarded.of(as_packed(fmt, blocks)), Guarded.of(np.zeros(1, np.int64))
    n_groups, n_blocks = padded(n_rows) // 16, blocks.shape[1]
    out = Guarded(n_groups * n_blocks * 16 * fmt.packed_bytes, np.uint8)
    fields = fields_of(fmt)
    run(
        pack.pack, n_threads, out, wrong, source=source.address, packed=out.address,
        fields=fields.address, n_fields=len(fields.array), n_rows=n_rows, n_blocks=n_blocks,
        block_bytes=fmt.packed_bytes, wrong=wrong.address,
    )  # fmt: skip
    return out, bool(wrong.array[0])


def as_packed(fmt: Format, blocks: Any) -> Any:
    """Relay blocks where that is due. Shapes: [n_rows, n_blocks, bytes]."""
    if not fmt.relay:
        return blocks
    return fmt.relay(blocks.reshape(-1, fmt.n_bytes)).reshape(*blocks.shape[:2], -1)


def fields_of(fmt: Format) -> Guarded:
    return Guarded.of(fmt.field_table)


def scratch_of(n_bytes: int) -> tuple[Any, dict[str, float]]:
    step = (n_bytes + 127) // 64 * 64
    scratch = aligned(step * MAX_THREADS, np.uint8)
    return scratch, {"scratch": scratch.ctypes.data, "scratch_step": step}


def embed(
    fmt: Format,
    weights: Guarded,
    ids: Any,
    n_rows: int,
    n_columns: int,
    n_threads: Threads = 1,
    mapped: bool = False,
) -> Any:
    """`weights` are packed or, `mapped`, as in a file."""
    count, tokens = count_of(len(ids)), Guarded.of(np.array(ids, np.int32))
    where = Guarded.of(np.array([tokens.address], np.int64))
    out, fields = Guarded((len(ids), padded(n_columns)), np.float32), fields_of(fmt)
    scratch, own = scratch_of(embed_kernels.scratch_bytes(fmt, n_columns))
    run(
        embed_kernels.embed(fmt, mapped), n_threads, out, weights=weights.address,
        tokens=where.address, out=out.address, stride=out.stride, n_rows=n_rows,
        n_columns=n_columns, fields=fields.address, n_fields=len(fields.array),
        count=count.address, **own,
    )  # fmt: skip
    del scratch
    return out.array


def linear(
    fmt: Format,
    weights: Guarded,
    x: Any,
    n_rows: int,
    bias: Any = None,
    residual: Any = None,
    n_threads: Threads = 1,
    mapped: bool = False,
    shape: TileShape | None = None,
) -> Any:
    """`x` is float rows or their int8 form; `weights` are packed or, `mapped`, as in a file."""
    quantized = x if isinstance(x, Quantized) else None
    n_tokens = quantized.n_tokens if quantized else len(x)
    n_columns = quantized.n_columns if quantized else x.shape[1]
    count, fields = count_of(n_tokens), fields_of(fmt)
    out = Guarded((n_tokens, padded(n_rows)), np.float32)
    biases = Guarded.rows(bias[None]) if bias is not None else None
    residuals = Guarded.rows(residual) if residual is not None else None
    shape = shape or tile_shape()
    if quantized:
        n_scratch = linear_int8.scratch_bytes(fmt, quantized.form, n_columns, shape)
    else:
        n_scratch = linear_float.scratch_bytes(fmt, n_columns)
    scratch, own = scratch_of(n_scratch)
    operands: dict[str, float] = {
        "weights": weights.address, "bias": biases.address if biases else 0,
        "residual": residuals.address if residuals else 0, "out": out.address,
        "stride": out.stride, "n_rows": n_rows, "n_columns": n_columns, "count": count.address,
        "fields": fields.address, "n_fields": len(fields.array), **own,
    }  # fmt: skip
    if quantized:
        operands |= {"x": quantized.rows.address, "meta": quantized.meta.address}
        operands |= {"panel": shape.panel}
        kernel = linear_int8.linear_int8(fmt, quantized.form, mapped, shape)
    else:
        rows = Guarded.rows(x)
        operands |= {"x": rows.address, "x_stride": rows.stride}
        kernel = linear_float.linear_float(fmt, mapped)
    run(kernel, n_threads, out, **operands)
    del scratch
    return checked_padding(out, n_rows)


def has_integers(fmt: Format) -> bool:
    return isinstance(fmt.lanes, IntLanes)


# -- positions ------------------------------------------------------------------------------------


def rope_angles(
    frequencies: Any, positions: Any, magnitude: float = 1.0, n_threads: Threads = 1
) -> Guarded:
    """Shapes: array of the result [T, pairs, 2]."""
    listed, count = Guarded.of(np.array(positions, np.int32)), count_of(len(positions))
    where = Guarded.of(np.array([listed.address], np.int64))
    by = Guarded.of(np.array(frequencies, np.float64))
    out = Guarded((len(positions), len(frequencies), 2), np.float32)
    run(
        rope.rope_angles, n_threads, out, frequencies=by.address, n_pairs=len(frequencies),
        scale=magnitude, positions=where.address, out=out.address, count=count.address,
    )  # fmt: skip
    return out


def rotate(
    x: Any,
    angles: Guarded,
    n_heads: int,
    interleaved: bool,
    n_threads: Threads = 1,
    in_place: bool = False,
) -> Any:
    rows, count = Guarded.rows(x), count_of(len(x))
    out = rows if in_place else Guarded(rows.array.shape, np.float32)
    n_pairs = angles.array.shape[1]
    run(
        rope.rope, n_threads, out, x=rows.address, out=out.address, stride=rows.stride,
        angles=angles.address, n_heads=n_heads, head_dim=x.shape[1] // n_heads, n_pairs=n_pairs,
        first_step=2 if interleaved else 1, second_offset=1 if interleaved else n_pairs,
        count=count.address,
    )  # fmt: skip
    return out.array[:, : x.shape[1]]
