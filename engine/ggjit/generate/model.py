"""A loaded model: text in, text out, and the logits underneath."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..backends import ContextFull, Executor, Progress
from .batch import BatchGeneration
from .candidates import Float32
from .generation import Generation
from .messages import Message, check_messages
from .options import SamplingOptions
from .reply import Reply
from .sampler import Sampler
from .session import Ids, Session, checked_ids
from .stopping import StopRules

if TYPE_CHECKING:
    from ..gguf import GGUFFile
    from ..text import ChatTemplate, ReplyParts, ReplySplitter, Tokenizer, TokenStream

Prompt = str | Sequence[int] | npt.NDArray[np.integer]


@dataclass(frozen=True)
class LoadStats:
    """Seconds that loading took: all of it, and the part spent compiling kernels."""

    load_s: float = 0.0
    compile_s: float = 0.0


class Model:
    """A GGUF file ready for use. Without an executor (vocab_only) it has only its tokenizer."""

    def __init__(
        self,
        file: GGUFFile,
        tokenizer: Tokenizer | None,
        executor: Executor | None = None,
        load_stats: LoadStats | None = None,
    ) -> None:
        self.file, self._tokenizer = file, tokenizer
        self.load_stats = load_stats or LoadStats()
        self.progress: Progress | None = None  # is told how far long prompts are read
        self._executor, self._closed = executor, False
        self._idle: list[Session] = []  # at most one, for the next reply to go on from

    def __repr__(self) -> str:
        if self._executor is None:
            what = "closed" if self._closed else "vocabulary only"
        else:
            what = f"context {self._executor.n_context}"
        return f"<ggjit.Model {self.file.path.name}: {self.n_vocab} tokens, {what}>"

    @property
    def tokenizer(self) -> Tokenizer:
        """What turns text into tokens. Raises: ValueError for a file without a vocabulary."""
        if self._tokenizer is None:
            raise ValueError(f"{self.file.path}: has no vocabulary: logits can be had, but no text")
        return self._tokenizer

    @property
    def executor(self) -> Executor:
        """What computes.

        Raises: ValueError if the model is closed or was opened for its vocabulary only.
        """
        if self._closed:
            raise ValueError(f"{self.file.path.name}: the model is closed, it cannot compute")
        if self._executor is None:
            raise ValueError(f"{self.file.path.name}: opened with vocab_only, it cannot compute")
        return self._executor

    @property
    def n_vocab(self) -> int:
        """How many tokens the logits are for."""
        return self._executor.n_vocab if self._executor else self.tokenizer.n_vocab

    @property
    def n_context(self) -> int:
        """How many tokens one sequence can hold."""
        return self.executor.n_context

    @cached_property
    def sampling(self) -> SamplingOptions:
        """What is used where a caller says nothing: the file's own options, else the defaults."""
        return SamplingOptions.from_gguf(self.file)

    @cached_property
    def chat_template(self) -> ChatTemplate | None:
        """The file's chat template; a base model has none."""
        from ..text import ChatTemplate

        return ChatTemplate.from_gguf(self.file, self.tokenizer)

    @cached_property
    def _splitter(self) -> ReplySplitter:
        from ..text import ReplySplitter

        return ReplySplitter(self.tokenizer)

    def parts(self, reply: Reply) -> ReplyParts:
        """Return a reply's text, reasoning and tool calls, told apart by special tokens.

        Its `message()` is what the next turn of `chat` takes.
        """
        return self._splitter.split(reply.ids, reply.prompt)

    def logits(self, ids: Ids) -> Float32:
        """Return the logits after each of `ids`, from an empty context.

        Shapes: returns [len(ids), n_vocab].
        Raises: ValueError, ContextFull.
        """
        new = checked_ids(ids, self.executor.n_vocab)
        return self.executor.run(self.executor.new_state(), new, "all")

    def session(self) -> Session:
        """Return an empty session."""
        return Session(self.executor)

    def generate(
        self,
        prompt: Prompt,
        *,
        max_tokens: int | None = None,
        stop: str | Sequence[str] = (),
        ignore_eos: bool = False,
        session: Session | None = None,
        **sampling: Any,
    ) -> Generation:
        """Yield what follows `prompt`, in pieces; `sampling` is any field of SamplingOptions.

        A text prompt gets the file's BOS and no special tokens; encode it yourself for another
        choice. With a session the prompt is appended to what it holds, and so is the reply.
        Raises: ValueError at once; ContextFull after all the text that fits.
        """
        new = self._prompt_ids(prompt, session)
        held, lender = (session.ids, nullcontext(session)) if session else ([], self._lent())
        rules = self._rules(max_tokens, stop)
        sampler = self._sampler(sampling, ignore_eos)
        return Generation(held + new, self._stream(), sampler, rules, lender, bool(session))

    def stream_batch(
        self,
        prompts: Sequence[Prompt],
        *,
        max_tokens: int | None = None,
        stop: str | Sequence[str] = (),
        ignore_eos: bool = False,
        n_together: int = 64,
        **sampling: Any,
    ) -> BatchGeneration:
        """Yield (number of the prompt, text) as the replies to several prompts grow side by side.

        Each reply is what `generate` makes of its prompt alone, seeds included. What prompts have
        in common is computed and stored once; `n_together` of them run at a time, the others follow
        as replies end.
        Raises: ValueError, ContextFull for a prompt that is too long, both at once.
        """
        if isinstance(prompts, str):
            raise ValueError("prompts must be a list of prompts, not one text")
        if n_together < 1:
            raise ValueError(f"n_together must be 1 or more, not {n_together}")
        rules, replies = self._rules(max_tokens, stop), []
        for prompt in prompts:
            ids = self._prompt_ids(prompt, None)
            if len(ids) > self.n_context:
                raise ContextFull(0, len(ids), self.n_context)
            sampler = self._sampler(sampling, ignore_eos)
            replies.append(Reply(ids, self._stream(), sampler, rules))
        return BatchGeneration(self.executor, replies, n_together)

    def generate_batch(self, prompts: Sequence[Prompt], **options: Any) -> list[Reply]:
        """Return the replies to several prompts, in their order; options as for `stream_batch`.

        A reply's `text` is what `str` gives; `ids`, `ending` and `stats` are beside it.
        """
        return self.stream_batch(prompts, **options).finish()

    def chat(
        self,
        messages: Sequence[Message],
        *,
        max_tokens: int | None = None,
        stop: str | Sequence[str] = (),
        ignore_eos: bool = False,
        tools: Sequence[Mapping[str, Any]] | None = None,
        template_variables: Mapping[str, Any] | None = None,
        **sampling: Any,
    ) -> Generation:
        """Yield the assistant's reply to `messages`, in pieces; otherwise as `generate`.

        Messages are dicts with "role" and "content". The beginning that a conversation has in
        common with the one before it is not computed again.
        Raises: ValueError for what is no message, or if the file has no chat template.
        """
        check_messages(messages)
        if self.chat_template is None:
            name = self.file.path.name
            raise ValueError(f"{name} has no chat template: it continues text, it does not chat")
        variables = dict(template_variables or {})
        ids = self.chat_template.encode(list(messages), tools=tools, **variables)
        reply = self.generate(
            ids, max_tokens=max_tokens, stop=stop, ignore_eos=ignore_eos, **sampling
        )
        reply.reader = self._splitter.reader(reply.prompt)
        return reply

    def close(self) -> None:
        """Let go of the memory and the file."""
        self._idle.clear()
        self._executor, self._closed = None, True
        self.file.close()

    def __enter__(self) -> Model:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def _lent(self) -> Iterator[Session]:
        session = self._idle.pop() if self._idle else self.session()
        session.progress = self.progress
        try:
            yield session
        finally:
            self._idle[:] = [session]

    def _prompt_ids(self, prompt: Prompt, session: Session | None) -> list[int]:
        if isinstance(prompt, str):
            starts = session is None or session.n_past == 0
            prompt = self.tokenizer.encode(prompt, bos=None if starts else False)
        return checked_ids(prompt, self.executor.n_vocab).tolist()

    def _rules(self, max_tokens: int | None, stop: str | Sequence[str]) -> StopRules:
        strings = (stop,) if isinstance(stop, str) else tuple(stop)
        return StopRules(max_tokens, strings, self.tokenizer.eog_ids)

    def _stream(self) -> TokenStream:
        return self.tokenizer.stream(special=False, continues=True)

    def _sampler(self, sampling: Mapping[str, Any], ignore_eos: bool) -> Sampler:
        options = self.sampling.changed(sampling)
        if ignore_eos:
            forbidden = dict.fromkeys(self.tokenizer.eog_ids, -math.inf)
            options = options.changed({"logit_bias": {**options.logit_bias, **forbidden}})
        return Sampler(options, self.tokenizer.n_vocab)
