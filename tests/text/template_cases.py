"""Conversations that the families' chat templates are tried on."""

from __future__ import annotations

import json
from typing import Any

WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Current weather at a place.",
        "parameters": {
            "type": "object",
            "properties": {
                "place": {"type": "string", "description": "City & country"},
                "days": {"type": "integer", "enum": [1, 2, 3]},
                "detail": {"type": "array", "items": {"type": "string"}},
            },
            "required": ["place"],
        },
    },
}
PING = {
    "type": "function",
    "function": {
        "name": "ping",
        "description": "Ping <it>.",
        "parameters": {"type": "object", "properties": {}},
    },
}
ARGUMENTS = {"place": "Oslo, Norway", "days": 2, "detail": ["wind", "<rain>"]}
SYSTEM = {"role": "system", "content": "Be brief.\nAlways."}
USER = {"role": "user", "content": 'What\'s 2 < 3 & "é"?'}
WHY = {"role": "user", "content": "Why?"}
ANSWER = {"role": "assistant", "content": "  Yes, it is.\n"}
REASONED = {
    "role": "assistant",
    "reasoning_content": "Compare the numbers.\nTwo is less.",
    "content": "Yes.",
}
INLINE = {"role": "assistant", "content": "<think>\nHm.\n</think>\n\nYes."}


def call(arguments: Any, id: str = "call12345") -> dict[str, Any]:
    function = {"name": "get_weather", "arguments": arguments}
    return {"id": id, "type": "function", "function": function}


def result(content: str, id: str = "call12345") -> dict[str, Any]:
    return {"role": "tool", "name": "get_weather", "tool_call_id": id, "content": content}


def weather(arguments: Any) -> list[dict[str, Any]]:
    """Return a conversation with a call, its result and what follows."""
    return [
        SYSTEM,
        {"role": "user", "content": "Weather in Oslo?"},
        {"role": "assistant", "content": "", "tool_calls": [call(arguments)]},
        result('{"t": -3}'),
        {"role": "assistant", "content": "Cold."},
        {"role": "user", "content": "And tomorrow?"},
    ]


TWO_CALLS = [
    USER,
    {
        "role": "assistant",
        "content": None,
        "tool_calls": [call(ARGUMENTS, "call00001"), call({"place": "Rome"}, "call00002")],
    },
    result("1", "call00001"),
    result("2", "call00002"),
]
PARTS = [{"type": "text", "text": "One."}, {"type": "text", "text": "Two."}]
OFF = {"enable_thinking": False, "thinking": False, "reasoning_effort": "low"}
ON = {"enable_thinking": True, "thinking": True, "reasoning_effort": "high"}

# name -> what `ChatTemplate.render` is given
CASES: dict[str, dict[str, Any]] = {
    "user": {"messages": [USER]},
    "turns": {"messages": [SYSTEM, USER, ANSWER, {"role": "user", "content": "Sure?"}]},
    "no prompt": {"messages": [USER, ANSWER], "add_generation_prompt": False},
    "thinking off": {"messages": [SYSTEM, USER], **OFF},
    "thinking on": {"messages": [SYSTEM, USER, REASONED, WHY], **ON},
    "reasoning kept": {"messages": [USER, REASONED], "add_generation_prompt": False},
    "inline thoughts": {"messages": [USER, INLINE, WHY]},
    "tools": {"messages": [SYSTEM, USER], "tools": [WEATHER, PING]},
    "tool call": {"messages": weather(ARGUMENTS), "tools": [WEATHER, PING]},
    "tool call as text": {"messages": weather(json.dumps(ARGUMENTS)), "tools": [WEATHER]},
    "tool result last": {"messages": weather(ARGUMENTS)[:4], "tools": [WEATHER], **ON},
    "two calls": {"messages": TWO_CALLS, "tools": [WEATHER]},
    "parts": {"messages": [{"role": "user", "content": PARTS}]},
}
SPECIAL = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>"}
TODAY = (2024, 7, 26, 12)
