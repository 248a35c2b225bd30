"""Models split over several files: opened from any of them, refused where they do not fit."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from build_gguf import (
    ARCHITECTURE,
    GGML_I8,
    I32,
    STR,
    U16,
    U32,
    array,
    build,
    pair,
    tensor,
)

from ggjit.gguf import GGUFError, open_gguf

Files = dict[str, bytes]


def name(number: int, count: int = 3, stem: str = "model") -> str:
    return f"{stem}-{number:05d}-of-{count:05d}.gguf"


def shard(
    number: int,
    tensors: dict[str, bytes],
    *,
    count: int | None = 3,
    n_tensors: int | None = 3,
    no: int | None = None,
    extra: list[bytes] | None = None,
) -> bytes:
    """A shard as gguf-split writes it: the first alone has the model's metadata."""
    no = number - 1 if no is None else no
    pairs = [ARCHITECTURE, array("tokens", STR, ["a", "b"])] if number == 1 else []
    pairs += [pair("split.no", U16, no)] + (extra or [])
    pairs += [] if count is None else [pair("split.count", U16, count)]
    pairs += [] if n_tensors is None else [pair("split.tensors.count", I32, n_tensors)]
    infos = [tensor(key, [32], GGML_I8, 32 * i) for i, key in enumerate(tensors)]
    return build(pairs, infos, b"".join(tensors.values()))


def whole_set() -> Files:
    return {
        name(1): shard(1, {"a": b"a" * 32}),
        name(2): shard(2, {"b": b"b" * 32}),
        name(3): shard(3, {"c": b"c" * 32}),
    }


@pytest.fixture
def write(tmp_path: Path) -> Callable[[Files], Path]:
    def write(files: Files) -> Path:
        for file, content in files.items():
            (tmp_path / file).write_bytes(content)
        return tmp_path

    return write


@pytest.mark.parametrize("number", [1, 2, 3])
def test_opens_from_any_shard(number: int, write: Any) -> None:
    folder = write(whole_set())
    file = open_gguf(folder / name(number))
    assert file.path == folder / name(1)
    assert file.paths == tuple(folder / name(i) for i in (1, 2, 3))
    assert file.get("general.architecture", str) == "llama"
    assert {key: bytes(t.data[:1]) for key, t in file.tensors.items()} == {
        "a": b"a",
        "b": b"b",
        "c": b"c",
    }
    assert [t.path.name for t in file.tensors.values()] == [name(1), name(2), name(3)]
    file.close()


def test_first_shard_may_hold_metadata_alone(write: Any) -> None:
    files = whole_set()
    files[name(1)] = shard(1, {}, n_tensors=2)
    files[name(2)] = shard(2, {"b": bytes(32)}, n_tensors=2)
    files[name(3)] = shard(3, {"c": bytes(32)}, n_tensors=2)
    assert list(open_gguf(write(files) / name(2)).tensors) == ["b", "c"]


def test_shards_may_differ_in_alignment(write: Any) -> None:
    files = whole_set()
    files[name(2)] = shard(2, {"b": b"b" * 32}, extra=[pair("general.alignment", U32, 16)])
    assert len(open_gguf(write(files) / name(1)).tensors) == 3


def test_shards_reached_through_links(tmp_path: Path) -> None:
    # As a Hugging Face cache stores them: the names are links to blobs elsewhere.
    (tmp_path / "blobs").mkdir()
    (tmp_path / "snapshot").mkdir()
    for i, (file, content) in enumerate(whole_set().items()):
        (tmp_path / "blobs" / str(i)).write_bytes(content)
        (tmp_path / "snapshot" / file).symlink_to(tmp_path / "blobs" / str(i))
    assert len(open_gguf(tmp_path / "snapshot" / name(3)).tensors) == 3


@pytest.mark.parametrize("count", [0, 1, None])
def test_set_of_one(count: int | None, write: Any) -> None:
    content = shard(1, {"a": bytes(32)}, count=count, n_tensors=1)
    folder = write({name(1, 1): content, "model.gguf": content})
    assert list(open_gguf(folder / name(1, 1)).tensors) == ["a"]
    assert list(open_gguf(folder / "model.gguf").tensors) == ["a"]


def replaced(number: int, content: bytes) -> Files:
    return whole_set() | {name(number): content}


def without(number: int) -> Files:
    return {file: content for file, content in whole_set().items() if file != name(number)}


OTHER = [pair("general.architecture", STR, "qwen2")]
FULL = {"b": bytes(32)}

# What lies on disk, which file is opened, what the error names and says.
BAD: dict[str, tuple[Files, str, str, str]] = {
    "second missing": (without(2), name(1), "split.count", name(2)),
    "first missing": (without(1), name(3), "split.count", name(1)),
    "last missing": (without(3), name(2), "split.count", name(3)),
    "count lies in the opened one": (
        replaced(1, shard(1, {"a": bytes(32)}, count=2)),
        name(1),
        "split.count",
        "is 2, but the file name says 3",
    ),
    "count lies in another": (
        replaced(2, shard(2, FULL, count=4)),
        name(1),
        "split.count",
        "is 4, but the file name says 3",
    ),
    "count missing": (replaced(2, shard(2, FULL, count=None)), name(1), "split.count", "missing"),
    "count missing in the opened one": (
        replaced(2, shard(2, FULL, count=None)),
        name(2),
        "split.count",
        "missing",
    ),
    "count 65535": (
        replaced(1, shard(1, {"a": bytes(32)}, count=65535)),
        name(1),
        "split.count",
        "65535",
    ),
    "count of one": (replaced(1, shard(1, {}, count=1)), name(1), "split.count", "is 1"),
    "count is a string": (
        replaced(1, shard(1, {}, count=None, extra=[pair("split.count", STR, "3")])),
        name(1),
        "split.count",
        "integer",
    ),
    "no lies": (replaced(2, shard(2, FULL, no=2)), name(1), "split.no", "is 2"),
    "same shard twice": (
        replaced(3, shard(2, FULL)),
        name(1),
        "split.no",
        "is 1, but the file name says 2",
    ),
    "tensor count lies": (
        {name(i): shard(i, {str(i): bytes(32)}, n_tensors=4) for i in (1, 2, 3)},
        name(1),
        "split.tensors.count",
        "hold 3 tensors",
    ),
    "tensor count differs": (
        replaced(3, shard(3, {"c": bytes(32)}, n_tensors=9)),
        name(1),
        "split.tensors.count",
        "is 9, but 3",
    ),
    "tensor count missing": (
        replaced(2, shard(2, FULL, n_tensors=None)),
        name(1),
        "split.tensors.count",
        "missing",
    ),
    "duplicate tensor": (
        replaced(2, shard(2, {"a": bytes(32)})),
        name(1),
        "tensor 'a'",
        f"is also in {name(1)}",
    ),
    "shard of another model": (
        replaced(2, shard(2, FULL, extra=OTHER)),
        name(1),
        "general.architecture",
        "another model",
    ),
    "shard with another vocabulary": (
        replaced(2, shard(2, FULL, extra=[array("tokens", STR, ["a", "c"])])),
        name(1),
        "tokens",
        "another model",
    ),
    "shard of another set": (
        replaced(2, shard(1, {"b": bytes(32)})),
        name(1),
        "split.no",
        "is 0, but the file name says 1",
    ),
    "shard is no GGUF": (replaced(3, b"PK\3\4"), name(1), "magic", "zip"),
    "shard is cut": (replaced(3, whole_set()[name(3)][:-1]), name(1), "tensor 'c'", "incomplete"),
    "name without a number": (
        {"model.gguf": shard(1, {"a": bytes(32)})},
        "model.gguf",
        "split.count",
        "-00001-of-00003.gguf",
    ),
    "shard 0": ({name(0): shard(1, {"a": bytes(32)})}, name(0), "file name", "no shard 0 of 3"),
    "shard 4 of 3": ({name(4): shard(4, {"a": bytes(32)})}, name(4), "file name", "no shard 4"),
    "other digits": (
        {"m-０0001-of-00003.gguf": shard(1, {"a": bytes(32)})},
        "m-０0001-of-00003.gguf",
        "split.count",
        "file name",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_set_is_refused(case: str, write: Any) -> None:
    files, opened, field, says = BAD[case]
    folder = write(files)
    with pytest.raises(GGUFError) as caught:
        open_gguf(folder / opened)
    assert caught.value.field == field
    assert caught.value.path is not None
    assert str(caught.value).startswith(f"{caught.value.path}: {field}")
    assert says in str(caught.value)


def test_shard_that_is_a_directory_is_refused(write: Any) -> None:
    folder = write(without(2))
    (folder / name(2)).mkdir()
    with pytest.raises(GGUFError, match="is a directory"):
        open_gguf(folder / name(1))


def test_nothing_outside_the_folder_is_opened(tmp_path: Path) -> None:
    inner = tmp_path / "models"
    inner.mkdir()
    for number, content in enumerate(whole_set().values(), 1):
        folder = inner if number == 1 else tmp_path
        (folder / name(number)).write_bytes(content)
    with pytest.raises(GGUFError, match="missing"):
        open_gguf(inner / name(1))
