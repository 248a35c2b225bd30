"""Fetching GGUF files from the Hugging Face hub, through its own client and cache.

A reference is OWNER/REPO[:FILE-OR-QUANT]. Without a network what was fetched before is found.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import LOCAL_FILE_HINT, FetchError

SHARD = re.compile(r"-\d{5}-of-\d{5}(?=\.gguf$)")
FIRST_SHARD = re.compile(r"-00001-of-\d{5}\.gguf$")
N_LISTED = 30


def fetch_hf(reference: str) -> Path:
    """Return the local file of OWNER/REPO[:FILE-OR-QUANT], of a split model the first one.

    Raises: ValueError if it names no file or several; FetchError if it cannot be brought here.
    """
    repo, _, wanted = reference.partition(":")
    return fetch_files(reference, lambda names: choose(names, repo, wanted), LOCAL_FILE_HINT)[0]


def fetch_files(reference: str, wanted: Callable[[list[str]], list[str]], hint: str) -> list[Path]:
    """Return local files of OWNER/REPO[:...], those that `wanted` chooses of its names.

    Raises: ValueError if there is no such repository; FetchError, with the hint what to do
    instead, if they cannot be brought here.
    """
    repo = reference.partition(":")[0]
    if repo.count("/") != 1 or not all(repo.split("/")):
        raise ValueError(f"hf:{reference}: expected hf:OWNER/REPO[:FILE-OR-QUANT]")
    _prepare_client()
    with _one_sentence(reference, hint):
        names = _list_files(repo)
    chosen = wanted(names)
    with _one_sentence(reference, hint):
        from huggingface_hub import hf_hub_download

        return [Path(hf_hub_download(repo, name)) for name in chosen]


def choose(names: list[str], repo: str, wanted: str) -> list[str]:
    """Return the one model that `wanted` means among a repository's files, all its shards.

    `wanted` is a file's name, a quant such as Q4_0, or empty where there is only one model.
    Raises: ValueError listing what there is.
    """
    models = _models(names)
    if wanted in names and wanted.endswith(".gguf"):
        return models.get(SHARD.sub("", wanted), [wanted])
    matching = [name for name in models if _is_quant(name, wanted)] if wanted else list(models)
    if len(matching) == 1:
        return models[matching[0]]
    if not models:
        raise ValueError(f"hf:{repo} has no GGUF file")
    problem = "has several models, name one of" if matching else f"has no {wanted}, only"
    listed = ", ".join(sorted(matching or models)[:N_LISTED])
    raise ValueError(f"hf:{repo} {problem}: {listed}")


def _models(names: list[str]) -> dict[str, list[str]]:
    """Group shards under the name they share; projectors of other senses are no models."""
    models: dict[str, list[str]] = {}
    for name in sorted(names):
        if name.endswith(".gguf") and "mmproj" not in name.lower():
            models.setdefault(SHARD.sub("", name), []).append(name)
    return models


def _is_quant(name: str, quant: str) -> bool:
    """Tell whether a file's name or folder has `quant` as a word of its own."""
    pattern = rf"(?:^|[-._/]){re.escape(quant)}(?=[-./])"
    return re.search(pattern, name, re.IGNORECASE) is not None


def _prepare_client() -> None:
    try:
        from huggingface_hub.utils import disable_progress_bars
    except ImportError:
        reason = "hf: references need huggingface_hub: pip install 'ggjit[hf]'"
        raise FetchError(reason) from None
    if not sys.stderr.isatty():
        disable_progress_bars()


def _list_files(repo: str) -> list[str]:
    """List a repository's files, or those fetched before where the hub cannot be asked."""
    from huggingface_hub import HfApi, errors

    try:
        # asked once: listing the tree instead would try five more times where there is no network
        return [file.rfilename for file in HfApi().model_info(repo, timeout=10).siblings or []]
    except (errors.RepositoryNotFoundError, errors.HFValidationError):
        raise
    except Exception:
        if files := _files_in_cache(repo):
            return files
        raise


def _files_in_cache(repo: str) -> list[str]:
    from huggingface_hub import CacheNotFound, scan_cache_dir

    try:
        repos = scan_cache_dir().repos
    except CacheNotFound:
        return []
    for cached in repos:
        if cached.repo_id == repo and cached.repo_type == "model" and "main" in cached.refs:
            newest = cached.refs["main"]
            paths = [file.file_path for file in newest.files]
            return [path.relative_to(newest.snapshot_path).as_posix() for path in paths]
    return []


@contextmanager
def _one_sentence(reference: str, hint: str) -> Iterator[None]:
    """Say in one sentence what the client raises; its own errors come with paragraphs."""
    from huggingface_hub import errors

    try:
        yield
    except errors.GatedRepoError:
        reason = f"hf:{reference} asks for consent on its page first, and for a token (HF_TOKEN)"
        raise FetchError(reason) from None
    except errors.RepositoryNotFoundError:
        raise ValueError(f"hf:{reference}: no such repository, or it needs HF_TOKEN") from None
    except errors.HFValidationError:
        raise ValueError(f"hf:{reference}: expected hf:OWNER/REPO[:FILE-OR-QUANT]") from None
    except Exception as error:
        if type(error) is OSError or isinstance(
            error, PermissionError
        ):  # the disk's, not the hub's
            raise
        said = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise FetchError(f"could not fetch hf:{reference}: {said}; {hint}") from None
