"""Float16 to float32 and back: one instruction, or integer arithmetic where there is none.

LLVM would call functions of a runtime library that a process need not have.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir

from . import target
from .emit import Builder, Value
from .types import I16, I32

FLOAT, HALF = ir.FloatType(), ir.HalfType()


def native() -> bool:
    """Tell whether the machine converts by itself."""
    return target.current().has_halves


def widened(b: Builder, v: Value) -> Value:
    """Return float16, one or a vector, as float32."""
    if native():
        return b.fpext(v, _of(v, FLOAT))
    wide, floats = _of(v, I32), _of(v, FLOAT)
    h = b.zext(b.bitcast(v, _of(v, I16)), wide)
    size = b.shl(b.and_(h, _all(wide, 0x7FFF)), _all(wide, 13))
    # The exponent's bias is 112 less; a product also makes subnormal numbers normal.
    scaled = b.bitcast(b.fmul(b.bitcast(size, floats), _all(floats, 2.0**112)), wide)
    special = b.icmp_unsigned(">=", size, _all(wide, 0x7C00 << 13))
    scaled = b.or_(scaled, b.select(special, _all(wide, 0x7F800000), _all(wide, 0)))
    sign = b.shl(b.and_(h, _all(wide, 0x8000)), _all(wide, 16))
    return b.bitcast(b.or_(scaled, sign), floats)


def narrowed(b: Builder, v: Value) -> Value:
    """Return float32, one or a vector, rounded to the nearest float16, ties to even."""
    if native():
        return b.fptrunc(v, _of(v, HALF))
    wide, floats = _of(v, I32), _of(v, FLOAT)
    u = b.bitcast(v, wide)
    size = b.and_(u, _all(wide, 0x7FFFFFFF))
    odd = b.and_(b.lshr(size, _all(wide, 13)), _all(wide, 1))
    rounding = _all(wide, (0xFFF - (112 << 23)) & 0xFFFFFFFF)
    h = b.lshr(b.add(b.add(size, rounding), odd), _all(wide, 13))
    # The last bit of 0.5 is worth as much as that of a subnormal float16.
    half = b.fadd(b.bitcast(size, floats), _all(floats, 0.5))
    subnormal = b.sub(b.bitcast(half, wide), _all(wide, 0x3F000000))
    h = b.select(b.icmp_unsigned("<", size, _all(wide, 0x38800000)), subnormal, h)
    h = b.select(b.icmp_unsigned(">=", size, _all(wide, 0x47800000)), _all(wide, 0x7C00), h)
    h = b.select(b.icmp_unsigned(">", size, _all(wide, 0x7F800000)), _all(wide, 0x7E00), h)
    sign = b.lshr(b.xor(u, size), _all(wide, 16))
    return b.bitcast(b.trunc(b.or_(h, sign), _of(v, I16)), _of(v, HALF))


def _of(v: Value, element: Any) -> Any:
    """Return the type of as many elements as `v` has."""
    return ir.VectorType(element, v.type.count) if isinstance(v.type, ir.VectorType) else element


def _all(kind: Any, value: float) -> Value:
    return ir.Constant(kind, [value] * kind.count if isinstance(kind, ir.VectorType) else value)
