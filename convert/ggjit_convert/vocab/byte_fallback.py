"""BPE over characters with a fallback to bytes, SentencePiece's kind, from tokenizer.json alone.

It is written as `tokenizer.ggml.model` = llama. Pieces of a SentencePiece model have scores, and
those with the highest are merged first; here they are the ranks of the merges that make them.
(llama.cpp's converter gives all of them one score, and merges from the left.)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .added import added_token
from .byte_level import merge_line
from .pre_tokenizer import own_keys
from .sentencepiece import ADDED_SCORE, scored
from .tokenizer_json import TokenizerJson, parts
from .vocabulary import (
    KEY,
    OWN_KEY,
    SPACE,
    Token,
    TokenType,
    Vocabulary,
    is_byte,
    token_arrays,
    warnings_of,
)

# Where a space comes before text: at the start and after each special token; only where there is
# none; only at the start. What is not plainly always or never has a key of our own.
ALWAYS, NEVER, MISSING, FIRST_MISSING = "always", "never", "missing", "first-missing"
SCHEMES = {"always": MISSING, "first": FIRST_MISSING, "never": NEVER}
TO_SPACE = {"type": "Replace", "pattern": {"String": " "}, "content": SPACE}
PREPEND = {"type": "Prepend", "prepend": SPACE}
# Cuts at spaces, of which the normaliser has left none.
NOTHING = {"type": "Split", "pattern": {"String": " "}, "behavior": "MergedWithPrevious"}


def byte_fallback_bpe(source: TokenizerJson, n_vocab: int) -> Vocabulary:
    """Return tokens, scores and types; and the rules as they are where SentencePiece has others."""
    ranks = {left + right: -float(i) for i, (left, right) in reversed_pairs(source)}
    tokens = {id: _piece(source, text, ranks) for text, id in source.ids.items()}
    tokens |= {id: scored(added_token(added)) for id, added in source.added.items()}
    metadata: dict[str, Any] = {KEY + "model": "llama", KEY + "pre": "default"}
    metadata |= token_arrays(tokens, n_vocab, scores=True)
    rules, warnings = space_keys(source)
    if warnings:  # what follows the rules merges pairs, not pieces by score
        rules[KEY + "merges"] = [merge_line(*pair) for pair in source.merges]
    return Vocabulary(metadata | rules, warnings + warnings_of(tokens, n_vocab))


def space_keys(source: TokenizerJson) -> tuple[dict[str, Any], list[str]]:
    """Return the keys that tell where a space comes before text, and warnings."""
    prefix = space_prefix(source)
    if prefix is None:
        problem = (
            f"{source.path}: text is normalised or cut in a way that SentencePiece does not know: "
            f"engines that do not read {OWN_KEY}pre_tokenizer will encode it in another way"
        )
        return own_keys(source), [problem]
    keys: dict[str, Any] = {KEY + "add_space_prefix": prefix != NEVER}
    if prefix not in (ALWAYS, NEVER):
        keys[OWN_KEY + "space_prefix"] = prefix
    return keys, []


def space_prefix(source: TokenizerJson) -> str | None:
    """Return where a space comes before text, None for rules that are not SentencePiece's."""
    normalizers = parts(source.normalizer, "normalizers")
    steps = [step for step in parts(source.pre_tokenizer, "pretokenizers") if not _idle(step)]
    if not steps and normalizers in ([PREPEND, TO_SPACE], [TO_SPACE, PREPEND]):
        return ALWAYS
    if not steps and normalizers == [TO_SPACE]:
        return NEVER
    if len(steps) == 1 and not normalizers and steps[0].get("type") == "Metaspace":
        return _metaspace_prefix(steps[0])
    return None


def _metaspace_prefix(step: Mapping[str, Any]) -> str | None:
    if step.get("replacement") != SPACE or step.get("split", True):
        return None
    scheme = step.get("prepend_scheme", "always" if step.get("add_prefix_space", True) else "never")
    return SCHEMES.get(scheme)


def _idle(step: Mapping[str, Any]) -> bool:
    return {key: value for key, value in step.items() if key != "invert"} == NOTHING


def reversed_pairs(source: TokenizerJson) -> list[tuple[int, tuple[str, str]]]:
    """Return the merges with their ranks, the last first: of several the first one counts."""
    return list(enumerate(source.merges))[::-1]


def _piece(source: TokenizerJson, text: str, ranks: Mapping[str, float]) -> Token:
    if text == source.model.get("unk_token"):
        return Token(text, TokenType.UNKNOWN)
    if is_byte(text):
        return Token(text, TokenType.BYTE)
    return Token(text, TokenType.NORMAL, ranks.get(text, ADDED_SCORE * len(ranks)))
