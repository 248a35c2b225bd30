"""A small llama file, random and as good or as bad as a test wants it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gguf
import numpy as np

from ggjit.gguf import GGUFFile, open_gguf
from ggjit.graph import Graph
from ggjit.models import architecture_of

F32 = gguf.GGMLQuantizationType.F32

METADATA: dict[str, Any] = {
    "llama.block_count": 2,
    "llama.context_length": 256,
    "llama.embedding_length": 64,
    "llama.feed_forward_length": 96,
    "llama.attention.head_count": 6,
    "llama.attention.head_count_kv": 2,
    "llama.attention.key_length": 32,
    "llama.attention.value_length": 32,
    "llama.attention.layer_norm_rms_epsilon": 1e-5,
}
N_VOCAB = 83


def shapes(n_embd: int = 64, n_ff: int = 96, n_vocab: int = N_VOCAB) -> dict[str, tuple[int, ...]]:
    """The tensors' shapes in NumPy order: 6 heads of 32, 2 key heads, 2 layers."""
    block = {
        "attn_norm": (n_embd,), "attn_q": (192, n_embd), "attn_k": (64, n_embd),
        "attn_v": (64, n_embd), "attn_output": (n_embd, 192), "ffn_norm": (n_embd,),
        "ffn_gate": (n_ff, n_embd), "ffn_up": (n_ff, n_embd), "ffn_down": (n_embd, n_ff),
    }  # fmt: skip
    blocks = {f"blk.{i}.{name}.weight": shape for i in (0, 1) for name, shape in block.items()}
    ends = {"token_embd": (n_vocab, n_embd), "output_norm": (n_embd,), "output": (n_vocab, n_embd)}
    return {**{f"{name}.weight": shape for name, shape in ends.items()}, **blocks}


def weights(all_shapes: dict[str, tuple[int, ...]], seed: int = 0) -> dict[str, Any]:
    """Random tensors whose products stay near 1."""
    rng = np.random.default_rng(seed)
    return {
        name: (1 + 0.2 * rng.normal(size=shape) if len(shape) == 1 else spread(rng, shape)).astype(
            "f4"
        )
        for name, shape in all_shapes.items()
    }


def spread(rng: np.random.Generator, shape: tuple[int, ...]) -> Any:
    return rng.normal(size=shape) / np.sqrt(max(shape[-1], 1))


def write(
    path: Path,
    tensors: dict[str, Any],
    *,
    kind: gguf.GGMLQuantizationType = F32,
    arch: str = "llama",
    **changes: Any,
) -> Path:
    """Write a file. Matrices are of type `kind`; a changed key that is None is left out."""
    writer = gguf.GGUFWriter(path, arch)
    changes = {name.replace("__", "."): value for name, value in changes.items()}
    for key, value in {**METADATA, **changes}.items():
        if value is not None:
            add_value(writer, key, value)
    for name, values in tensors.items():
        if values.ndim == 2 and kind != F32:
            writer.add_tensor(name, gguf.quants.quantize(values, kind), raw_dtype=kind)
        else:
            writer.add_tensor(name, values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def add_value(writer: gguf.GGUFWriter, key: str, value: Any) -> None:
    if isinstance(value, bool):
        writer.add_bool(key, value)
    elif isinstance(value, int):
        writer.add_uint32(key, value) if value >= 0 else writer.add_int32(key, value)
    elif isinstance(value, float):
        writer.add_float32(key, value)
    elif isinstance(value, str):
        writer.add_string(key, value)
    else:
        writer.add_array(key, value)


def graph_of(path: Path) -> tuple[GGUFFile, Graph]:
    file = open_gguf(path)
    return file, architecture_of(file).build(file)
