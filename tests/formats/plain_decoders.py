"""Types that gguf-py cannot decode, number by number: block (bytes) to floats."""

from struct import unpack, unpack_from

PLAIN = {
    "q1_0": lambda b: [d_of(b) * (2 * (b[2 + j // 8] >> j % 8 & 1) - 1) for j in range(128)],
    "q2_0": lambda b: [d_of(b) * ((b[2 + j // 4] >> 2 * (j % 4) & 3) - 1) for j in range(64)],
    "q8_1": lambda b: [d_of(b) * q for q in unpack_from("<32b", b, 4)],
    "q8_k": lambda b: [d_of(b, "<f") * q for q in unpack_from("<256b", b, 4)],
    "i8": lambda b: unpack("<b", b),
    "i16": lambda b: unpack("<h", b),
    "i32": lambda b: unpack("<i", b),
    "i64": lambda b: unpack("<q", b),
    "f64": lambda b: unpack("<d", b),
}


def d_of(block, kind="<e"):
    return unpack_from(kind, block)[0]
