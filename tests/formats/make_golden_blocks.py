"""Write golden.json: `python tests/formats/make_golden_blocks.py .../libggml-base.so`, from tests/.

Of every quantized type two blocks, one that ggml's C code quantized from `source` and one of random
bytes with ordinary scales; of plain numbers eight. gguf-py says what is in them, or ggml where it
cannot; where both can, they have to agree. This project's decoders have no part in it.
"""

import ctypes
import json
import sys

import gguf
import numpy as np
from blocks import gguf_decodes, random_blocks
from test_golden import FILE, PLAIN, source

from ggjit.formats import all_formats

CALL = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64)
OWN = {"q8_1": "quantize_row_q8_1_ref", "q8_k": "quantize_row_q8_K_ref"}


class Traits(ctypes.Structure):
    """`struct ggml_type_traits` of ggml.h."""

    _fields_ = (
        ("name", ctypes.c_char_p), ("block", ctypes.c_int64), ("interleave", ctypes.c_int64),
        ("size", ctypes.c_size_t), ("quantized", ctypes.c_bool), ("to_float", ctypes.c_void_p),
    )  # fmt: skip


class Ggml:
    """The C library."""

    def __init__(self, path):
        self.c = ctypes.CDLL(path)
        self.c.ggml_get_type_traits.restype = ctypes.POINTER(Traits)

    def address(self, name):
        return ctypes.cast(self.c[name], ctypes.c_void_p).value

    def quantize(self, fmt, values):
        made = np.zeros(fmt.n_bytes, np.uint8)
        n, weights = len(values), np.ones_like(values)
        if fmt.name in OWN:
            CALL(self.address(OWN[fmt.name]))(values.ctypes.data, made.ctypes.data, n)
        else:
            pointers = [ctypes.c_void_p(a.ctypes.data) for a in (values, made, weights)]
            sizes = [ctypes.c_int64(size) for size in (0, 1, n)]
            self.c.ggml_quantize_chunk(int(fmt.type), *pointers[:2], *sizes, pointers[2])
        return made

    def decode(self, fmt, blocks):
        """Return None where ggml has no function for it."""
        address = self.c.ggml_get_type_traits(int(fmt.type)).contents.to_float
        if fmt.name == "q8_k":
            address = self.address("dequantize_row_q8_K")
        made = np.zeros((len(blocks), fmt.n_columns), np.float32)
        if address:
            CALL(address)(blocks.ctypes.data, made.ctypes.data, made.size)
        return made if address else None


def quantized(ggml, fmt):
    """Return blocks, what is in them, and who says so."""
    noise = random_blocks(fmt, np.random.default_rng(int(fmt.type)), 1, fmt.n_columns)[0]
    blocks = np.concatenate([ggml.quantize(fmt, source(fmt.n_columns))[None], noise])
    by_c = ggml.decode(fmt, blocks)
    if not gguf_decodes(fmt):
        return (blocks, by_hand(blocks), "hand") if by_c is None else (blocks, by_c, "ggml")
    by_python = gguf.quants.dequantize(blocks, gguf.GGMLQuantizationType[fmt.type.name])
    assert np.array_equal(by_python, by_c), fmt.name
    return blocks, by_python, "gguf-py and ggml"


def by_hand(blocks):
    """Q8_1, which nobody decodes: a float16, one that is not needed, 32 signed bytes."""
    d, q = blocks[:, :2].copy().view(np.float16), blocks[:, 4:].view(np.int8)
    return d.astype(np.float32) * q


def entry(blocks, values, by):
    text = " ".join(f"{v:.9g}" for v in np.ravel(values))
    return {"by": by, "blocks": blocks.tobytes().hex(), "values": text}


def main(library):
    ggml, golden = Ggml(library), {}
    for fmt in all_formats().values():
        if fmt.name in PLAIN:
            values = source(8).astype(np.float64) * (32 if fmt.name[0] == "i" else 1)
            golden[fmt.name] = entry(PLAIN[fmt.name](values), values, "NumPy")
        else:
            golden[fmt.name] = entry(*quantized(ggml, fmt))
    FILE.write_text(json.dumps(golden, indent=0) + "\n", encoding="ascii")


if __name__ == "__main__":
    main(sys.argv[1])
