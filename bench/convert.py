"""How fast checkpoints become GGUF files, beside llama.cpp's converter and llama-quantize.

    python bench/convert.py CHECKPOINT [--make] [--types q8_0 q4_k_m f16] [--repeats 3]
        [--llama-source DIR --llama-python PYTHON --llama-bin DIR]

CHECKPOINT is a folder as Hugging Face lays it out; --make writes one there first, of random bf16 at
the shape of Llama-3.2-1B, with the tokenizer of the folder --tokenizer. llama.cpp's side is its
converter (of the source, run by a Python that has torch and transformers) to a float file and
llama-quantize, with as many threads. Both sides take turns; figures are medians of seconds, and of
megabytes written in a second beside what the disk takes.
"""

from __future__ import annotations

import json
import os
import shutil
import struct
import subprocess
import sys
from argparse import ArgumentParser, Namespace, RawTextHelpFormatter
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter

import numpy as np

SHAPE = {
    "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 2048,
    "intermediate_size": 8192, "num_hidden_layers": 16, "num_attention_heads": 32,
    "num_key_value_heads": 8, "head_dim": 64, "vocab_size": 128_256, "rms_norm_eps": 1e-5,
    "rope_theta": 500_000.0, "max_position_embeddings": 131_072, "tie_word_embeddings": True,
    "torch_dtype": "bfloat16",
}  # fmt: skip
FLOATS = ("f32", "f16", "bf16")


def main() -> None:
    """Read the command line, measure, print."""
    parser = ArgumentParser(description=__doc__, formatter_class=RawTextHelpFormatter)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--make", action="store_true")
    parser.add_argument("--tokenizer", type=Path)
    parser.add_argument("--types", nargs="+", default=["f16", "q8_0", "q4_k_m"])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--llama-source", type=Path)
    parser.add_argument("--llama-python", default=sys.executable)
    parser.add_argument("--llama-bin", type=Path)
    args = parser.parse_args()
    if args.make:
        make(args.checkpoint, args.tokenizer)
    with TemporaryDirectory(dir=args.checkpoint.resolve().parent) as folder:
        for type in args.types:
            print(compare(args, type, Path(folder)), flush=True)


def compare(args: Namespace, type: str, folder: Path) -> str:
    """Return a line for one type."""
    ours, theirs, disk = [], [], []
    for _ in range(args.repeats):
        ours.append(timed([
            sys.executable, "-m", "ggjit", "convert", args.checkpoint, "-o", folder / "ours.gguf",
            "--type", type, "--force", "-t", args.threads,
        ]))  # fmt: skip
        disk.append(disk_speed(folder / "zeros", (folder / "ours.gguf").stat().st_size))
        if args.llama_source:
            theirs.append(llama(args, type, folder))
    n_bytes = (folder / "ours.gguf").stat().st_size
    seconds = median(ours)
    line = f"{type:8} {seconds:6.1f} s  {n_bytes / seconds / 1e6:6.0f} MB/s"
    line += f" ({n_bytes / seconds / median(disk):4.0%} of the disk)"
    if theirs:
        line += f"  llama.cpp {median(theirs):6.1f} s  {median(theirs) / seconds:5.2f} x"
    return line


def llama(args: Namespace, type: str, folder: Path) -> float:
    """Return seconds of llama.cpp's converter, and of llama-quantize where it takes both."""
    first = type if type in (*FLOATS, "q8_0") else "bf16"
    out, last = folder / "theirs.gguf", folder / "theirs-quantized.gguf"
    script = args.llama_source / "convert_hf_to_gguf.py"
    command = [args.llama_python, script, args.checkpoint, "--outfile", out, "--outtype", first]
    seconds = timed(command)
    if first != type:
        quantize = args.llama_bin / "llama-quantize"
        seconds += timed([quantize, out, last, type.upper(), args.threads])
    return seconds


def timed(command: list[object]) -> float:
    """Run a command; return the seconds it took."""
    start = perf_counter()
    subprocess.run([str(part) for part in command], check=True, capture_output=True)
    os.sync()
    return perf_counter() - start


def disk_speed(path: Path, n_bytes: int) -> float:
    """Return bytes in a second of a plain write."""
    start = perf_counter()
    with path.open("wb") as file:
        for _ in range(0, n_bytes, 1 << 24):
            file.write(bytes(1 << 24))
        file.flush()
        os.fsync(file.fileno())
    return n_bytes / (perf_counter() - start)


def make(folder: Path, tokenizer: Path | None) -> None:
    """Write a checkpoint of random bf16."""
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps(SHAPE))
    for name in ("tokenizer.json", "tokenizer_config.json") if tokenizer else ():
        shutil.copy(tokenizer / name, folder / name)
    rng, header, offset = np.random.default_rng(0), {}, 0
    shapes = dict(tensors())
    for name, shape in shapes.items():
        n = 2 * int(np.prod(shape))
        offsets = [offset, offset + n]
        header[name] = {"dtype": "BF16", "shape": shape, "data_offsets": offsets}
        offset += n
    text = json.dumps(header).encode()
    with (folder / "model.safetensors").open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for shape in shapes.values():
            values = rng.standard_normal(shape, np.float32) * np.float32(0.02)
            file.write((values.view(np.uint32) >> 16).astype(np.uint16).tobytes())


def tensors() -> list[tuple[str, list[int]]]:
    """Return names and shapes."""
    n, ff, kv = SHAPE["hidden_size"], SHAPE["intermediate_size"], 8 * 64
    parts = {
        "self_attn.q_proj": [n, n], "self_attn.k_proj": [kv, n], "self_attn.v_proj": [kv, n],
        "self_attn.o_proj": [n, n], "mlp.gate_proj": [ff, n], "mlp.up_proj": [ff, n],
        "mlp.down_proj": [n, ff], "input_layernorm": [n], "post_attention_layernorm": [n],
    }  # fmt: skip
    layers = [
        (f"model.layers.{i}.{part}.weight", shape)
        for i in range(SHAPE["num_hidden_layers"])
        for part, shape in parts.items()
    ]
    embedding = ("model.embed_tokens.weight", [SHAPE["vocab_size"], n])
    return [embedding, *layers, ("model.norm.weight", [n])]


if __name__ == "__main__":
    main()
