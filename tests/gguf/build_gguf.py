"""GGUF files written by hand for the tests: every field can lie. It shares nothing with the reader.

A file is `build(pairs=[...], tensors=[...], data=...)`; pairs and tensors are bytes, so a test can
put anything in their place.
"""

from __future__ import annotations

from collections.abc import Sequence
from struct import pack

U8, I8, U16, I16, U32, I32, F32, BOOL, STR, ARR, U64, I64, F64 = range(13)
CODES = {U8: "B", I8: "b", U16: "H", I16: "h", U32: "I", I32: "i", F32: "f", BOOL: "B"}
CODES |= {U64: "Q", I64: "q", F64: "d"}

GGML_F32, GGML_F16, GGML_Q4_0, GGML_Q8_0, GGML_Q4_K, GGML_I8 = 0, 1, 2, 8, 12, 24


def text(value: str | bytes, length: int | None = None) -> bytes:
    """A string; `length` is what it claims to be."""
    raw = value.encode() if isinstance(value, str) else value
    return pack("<Q", (len(raw) if length is None else length) & (2**64 - 1)) + raw


def scalar(kind: int, value: object) -> bytes:
    return text(value) if isinstance(value, (str, bytes)) else pack("<" + CODES[kind], value)


def pair(key: str | bytes, kind: int, value: object) -> bytes:
    return text(key) + pack("<I", kind) + scalar(kind, value)


def array(
    key: str | bytes, kind: int, values: Sequence[object], length: int | None = None
) -> bytes:
    n = len(values) if length is None else length
    body = b"".join(scalar(kind, value) for value in values)
    return text(key) + pack("<IIQ", ARR, kind, n & (2**64 - 1)) + body


def tensor(
    name: str | bytes,
    dims: Sequence[int],
    kind: int = GGML_F32,
    offset: int = 0,
    n_dims: int | None = None,
) -> bytes:
    """A row of the tensor table; `dims` innermost first, as in the file."""
    head = text(name) + pack("<I", len(dims) if n_dims is None else n_dims)
    body = b"".join(pack("<Q", dim & (2**64 - 1)) for dim in dims)
    return head + body + pack("<IQ", kind, offset & (2**64 - 1))


def build(
    pairs: Sequence[bytes] = (),
    tensors: Sequence[bytes] = (),
    data: bytes = b"",
    *,
    alignment: int = 32,
    magic: bytes = b"GGUF",
    version: int = 3,
    n_tensors: int | None = None,
    n_kv: int | None = None,
    padded: bool = True,
) -> bytes:
    """A whole file; counts that are not given are true."""
    n_tensors = len(tensors) if n_tensors is None else n_tensors
    n_kv = len(pairs) if n_kv is None else n_kv
    mask = 2**64 - 1
    head = magic + pack("<IQQ", version, n_tensors & mask, n_kv & mask)
    head += b"".join(pairs) + b"".join(tensors)
    if padded and (data or tensors):
        head += bytes(-len(head) % alignment)
    return head + data


ARCHITECTURE = pair("general.architecture", STR, "llama")


def valid() -> bytes:
    """A small model with a value of every kind and two tensors."""
    pairs = [
        ARCHITECTURE,
        pair("llama.block_count", U32, 2),
        pair("llama.attention.layer_norm_rms_epsilon", F32, 1e-5),
        pair("tokenizer.ggml.add_bos_token", BOOL, 1),
        array("tokenizer.ggml.tokens", STR, ["a", "Ġb", "<|end|>", ""]),
        array("tokenizer.ggml.scores", F32, [0.0, -1.0, -2.0, -3.0]),
        array("llama.flags", BOOL, [1, 0, 1]),
    ]
    tensors = [
        tensor("token_embd.weight", [32, 4], GGML_Q4_0, 0),
        tensor("output_norm.weight", [32], GGML_F32, 96),
    ]
    return build(pairs, tensors, bytes(range(96)) + bytes(128))
