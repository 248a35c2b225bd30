"""How large a result a template's operation would make, estimated before it is made."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sized
from typing import Any

PADDING = frozenset(("center", "ljust", "rjust", "zfill", "to_bytes"))
PER_OCCURRENCE = {"indent": "\n", "expandtabs": "\t"}
NUMBER = re.compile(r"\d+")
MAX_INT_BITS = 1 << 16
TOO_LARGE = 1 << 62


def growth(name: str, text: Any, arguments: Iterable[Any]) -> int:
    """Return about how many characters `name`, a filter or method, adds to or makes of `text`."""
    arguments = list(arguments)
    widest = max(map(_width, arguments), default=0)
    if name in PADDING:
        return widest
    if name == "round":
        return widest << 10  # it computes a power of ten
    if not isinstance(text, (str, bytes)):
        return widest * len(text) if name == "join" and isinstance(text, Sized) else 0
    if name in PER_OCCURRENCE:
        return (str(text).count(PER_OCCURRENCE[name]) + 1) * widest
    if name == "replace" and len(arguments) >= 2:
        return _count(text, arguments[0]) * _width(arguments[1])
    if name == "join":
        return len(text) * sum(len(items) for items in arguments if isinstance(items, Sized))
    if name == "translate":
        return len(text) * widest
    return format_growth(text, widest) if name in ("format", "format_map") else 0


def format_growth(text: str | bytes, widest: int) -> int:
    """Return how wide the fields of a format string can be: numbers in it, or arguments."""
    text = str(text)
    written = sum(int(digits[:12]) for digits in NUMBER.findall(text))
    return written + (text.count("{") + text.count("*")) * widest


def operation_growth(operator: str, left: Any, right: Any) -> int:
    """Return about how many characters, items or bytes the result of a binary operation has."""
    if isinstance(left, int) and isinstance(right, int):
        return _int_growth(operator, left, right)
    if operator == "%" and isinstance(left, (str, bytes)):
        return len(left) + format_growth(left, _width(right))
    if operator == "+":
        return _length(left) + _length(right)
    if operator == "*":
        return _length(left) * _repeats(right) + _length(right) * _repeats(left)
    return 0


def _int_growth(operator: str, left: int, right: int) -> int:
    bits = {
        "**": left.bit_length() * max(right, 0),
        "*": left.bit_length() + right.bit_length(),
    }.get(operator, 0)
    return TOO_LARGE if bits > MAX_INT_BITS else 0


def _width(value: Any) -> int:
    if isinstance(value, int):
        return abs(value)
    if isinstance(value, (str, bytes)):
        return len(value)
    if isinstance(value, Mapping):
        value = value.values()
    elif not isinstance(value, (list, tuple)):
        return 0
    return max((_width(item) for item in value if not isinstance(item, (list, dict))), default=0)


def _count(text: str | bytes, old: Any) -> int:
    try:
        return text.count(old)
    except TypeError:
        return str(text).count(str(old))


def _length(value: Any) -> int:
    return len(value) if isinstance(value, (str, bytes, list, tuple)) else 0


def _repeats(value: Any) -> int:
    return max(value, 0) if isinstance(value, int) else 0
