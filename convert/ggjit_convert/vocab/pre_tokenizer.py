"""The name of a pre-tokenizer, found by what tokenizer.json says it does.

The steps are brought into one form, a list of regular expressions that cut out their matches, and
compared with the recipes that the engine has under llama.cpp's names (`ggjit.text`). What no name
stands for is kept whole in keys of our own, which the engine follows; other engines read the name.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ggjit.text.pretokenizers import GPT2_PATTERN, PRE_TOKENIZERS, PreTokenizer

from .tokenizer_json import TokenizerJson, parts
from .vocabulary import KEY, OWN_KEY

DEFAULT = "default"
ESCAPES = {r"\r": "\r", r"\n": "\n", r"\t": "\t", r"\/": "/", r"\"": '"'}
# The names that a family's files have, of those that stand for the same expressions. Where a name
# means another way with merges, the rules are beside it.
NAMES_OF_ARCHS = {
    "glm4": ("glm4",),
    "glm4moe": ("glm4",),
    "chatglm": ("chatglm-bpe",),
    "falcon-h1": ("falcon-h1",),
    "lfm2": ("lfm2",),
    "lfm2moe": ("lfm2",),
    "olmo": ("olmo",),
    "olmoe": ("olmo",),
    "olmo2": ("dbrx",),
    "dbrx": ("dbrx",),
    "mpt": ("mpt",),
    "granite": ("refact", "dbrx"),
    "granitemoe": ("refact", "dbrx"),
    "granitehybrid": ("refact", "dbrx"),
    "phi3": ("dbrx",),
    "smollm3": ("smaug-bpe",),
    "starcoder2": ("starcoder",),
    "llama4": ("llama4",),
    "gpt-oss": ("gpt-4o",),
    "gpt2": ("gpt-2",),
    "stablelm": ("stablelm2",),
    **dict.fromkeys(("qwen2", "qwen2moe", "qwen3", "qwen3moe", "qwen3next"), ("qwen2",)),
}


@dataclass(frozen=True)
class PreTokenizerKeys:
    metadata: dict[str, Any]
    warnings: list[str] = field(default_factory=list)


def pre_tokenizer(source: TokenizerJson, arch: str) -> PreTokenizerKeys:
    """Return `tokenizer.ggml.pre`, and the rules themselves where the name does not tell all."""
    recipe = recipe_of(source)
    if recipe is None:
        problem = (
            f"{source.path}: the pre-tokenizer has no name in llama.cpp: engines that do not read "
            f"{OWN_KEY}pre_tokenizer will cut words in another way"
        )
        return PreTokenizerKeys({KEY + "pre": DEFAULT, **own_keys(source)}, [problem])
    same = _names(recipe)
    of_arch = (name for name in NAMES_OF_ARCHS.get(arch, ()) if name in same)
    name = next(of_arch, same[0])
    exact = _facts(PRE_TOKENIZERS[name]) == _facts(recipe)
    return PreTokenizerKeys({KEY + "pre": name, **({} if exact else own_keys(source))})


def pre_tokenizer_of_pattern(path: Path, pattern: str) -> PreTokenizerKeys:
    """Return the keys for one expression, of tiktoken's kind: whole words come before merges."""
    split = {
        "type": "Split",
        "pattern": {"Regex": pattern},
        "behavior": "Isolated",
        "invert": False,
    }
    bytes = {"type": "ByteLevel", "add_prefix_space": False, "use_regex": False}
    source = TokenizerJson(
        path=path,
        model={"type": "BPE", "ignore_merges": True},
        ids={},
        merges=[],
        added={},
        normalizer=None,
        pre_tokenizer={"type": "Sequence", "pretokenizers": [split, bytes]},
        post_processor=None,
    )
    return pre_tokenizer(source, "")


def recipe_of(source: TokenizerJson) -> PreTokenizer | None:
    """Return what the rules say as a recipe whose regular expressions some name has, else None."""
    nfc = _only_nfc(source.normalizer)
    patterns = _patterns(source.pre_tokenizer)
    if nfc is None or patterns is None:
        return None
    ignore_merges = bool(source.model.get("ignore_merges"))
    recipe = PreTokenizer(patterns, ignore_merges=ignore_merges, nfc=nfc)
    return recipe if _names(recipe) else None


def _names(recipe: PreTokenizer) -> list[str]:
    """Return the names with the recipe's expressions, those first that agree in all else, too."""
    wanted = _facts(recipe)

    def n_differences(name: str) -> int:
        facts = _facts(PRE_TOKENIZERS[name])
        return sum(a != b for a, b in zip(facts, wanted, strict=True))

    same = [name for name, known in PRE_TOKENIZERS.items() if _facts(known)[0] == wanted[0]]
    return sorted(same, key=n_differences)


def _facts(recipe: PreTokenizer) -> tuple[tuple[str, ...], bool, bool]:
    return tuple(map(canonical, recipe.patterns)), recipe.ignore_merges, recipe.nfc


def canonical(pattern: str) -> str:
    """Return a regular expression in one way of writing it."""
    for written, character in ESCAPES.items():
        pattern = pattern.replace(written, character)
    return pattern.replace("{1}", "").replace(r"\d", r"\p{Nd}")


def _only_nfc(normalizer: Mapping[str, Any] | None) -> bool | None:
    """Return whether text is brought to NFC, None if anything else is done with it."""
    kinds = [step.get("type") for step in parts(normalizer, "normalizers")]
    return bool(kinds) if all(kind == "NFC" for kind in kinds) else None


def _patterns(rule: Mapping[str, Any] | None) -> tuple[str, ...] | None:
    """Return the expressions that cut out their matches one after the other, None if not that."""
    found: list[str] = []
    for step in parts(rule, "pretokenizers"):
        pattern = _pattern(step)
        if pattern is None:
            return None
        found += [pattern] if pattern else []
    return tuple(found)


def _pattern(step: Mapping[str, Any]) -> str | None:
    """Return a step's expression, empty if it cuts nothing, None for a step of another kind."""
    kind = step.get("type")
    if kind == "ByteLevel" and not step.get("add_prefix_space", True):
        return GPT2_PATTERN if step.get("use_regex", True) else ""
    if kind == "Digits":
        return r"\p{N}" if step.get("individual_digits") else r"\p{N}+"
    if kind == "Punctuation" and step.get("behavior") == "Contiguous":
        return r"[\p{P}\$\+<=>\^~\|`]+"
    if kind == "Split":
        return _split_pattern(step)
    return None


def _split_pattern(step: Mapping[str, Any]) -> str | None:
    pattern = step.get("pattern")
    if not isinstance(pattern, Mapping):
        return None
    text = pattern.get("Regex")
    if text is None and isinstance(pattern.get("String"), str):
        text = re.escape(pattern["String"])
    if not isinstance(text, str):
        return None
    # Where an expression matches every character, there is nothing between the matches to remove.
    ways = [("Isolated", False), ("Isolated", True)]
    ways += [("Removed", True)] if text.endswith(r"|\s+") else []
    return text if (str(step.get("behavior")), bool(step.get("invert"))) in ways else None


def own_keys(source: TokenizerJson) -> dict[str, Any]:
    """Return the rules whole, as JSON."""
    return {
        f"{OWN_KEY}normalizer": json.dumps(source.normalizer, ensure_ascii=False),
        f"{OWN_KEY}pre_tokenizer": json.dumps(source.pre_tokenizer, ensure_ascii=False),
        f"{OWN_KEY}ignore_merges": bool(source.model.get("ignore_merges")),
    }
