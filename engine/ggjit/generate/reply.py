"""One reply: from logits to tokens and text, until something ends it."""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Literal

from .candidates import Float32
from .sampler import Sampler
from .stopping import StopRules, StopStrings

if TYPE_CHECKING:
    from ..text import PartReader, TokenStream

Ending = Literal["end", "stop", "length", "context"]


@dataclass
class GenerationStats:
    """Tokens and seconds of one reply; what the reader does between two pieces is not counted.

    `n_prompt` tokens were computed, `n_reused` more were known from before.
    `n_decoded` of the `n_generated` tokens were fed back, one at a time, in `decode_s`.
    """

    n_prompt: int = 0
    n_reused: int = 0
    prompt_s: float = 0.0
    n_generated: int = 0
    n_decoded: int = 0
    decode_s: float = 0.0
    n_past: int = 0
    n_context: int = 0

    @property
    def prompt_per_s(self) -> float:
        """Prompt tokens per second."""
        return self.n_prompt / self.prompt_s if self.prompt_s else 0.0

    @property
    def decode_per_s(self) -> float:
        """Generated tokens per second."""
        return self.n_decoded / self.decode_s if self.decode_s else 0.0


class Reply:
    """What has been said so far in answer to `prompt`: `ids`, `text`, `stats`.

    `ending` is "end" (the model's end token), "stop" (a stop string), "length" (max_tokens) or
    "context" (no room for more), and None while it goes on.
    """

    def __init__(
        self, prompt: list[int], stream: TokenStream, sampler: Sampler, rules: StopRules
    ) -> None:
        """`stream` turns ids into text."""
        self.prompt, self.rules = prompt, rules
        self.ids: list[int] = []
        self.text = ""
        self.stats = GenerationStats()
        self.ending: Ending | None = "length" if rules.max_tokens == 0 else None
        self._sampler, self._stream = sampler, stream
        self._stops = StopStrings(rules.strings)
        self.reader: PartReader | None = None

    @property
    def kind(self) -> str:
        """What is being said: "text", "reasoning", "call", or "header" that announces a part."""
        return self.reader.kind if self.reader else "text"

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"<ggjit.Reply: {self.text!r}, {self.ending or 'going on'}>"

    def accept_prompt(self) -> None:
        """Let the sampler see the prompt."""
        for id in self.prompt:
            self._sampler.accept(id)

    def extend(self, logits: Float32) -> str:
        """Choose the next token; return the text that is now known.

        Shapes: logits [n_vocab].
        """
        started = perf_counter()
        id = self._sampler.sample(logits)
        self.stats.decode_s += perf_counter() - started
        if id in self.rules.ids:  # an end token is not part of the text
            return self.end("end")
        self._sampler.accept(id)
        self.ids.append(id)
        if self.reader:
            self.reader.push(id)
        self.stats.n_generated += 1
        text = self._stops.push(self._stream.push(id))
        self.text += text
        if self._stops.matched is not None:
            return text + self.end("stop")
        if len(self.ids) == self.rules.max_tokens:
            return text + self.end("length")
        return text

    def end(self, ending: Ending) -> str:
        """End the reply; return the text that was held back."""
        self.ending = ending
        rest = self._stops.push(self._stream.flush()) + self._stops.flush()
        self.text += rest
        return rest
