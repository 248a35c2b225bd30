"""Which tokens begin, end, pad and separate, and which are added around a text.

Three files tell: the post-processor of tokenizer.json, the names in tokenizer_config.json, and the
ids in config.json. Which of them counts is as in llama.cpp `gguf-py/gguf/vocab.py`
(`SpecialVocab`), so that a file says the same whoever wrote it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..sources import text_config
from .tokenizer_json import TokenizerJson, parts
from .vocabulary import KEY

# name -> the key before "_token_id"; "seperator" is the format's own spelling
KEYS = {
    "bos": "bos",
    "eos": "eos",
    "unk": "unknown",
    "sep": "seperator",
    "pad": "padding",
    "cls": "cls",
    "mask": "mask",
    "eot": "eot",
    "eom": "eom",
}
NAMES = tuple(KEYS)[:7]
ADDED = ("bos", "eos", "sep")  # what GGUF has an add_..._token for
Json = Mapping[str, Any]


def special_tokens(
    source: TokenizerJson | None,
    tokens: Sequence[str],
    tokenizer_config: Json | None,
    config: Json,
    n_vocab: int,
) -> dict[str, Any]:
    """Return the ids and the flags that tell whether a token is added.

    `source` and `tokenizer_config` are None where there is no such file.
    """
    special = _Special(tokenizer_config or {}, known=tokenizer_config is not None)
    if source is not None:
        special.post_process(source.post_processor)
    special.add_flags(tokenizer_config or {})
    added = {token.content: id for id, token in sorted(source.added.items())} if source else {}
    texts = list(special.texts()) if tokenizer_config is not None else []
    ids = {text: id for id, text in enumerate(tokens)}
    # Names first, then config.json; at last a name that only the vocabulary itself knows.
    found = {name: ids[text] for name, text in texts if text in ids}
    found |= _ids_of_config(special.names, config)
    found |= {name: added[text] for name, text in texts if text in added}
    keys = {f"{KEY}{KEYS[name]}_token_id": id for name, id in found.items() if id < n_vocab}
    keys |= {f"{KEY}add_{name}_token": adds for name, adds in special.adds.items() if name in ADDED}
    if source is not None and source.is_byte_level:
        # Said outright: some names of pre-tokenizers have a BOS by default.
        keys.setdefault(KEY + "add_bos_token", False)
    return keys


def _ids_of_config(names: Iterable[str], config: Json) -> dict[str, int]:
    inner, found = text_config(config), {}
    for name in names:
        key = f"{name}_token_id"
        id = inner.get(key) if config.get(key) is None else config[key]
        if type(id) is int and id >= 0:
            found[name] = id
    return found


class _Special:
    """The special tokens as they are gathered: `entries` by name, `adds` for what is added."""

    def __init__(self, tokenizer_config: Json, *, known: bool) -> None:
        self.names = list(NAMES)
        self.entries = {name: tokenizer_config.get(f"{name}_token") for name in NAMES}
        self.adds: dict[str, bool] = {}
        self._known = known  # without a tokenizer_config.json, templates name the tokens
        for name, other in (("bos", "cls"), ("eos", "sep")):
            if not self.entries[name] and self.entries[other]:
                self.entries[name] = self.entries[other]

    def texts(self) -> Iterable[tuple[str, str]]:
        for name in self.names:
            entry = self.entries[name]
            text = entry.get("content") if isinstance(entry, Mapping) else entry
            if isinstance(text, str):
                yield name, text

    def add_flags(self, tokenizer_config: Json) -> None:
        """Take what tokenizer_config.json says where the post-processor says nothing."""
        for name in self.names:
            adds = tokenizer_config.get(f"add_{name}_token")
            if isinstance(adds, bool):
                self.adds.setdefault(name, adds)

    def post_process(self, rule: Json | None) -> None:
        for step in parts(rule, "processors"):
            kind = step.get("type")
            if kind == "ByteLevel":
                self.adds = {"bos": False, "eos": False} | self.adds
            elif kind == "RobertaProcessing":
                self._roberta(step)
            elif kind == "TemplateProcessing":
                self._template(_list(step.get("single")), _list(step.get("pair")))

    def _roberta(self, step: Json) -> None:
        self.adds |= {"bos": True, "eos": True, "sep": True}
        for name, other in (("cls", "bos"), ("sep", "eos")):
            if not self.entries[name] and self._known:
                pair = _list(step.get(name)) or [self.entries[other]]
                self.entries[name] = pair[0]

    def _template(self, single: list[Json], pair: list[Json]) -> None:
        first = last = None
        if len(single) > 1:
            first, last = _token_of(single[0]), _token_of(single[-1])
        if first:
            self._first(first)
        if last:
            self._last(last)
        if pair:
            self._pair(pair, first, last)

    def _first(self, text: str) -> None:
        # Compared with the entries as they are written: one that is an object equals no text.
        if not self._known:
            self.entries["bos"] = text
        elif text not in (self.entries["bos"], self.entries["cls"]):
            self.entries["bos"] = self.entries["bos"] or text
            self.entries["cls"] = self.entries["cls"] or text
        self.adds["bos"] = text in (self.entries["bos"], self.entries["cls"])

    def _last(self, text: str) -> None:
        if self._known and text != self.entries["eos"]:
            free = next((name for name in ("eot", "eom") if name not in self.names), None)
            if free:
                self.names.append(free)
                self.entries[free] = self.entries["eos"]
        self.entries["eos"] = text
        self.adds["eos"] = True

    def _pair(self, pair: list[Json], first: str | None, last: str | None) -> None:
        """Find out whether two texts have a separator between them."""
        start = 1 if first and _token_of(pair[0]) == first else 0
        stop = len(pair) - 1 if last and _token_of(pair[-1]) == last else len(pair)
        inner = pair[start:stop]
        if len(inner) < 3 or _text_of(inner[0]) != "A" or _text_of(inner[-1]) != "B":
            return
        separators = (self.entries["sep"], self.entries["eos"])
        between = [_token_of(part) for part in inner[1:-1]]
        adds = between[0] in separators and between[0] is not None and not last
        adds |= len(between) == 2 and between[1] is not None and between[1] in separators
        self.adds["sep"] = adds
        if adds and not self.entries["sep"] and self._known:
            self.entries["sep"] = self.entries["eos"]


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _token_of(part: Any) -> str | None:
    return _id(part, "SpecialToken")


def _text_of(part: Any) -> str | None:
    return _id(part, "Sequence")


def _id(part: Any, kind: str) -> str | None:
    inner = part.get(kind) if isinstance(part, Mapping) else None
    id = inner.get("id") if isinstance(inner, Mapping) else None
    return id if isinstance(id, str) else None
