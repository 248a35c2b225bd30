"""What a GGUF file says about its vocabulary, checked: tokens, types, scores, special ids.

Sources: ggml `docs/gguf.md` for the keys and token types; llama.cpp `src/llama-vocab.cpp`
(`llama_vocab::impl::load`) for defaults and for the texts that end a generation.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..gguf import GGUFError, GGUFFile, quoted

KEY = "tokenizer.ggml."
OWN_KEY = "tokenizer.ggjit."
MODELS = ("gpt2", "llama", "gemma4", "t5", "bert")
MAX_TOKEN_CHARACTERS = 1 << 16
BYTE_TOKEN = re.compile("<0x([0-9A-Fa-f]{2})>")

# name -> the key before "_token_id"; a wrong id under one of these would change what is generated
STRICT_IDS = {"bos": "bos", "eos": "eos", "eot": "eot", "eom": "eom"}
LENIENT_IDS = {
    "unk": "unknown",
    "sep": "seperator",  # the format's own spelling
    "pad": "padding",
    "cls": "cls",
    "mask": "mask",
    "fim_pad": "fim_pad",
    "fim_rep": "fim_rep",
    "fim_sep": "fim_sep",
}
# What files of these models need not say.
DEFAULT_IDS = {
    "llama": {"unk": 0, "bos": 1, "eos": 2},
    "t5": {"pad": 0, "eos": 1, "unk": 2},
    "bert": {"pad": 0, "unk": 100, "cls": 101, "sep": 102, "mask": 103},
}

END_OF_GENERATION = frozenset(
    (
        *("<|im_end|>", "<|end|>", "<|endoftext|>", "<|end_of_text|>", "<|eot_id|>", "<|eom_id|>"),
        *("<|return|>", "<|call|>", "<|calls|>", "<|flush|>", "<|tool_response>", "<turn|>"),
        *("</s>", "<eos>", "<EOT>", "_<EOT>", "[EOT]", "[EOS]", "[e~["),
        *("<end_of_turn>", "<end_of_utterance>", "<\uff5cend\u2581of\u2581sentence\uff5c>"),
    )
)
# Between files of a repository: a model trained to fill in the middle stops there, too.
END_OF_FILE = {
    "fim_pad": ("<|fim_pad|>", "<fim-pad>", "<fim_pad>", "<PAD>", "[PAD]"),
    "fim_rep": ("<|fim_repo|>", "<|repo_name|>", "<fim-repo>", "<REPO>", "<reponame>"),
    "fim_sep": ("<|file_sep|>",),
}


class TokenType(IntEnum):
    UNDEFINED = 0
    NORMAL = 1
    UNKNOWN = 2
    CONTROL = 3
    USER_DEFINED = 4
    UNUSED = 5
    BYTE = 6


@dataclass(frozen=True)
class Vocab:
    """A checked vocabulary.

    `ids` maps a text to the first token that has it; `special_ids` maps bos, eos, eot, pad ... to
    theirs, as far as the file names them. `types` holds a `TokenType` per token.
    """

    path: Path
    model: str
    pre: str
    tokens: list[str]
    ids: dict[str, int]
    types: npt.NDArray[np.int32]
    special_ids: dict[str, int]
    eog_ids: frozenset[int]

    def error(self, key: str, problem: str) -> GGUFError:
        return GGUFError(problem, path=self.path, field=KEY + key)


def read_vocab(file: GGUFFile) -> Vocab:
    """Read and check the vocabulary of `file`."""
    model = file.get(KEY + "model", str)
    if model not in MODELS:
        raise _error(file, "model", f"{quoted(model)} is not supported, only {', '.join(MODELS)}")
    tokens, ids = _tokens(file)
    types = _types(file, len(tokens))
    special_ids = _special_ids(file, model, len(tokens))
    eog_ids = _eog_ids(ids, special_ids, _made_by_merges(file, ids, types))
    eog_ids |= ids_of_key(file, "eog_token_ids", len(tokens))
    # Some converters forget it: what ends a generation is a control token.
    types[[id for text, id in ids.items() if text in END_OF_GENERATION and id in eog_ids]] = (
        TokenType.CONTROL
    )
    return Vocab(
        path=file.path,
        model=model,
        pre=file.get(KEY + "pre", str, ""),
        tokens=tokens,
        ids=ids,
        types=types,
        special_ids=special_ids,
        eog_ids=eog_ids,
    )


def has_vocabulary(file: GGUFFile) -> bool:
    """Return whether the file has tokens; some are converted without."""
    return any(key.startswith(KEY) for key in file.metadata)


def has_own_rules(file: GGUFFile) -> bool:
    """Return whether the file says itself how text is normalised and cut (`own_rules`)."""
    return OWN_KEY + "pre_tokenizer" in file.metadata


def ids_of_key(file: GGUFFile, key: str, n_vocab: int) -> frozenset[int]:
    """Return the tokens that a key of our own lists, none if there is no such key."""
    ids = file.get(OWN_KEY + key, np.ndarray, np.zeros(0, np.int32))
    if ids.dtype.kind not in "iu" or (ids < 0).any() or (ids >= n_vocab).any():
        raise GGUFError("must be an array of ids of tokens", path=file.path, field=OWN_KEY + key)
    return frozenset(ids.tolist())


def byte_value(token: str) -> int | None:
    """Return the byte that a token of the form <0xNN> stands for."""
    match = BYTE_TOKEN.fullmatch(token)
    return int(match[1], 16) if match else None


def read_scores(file: GGUFFile, n_vocab: int) -> npt.NDArray[np.float32]:
    """Return one finite score per token."""
    scores = _array(file, "scores", n_vocab, ("float32", "int32"))
    if scores is None:
        raise _error(file, "scores", "the key is missing")
    finite = np.isfinite(scores)
    if not finite.all():
        i = int(np.argmin(finite))
        raise _error(file, f"scores[{i}]", f"must be finite, found {scores[i]}")
    return scores.astype(np.float32)


def _error(file: GGUFFile, key: str, problem: str) -> GGUFError:
    return GGUFError(problem, path=file.path, field=KEY + key)


def _tokens(file: GGUFFile) -> tuple[list[str], dict[str, int]]:
    tokens = file.get(KEY + "tokens", list)
    if not tokens:
        raise _error(file, "tokens", "is empty")
    if "" in tokens:
        tokens = [text or f"[EMPTY_{i}]" for i, text in enumerate(tokens)]
    if len(max(tokens, key=len)) > MAX_TOKEN_CHARACTERS:
        i = next(i for i, text in enumerate(tokens) if len(text) > MAX_TOKEN_CHARACTERS)
        problem = f"has {len(tokens[i])} characters, at most {MAX_TOKEN_CHARACTERS} are allowed"
        raise _error(file, f"tokens[{i}]", problem)
    ids: dict[str, int] = {}
    for i, text in enumerate(tokens):
        ids.setdefault(text, i)
    return tokens, ids


def _types(file: GGUFFile, n_vocab: int) -> npt.NDArray[np.int32]:
    types = _array(file, "token_type", n_vocab, ("int32",))
    if types is None:
        return np.full(n_vocab, TokenType.NORMAL, np.int32)
    if types.min() < 0 or types.max() > TokenType.BYTE:
        i = int(np.argmax((types < 0) | (types > TokenType.BYTE)))
        raise _error(file, f"token_type[{i}]", f"must be 0 to {TokenType.BYTE:d}, found {types[i]}")
    return np.where(types == TokenType.UNDEFINED, TokenType.NORMAL, types).astype(np.int32)


def _array(
    file: GGUFFile, key: str, n_vocab: int, dtypes: Collection[str]
) -> npt.NDArray[Any] | None:
    values = file.get(KEY + key, np.ndarray, None)
    if values is None:
        return None
    if values.dtype.name not in dtypes:
        problem = f"must be an array of {' or '.join(dtypes)}, found {values.dtype.name}"
        raise _error(file, key, problem)
    if len(values) != n_vocab:
        raise _error(file, key, f"has {len(values)} values for {n_vocab} tokens")
    return values


def _special_ids(file: GGUFFile, model: str, n_vocab: int) -> dict[str, int]:
    """Return the ids that the file names.

    llama.cpp falls back to id 11, Falcon's, for the BOS and EOS of a byte-level BPE; in any other
    vocabulary that is a comma or the like, so here there is no fallback for it.
    """
    defaults = DEFAULT_IDS.get(model, {})
    found = {name: id for name, id in defaults.items() if id < n_vocab}
    for name, key in (STRICT_IDS | LENIENT_IDS).items():
        id = file.get(f"{KEY}{key}_token_id", int, None)
        if id is None:
            continue
        if 0 <= id < n_vocab:
            found[name] = id
        elif name in STRICT_IDS:
            raise _error(file, f"{key}_token_id", f"{id} is not one of the {n_vocab} tokens")
    if model == "bert":  # what begins and ends a text there
        ends = {"bos": found.get("cls"), "eos": found.get("sep")}
        found = {name: id for name, id in ends.items() if id is not None} | found
    return found


def _made_by_merges(
    file: GGUFFile, ids: dict[str, int], types: npt.NDArray[np.int32]
) -> frozenset[str]:
    """Return the ends of a generation that are plain text here, as </s> is in Qwen's vocabulary."""
    plain = [t for t in END_OF_GENERATION if t in ids and types[ids[t]] == TokenType.NORMAL]
    lines = {f"{text[:i]} {text[i:]}": text for text in plain for i in range(1, len(text))}
    made = lines.keys() & set(file.get(KEY + "merges", list, [])) if lines else ()
    return frozenset(lines[line] for line in made)


def _eog_ids(
    ids: dict[str, int], special_ids: dict[str, int], plain: frozenset[str]
) -> frozenset[int]:
    """Return the ids after which a generation is over; not the ends that are `plain` text."""
    found = {text: ids[text] for text in END_OF_GENERATION - plain if text in ids}
    # gpt-oss and Solar close every message with <|end|>, Gemma 4 and PLaMo have an ordinary </s>.
    if {"<|call|>", "<|return|>"} <= found.keys() or {"<|calls|>", "<|flush|>"} <= found.keys():
        found.pop("<|end|>", None)
    if "<|tool_response>" in found or "<|plamo:eos|>" in ids:
        found.pop("</s>", None)
    named = {special_ids[name] for name in ("eos", "eot", "eom") if name in special_ids}
    files = {special_ids[name] for name in END_OF_FILE if name in special_ids}
    for name, texts in END_OF_FILE.items():
        if name not in special_ids:
            files.update(ids[text] for text in texts if text in ids)
    return frozenset(found.values()) | named | files
