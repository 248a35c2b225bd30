"""A GGUF file of the llama architecture with random weights, to measure speed at a real size.

    python bench/make_random.py OUT.gguf [--type q4_0] [--layers 16] [--embd 2048] ...

The default shape is that of Llama-3.2-1B (tied embeddings). A type is that of all matrices, or one
of llama.cpp's mixes, which also make the output matrix Q6_K. Blocks are random bytes with small
scales. The vocabulary is 256 bytes and unused tokens; what the model says is noise.
"""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace, RawTextHelpFormatter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gguf
import mixes
import numpy as np

from ggjit.formats import Format, all_formats
from ggjit.gguf import GGMLType as Type

sys.path.append(str(Path(__file__).parents[1] / "tests"))
from blocks import random_blocks, with_ordinary_scales

POOL = 512  # different rows
SIZES = {"layers": 16, "embd": 2048, "ffn": 8192, "heads": 32, "kv-heads": 8, "vocab": 128_256,
         "context": 131_072}  # fmt: skip


def main() -> None:
    """Read the command line and write the file."""
    parser = ArgumentParser(description=__doc__, formatter_class=RawTextHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--type", default="q4_0", choices=mixes.NAMES, metavar="TYPE",
                        help=f"(q4_0) {', '.join(mixes.NAMES)}")  # fmt: skip
    parser.add_argument("--embd-type", choices=mixes.NAMES, metavar="TYPE",
                        help="of the output matrix (default: as --type)")  # fmt: skip
    parser.add_argument("--untied", action="store_true", help="an embedding apart from the output")
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
        # int8: the shape is taken as it is, for types that gguf-py does not know too
        writer.add_tensor_info(name, shape, np.dtype(np.int8), n_bytes(shape, type), type)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    random = RandomTensors(args.seed)
    for _, shape, type in tensors:
        writer.write_tensor_data(random.draw(shape, type))
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
    writer.add_file_type(mixes.file_type(args.type))


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
    mix, embd, ffn = mixes.find(args.type), args.embd, args.ffn
    kv = embd // args.heads * args.kv_heads
    n, head = args.layers, mixes.find(args.embd_type or args.type).type_of("output", 0, args.layers)
    yield "token_embd.weight", (args.vocab, embd), mix.most if args.untied else head
    parts = {
        "attn_q": (embd, embd), "attn_k": (kv, embd), "attn_v": (kv, embd),
        "attn_output": (embd, embd), "ffn_gate": (ffn, embd), "ffn_up": (ffn, embd),
        "ffn_down": (embd, ffn),
    }  # fmt: skip
    for i in range(n):
        yield f"blk.{i}.attn_norm.weight", (embd,), Type.F32
        yield f"blk.{i}.ffn_norm.weight", (embd,), Type.F32
        for part, shape in parts.items():
            yield f"blk.{i}.{part}.weight", shape, mix.type_of(part, i, n)
    yield "output_norm.weight", (embd,), Type.F32
    if args.untied:
        yield "output.weight", (args.vocab, embd), head


def n_bytes(shape: tuple[int, ...], type: Type) -> int:
    """Return the bytes of a tensor. Raises: ValueError for rows that are no whole blocks."""
    if shape[-1] % type.n_columns:
        raise ValueError(f"rows of {shape[-1]} are no whole blocks of {type.name}")
    return int(np.prod(shape)) // type.n_columns * type.n_bytes


class RandomTensors:
    """Draws the rows of tensors from a pool of different ones, made once a type and width."""

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng(seed)
        self._pools: dict[tuple[Type, int], Any] = {}

    def draw(self, shape: tuple[int, ...], type: Type) -> Any:
        """Return the bytes of ones for a vector, else of weights that keep activations' size."""
        if len(shape) == 1:
            return np.ones(shape, np.float32).view(np.uint8)
        key = type, shape[1]
        if key not in self._pools:
            self._pools[key] = self._pool(all_formats()[type], shape[1])
        return self._pools[key][self._rng.integers(0, POOL, shape[0])]

    def _pool(self, fmt: Format, width: int) -> Any:
        """Shapes: returns [POOL, bytes of a row]."""
        if fmt.block.kind == "i":
            values = self._rng.integers(-1, 2, (POOL, width)).astype(fmt.block)
            return values.view(np.uint8)
        blocks = random_blocks(fmt, self._rng, POOL, width)
        size = 1 / (np.sqrt(width) * fmt.decode(blocks[:8]).std())
        return with_ordinary_scales(fmt, blocks, self._rng, size).reshape(POOL, -1)


if __name__ == "__main__":
    main()
