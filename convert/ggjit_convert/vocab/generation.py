"""How the model's makers generate with it: generation_config.json.

Source: llama.cpp `gguf-py/gguf/metadata.py` for the keys. Where several tokens end a reply, GGUF
has room for one of them; all are in a key of our own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..keys import Typed
from .vocabulary import KEY, OWN_KEY

PREFIX = "general.sampling."
# the file's name -> the key's, in the order they count
FLOATS = {
    "temperature": "temp",
    "top_p": "top_p",
    "min_p": "min_p",
    "repetition_penalty": "penalty_repeat",
    "penalty_repeat": "penalty_repeat",
    "xtc_probability": "xtc_probability",
    "xtc_threshold": "xtc_threshold",
}
INTEGERS = {"top_k": "top_k", "penalty_last_n": "penalty_last_n"}
Json = Mapping[str, Any]


def generation_keys(generation: Json, config: Json, metadata: Json, n_vocab: int) -> dict[str, Any]:
    """Return the sampling options, and the ends of a reply that `metadata` has no key for."""
    keys: dict[str, Any] = {}
    for name, key in FLOATS.items():
        value = generation.get(name)
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            keys[PREFIX + key] = float(value)
    for name, key in INTEGERS.items():
        if type(generation.get(name)) is int:
            keys[PREFIX + key] = Typed(generation[name], "i32")
    ends = _ends(generation, config, n_vocab)
    if ends and KEY + "eos_token_id" not in metadata:
        keys[KEY + "eos_token_id"] = ends[0]
    if len(ends) > 1:
        keys[OWN_KEY + "eog_token_ids"] = ends
    return keys


def _ends(generation: Json, config: Json, n_vocab: int) -> list[int]:
    found: list[int] = []
    for place in (generation, config):
        ids = place.get("eos_token_id")
        for id in ids if isinstance(ids, list) else [ids]:
            if type(id) is int and 0 <= id < n_vocab and id not in found:
                found.append(id)
    return found
