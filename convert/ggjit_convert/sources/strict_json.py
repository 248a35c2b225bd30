"""JSON as the standard has it: no NaN, no duplicate keys, no depth that exhausts the stack."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from ..errors import CheckpointError
from .files import map_file

MAX_BYTES = 1 << 28  # the largest tokenizer.json is some 40 MB


def read_json(path: Path) -> dict[str, Any]:
    """Read a file that holds one JSON object.

    Raises: CheckpointError naming the file and what is wrong.
    """
    data = map_file(path)
    if len(data) > MAX_BYTES:
        problem = f"has {len(data)} bytes, a JSON file has at most {MAX_BYTES}"
        raise CheckpointError(problem, path=path)
    return parse_object(data.tobytes(), path)


def parse_object(text: bytes, path: Path, field: str | None = None) -> dict[str, Any]:
    """Parse a JSON object; `path` and `field` are for the message.

    Raises: CheckpointError.
    """
    try:
        value = json.loads(
            text.decode("utf-8"),
            object_pairs_hook=_unique,
            parse_constant=_refused,
            parse_float=_finite,
        )
    except RecursionError:
        raise CheckpointError("JSON is nested too deeply", path=path, field=field) from None
    except UnicodeDecodeError as error:
        problem = f"is not UTF-8 at byte {error.start}"
        raise CheckpointError(problem, path=path, field=field) from None
    except ValueError as error:
        raise CheckpointError(f"is not valid JSON: {error}", path=path, field=field) from None
    if not isinstance(value, dict):
        kind = type(value).__name__
        raise CheckpointError(f"must be a JSON object, found {kind}", path=path, field=field)
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        name = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise ValueError(f"the key {name[:96]!r} comes twice")
    return found


def _refused(name: str) -> Any:
    raise ValueError(f"{name} is not a JSON number")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text[:40]} is too large for a number")
    return value
