"""Files that must be refused: each by a GGUFError that names the file and the field."""

from __future__ import annotations

from pathlib import Path
from struct import pack
from typing import NamedTuple

import pytest
from build_gguf import (
    ARCHITECTURE,
    ARR,
    BOOL,
    F32,
    GGML_F16,
    GGML_F32,
    GGML_I8,
    GGML_Q4_0,
    GGML_Q4_K,
    GGML_Q8_0,
    I32,
    STR,
    U8,
    U32,
    U64,
    array,
    build,
    pair,
    tensor,
    text,
    valid,
)

from ggjit.gguf import GGUFError, open_gguf


class Bad(NamedTuple):
    """A file and what its error must name."""

    name: str
    content: bytes
    field: str
    says: str


def one_tensor(info: bytes, data: bytes = b"") -> bytes:
    return build([ARCHITECTURE], [info], data)


def cut(info: bytes) -> bytes:
    """A file that ends with its table, without padding."""
    return build([ARCHITECTURE], [info], padded=False)


def aligned(kind: int, value: object) -> bytes:
    return build([pair("general.alignment", kind, value)], [tensor("a", [8])], bytes(2**21))


def typed(kind: int) -> bytes:
    return one_tensor(tensor("a", [256], kind), bytes(4096))


def strings_with(broken: bytes, after: int) -> bytes:
    """A string array whose string number `after` is `broken`; the head ends there."""
    head = text("tokens") + pack("<IIQ", ARR, STR, after + 1)
    return build([head + text("ok") * after + broken])


TWO = [tensor("a", [8], offset=0), tensor("b", [8], offset=32)]
BIG = 2**63
HUGE_ARRAYS = {"2**62": 2**62, "2**63": 2**63, "2**64-1": 2**64 - 1, "2**61+1": 2**61 + 1}

HEADER = [
    Bad("empty file", b"", "magic", "empty"),
    Bad("three bytes", b"GGU", "magic", "not a GGUF"),
    Bad("magic alone", b"GGUF", "version", "4 bytes"),
    Bad("23 bytes", build()[:23], "n_kv", "8 bytes"),
    Bad("bad magic", build(magic=b"FUGG"), "magic", "swapped"),
    Bad("lower-case magic", build(magic=b"gguf"), "magic", "not a GGUF"),
    Bad("version 0", build(version=0), "version", "version 0"),
    Bad("version 1", build(version=1), "version", "version 1"),
    Bad("version 4", build(version=4), "version", "version 4"),
    Bad("version 2**32-1", build(version=2**32 - 1), "version", "4294967295"),
    Bad("big endian 3", build(version=0x03000000), "version", "big-endian"),
    Bad("big endian 2", build(version=0x02000000), "version", "big-endian"),
    Bad("n_kv -1", build(n_kv=-1), "n_kv", "18446744073709551615"),
    Bad("n_kv 2**63", build(n_kv=BIG), "n_kv", str(BIG)),
    Bad("n_kv 2**40", build(n_kv=2**40), "n_kv", str(2**40)),
    Bad("n_kv wraps when multiplied", build(n_kv=2**64 // 14 + 1), "n_kv", "cannot fit"),
    Bad("n_kv one too many", build([ARCHITECTURE], n_kv=2), "key 1", "8 bytes"),
    Bad("n_kv over the limit", build(n_kv=65537, data=bytes(2**20)), "n_kv", "65536"),
    Bad("n_tensors -1", build(n_tensors=-1), "n_tensors", "18446744073709551615"),
    Bad("n_tensors 2**63", build(n_tensors=BIG), "n_tensors", str(BIG)),
    Bad("n_tensors 2**40", build(n_tensors=2**40), "n_tensors", str(2**40)),
    Bad("n_tensors one too many", build([], TWO, bytes(64), n_tensors=3), "tensor 2", "empty"),
]

KEYS = [
    Bad("key length -1", build([text("k", -1) + bytes(32)]), "key 0", "18446744073709551615"),
    Bad("key length 2**63", build([text("k", BIG) + bytes(32)]), "key 0", str(BIG)),
    Bad("key length 1 GiB", build([text("k", 2**30) + bytes(32)]), "key 0", str(2**30)),
    Bad("key one byte past the end", build([text("k", 8) + bytes(6)]), "key 0", "8 bytes"),
    Bad("key longer than 65535", build([pair("k" * 65536, U8, 1)]), "key 0", "65535"),
    Bad("empty key", build([pair("", U32, 1)]), "key 0", "empty"),
    Bad("duplicate key", build([ARCHITECTURE] * 2), "key 1", "'general.architecture'"),
    Bad("NUL in key", build([pair("a\0b", U32, 1)]), "key 0", "NUL"),
    Bad("key is not UTF-8", build([pair(b"\xff\xfe", U32, 1)]), "key 0", "UTF-8"),
    Bad("key is a surrogate", build([pair(b"\xed\xa0\x80", U32, 1)]), "key 0", "UTF-8"),
    Bad("second key cut", build([ARCHITECTURE, text("abc", 90) + bytes(12)]), "key 1", "90 bytes"),
    Bad("duplicate of a key with escapes", build([pair("\x1b[2J", U8, 1)] * 2), "key 1", "\\x1b["),
    Bad("newline in a duplicate key", build([pair("a\nb", U8, 1)] * 2), "key 1", "a\\nb"),
]

VALUES = [
    Bad("value type 13", build([text("k") + pack("<IQ", 13, 0)]), "k", "value type 13"),
    Bad("value type -1", build([text("k") + pack("<iQ", -1, 0)]), "k", "4294967295"),
    Bad("value type 2**31", build([text("k") + pack("<IQ", 2**31, 0)]), "k", "2147483648"),
    Bad("value type cut", build([text("k") + bytes(5)])[:-2], "n_kv", "cannot fit"),
    Bad("u64 cut", build([text("kkkk") + pack("<I", U64) + bytes(7)]), "kkkk", "8 bytes"),
    Bad("bool 2", build([pair("k", BOOL, 2)]), "k", "found 2"),
    Bad("bool 255", build([pair("k", BOOL, 255)]), "k", "found 255"),
    Bad("string length -1", build([text("k") + pack("<I", STR) + text("v", -1)]), "k", "bytes"),
    Bad("string length 2**63", build([text("k") + pack("<I", STR) + text("v", BIG)]), "k", "bytes"),
    Bad("string one past", build([text("k") + pack("<I", STR) + text("v", 2)]), "k", "2 bytes"),
    Bad("string not UTF-8", build([pair("k", STR, b"a\x80")]), "k", "UTF-8"),
    Bad("string cut in a character", build([pair("k", STR, "é".encode()[:1])]), "k", "UTF-8"),
    Bad("array of arrays", build([array("k", ARR, []) + bytes(64)]), "k", "array of arrays"),
    Bad("array type 13", build([array("k", 13, []) + bytes(8)]), "k", "value type 13"),
    Bad("array without length", build([text("kkk") + pack("<II", ARR, U8)]), "kkk", "8 bytes"),
    Bad("array one element short", build([array("k", U32, [1, 2], 3)]), "k", "3 items of 4"),
    Bad(
        "array amplified", build([array("k", U64, [], 60), bytes(60)], n_kv=1), "k", "60 items of 8"
    ),
    Bad("array of bools with a 2", build([array("k", BOOL, [1, 0, 2])]), "k[2]", "found 2"),
    Bad(
        "strings amplified", build([array("k", STR, [], 9), bytes(60)], n_kv=1), "k", "9 items of 8"
    ),
    Bad("string in array -1", strings_with(text("x", -1), 2), "tokens[2]", "bytes"),
    Bad("string in array one past", strings_with(text("x", 2), 3), "tokens[3]", "2 bytes"),
    Bad("string in array cut", strings_with(b"\1\0\0", 1), "tokens", "2 items of 8"),
    Bad("string in array not UTF-8", strings_with(text(b"\xc3("), 4), "tokens[4]", "UTF-8"),
    *(
        Bad(f"{name} {n}", build([array("k", kind, [1] if kind != STR else ["a"], length)]), "k", n)
        for name, kind in (("u8 array", U8), ("f32 array", F32), ("string array", STR))
        for n, length in ((str(value), value) for value in HUGE_ARRAYS.values())
    ),
]

ALIGNMENT = [
    *(
        Bad(f"alignment {value}", aligned(U32, value), "general.alignment", str(value))
        for value in (0, 3, 13, 31, 33, 2**21, 2**31, 2**32 - 1)
    ),
    Bad("alignment i32", aligned(I32, 32), "general.alignment", "i32"),
    Bad("alignment u64", aligned(U64, 32), "general.alignment", "u64"),
    Bad("alignment bool", aligned(BOOL, 1), "general.alignment", "bool"),
    Bad("alignment string", aligned(STR, "32"), "general.alignment", "str"),
    Bad(
        "alignment array",
        build([array("general.alignment", U32, [32])]),
        "general.alignment",
        "arr[u32]",
    ),
]

TABLE = [
    Bad("name length -1", one_tensor(text("a", -1) + bytes(64)), "tensor 0", "bytes"),
    Bad("name of 64 bytes", one_tensor(tensor("n" * 64, [8]), bytes(32)), "tensor 0", "at most 63"),
    Bad("empty name", one_tensor(tensor("", [8]), bytes(32)), "tensor 0", "empty"),
    Bad("NUL in name", one_tensor(tensor("a\0", [8]), bytes(32)), "tensor 0", "NUL"),
    Bad("name not UTF-8", one_tensor(tensor(b"\xff", [8]), bytes(32)), "tensor 0", "UTF-8"),
    Bad("duplicate name", build([], [TWO[0]] * 2, bytes(64)), "tensor 1", "duplicate"),
    Bad("n_dims 5", one_tensor(tensor("a", [1] * 5), bytes(32)), "tensor 'a'", "5 dimensions"),
    Bad(
        "n_dims 2**32-1", one_tensor(tensor("a", [8], n_dims=2**32 - 1)), "tensor 'a'", "4294967295"
    ),
    Bad("n_dims says more", cut(tensor("a", [8], n_dims=4)), "tensor 'a'", "8 bytes"),
    Bad("dimension -1", one_tensor(tensor("a", [-1]), bytes(32)), "tensor 'a'", "dimension"),
    Bad("dimension 2**63", one_tensor(tensor("a", [8, BIG]), bytes(32)), "tensor 'a'", str(BIG)),
    *(
        Bad(f"removed type {kind}", typed(kind), "tensor 'a'", problem)
        for kind, problem in {
            4: "(Q4_2) was removed from GGML; the model is needed as Q4_0",
            5: "(Q4_3) was removed from GGML; the model is needed as Q4_1",
            31: "(Q4_0_4_4) was removed from GGML; the model is needed as Q4_0",
            32: "(Q4_0_4_8) was removed from GGML; the model is needed as Q4_0",
            33: "(Q4_0_8_8) was removed from GGML; the model is needed as Q4_0",
            36: "(IQ4_NL_4_4) was removed from GGML; the model is needed as IQ4_NL",
            37: "(IQ4_NL_4_8) was removed from GGML; the model is needed as IQ4_NL",
            38: "(IQ4_NL_8_8) was removed from GGML; the model is needed as IQ4_NL",
        }.items()
    ),
    *(
        Bad(f"type {kind}", typed(kind), "tensor 'a'", f"type {kind}")
        for kind in (43, 200, 2**31, 2**32 - 1)
    ),
    Bad(
        "Q4_0 row of 33", one_tensor(tensor("a", [33], GGML_Q4_0), bytes(99)), "tensor 'a'", "of 32"
    ),
    Bad(
        "Q8_0 row of 16 x 2",
        one_tensor(tensor("a", [16, 2], GGML_Q8_0), bytes(99)),
        "tensor 'a'",
        "of 32",
    ),
    Bad(
        "Q4_K row of 128",
        one_tensor(tensor("a", [128], GGML_Q4_K), bytes(999)),
        "tensor 'a'",
        "of 256",
    ),
    Bad("Q4_0 scalar", one_tensor(tensor("a", [], GGML_Q4_0), bytes(32)), "tensor 'a'", "of 32"),
    Bad("escape in name", one_tensor(tensor("\x1b]0;x\7", [8], 99)), "tensor", "\\x1b]0;x\\x07"),
    Bad("table cut", cut(tensor("a" * 30, [8])[:-1]), "tensor 'aaa", "8 bytes"),
]

# Shapes whose byte count wraps in 32 or 64 bits. Source: CVE-2026-33298, tests of ggml.
WRAPPING = {
    "bytes wrap": ([4, 2**30 - 1, 2**30 + 1], GGML_F32),
    "elements wrap to 0": ([2**32, 2**32], GGML_F32),
    "all dimensions huge": ([2**33 - 4] * 4, GGML_F32),
    "bytes just over": ([2**62 + 1], GGML_F32),
    "I8 near the top": ([2**63 - 64], GGML_I8),
    "padding wraps": ([2**63 - 1, 2], GGML_I8),
    "F16 wraps": ([2**63 - 1], GGML_F16),
    "Q4_0 wraps": ([32, 2**60], GGML_Q4_0),
}

DATA = [
    *(
        Bad(name, one_tensor(tensor("a", dims, kind), bytes(64)), "tensor 'a'", "ends at byte")
        for name, (dims, kind) in WRAPPING.items()
    ),
    Bad("last byte missing", valid()[:-1], "tensor 'output_norm.weight'", "incomplete"),
    Bad(
        "a page missing", build([], [tensor("a", [2048])], bytes(4096)), "tensor 'a'", "incomplete"
    ),
    Bad("no data section", build([], TWO, padded=False), "tensor 'a'", "ends at byte"),
    Bad("data section empty", build([], TWO), "tensor 'a'", "ends at byte"),
    Bad("offset -1", one_tensor(tensor("a", [8], offset=-1), bytes(64)), "tensor 'a'", "multiple"),
    Bad("offset -32", one_tensor(tensor("a", [8], offset=-32), bytes(64)), "tensor 'a'", "ends at"),
    Bad(
        "offset 8", one_tensor(tensor("a", [8], offset=8), bytes(64)), "tensor 'a'", "alignment 32"
    ),
    Bad(
        "offset at the end",
        one_tensor(tensor("a", [8], offset=64), bytes(64)),
        "tensor 'a'",
        "ends at",
    ),
    Bad(
        "empty tensor past the end",
        one_tensor(tensor("a", [0], offset=96), bytes(64)),
        "tensor 'a'",
        "ends",
    ),
    Bad(
        "overlap",
        build([], [tensor("a", [9], offset=0), tensor("b", [8], offset=32)], bytes(64)),
        "tensor 'b'",
        "inside tensor 'a'",
    ),
    Bad(
        "same place",
        build([], [tensor("a", [8], offset=32), tensor("b", [8], offset=32)], bytes(64)),
        "tensor 'b'",
        "inside tensor 'a'",
    ),
    Bad(
        "overlap in reverse order",
        build([], [tensor("a", [8], offset=32), tensor("b", [16], offset=0)], bytes(64)),
        "tensor 'a'",
        "inside tensor 'b'",
    ),
    Bad(
        "offsets made for another alignment",
        build([pair("general.alignment", U32, 64)], TWO, bytes(128), alignment=64),
        "tensor 'b'",
        "alignment 64",
    ),
]

BAD = HEADER + KEYS + VALUES + ALIGNMENT + TABLE + DATA


def test_cases_are_many_and_named_apart() -> None:
    assert len(BAD) >= 80
    assert len({bad.name for bad in BAD}) == len(BAD)


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: bad.name)
def test_is_refused_with_file_and_field(bad: Bad, tmp_path: Path) -> None:
    path = tmp_path / "bad.gguf"
    path.write_bytes(bad.content)
    with pytest.raises(GGUFError) as caught:
        open_gguf(path)
    message = str(caught.value)
    assert str(path) in message
    assert f"{path}: {bad.field}" in message
    assert bad.says in message
    assert message.isprintable()
    assert len(message) < len(str(path)) + 400
    assert caught.value.path == path
    assert caught.value.field is not None
    assert caught.value.field.startswith(bad.field)


def test_offset_is_where_the_field_stands(tmp_path: Path) -> None:
    path = tmp_path / "bad.gguf"
    path.write_bytes(build([ARCHITECTURE, text("k") + pack("<IQ", 99, 0)]))
    with pytest.raises(GGUFError) as caught:
        open_gguf(path)
    assert caught.value.offset == 24 + len(ARCHITECTURE) + 8 + 1
    assert f"at byte {caught.value.offset}" in str(caught.value)
