"""Other quantizations of one GGUF file, to measure with: Q4_0, Q8_0, F16 and the like.

    python bench/make_files.py SmolLM2-135M-Instruct.Q4_1.gguf [--types q4_0 q8_0 f16] [--to FOLDER]

Matrices are decoded and encoded again by gguf-py; metadata is copied. In a 4- or 5-bit file the
embedding stays Q8_0, as llama.cpp leaves it where it is the output matrix as well. A file made of a
4-bit one is no better than that: speed and exactness can be measured with it, quality cannot.
"""

from __future__ import annotations

from argparse import ArgumentParser, RawTextHelpFormatter
from pathlib import Path
from typing import Any

import gguf
import numpy as np
from gguf import GGMLQuantizationType as Type
from gguf.quants import dequantize, quantize

FILE_TYPES = {
    Type.F32: gguf.LlamaFileType.ALL_F32,
    Type.F16: gguf.LlamaFileType.MOSTLY_F16,
    Type.BF16: gguf.LlamaFileType.MOSTLY_BF16,
    Type.Q4_0: gguf.LlamaFileType.MOSTLY_Q4_0,
    Type.Q4_1: gguf.LlamaFileType.MOSTLY_Q4_1,
    Type.Q5_0: gguf.LlamaFileType.MOSTLY_Q5_0,
    Type.Q5_1: gguf.LlamaFileType.MOSTLY_Q5_1,
    Type.Q8_0: gguf.LlamaFileType.MOSTLY_Q8_0,
}
FEW_BITS = (Type.Q4_0, Type.Q4_1, Type.Q5_0, Type.Q5_1)


def main() -> None:
    """Write one file for each type."""
    parser = ArgumentParser(description=__doc__, formatter_class=RawTextHelpFormatter)
    parser.add_argument("source", type=Path)
    parser.add_argument("--types", nargs="+", default=["q4_0", "q8_0", "f16"], metavar="TYPE")
    parser.add_argument("--to", type=Path, help="folder (default: that of the source)")
    args = parser.parse_args()
    reader = gguf.GGUFReader(args.source)
    for name in args.types:
        stem = args.source.name.removesuffix(".gguf").rpartition(".")[0] or args.source.stem
        path = (args.to or args.source.parent) / f"{stem}.{name.upper()}.gguf"
        if path.exists() and path.samefile(args.source):
            parser.error(f"{path} is the source itself")
        write(reader, Type[name.upper()], path)
        print(path)


def write(reader: gguf.GGUFReader, type: Type, path: Path) -> None:
    """Write all of a file, its matrices as `type`; the name appears when the file is whole."""
    part = path.with_name(path.name + ".part")
    writer = gguf.GGUFWriter(part, "")
    writer.kv_data[0].clear()
    for field in reader.fields.values():
        if not field.name.startswith("GGUF."):
            sub_type = field.types[-1] if field.types[0] == gguf.GGUFValueType.ARRAY else None
            writer.add_key_value(field.name, field.contents(), field.types[0], sub_type=sub_type)
    writer.kv_data[0].pop("general.file_type", None)
    writer.add_file_type(FILE_TYPES[type])
    for tensor in reader.tensors:
        wanted = type_of(tensor, type)
        data = tensor.data if wanted == tensor.tensor_type else encoded(tensor, wanted)
        writer.add_tensor(tensor.name, data, raw_dtype=wanted)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    part.replace(path)


def type_of(tensor: Any, type: Type) -> Type:
    """Return the type to write a tensor in."""
    if len(tensor.shape) < 2:
        return Type(tensor.tensor_type)
    if type in FEW_BITS and tensor.name in ("token_embd.weight", "output.weight"):
        return Type.Q8_0
    return type


def encoded(tensor: Any, type: Type) -> Any:
    """Return a tensor's data in another type."""
    return quantize(np.ascontiguousarray(dequantize(tensor.data, tensor.tensor_type)), type)


if __name__ == "__main__":
    main()
