"""A GGUF file of the llama architecture with random weights, to measure speed at a real size.

    python bench/make_random.py OUT.gguf [--type q4_0] [--layers 16] [--embd 2048] ...

The default shape is that of Llama-3.2-1B (tied embeddings). Weights are drawn from a pool of
encoded blocks and written tensor by tensor, so a large file needs little memory. The vocabulary is
256 bytes and unused tokens; what the model says is noise.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace, RawTextHelpFormatter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gguf
import numpy as np
from gguf import GGMLQuantizationType as Type
from gguf.quants import quant_shape_to_byte_shape, quantize

POOL = 4096  # encoded blocks
SIZES = {"layers": 16, "embd": 2048, "ffn": 8192, "heads": 32, "kv-heads": 8, "vocab": 128_256,
         "context": 131_072}  # fmt: skip


def main() -> None:
    """Read the command line and write the file."""
    parser = ArgumentParser(description=__doc__, formatter_class=RawTextHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--type", default="q4_0", help="of matrices: q4_0, q8_0, f16, ... (q4_0)")
    parser.add_argument("--embd-type", help="of the embedding (default: as --type)")
    for name, size in SIZES.items():
        parser.add_argument(f"--{name}", type=int, default=size, metavar="N", help=f"({size})")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    part = args.out.with_name(args.out.name + ".part")
    write(part, args)
    part.replace(args.out)


def write(path: Path, args: Namespace) -> None:
    """Write metadata, the tensor table, then one tensor after the other."""
    writer = gguf.GGUFWriter(path, "llama")
    add_config(writer, args)
    add_vocabulary(writer, args.vocab)
    tensors = list(shapes(args))
    for name, shape, type in tensors:
        n_bytes = quant_shape_to_byte_shape(shape, type)
        size = int(np.prod(n_bytes))
        writer.add_tensor_info(name, n_bytes, np.dtype(np.uint8), size, raw_dtype=type)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    rng = np.random.default_rng(args.seed)
    for _, shape, type in tensors:
        writer.write_tensor_data(random_tensor(rng, shape, type))
    writer.close()


def add_config(writer: Any, args: Namespace) -> None:
    """Write the hyperparameters."""
    writer.add_name(f"random {args.layers} layers")
    writer.add_block_count(args.layers)
    writer.add_context_length(args.context)
    writer.add_embedding_length(args.embd)
    writer.add_feed_forward_length(args.ffn)
    writer.add_head_count(args.heads)
    writer.add_head_count_kv(args.kv_heads)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_freq_base(500_000.0)
    writer.add_rope_dimension_count(args.embd // args.heads)
    writer.add_vocab_size(args.vocab)
    writer.add_file_type(file_type(Type[args.type.upper()]))


def file_type(type: Type) -> int:
    """Return llama.cpp's number for a file of one type."""
    names = (f"MOSTLY_{type.name}", f"ALL_{type.name}")
    return next((int(t) for t in gguf.LlamaFileType if t.name in names), 0)


def add_vocabulary(writer: Any, n_vocab: int) -> None:
    """Write a byte-level vocabulary: one token a byte, one merge, an end token, unused ones."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = (b for b in range(256) if b not in printable)
    characters = [chr(b) for b in printable] + [chr(256 + i) for i, _ in enumerate(others)]
    tokens = [*characters, "th", "<|end|>"]
    tokens += [f"<|unused_{i}|>" for i in range(n_vocab - len(tokens))]
    kinds = [gguf.TokenType.NORMAL] * 257 + [gguf.TokenType.CONTROL]
    kinds += [gguf.TokenType.UNUSED] * (n_vocab - len(kinds))
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    writer.add_token_merges(["t h"])
    writer.add_bos_token_id(257)
    writer.add_eos_token_id(257)
    writer.add_add_bos_token(False)


def shapes(args: Namespace) -> Iterator[tuple[str, tuple[int, ...], Type]]:
    """Yield every tensor's name, shape and type."""
    type, embd, ffn = Type[args.type.upper()], args.embd, args.ffn
    kv = embd // args.heads * args.kv_heads
    yield "token_embd.weight", (args.vocab, embd), Type[(args.embd_type or args.type).upper()]
    for i in range(args.layers):
        yield f"blk.{i}.attn_norm.weight", (embd,), Type.F32
        yield f"blk.{i}.attn_q.weight", (embd, embd), type
        yield f"blk.{i}.attn_k.weight", (kv, embd), type
        yield f"blk.{i}.attn_v.weight", (kv, embd), type
        yield f"blk.{i}.attn_output.weight", (embd, embd), type
        yield f"blk.{i}.ffn_norm.weight", (embd,), Type.F32
        yield f"blk.{i}.ffn_gate.weight", (ffn, embd), type
        yield f"blk.{i}.ffn_up.weight", (ffn, embd), type
        yield f"blk.{i}.ffn_down.weight", (embd, ffn), type
    yield "output_norm.weight", (embd,), Type.F32


def random_tensor(rng: np.random.Generator, shape: tuple[int, ...], type: Type) -> Any:
    """Return ones for a vector, else blocks from a pool whose weights keep activations' size."""
    if len(shape) == 1:
        return np.ones(shape, np.float32).view(np.uint8)
    n_columns, n_bytes = gguf.GGML_QUANT_SIZES[type]
    values = rng.standard_normal((POOL, n_columns), np.float32) / np.float32(np.sqrt(shape[1]))
    pool = quantize(values, type).view(np.uint8).reshape(POOL, n_bytes)
    n_blocks = shape[0] * shape[1] // n_columns
    return pool[rng.integers(0, POOL, n_blocks, np.int32)].reshape(shape[0], -1)


if __name__ == "__main__":
    main()
