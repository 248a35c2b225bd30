"""What a conversation's messages must look like before a template sees them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Message = Mapping[str, Any]


def check_messages(messages: Sequence[Message]) -> None:
    """Raise ValueError naming the first message that is none, by its index.

    The content is text, a list of parts, or None; only a message of tool calls may leave it out.
    """
    for i, message in enumerate(messages):
        if not isinstance(message, Mapping):
            raise ValueError(f"messages[{i}] must be a mapping, not {type(message).__name__}")
        if not isinstance(message.get("role"), str):
            raise ValueError(f"messages[{i}] must have a 'role' that is a str")
        if "content" not in message and "tool_calls" not in message:
            raise ValueError(f"messages[{i}] has no 'content'")
        content = message.get("content")
        if content is not None and not isinstance(content, (str, list)):
            name = type(content).__name__
            raise ValueError(f"messages[{i}]: 'content' must be a str, a list or None, not {name}")
