"""Byte-level BPE of tiktoken's kind: tokens are bytes, and their ranks the order of merging.

GGUF wants the merges. Sources: tiktoken `src/lib.rs` (a word that is a token is taken whole, else
the pair that makes the token of the lowest rank is merged first).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from tokenizers import Regex
from tokenizers.pre_tokenizers import Split

from ggjit.text.bpe import BYTE_OF

from ..errors import CheckpointError
from ..sources.files import map_file

CHARACTER_OF = {byte: character for character, byte in BYTE_OF.items()}
MAX_TOKEN_BYTES = 1024  # finding merges takes the square of it

Ranks = Mapping[bytes, int]


def read_ranks(path: Path) -> dict[bytes, int]:
    """Read a tiktoken file: a line has a token in base64, a space and a rank.

    Raises: CheckpointError naming the line.
    """
    ranks: dict[bytes, int] = {}
    for i, line in enumerate(map_file(path).tobytes().splitlines(), 1):
        if not line:
            continue
        try:
            text, rank = line.split(b" ")
            token, number = base64.b64decode(text, validate=True), int(rank)
        except (ValueError, binascii.Error):
            found = line[:40].decode(errors="replace")
            problem = f"must be a token in base64 and a rank, found {found!r}"
            raise CheckpointError(problem, path=path, field=f"line {i}") from None
        ranks[token] = number
    return checked(ranks, path)


def checked(ranks: dict[bytes, int], path: Path) -> dict[bytes, int]:
    """Return ranks that are each a token's own; the 256 bytes are among the tokens.

    Raises: CheckpointError.
    """
    missing = [byte for byte in range(256) if bytes((byte,)) not in ranks]
    if missing:
        raise CheckpointError(f"byte {missing[0]} is not a token", path=path)
    long = next((token for token in ranks if not 0 < len(token) <= MAX_TOKEN_BYTES), None)
    if long is not None:
        problem = f"a token has {len(long)} bytes, 1 to {MAX_TOKEN_BYTES} are supported"
        raise CheckpointError(problem, path=path)
    if len(set(ranks.values())) < len(ranks) or min(ranks.values()) < 0:
        raise CheckpointError("ranks must be different and not negative", path=path)
    return ranks


def characters(token: bytes) -> str:
    """Return a token as GGUF writes it, a character for each byte."""
    return "".join(CHARACTER_OF[byte] for byte in token)


def last_merges(ranks: Ranks) -> Iterator[str]:
    """Yield for each token the merge that completes it, in the order of the file.

    That is how Qwen and Kimi are converted (llama.cpp `conversion/qwen.py`). A token that no merges
    make has none.
    """
    for token, rank in ranks.items():
        if len(token) > 1:
            parts = _merged(ranks, token, rank)
            if len(parts) == 2:
                yield f"{characters(parts[0])} {characters(parts[1])}"


def all_merges(ranks: Ranks) -> Iterator[str]:
    """Yield for each token, by rank, all pairs of tokens that make it, by their ranks.

    That is how Mistral's are converted (llama.cpp `gguf-py/gguf/vocab.py`).
    """
    for token in sorted(ranks, key=ranks.__getitem__):
        cuts = ((token[:i], token[i:]) for i in range(1, len(token)))
        pairs = [(left, right) for left, right in cuts if left in ranks and right in ranks]
        for left, right in sorted(pairs, key=lambda pair: (ranks[pair[0]], ranks[pair[1]])):
            yield f"{characters(left)} {characters(right)}"


def encoder(ranks: Ranks, pattern: str, offset: int = 0) -> Callable[[str], list[int]]:
    """Return what encodes a text as tiktoken does; ids are ranks and `offset`."""
    words = Split(Regex(pattern), "isolated")
    after_all = max(ranks.values()) + 1

    def encode(text: str) -> list[int]:
        found: list[int] = []
        for word, _ in words.pre_tokenize_str(text):
            data = word.encode()
            parts = [data] if data in ranks else _merged(ranks, data, after_all)
            found += [ranks[part] + offset for part in parts]
        return found

    return encode


def _merged(ranks: Ranks, token: bytes, below: int) -> list[bytes]:
    """Return the parts of a token after all merges with a rank below the given one."""
    parts = [token[i : i + 1] for i in range(len(token))]
    while len(parts) > 1:
        made = [ranks.get(parts[i] + parts[i + 1], below) for i in range(len(parts) - 1)]
        least = min(made)
        if least >= below:
            break
        i = made.index(least)
        parts[i : i + 2] = [parts[i] + parts[i + 1]]
    return parts
