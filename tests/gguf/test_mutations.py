"""A file cut or changed anywhere opens or is refused; nothing else happens, and not slowly."""

from __future__ import annotations

import random
import time
import tracemalloc
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from struct import pack, pack_into

import pytest
from build_gguf import ARR, STR, U8, U64, array, build, tensor, text, valid

from ggjit.gguf import GGUFError, GGUFFile, open_gguf

SEED = 20260
N_MUTANTS = 2000
SPECIAL = (0, 1, 0x7F, 0x80, 0xFF)
LARGE = (0, 1, 2**31, 2**32 - 1, 2**63 - 1, 2**63, 2**64 - 1)


def attempt(path: Path, content: bytes) -> bool:
    """Write and open `content`; return whether it was accepted."""
    path.write_bytes(content)
    try:
        file = open_gguf(path)
    except GGUFError as error:
        message = str(error)
    else:
        check(file, content)
        return True
    assert str(path) in message
    assert message.isprintable()
    return False


def check(file: GGUFFile, content: bytes) -> None:
    """What an accepted file must keep, worked out without the reader."""
    ranges = []
    for found in file.tensors.values():
        assert found.offset + found.data.nbytes <= len(content)
        assert found.data.tobytes() == content[found.offset :][: found.data.nbytes]
        bits = 32 * found.n_elements if found.type.name == "F32" else None
        assert bits is None or bits == 8 * found.data.nbytes
        if found.data.nbytes:
            ranges.append((found.offset, found.offset + found.data.nbytes))
    ranges.sort()
    assert all(a[1] <= b[0] for a, b in pairwise(ranges))
    assert set(file.metadata) == set(file.types)


def mutants() -> Iterator[bytes]:
    rng = random.Random(SEED)
    head = valid()[:-224]
    for _ in range(N_MUTANTS):
        content = bytearray(valid())
        for _ in range(rng.choice((1, 1, 1, 2, 4))):
            at = rng.randrange(len(head))
            match rng.randrange(4):
                case 0:
                    content[at] ^= 1 << rng.randrange(8)
                case 1:
                    content[at] = rng.choice(SPECIAL)
                case 2:
                    pack_into("<Q", content, min(at, len(content) - 8), rng.choice(LARGE))
                case 3:
                    del content[at : at + rng.randrange(1, 9)]
        yield bytes(content)


def test_every_prefix_is_refused(tmp_path: Path) -> None:
    content = valid()
    for n in range(len(content)):
        assert not attempt(tmp_path / "prefix.gguf", content[:n]), f"first {n} bytes"
    assert attempt(tmp_path / "whole.gguf", content)


def test_mutants_are_opened_or_refused(tmp_path: Path) -> None:
    start = time.perf_counter()
    n_accepted = sum(attempt(tmp_path / "mutant.gguf", content) for content in mutants())
    assert time.perf_counter() - start < 10
    # Both outcomes occur, so the test looks at both.
    assert 50 < n_accepted < N_MUTANTS - 50


HUGE = {
    "string": build([text("k") + pack("<I", STR) + text("", 2**62) + bytes(999)]),
    "array of u8": build([array("k", U8, [], 2**40), bytes(999)], n_kv=1),
    "array of u64": build([array("k", U64, [], 2**61), bytes(999)], n_kv=1),
    "array of strings": build([array("k", STR, [], 2**50), bytes(999)], n_kv=1),
    "string in an array": build(
        [text("k") + pack("<IIQ", ARR, STR, 1) + pack("<Q", 2**45) + bytes(999)]
    ),
    "n_kv": build([bytes(999)], n_kv=2**50),
    "n_tensors": build([bytes(999)], n_kv=0, n_tensors=2**50),
    "tensor": build([], [tensor("a", [2**40, 2**20])], bytes(999)),
    "n_dims": build([], [tensor("a", [], n_dims=2**32 - 1)], bytes(999)),
}


@pytest.mark.parametrize("name", HUGE)
def test_huge_claims_allocate_nothing(name: str, tmp_path: Path) -> None:
    path = tmp_path / "huge.gguf"
    path.write_bytes(HUGE[name])
    tracemalloc.start()
    try:
        with pytest.raises(GGUFError):
            open_gguf(path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 256 * 1024


def test_sparse_file_cannot_ask_for_endless_work(tmp_path: Path) -> None:
    path = tmp_path / "sparse.gguf"
    path.write_bytes(build([array("k", STR, [], 2**33)]))
    with path.open("r+b") as file:
        file.truncate(2**40)
    start = time.perf_counter()
    with pytest.raises(GGUFError, match="longer than"):
        open_gguf(path)
    assert time.perf_counter() - start < 1
