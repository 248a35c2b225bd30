"""A reply in parts, told apart by special tokens: reasoning, tool calls, and text for the user.

A marker is one token of the vocabulary; letters that merely spell one are text. gpt-oss has none
around its parts but says before each what it is ("harmony": <|channel|>analysis<|message|>...).
Sources: the models' own chat templates, which write the same markers.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from .tokenizer import Tokenizer
from .tool_calls import parsed_calls
from .vocab import TokenType

Kind = Literal["text", "reasoning", "call", "header"]

# What begins a part, what kind it is, and what ends it; without an end, the next marker does.
MARKERS: tuple[tuple[str, Kind, str], ...] = (
    ("<think>", "reasoning", "</think>"),
    ("<thinking>", "reasoning", "</thinking>"),
    ("<seed:think>", "reasoning", "</seed:think>"),
    ("[THINK]", "reasoning", "[/THINK]"),
    ("<|START_THINKING|>", "reasoning", "<|END_THINKING|>"),
    ("<|channel>", "reasoning", "<channel|>"),
    ("<tool_call>", "call", "</tool_call>"),
    ("<seed:tool_call>", "call", "</seed:tool_call>"),
    ("<|tool_call>", "call", "<tool_call|>"),
    ("<|tool_call_start|>", "call", "<|tool_call_end|>"),
    ("<|tool_call_begin|>", "call", "<|tool_call_end|>"),
    ("<\uff5ctool\u2581call\u2581begin\uff5c>", "call", "<\uff5ctool\u2581call\u2581end\uff5c>"),
    ("<|START_ACTION|>", "call", "<|END_ACTION|>"),
    ("[TOOL_CALLS]", "call", ""),
    ("<|tool_call|>", "call", ""),
    ("<|python_tag|>", "call", ""),
)
HARMONY_HEADER, HARMONY_BODY = ("<|start|>", "<|channel|>"), "<|message|>"
HARMONY_ENDS = ("<|end|>", "<|call|>", "<|return|>")


@dataclass(frozen=True)
class ReplyParts:
    """`calls` are tool calls as the model wrote them, without the markers around them."""

    text: str
    reasoning: str
    calls: list[str]

    def message(self) -> dict[str, Any]:
        """Return the reply as a message for the next turn; calls that can be read are objects."""
        message: dict[str, Any] = {"role": "assistant", "content": self.text}
        if self.reasoning:
            message["reasoning_content"] = self.reasoning
        functions = [function for call in self.calls for function in parsed_calls(call)]
        if functions:
            calls = [{"type": "function", "function": function} for function in functions]
            message["tool_calls"] = calls
        return message


class ReplySplitter:
    """Finds the parts of replies, given what markers a vocabulary has."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._opens: dict[int, Kind] = {}
        self._closes: set[int] = set()
        for start, kind, end in MARKERS:
            if (id := self._id(start)) is not None:
                self._opens[id] = kind
                self._closes |= self._ids([end])
        body = self._id(HARMONY_BODY)
        self._body = body if body is not None and self._id(HARMONY_HEADER[1]) is not None else None
        if self._body is not None:
            self._opens |= dict.fromkeys(self._ids(HARMONY_HEADER), "header")
            self._closes |= self._ids(HARMONY_ENDS)

    def split(self, ids: Iterable[int], prompt: Sequence[int] = ()) -> ReplyParts:
        """Split a reply; the end of `prompt` tells whether it begins in the middle of reasoning."""
        reader = self.reader(prompt)
        for id in ids:
            reader.push(id)
        found = [(kind, self._text(kind, held)) for kind, held in reader.parts]
        return ReplyParts(
            text="".join(text for kind, text in found if kind == "text").strip("\n"),
            reasoning="\n".join(text.strip() for kind, text in found if kind == "reasoning"),
            calls=[text.strip() for kind, text in found if kind == "call" and text.strip()],
        )

    def reader(self, prompt: Sequence[int] = ()) -> PartReader:
        """Return what follows a reply token by token."""
        return PartReader(self, self._start(prompt))

    def next_part(self, id: int, held: list[int]) -> tuple[Kind, list[int]] | None:
        """Return the part that `id` begins after another, and the tokens it has; None if none."""
        if id == self._body:
            kind = self._announced(held)
            return kind, [*held, id] if kind == "call" else []  # a call's header has its name
        if id in self._opens or id in self._closes:
            return self._opens.get(id, "text"), []
        return None

    def _start(self, prompt: Sequence[int]) -> Kind:
        """Return what the prompt has begun: nothing but its last turn is looked at."""
        for id in reversed(prompt):
            if id in self._opens or id in self._closes:
                kind = self._opens.get(id, "text")
                return kind if kind == "reasoning" else "text"
            if self._tokenizer.is_control(id):
                break
        return "text"

    def _announced(self, header: list[int]) -> Kind:
        """Return what a header of gpt-oss says comes after it."""
        text = self._text("call", header)
        if "to=functions." in text:
            return "call"
        return "reasoning" if text.startswith("analysis") else "text"

    def _text(self, kind: Kind, ids: list[int]) -> str:
        stream = self._tokenizer.stream(special=kind == "call", continues=True)
        return "".join(map(stream.push, ids)) + stream.flush()

    def _id(self, text: str) -> int | None:
        vocab = self._tokenizer.vocab
        id = vocab.ids.get(text)
        special = (TokenType.CONTROL, TokenType.USER_DEFINED)
        return id if id is not None and vocab.types[id] in special else None

    def _ids(self, texts: Iterable[str]) -> set[int]:
        return {id for text in texts if (id := self._id(text)) is not None}


class PartReader:
    """The parts of a reply as it grows: `parts` are kinds with their tokens, the last one open."""

    def __init__(self, splitter: ReplySplitter, kind: Kind) -> None:
        self.parts: list[tuple[Kind, list[int]]] = [(kind, [])]
        self._splitter = splitter

    @property
    def kind(self) -> Kind:
        """What the next token belongs to, unless it is a marker."""
        return self.parts[-1][0]

    def push(self, id: int) -> None:
        """Take the next token."""
        part = self._splitter.next_part(id, self.parts[-1][1])
        if part is None:
            self.parts[-1][1].append(id)
        else:
            self.parts.append(part)
