"""Byte-level BPE from a tiktoken file: Qwen 1, Kimi, and Llama 3 as Meta published it.

The file has neither the expression that cuts words nor the special tokens: those are in the code
beside it, from where they are known here.
Sources: the models' own tokenization code (Qwen `tokenization_qwen.py`, Kimi
`tokenization_kimi.py`, llama-models `tokenizer.py`); llama.cpp `conversion/base.py`
(`_set_vocab_qwen`) and `conversion/deepseek.py` for the keys.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .added import decoder_tokens
from .ranks import Ranks, all_merges, characters, last_merges, read_ranks
from .vocabulary import KEY, Token, TokenType, Vocabulary, token_arrays, warnings_of


@dataclass(frozen=True)
class Family:
    """`pre` is llama.cpp's name; `special` gives a special token by its number and its id."""

    pre: str
    merges: Callable[[Ranks], Iterable[str]]
    n_special: int
    special: Callable[[int, int], str]
    named: Mapping[str, str]


def _qwen(i: int, _id: int) -> str:
    first = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
    return first[i] if i < 3 else f"<|extra_{i - 3}|>"


def _kimi(i: int, id: int) -> str:
    named = {0: "[BOS]", 1: "[EOS]", 254: "[UNK]", 255: "[PAD]"}
    return named.get(i, f"<|reserved_token_{id}|>")


def _llama3(i: int, _id: int) -> str:
    named = {0: "<|begin_of_text|>", 1: "<|end_of_text|>", 4: "<|finetune_right_pad_id|>"}
    named |= {5: "<|step_id|>", 6: "<|start_header_id|>", 7: "<|end_header_id|>"}
    named |= {8: "<|eom_id|>", 9: "<|eot_id|>", 10: "<|python_tag|>", 11: "<|image|>"}
    n_before = sum(j < i for j in named)
    return named.get(i, f"<|reserved_special_token_{i - n_before}|>")


QWEN = Family(
    "qwen2", last_merges, 208, _qwen, dict.fromkeys(("bos", "eos", "unknown"), "<|endoftext|>")
)
KIMI = Family(
    "kimi-k2", last_merges, 256, _kimi, {"bos": "[BOS]", "eos": "[EOS]", "padding": "[PAD]"}
)
LLAMA3 = Family(
    "llama-bpe", all_merges, 256, _llama3, {"bos": "<|begin_of_text|>", "eos": "<|end_of_text|>"}
)
# file -> who has it
FILES = {"qwen.tiktoken": QWEN, "tiktoken.model": KIMI, "tokenizer.model": LLAMA3}


def is_tiktoken(path: Path) -> bool:
    """Return whether a file begins as these files do, with the token "!" in base64."""
    if path.name not in FILES or not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(5) == b"IQ== "


def tiktoken_bpe(path: Path, tokenizer_config: Mapping[str, Any], n_vocab: int) -> Vocabulary:
    """Read a tiktoken file; what tokenizer_config.json says of special tokens counts first.

    Raises: CheckpointError naming the line.
    """
    family, ranks = FILES[path.name], read_ranks(path)
    tokens = {rank: Token(characters(token), TokenType.NORMAL) for token, rank in ranks.items()}
    tokens |= _special(path, family, max(tokens) + 1, tokenizer_config)
    metadata: dict[str, Any] = {KEY + "model": "gpt2", KEY + "pre": family.pre}
    metadata |= token_arrays(tokens, n_vocab)
    metadata[KEY + "merges"] = list(family.merges(ranks))
    ids = {token.text: id for id, token in tokens.items()}
    metadata |= {f"{KEY}{name}_token_id": ids[t] for name, t in family.named.items() if t in ids}
    return Vocabulary(metadata, warnings_of(tokens, n_vocab))


def _special(
    path: Path, family: Family, start: int, tokenizer_config: Mapping[str, Any]
) -> dict[int, Token]:
    named = decoder_tokens(path.parent, tokenizer_config)
    found: dict[int, Token] = {}
    for i in range(family.n_special):
        id = start + i
        text = named[id].content if id in named else family.special(i, id)
        found[id] = Token(text, TokenType.CONTROL)
    return found
