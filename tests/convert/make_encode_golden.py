"""Write encode_golden.json: `python tests/convert/make_encode_golden.py .../libggml-base.so`.

What ggml's C code (`ggml_quantize_chunk`) makes: the bytes of `edge_rows`, without importance,
where encoders here have to make the same; elsewhere the relative squared errors of `matrix`,
without importance and with it. ggml 0.25.3 for x86-64, which does not fuse additions.
"""

import ctypes
import json
import sys
from pathlib import Path

import numpy as np
from encode_rows import importance_of, matrix, relative_error, stacked

from ggjit.formats import all_formats
from ggjit.gguf import GGMLType

FILE = Path(__file__).with_name("encode_golden.json")
EXACT = ("Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "IQ4_NL", "IQ4_XS", "TQ1_0", "TQ2_0", "MXFP4")
SEARCHED = ("Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K", "IQ3_XXS", "IQ3_S")
WEIGHTED = (
    *SEARCHED,
    "Q4_0",
    "Q4_1",
    "Q5_0",
    "Q5_1",
    "IQ4_NL",
    "IQ4_XS",
    "IQ2_XXS",
    "IQ2_XS",
    "IQ2_S",
)


class Ggml:
    """The C library."""

    def __init__(self, path):
        self.c = ctypes.CDLL(path)

    def encode(self, type, rows, importance=None):
        """Shapes: float32 [n_rows, n_columns] to uint8 [n_rows, row bytes]."""
        n_rows, n = rows.shape
        made = np.zeros((n_rows, n // type.n_columns * type.n_bytes), np.uint8)
        arrays = [ctypes.c_void_p(a.ctypes.data) for a in (rows, made)]
        sizes = [ctypes.c_int64(size) for size in (0, n_rows, n)]
        weights = None if importance is None else ctypes.c_void_p(importance.ctypes.data)
        self.c.ggml_quantize_chunk(int(type), *arrays, *sizes, weights)
        return made


def main(library):
    ggml = Ggml(library)
    golden = {"bytes": {}, "plain": {}, "weighted": {}}
    for type in (GGMLType[name] for name in EXACT):
        made = ggml.encode(type, stacked(type.n_columns))
        golden["bytes"][type.name] = [row.tobytes().hex() for row in made]
    rows = matrix(64, 512)
    for kind, names, importance in (
        ("plain", SEARCHED, None), ("weighted", WEIGHTED, importance_of(512)),
    ):  # fmt: skip
        for type in (GGMLType[name] for name in names):
            made = ggml.encode(type, rows, importance)
            golden[kind][type.name] = relative_error(all_formats()[type], made, rows, importance)
    FILE.write_text(json.dumps(golden, indent=0) + "\n", encoding="ascii")


if __name__ == "__main__":
    main(sys.argv[1])
