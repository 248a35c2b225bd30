"""The chat template of a GGUF file: messages to the text, and the ids, that the model expects.

What a template may use is what Hugging Face's `apply_chat_template` gives it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import CodeType
from typing import Any, TypeAlias

from ..gguf import GGUFError, GGUFFile, quoted
from .tokenizer import Tokenizer
from .user_text import MARKER, UserText

FIELD = "tokenizer.chat_template"
FOR_TOOLS = f"{FIELD}.tool_use"
REASONING = ("reasoning_content", "thinking", "reasoning")
Dicts: TypeAlias = Sequence[Mapping[str, Any]]


class ChatTemplate:
    """A file's template, compiled when it is first used."""

    def __init__(self, source: str, tokenizer: Tokenizer, path: Path, field: str = FIELD) -> None:
        self.source = source
        self._with_tools: ChatTemplate | None = None  # what is used instead where there are tools
        self._tokenizer, self._path, self._field = tokenizer, path, field
        self._user_text = UserText(tokenizer.special_tokens.control)
        self._code: CodeType | None = None

    @classmethod
    def from_gguf(
        cls, file: GGUFFile, tokenizer: Tokenizer, name: str | None = None
    ) -> ChatTemplate | None:
        """Return the file's template, or the one it has under `name`; None if it has none.

        Of a file with a template named tool_use, that one is used where there are tools.
        Raises: ValueError naming the templates there are if none has that name.
        """
        field = FIELD if name is None or name == "default" else f"{FIELD}.{name}"
        source = file.get(field, str, None)
        if source:
            template = cls(source, tokenizer, file.path, field)
            for_tools = file.get(FOR_TOOLS, str, None)
            if name is None and for_tools:
                template._with_tools = cls(for_tools, tokenizer, file.path, FOR_TOOLS)
            return template
        if field == FIELD:
            return None
        names = [key[len(FIELD) + 1 :] for key in file.metadata if key.startswith(FIELD + ".")]
        there = f"only {', '.join(map(quoted, names))}" if names else "nor any other named one"
        raise GGUFError(
            f"there is no chat template {quoted(str(name))}, {there}", path=file.path, field=field
        )

    def render(
        self,
        messages: Dicts,
        *,
        add_generation_prompt: bool = True,
        tools: Dicts | None = None,
        **variables: Any,
    ) -> str:
        """Return the prompt for `messages`, as text.

        Raises: ValueError if the template is not valid, does not accept the messages, or does what
        a template must not.
        """
        variables |= {"messages": _checked(messages), "tools": tools}
        template = self._for(tools)
        return template._run({**variables, "add_generation_prompt": add_generation_prompt})

    def encode(
        self,
        messages: Dicts,
        *,
        add_generation_prompt: bool = True,
        tools: Dicts | None = None,
        **variables: Any,
    ) -> list[int]:
        """Return the prompt for `messages`, as ids.

        The template's control tokens are recognised; those that the messages, tools or variables
        spell stay text. A BOS comes first if the file asks for one, and never twice.
        Raises: ValueError, as `render` does.
        """
        variables |= {"messages": _checked(messages), "tools": tools}
        text = self._for(tools)._run_marked(variables, add_generation_prompt)
        parts = self._tokenizer.special_tokens.split(text, control=True)
        ids = self._tokenizer.encode_parts(
            part if isinstance(part, int) else part.replace(MARKER, "") for part in parts
        )
        bos_id = self._tokenizer.bos_id
        if self._tokenizer.add_bos and bos_id is not None and ids[:1] != [bos_id]:
            ids.insert(0, bos_id)
        return ids

    def _for(self, tools: Dicts | None) -> ChatTemplate:
        return self._with_tools if tools and self._with_tools else self

    def _run_marked(self, user: dict[str, Any], add_generation_prompt: bool) -> str:
        """Return the output with the user's control tokens broken by markers."""
        try:
            lightly = self._user_text.marked(user)
            heavily = self._user_text.marked_everywhere(user)
        except RecursionError:
            raise ValueError("the messages are nested too deeply") from None
        text = self._run({**lightly, "add_generation_prompt": add_generation_prompt})
        if lightly == heavily:
            return text
        # Marks everywhere would hide from the template what it looks for, <think> and the like;
        # they are the fallback for a template that makes a control token out of pieces.
        strict = self._run({**heavily, "add_generation_prompt": add_generation_prompt})
        return text if self._control_tokens(text) == self._control_tokens(strict) else strict

    def _control_tokens(self, text: str) -> list[int]:
        special = self._tokenizer.special_tokens
        control = set(special.control.values())
        return [id for id in special.split(text, control=True) if id in control]

    def _run(self, variables: dict[str, Any]) -> str:
        # Imported late: a file that is only inspected or continued needs no Jinja.
        from jinja2 import TemplateError, TemplateSyntaxError, UndefinedError
        from jinja2.exceptions import SecurityError

        from .sandbox import TemplateLimitError, compile_template, run_template

        try:
            if self._code is None:
                self._code = compile_template(self.source)
            known = {"documents": None, **self._special_texts()}
            return run_template(self._code, {**known, **variables})
        except TemplateSyntaxError as error:
            problem = f"is not a valid Jinja template, line {error.lineno}: {error.message}"
            raise self._error(problem) from error
        except SecurityError as error:
            raise self._error(f"the template does what it must not: {error}") from error
        except UndefinedError as error:
            raise self._error(f"the template fails: {error}") from error
        except TemplateError as error:
            raise self._error(f"the template refuses the messages: {error}") from error
        except TemplateLimitError as error:
            raise self._error(f"the template {error}") from error
        except Exception as error:
            raise self._error(f"the template fails: {type(error).__name__}: {error}") from error

    def _special_texts(self) -> dict[str, str]:
        """Return `bos_token`, `eos_token` and so on, as far as the file names them."""
        vocab = self._tokenizer.vocab
        return {f"{name}_token": vocab.tokens[id] for name, id in vocab.special_ids.items()}

    def _error(self, problem: str) -> GGUFError:
        return GGUFError(problem, path=self._path, field=self._field)


def _checked(messages: Dicts) -> list[Mapping[str, Any]]:
    """Return the messages, those with reasoning under each name that templates read it by."""
    if not isinstance(messages, (list, tuple)) or not all(
        isinstance(message, Mapping) for message in messages
    ):
        raise ValueError("messages must be a list of dicts with a role and a content each")
    return [_with_reasoning(message) for message in messages]


def _with_reasoning(message: Mapping[str, Any]) -> Mapping[str, Any]:
    found = (message[name] for name in REASONING if message.get(name) is not None)
    reasoning = next(found, None)
    if reasoning is None:
        return message
    return {"thinking": reasoning, **message, "reasoning_content": reasoning}
