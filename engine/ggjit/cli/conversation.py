"""The messages of a chat, and keeping them in a file."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from ..replacing import replacing

ROLES = ("system", "user", "assistant")


class Conversation:
    """Messages in turn, after a system message where there is one."""

    def __init__(self, system: str | None = None) -> None:
        self.messages: list[dict[str, str]] = []
        self.set_system(system)

    def ask(self, text: str) -> None:
        """Add what the user says."""
        self.messages.append({"role": "user", "content": text})

    def answer(self, text: str) -> None:
        """Add the reply; without one, take the question back: roles have to alternate."""
        if text:
            self.messages.append({"role": "assistant", "content": text})
        else:
            self.messages.pop()

    def set_system(self, text: str | None) -> None:
        """Replace the system message; an empty text removes it."""
        self.messages = [m for m in self.messages if m["role"] != "system"]
        if text:
            self.messages.insert(0, {"role": "system", "content": text})

    def reset(self) -> None:
        """Forget everything but the system message."""
        self.messages = [m for m in self.messages if m["role"] == "system"]

    def save(self, path: Path) -> None:
        """Write the messages as JSON; the file is there whole, or as it was.

        Raises: ValueError for what is no file; OSError.
        """
        text = json.dumps(self.messages, ensure_ascii=False, indent=1) + "\n"
        with replacing(path) as part:
            part.touch(0o600)
            with part.open("w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())

    def load(self, path: Path) -> None:
        """Take the messages that `save` wrote instead. Raises: ValueError, OSError."""
        try:
            messages = json.loads(path.read_bytes())
        except (ValueError, RecursionError) as error:
            raise ValueError(f"{path} is not JSON: {error}") from None
        if not isinstance(messages, list) or not all(map(_is_message, messages)):
            raise ValueError(f"{path} is not a saved conversation")
        self.messages = messages


def _is_message(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and set(value) == {"role", "content"}
        and value["role"] in ROLES
        and isinstance(value["content"], str)
    )
