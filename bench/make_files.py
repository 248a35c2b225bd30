"""Other quantizations of one GGUF file, to measure with: Q4_0, Q8_0, F16 and the like.

    python bench/make_files.py SmolLM2-135M-Instruct.Q4_1.gguf [--types q4_0 q8_0 f16] [--to FOLDER]

Matrices are decoded by gguf-py and encoded again, by gguf-py or with `--ggml` by llama.cpp's
libggml-base, which knows all types; metadata is copied. In files of few bits the embedding stays
Q8_0, and so does every matrix whose rows are no whole blocks; `--widen` makes them so with zeros.
A file made of a 4-bit one is no better than that: speed and exactness can be measured with it,
quality cannot.
"""

from __future__ import annotations

from argparse import ArgumentParser, RawTextHelpFormatter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gguf
import numpy as np
from encode import Encoder
from gguf.quants import dequantize
from widen import Widening

from ggjit.gguf import GGMLType as Type
from ggjit_convert.quantize.mixes import mix_of

FEW_BITS = 6.5  # a weight; Q6_K has more


def main() -> None:
    """Write one file for each type."""
    parser = ArgumentParser(description=__doc__, formatter_class=RawTextHelpFormatter)
    parser.add_argument("source", type=Path)
    parser.add_argument("--types", nargs="+", default=["q4_0", "q8_0", "f16"], metavar="TYPE")
    parser.add_argument("--to", type=Path, help="folder (default: that of the source)")
    parser.add_argument("--ggml", type=Path, metavar="LIBRARY", help="llama.cpp's libggml-base")
    parser.add_argument("--widen", action="store_true", help="to rows of whole blocks of 256")
    args = parser.parse_args()
    reader, encoder = gguf.GGUFReader(args.source), Encoder(args.ggml)
    for name in args.types:
        stem = args.source.name.removesuffix(".gguf").rpartition(".")[0] or args.source.stem
        path = (args.to or args.source.parent) / f"{stem}.{name.upper()}.gguf"
        if path.exists() and path.samefile(args.source):
            parser.error(f"{path} is the source itself")
        write(reader, Type[name.upper()], path, encoder, args.widen)
        print(path)


def write(reader: Any, type: Type, path: Path, encoder: Encoder, widen: bool = False) -> None:
    """Write all of a file, its matrices as `type`; the name appears when the file is whole."""
    part = path.with_name(path.name + ".part")
    writer = gguf.GGUFWriter(part, "")
    writer.kv_data[0].clear()
    fields = {f.name: f for f in reader.fields.values() if not f.name.startswith("GGUF.")}
    widening = Widening({key: field.contents() for key, field in fields.items()}) if widen else None
    for key, field in fields.items():
        sub_type = field.types[-1] if field.types[0] == gguf.GGUFValueType.ARRAY else None
        value = widening.value(key, field.contents()) if widening else field.contents()
        writer.add_key_value(key, value, field.types[0], sub_type=sub_type)
    writer.kv_data[0].pop("general.file_type", None)
    writer.add_file_type(mix_of(type).file_type)
    change = widening.tensor if widening else None
    encoded = [(t.name, *encode(t, type, encoder, change)) for t in reader.tensors]
    for name, shape, kind, data in encoded:
        writer.add_tensor_info(name, shape, np.dtype(np.int8), data.nbytes, kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    for *_, data in encoded:
        writer.write_tensor_data(data)
    writer.close()
    part.replace(path)


def encode(
    tensor: Any, type: Type, encoder: Encoder, change: Callable[[str, Any], Any] | None
) -> tuple[tuple[int, ...], Type, Any]:
    """Return a tensor's shape, type and bytes, its values changed or as they are."""
    shape, source = tuple(map(int, reversed(tensor.shape))), Type(int(tensor.tensor_type))
    values = None
    if change:
        values = change(tensor.name, decoded(tensor).reshape(shape))
        shape = values.shape
    wanted = source if len(shape) < 2 else type_of(tensor.name, shape[1], type)
    if values is None and wanted == source:
        return shape, wanted, np.ascontiguousarray(tensor.data).view(np.uint8)
    if values is None:
        values = decoded(tensor)
    return shape, wanted, encoder(values.reshape(-1, shape[-1]), wanted)


def decoded(tensor: Any) -> Any:
    """Return a tensor's values."""
    return np.ascontiguousarray(dequantize(tensor.data, tensor.tensor_type))


def type_of(name: str, n_columns: int, type: Type) -> Type:
    """Return the type to write a matrix in."""
    is_small = 8 * type.n_bytes / type.n_columns < FEW_BITS
    if is_small and name in ("token_embd.weight", "output.weight"):
        return Type.Q8_0
    return Type.Q8_0 if n_columns % type.n_columns else type


if __name__ == "__main__":
    main()
