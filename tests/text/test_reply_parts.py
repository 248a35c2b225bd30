"""Replies split by special tokens, as the families write them."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from tiny_vocab import CONTROL, USER_DEFINED, bpe_metadata, tokenizer

from ggjit.generate import Model
from ggjit.text import ReplySplitter, Tokenizer
from ggjit.text.tool_calls import parsed_calls

SEP = "<｜tool▁sep｜>"
SPECIAL = {
    **dict.fromkeys(("<|im_start|>", "<|im_end|>", "<|start|>", "<|channel|>"), CONTROL),
    **dict.fromkeys(("<|message|>", "<|call|>", "<|return|>", "<|constrain|>"), CONTROL),
    **dict.fromkeys(("<think>", "</think>", "<tool_call>", "</tool_call>"), USER_DEFINED),
    **dict.fromkeys(("[TOOL_CALLS]", "[ARGS]", "[THINK]", "[/THINK]"), CONTROL),
    **dict.fromkeys(("<｜tool▁calls▁begin｜>", "<｜tool▁calls▁end｜>", SEP), CONTROL),
    **dict.fromkeys(("<｜tool▁call▁begin｜>", "<｜tool▁call▁end｜>"), CONTROL),
}


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    metadata = bpe_metadata()
    n_plain = len(metadata["tokens"]) - 6
    types = [*metadata["token_type"][:n_plain], CONTROL, CONTROL, CONTROL, *SPECIAL.values()]
    special = ["<|bos|>", "<|end|>", "<|eot|>", *SPECIAL]
    metadata["tokens"] = [*metadata["tokens"][:n_plain], *special]
    metadata["token_type"] = np.array(types, np.int32)
    return tokenizer(tmp_path_factory.mktemp("parts") / "m.gguf", metadata)


def parts(text: Tokenizer, reply: str, prompt: str = "") -> tuple[str, str, list[str]]:
    ids, before = text.encode(reply, special=True), text.encode(prompt, special=True)
    found = ReplySplitter(text).split(ids, before)
    return found.text, found.reasoning, found.calls


QWEN = '<tool_call>\n{"name": "f", "arguments": {"a": 1}}\n</tool_call>'
DEEPSEEK = (
    "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>"
    f'f{SEP}{{"a": 1}}<｜tool▁call▁end｜><｜tool▁calls▁end｜>'
)
HARMONY = (
    "<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant"
    '<|channel|>commentary to=functions.f <|constrain|>json<|message|>{"a": 1}'
)
CALL = [{"name": "f", "arguments": {"a": 1}}]

REPLIES = {
    "text": ("Yes.", "", ("Yes.", "", [])),
    "thoughts": ("<think>\nHm.\n</think>\n\nYes.", "", ("Yes.", "Hm.", [])),
    "begun by the prompt": ("Hm.</think>Yes.", "<|im_start|>x\n<think>\n", ("Yes.", "Hm.", [])),
    "ended by the prompt": ("Yes.", "<|im_start|>x\n<think>\n\n</think>\n\n", ("Yes.", "", [])),
    "a user's marker": ("Yes.", "<think><|im_start|>x\n", ("Yes.", "", [])),
    "not ended": ("<think>Hm", "", ("", "Hm", [])),
    "mistral": (
        '[THINK]Hm.[/THINK]Yes.[TOOL_CALLS]f[ARGS]{"a": 1}',
        "",
        ("Yes.", "Hm.", ['f[ARGS]{"a": 1}']),
    ),
    "qwen": (f"One.\n{QWEN}\n{QWEN}", "", ("One.", "", [QWEN[12:-13]] * 2)),
    "deepseek": (f"One.{DEEPSEEK}", "", ("One.", "", [f'f{SEP}{{"a": 1}}'])),
    "gpt-oss": (
        "<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant<|channel|>final<|message|>Yes.",
        "<|start|>assistant",
        ("Yes.", "Hm.", []),
    ),
}


@pytest.mark.parametrize("name", REPLIES)
def test_parts(text: Tokenizer, name: str) -> None:
    reply, prompt, expected = REPLIES[name]
    assert parts(text, reply, prompt) == expected


@pytest.mark.parametrize(
    "reply", [QWEN, DEEPSEEK, HARMONY, '[TOOL_CALLS][{"name":"f","arguments":{"a":1}}]']
)
def test_a_message_for_the_next_turn(text: Tokenizer, reply: str) -> None:
    found = ReplySplitter(text).split(text.encode(reply, special=True)).message()
    assert found.pop("reasoning_content", "Hm.") == "Hm."
    functions = [{"type": "function", "function": function} for function in CALL]
    assert found == {"role": "assistant", "content": "", "tool_calls": functions}


def test_letters_are_no_markers(text: Tokenizer) -> None:
    ids = [*text.encode("<th"), *text.encode("ink>a</th"), *text.encode("ink>")]
    assert ReplySplitter(text).split(ids).text == "<think>a</think>"


def test_what_is_being_said(text: Tokenizer) -> None:
    reader = ReplySplitter(text).reader()
    kinds = []
    for id in text.encode("<think>ab</think>c<tool_call>d", special=True):
        reader.push(id)
        kinds.append(reader.kind)
    expected = [*["reasoning"] * 3, *["text"] * 2, *["call"] * 2]
    assert kinds == expected


def test_of_a_model(text: Tokenizer) -> None:
    reply = SimpleNamespace(ids=text.encode("Hm.</think>Yes."), prompt=text.encode("<think>"))
    found = Model(SimpleNamespace(path=Path("m.gguf")), text).parts(reply)
    assert (found.reasoning, found.text) == ("Hm.", "Yes.")


CALLS: dict[str, list[dict[str, Any]]] = {
    '{"name": "f", "parameters": {"a": 1}}': CALL,
    '[{"name": "f", "arguments": {"a": 1}}, {"name": "g"}]': [
        *CALL,
        {"name": "g", "arguments": {}},
    ],
    f'function{SEP}f\n```json\n{{"a": 1}}\n```': CALL,
    'functions.f:0<|tool_call_argument_begin|>{"a": 1}': CALL,
    'f[CALL_ID]abc[ARGS]{"a": 1}': CALL,
    "<function=f>\n<parameter=a>\n1\n</parameter>\n</function>": CALL,
    "f\n<arg_key>a</arg_key>\n<arg_value>1</arg_value>": CALL,
    "f\n<arg_key>a</arg_key><arg_value>x y</arg_value>": [{"name": "f", "arguments": {"a": "x y"}}],
    "[f(a=1), m.g(b=[1, 'x'])]": [*CALL, {"name": "m.g", "arguments": {"b": [1, "x"]}}],
}


@pytest.mark.parametrize("call", CALLS)
def test_calls_are_read(call: str) -> None:
    assert parsed_calls(call) == CALLS[call]


@pytest.mark.parametrize(
    "call", ["", "{", "5", "f", "[f(a=g())]", "[" * 9999, "f{", "x" * (1 << 21)]
)
def test_what_is_no_call(call: str) -> None:
    assert parsed_calls(call) == []
