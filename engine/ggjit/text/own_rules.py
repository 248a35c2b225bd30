"""Keys of our own: how text is normalised and cut into words where no name of llama.cpp's tells.

`ggjit convert` writes the rules of the model's tokenizer.json whole, as JSON, beside
`tokenizer.ggml.pre`; they count instead of what that name stands for.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from tokenizers import Tokenizer

from ..gguf import GGUFError, GGUFFile
from .vocab import OWN_KEY, Vocab

# The library reads rules only as part of a whole tokenizer.
WHOLE = {"version": "1.0", "added_tokens": [], "model": {"type": "BPE", "vocab": {}, "merges": []}}


@dataclass(frozen=True)
class OwnRules:
    """`normalizer` and `pre_tokenizer` are objects of the `tokenizers` library."""

    normalizer: Any
    pre_tokenizer: Any
    ignore_merges: bool


def own_rules(file: GGUFFile, vocab: Vocab) -> OwnRules | None:
    """Return the rules that the file brings along, None if it has none.

    Raises: GGUFError naming the key for rules that the library does not know.
    """
    pre_tokenizer = file.get(OWN_KEY + "pre_tokenizer", str, None)
    if pre_tokenizer is None:
        return None
    normalizer = file.get(OWN_KEY + "normalizer", str, "null")
    return OwnRules(
        normalizer=_rule(vocab, "normalizer", normalizer),
        pre_tokenizer=_rule(vocab, "pre_tokenizer", pre_tokenizer),
        ignore_merges=file.get(OWN_KEY + "ignore_merges", bool, False),
    )


def _rule(vocab: Vocab, name: str, text: str) -> Any:
    try:
        whole = Tokenizer.from_str(json.dumps({**WHOLE, name: json.loads(text)}))
    except BaseException as error:
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        problem = f"is not a rule of a tokenizer.json: {error}"
        raise GGUFError(problem, path=vocab.path, field=OWN_KEY + name) from None
    return getattr(whole, name)
