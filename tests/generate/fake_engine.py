"""A model small enough to see through: one token per byte, and a reply that is written down."""

from __future__ import annotations

import codecs
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from ggjit.backends import ContextFull
from ggjit.generate import Model

EOS, BOS, ASSISTANT, TURN = 0, 1, 2, 3
SPECIAL = ("<eos>", "<bos>", "<assistant>", "<turn>")
N_VOCAB = len(SPECIAL) + 256


def ids_of(text: str) -> list[int]:
    return [len(SPECIAL) + byte for byte in text.encode()]


class FakeTokenizer:
    n_vocab, bos_id, eos_id, eog_ids = N_VOCAB, BOS, EOS, frozenset({EOS})
    vocab = SimpleNamespace(ids={}, types=())

    def __init__(self, add_bos: bool = False) -> None:
        self.add_bos = add_bos

    def is_control(self, id: int) -> bool:
        return id < len(SPECIAL)

    def encode(self, text: str, *, special: bool = False, bos: bool | None = None) -> list[int]:
        start = [BOS] if (self.add_bos if bos is None else bos) else []
        if special and text.startswith("<turn>"):
            return [*start, TURN, *ids_of(text[len("<turn>") :])]
        return start + ids_of(text)

    def decode(self, ids: Any, *, special: bool = True) -> str:
        stream = self.stream()
        return "".join(stream.push(id) for id in ids) + stream.flush()

    def piece(self, id: int) -> str:
        return SPECIAL[id] if id < len(SPECIAL) else chr(id - len(SPECIAL))

    def stream(self, *, special: bool = True, continues: bool = False) -> FakeStream:
        return FakeStream()


class FakeStream:
    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def push(self, id: int) -> str:
        return "" if id < len(SPECIAL) else self._decoder.decode(bytes([id - len(SPECIAL)]))

    def flush(self) -> str:
        return self._decoder.decode(b"", final=True)


class FakeTemplate:
    """<turn>role:content for each message, then <assistant>."""

    def render(self, messages: list[dict[str, Any]], **_: Any) -> str:
        return "".join(f"<turn>{m['role']}:{m['content']}" for m in messages) + "<assistant>"

    def encode(self, messages: list[dict[str, Any]], **_: Any) -> list[int]:
        ids: list[int] = []
        for m in messages:
            start = [ASSISTANT] if m["role"] == "assistant" else [TURN, *ids_of(f"{m['role']}:")]
            ids += start + ids_of(m["content"])
        return [*ids, ASSISTANT]


@dataclass
class FakeState:
    ids: list[int] = field(default_factory=list)
    n_prompt: int = 0
    window_start: int = 0  # it cannot be cut to fewer tokens, but to none

    @property
    def n_past(self) -> int:
        return len(self.ids)

    def truncate(self, n: int) -> int:
        assert n <= len(self.ids)
        del self.ids[n if n >= self.window_start else 0 :]
        return len(self.ids)

    def fork(self, n: int | None = None) -> FakeState:
        made = FakeState(self.ids.copy(), self.n_prompt)
        made.truncate(self.n_past if n is None else n)
        return made


def scripted(reply: str) -> Callable[[FakeState], int]:
    """Say `reply` after the last <assistant>, or after the first prompt; then end."""
    script = [*ids_of(reply), EOS]

    def next_id(state: FakeState) -> int:
        reversed_ids = state.ids[::-1]
        marked = ASSISTANT in reversed_ids
        n_said = reversed_ids.index(ASSISTANT) if marked else state.n_past - state.n_prompt
        return script[max(0, min(n_said, len(script) - 1))]

    return next_id


def rambling(state: FakeState) -> int:
    """Never end, and depend on every token so far and its place."""
    total = sum((place + 1) * id for place, id in enumerate(state.ids))
    return len(SPECIAL) + 97 + total % 26


class FakeExecutor:
    """Gives the next id a logit of 10, the others less the higher their id."""

    def __init__(self, next_id: Callable[[FakeState], int], n_context: int = 1000) -> None:
        self.n_vocab, self.n_context, self.n_threads = N_VOCAB, n_context, 1
        self.runs: list[int] = []
        self.batches: list[list[int]] = []
        self.fail: BaseException | None = None
        self._next_id = next_id

    def new_state(self) -> FakeState:
        return FakeState()

    def run(self, state: FakeState, ids: Any, logits: str = "last") -> Any:
        assert ids.dtype == np.int32
        assert len(ids)
        if state.n_past + len(ids) > self.n_context:
            raise ContextFull(state.n_past, len(ids), self.n_context)
        self.runs.append(len(ids))
        rows = []
        state.n_prompt = state.n_prompt if state.ids else len(ids)
        for id in ids.tolist():
            state.ids.append(id)
            if self.fail:
                raise self.fail
            rows.append(-np.arange(N_VOCAB, dtype=np.float32) / N_VOCAB)
            rows[-1][self._next_id(state)] = 10
        n = {"all": len(rows), "last": 1, "none": 0}[logits]
        return np.array(rows, np.float32)[len(rows) - n :]

    def run_batch(self, parts: Any) -> Any:
        self.batches.append([len(ids) for _, ids, _ in parts])
        assert len({id(state) for state, _, _ in parts}) == len(parts)
        return [self.run(*part) for part in parts]


@dataclass
class FakeFile:
    path: Path = Path("fake.gguf")
    metadata: dict[str, Any] = field(default_factory=dict)
    tensors: dict[str, Any] = field(default_factory=dict)

    def get(self, key: str, kind: type, default: Any = None) -> Any:
        return self.metadata.get(key, default)

    def close(self) -> None:
        pass


def fake_model(
    next_id: Callable[[FakeState], int] | str = "hello", *, n_context: int = 1000, **metadata: Any
) -> Model:
    """A model that says the text `next_id`, or what the function says."""
    next_id = scripted(next_id) if isinstance(next_id, str) else next_id
    file = FakeFile(metadata=metadata)
    model = Model(file, FakeTokenizer(), FakeExecutor(next_id, n_context))  # type: ignore[arg-type]
    model.chat_template = FakeTemplate()  # type: ignore[assignment]
    return model
