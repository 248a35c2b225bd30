"""Makes the files in data/: two tiny random models, and what llama-perplexity finds with them.

Run by hand, never by a test, in an environment with gguf, naming the folder of llama.cpp's tools:

    python tests/measure/make_logits.py BIN

base.gguf and other.gguf have the same tokens (one a byte) and matrices that differ a little.
base.logits is what `--kl-divergence-base` wrote about text.txt with the first, golden.json what
both commands printed. Made with llama.cpp of llama-cpp-python 0.3.36.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import gguf
import numpy as np

DATA = Path(__file__).parent / "data"
SIZE, N_WINDOWS = 24, 12
N_EMBD, N_FF, N_HEAD, N_LAYER = 16, 24, 2, 1
EXACT = ["-ctk", "f32", "-ctv", "f32", "-fa", "off", "-c", str(SIZE), "-b", str(SIZE), "-t", "1"]


def main() -> None:
    tool = Path(sys.argv[1]) / "llama-perplexity"
    DATA.mkdir(exist_ok=True)
    rng = np.random.default_rng(1)
    text = "".join(chr(c) for c in rng.integers(32, 127, SIZE * N_WINDOWS + 5))
    (DATA / "text.txt").write_text(text)
    tensors = random_tensors(rng)
    write(DATA / "base.gguf", tensors)
    write(DATA / "other.gguf", {n: t + 0.1 * t.std() * noise(rng, t) for n, t in tensors.items()})
    logits = ["--kl-divergence-base", DATA / "base.logits"]
    scored = run(tool, "-m", DATA / "base.gguf", "-f", DATA / "text.txt", *logits)
    compared = run(tool, "-m", DATA / "other.gguf", "--kl-divergence", *logits)
    golden = {"Final estimate": final_estimate(scored)} | statistics(compared)
    lines = (f"{json.dumps(k, ensure_ascii=False)}: {json.dumps(v)}" for k, v in golden.items())
    (DATA / "golden.json").write_text("{" + ",\n ".join(lines) + "}\n", encoding="utf-8")


def run(*command: Any) -> str:
    done = subprocess.run([*map(str, command), *EXACT], capture_output=True, text=True, check=True)
    return done.stdout + done.stderr


def final_estimate(printed: str) -> list[float]:
    return [float(x) for x in re.findall(r"PPL = ([\d.]+) \+/- ([\d.]+)", printed)[0]]


def statistics(printed: str) -> dict[str, list[float]]:
    """Return the numbers behind each label: the value, and its error where there is one."""
    found = {}
    for line in printed.splitlines():
        label, colon, values = line.partition(":")
        if colon and (numbers := re.findall(r"-?\d+\.\d+", values)):
            found[" ".join(label.split())] = [float(number) for number in numbers]
    assert "Same top p" in found, printed
    return {label: found[label] for label in found if "KLD" in label or "p" in label.lower()}


def noise(rng: np.random.Generator, like: Any) -> Any:
    return rng.normal(size=like.shape).astype("f4")


def random_tensors(rng: np.random.Generator) -> dict[str, Any]:
    square, wide = (N_EMBD, N_EMBD), (N_FF, N_EMBD)
    layer = {
        "attn_norm": (N_EMBD,), "attn_q": square, "attn_k": square, "attn_v": square,
        "attn_output": square, "ffn_norm": (N_EMBD,), "ffn_gate": wide, "ffn_up": wide,
        "ffn_down": (N_EMBD, N_FF),
    }  # fmt: skip
    shapes = {"token_embd": (259, N_EMBD), "output_norm": (N_EMBD,), "output": (259, N_EMBD)}
    shapes |= {f"blk.{i}.{name}": shape for i in range(N_LAYER) for name, shape in layer.items()}
    tensors = {f"{name}.weight": noise(rng, np.empty(shape)) for name, shape in shapes.items()}
    for values in tensors.values():
        values *= 1.5 / np.sqrt(values.shape[-1]) if values.ndim == 2 else 0.2
        values += values.ndim == 1
    tensors["output.weight"] *= 1.5  # some logits farther apart than the file's 16 nats
    return tensors


def write(path: Path, tensors: dict[str, Any]) -> None:
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_block_count(N_LAYER)
    writer.add_context_length(256)
    writer.add_embedding_length(N_EMBD)
    writer.add_feed_forward_length(N_FF)
    writer.add_head_count(N_HEAD)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(N_EMBD // N_HEAD)
    writer.add_tokenizer_model("llama")
    writer.add_token_list(["<unk>", "<s>", "</s>", *(f"<0x{i:02X}>" for i in range(256))])
    writer.add_token_scores([0.0] * 259)
    writer.add_token_types([2, 3, 3, *[6] * 256])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)
    writer.add_add_bos_token(True)
    writer.add_add_space_prefix(False)
    for name, values in tensors.items():
        writer.add_tensor(name, values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


if __name__ == "__main__":
    main()
