"""A tokenizer.json, checked: vocabulary, merges, added tokens, and the rules around them.

Source: the format is the `tokenizers` library's own (its `Tokenizer.to_str`); merges are pairs, or
in older files strings with a space between.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import CheckpointError
from ..sources.strict_json import read_json
from .added import AddedToken, added_tokens


@dataclass(frozen=True)
class TokenizerJson:
    """`ids` has the model's tokens, `added` those beside or among them, by id."""

    path: Path
    model: Mapping[str, Any]
    ids: dict[str, int]
    merges: list[tuple[str, str]]
    added: dict[int, AddedToken]
    normalizer: dict[str, Any] | None
    pre_tokenizer: dict[str, Any] | None
    post_processor: dict[str, Any] | None

    def error(self, field: str, problem: str) -> CheckpointError:
        return CheckpointError(problem, path=self.path, field=field)

    @property
    def is_byte_level(self) -> bool:
        """Whether the tokens are GPT-2's characters for bytes."""
        if self.model.get("type") != "BPE" or self.model.get("byte_fallback"):
            return False
        rules = parts(self.pre_tokenizer, "pretokenizers") + parts(self.normalizer, "normalizers")
        return any(rule.get("type") == "ByteLevel" for rule in rules)


def read_tokenizer_json(path: Path) -> TokenizerJson:
    """Read and check a tokenizer.json whose model is a BPE.

    Raises: CheckpointError naming the field.
    """
    return checked(path, read_json(path))


def checked(path: Path, data: dict[str, Any]) -> TokenizerJson:
    """Check what a tokenizer.json holds. Raises: CheckpointError naming the field."""
    model = _object(path, "model", data.get("model"))
    # Files of before 0.10 of the library do not say the model's type.
    model.setdefault("type", "BPE" if "merges" in model else "WordLevel")
    if model["type"] != "BPE":
        problem = f"{str(model['type'])[:40]!r} is not supported, only 'BPE'"
        raise CheckpointError(problem, path=path, field="model.type")
    return TokenizerJson(
        path=path,
        model=model,
        ids=_ids(path, model.get("vocab")),
        merges=_merges(path, model.get("merges")),
        added=added_tokens(path, "added_tokens", data.get("added_tokens") or []),
        normalizer=_optional(path, data, "normalizer"),
        pre_tokenizer=_optional(path, data, "pre_tokenizer"),
        post_processor=_optional(path, data, "post_processor"),
    )


def parts(rule: Mapping[str, Any] | None, name: str) -> list[dict[str, Any]]:
    """Return the steps of a rule; `name` is what a `Sequence` calls its own."""
    found, waiting = [], [rule]
    while waiting:
        step = waiting.pop()
        if not isinstance(step, dict):
            continue
        if step.get("type") == "Sequence":
            inner = step.get(name)
            waiting += inner[::-1] if isinstance(inner, list) else []
        else:
            found.append(step)
    return found


def _object(path: Path, field: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise CheckpointError("must be an object", path=path, field=field)
    return value


def _optional(path: Path, data: dict[str, Any], field: str) -> dict[str, Any] | None:
    value = data.get(field)
    return None if value is None else _object(path, field, value)


def _ids(path: Path, vocab: Any) -> dict[str, int]:
    ids = _object(path, "model.vocab", vocab)
    for text, id in ids.items():
        if type(id) is not int or not 0 <= id < 1 << 31:
            problem = f"the id of {text[:40]!r} must be a number of a token, found {str(id)[:40]}"
            raise CheckpointError(problem, path=path, field="model.vocab")
    if len(set(ids.values())) < len(ids):
        texts = {id: text for text, id in ids.items()}
        text, id = next((text, id) for text, id in ids.items() if texts[id] != text)
        problem = f"{text[:40]!r} and {texts[id][:40]!r} have the same id {id}"
        raise CheckpointError(problem, path=path, field="model.vocab")
    return ids


def _merges(path: Path, merges: Any) -> list[tuple[str, str]]:
    if not isinstance(merges, list):
        raise CheckpointError("must be a list", path=path, field="model.merges")
    pairs = [merge.split(" ", 1) if isinstance(merge, str) else merge for merge in merges]
    for i, pair in enumerate(pairs):
        is_pair = isinstance(pair, list) and len(pair) == 2
        if not is_pair or not all(isinstance(text, str) and text for text in pair):
            problem = f"must be two tokens, found {str(merges[i])[:40]!r}"
            raise CheckpointError(problem, path=path, field=f"model.merges[{i}]")
    return [(left, right) for left, right in pairs]
