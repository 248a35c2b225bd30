"""Tool calls as models write them, read as a name and arguments.

Sources: the chat templates of the families named below, which write calls in the same ways.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable
from typing import Any

MAX_CHARACTERS = 1 << 20
MAX_PYTHON = 1 << 13  # its parser nests as deep as the text does
SEP = "<\uff5ctool\u2581sep\uff5c>"
Function = dict[str, Any]

# Each with groups for the name and its arguments as JSON.
NAME_AND_JSON = tuple(
    re.compile(pattern, re.DOTALL)
    for pattern in (
        rf"(?:function{SEP})(?P<name>[^\n]+)\n```json\n(?P<json>.*)\n```",  # DeepSeek V3, R1
        rf"(?P<name>[^{{]+){SEP}(?P<json>.*)",  # DeepSeek V3.1
        # Kimi
        r"(?:functions\.)?(?P<name>[^{:]+):\d+\s*<\|tool_call_argument_begin\|>(?P<json>.*)",
        r".*to=functions\.(?P<name>[^\s<]+).*?<\|message\|>(?P<json>.*)",  # gpt-oss
        r"(?P<name>[^\[{]+)(?:\[CALL_ID\][^\[{]*)?(?:\[ARGS\])?(?P<json>\{.*)",  # Mistral
    )
)
XML_FUNCTION = re.compile(r"<function=([^>\n]+)>(.*?)</function>", re.DOTALL)
XML_PARAMETER = re.compile(r"<parameter=([^>\n]+)>\n?(.*?)\n?</parameter>", re.DOTALL)
GLM_ARGUMENT = re.compile(r"<arg_key>(.*?)</arg_key>\s*<arg_value>(.*?)</arg_value>", re.DOTALL)


def parsed_calls(call: str) -> list[Function]:
    """Return the functions that a call names, with their arguments; none if it cannot be read."""
    call = call.strip()
    if len(call) > MAX_CHARACTERS:
        return []
    for read in READERS:
        try:
            if functions := read(call):
                return functions
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
    return []


def _json(call: str) -> list[Function]:
    """Read objects with a name: Hermes, Qwen, Llama 3, Granite, Mistral."""
    value = json.loads(call)
    entries = value if isinstance(value, list) else [value]
    return [function for entry in entries if (function := _named(entry)) is not None]


def _named(entry: Any) -> Function | None:
    if not isinstance(entry, dict) or not isinstance(entry.get("name"), str):
        return None
    arguments = entry.get("arguments", entry.get("parameters", {}))
    return {"name": entry["name"], "arguments": arguments}


def _name_and_json(call: str) -> list[Function]:
    """Read a name, something between, and an object."""
    for pattern in NAME_AND_JSON:
        if match := pattern.fullmatch(call):
            arguments = json.loads(match["json"])
            if isinstance(arguments, dict):
                return [{"name": match["name"].strip(), "arguments": arguments}]
    return []


def _xml(call: str) -> list[Function]:
    """Read <function=name><parameter=key>value: Qwen3-Coder and others."""
    return [
        {"name": name, "arguments": {key: _value(v) for key, v in XML_PARAMETER.findall(body)}}
        for name, body in XML_FUNCTION.findall(call)
    ]


def _glm(call: str) -> list[Function]:
    """Read a name on a line of its own, then keys and values: GLM 4."""
    name, _, _ = call.partition("<arg_key>")
    found = GLM_ARGUMENT.findall(call)
    if not found or not name.strip():
        return []
    return [{"name": name.strip(), "arguments": {key: _value(v) for key, v in found}}]


def _python(call: str) -> list[Function]:
    """Read [name(key="value")]: LFM2, Llama 3.2 and 4."""
    if len(call) > MAX_PYTHON:
        return []
    tree = ast.parse(call, mode="eval").body
    calls = tree.elts if isinstance(tree, ast.List) else [tree]
    return [
        {
            "name": ast.unparse(node.func),
            "arguments": {str(k.arg): ast.literal_eval(k.value) for k in node.keywords},
        }
        for node in calls
        if isinstance(node, ast.Call)
    ]


def _value(text: str) -> Any:
    """Return a value written as JSON, or as plain text."""
    try:
        return json.loads(text)
    except ValueError:
        return text


READERS: tuple[Callable[[str], list[Function]], ...] = (_json, _name_and_json, _xml, _glm, _python)
