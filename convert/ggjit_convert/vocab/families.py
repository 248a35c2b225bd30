"""What single families need besides what their tokenizer files say.

Source: `set_vocab` of their classes in llama.cpp `conversion/`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .vocabulary import KEY

GEMMA_IDS = {"prefix": 67, "suffix": 69, "middle": 68, "eot": 107}
CODE_LLAMA_IDS = {"prefix": 32007, "suffix": 32008, "middle": 32009, "eot": 32010}
CODE_LLAMA_ROWS = 32016
GLM_TEXTS = {
    "bos": "[gMASK]",
    "eot": "<|user|>",
    "unknown": "<|endoftext|>",
    "eom": "<|observation|>",
}
# Named only where the files do not name them.
TEXTS = {
    "glm4": {
        "eos": "<|endoftext|>",
        "eot": "<|user|>",
        "unknown": "<|endoftext|>",
        "bos": "<|endoftext|>",
    },
    "glm4moe": GLM_TEXTS,
    "chatglm": GLM_TEXTS,
}
GEMMAS = ("gemma", "gemma2", "gemma3")


def family_keys(
    arch: str,
    metadata: Mapping[str, Any],
    tokenizer_config: Mapping[str, Any],
    n_vocab: int,
) -> dict[str, Any]:
    """Return keys of an architecture's own, given those that the files gave."""
    found: dict[str, Any] = {}
    is_sentencepiece = metadata[KEY + "model"] == "llama"
    if arch == "llama":
        add_prefix = tokenizer_config.get("add_prefix_space")
        if add_prefix is not None and KEY + "add_space_prefix" not in metadata:
            found[KEY + "add_space_prefix"] = bool(add_prefix)
        if n_vocab == CODE_LLAMA_ROWS:
            found |= _ids(CODE_LLAMA_IDS)
    if arch in GEMMAS and is_sentencepiece:
        found[KEY + "add_space_prefix"] = False
        found |= _ids(GEMMA_IDS) if arch == "gemma" else {}
    ids = {text: id for id, text in enumerate(metadata[KEY + "tokens"])}
    texts = TEXTS.get(arch, GLM_TEXTS if "[gMASK]" in ids else {})
    found |= _ids({name: ids[text] for name, text in texts.items() if text in ids})
    return {key: value for key, value in found.items() if _counts(key, metadata)}


def _ids(ids: Mapping[str, int]) -> dict[str, int]:
    return {f"{KEY}{name}_token_id": id for name, id in ids.items()}


def _counts(key: str, metadata: Mapping[str, Any]) -> bool:
    return key not in metadata or not key.endswith("_token_id")
