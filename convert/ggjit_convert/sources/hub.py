"""Checkpoints on the Hugging Face hub: what of a repository is needed, in the hub's own cache."""

from __future__ import annotations

from fnmatch import fnmatch
from pathlib import Path

from .shards import ADAPTERS, KINDS

PREFIX = "hf:"
BESIDE = (
    "*.json",
    "*.model",
    "*.model.v*",
    "*.tiktoken",
    "*.jinja",
    "vocab.txt",
    "merges.txt",
    "README.md",
)
TEMPLATES = "additional_chat_templates/*.jinja"
INDEX = ".index.json"
HINT = "without a network, name a folder that holds the checkpoint"


def located(source: Path | str) -> Path:
    """Return where a checkpoint is: the path itself, or the folder hf:OWNER/REPO is fetched to.

    Raises: ValueError if there is none; FetchError if it cannot be brought here.
    """
    text = str(source)
    if not text.startswith(PREFIX):
        return Path(source)
    from ggjit.hub.hf import fetch_files

    repo = text.removeprefix(PREFIX)
    return fetch_files(repo, lambda names: needed(names, repo), HINT)[0].parent


def needed(names: list[str], repo: str) -> list[str]:
    """Return which of a repository's files a conversion reads: one kind of weights, and text.

    Raises: ValueError if there are no weights.
    """
    own = sorted(name for name in names if "/" not in name)
    for index, pattern in [*KINDS, *(("", name) for name in ADAPTERS)]:
        if weights := [name for name in own if fnmatch(name, pattern)]:
            beside = [n for n in own if any(fnmatch(n, p) for p in BESIDE)]
            beside = [n for n in beside if n == index or not n.endswith(INDEX)]
            return beside + weights + sorted(n for n in names if fnmatch(n, TEMPLATES))
    known = ", ".join(pattern for _, pattern in KINDS)
    raise ValueError(f"hf:{repo} holds no weights, looked for {known}")
