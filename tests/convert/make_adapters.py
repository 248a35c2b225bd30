"""Makes adapters/: tiny random adapters, and what llama.cpp's converter makes of them.

Run by hand, never by a test, in an environment with torch, transformers, gguf and llama.cpp's
converter (its folder is the argument):

    python tests/convert/make_adapters.py LLAMA_CPP

Their bases are checkpoints in data/. Made with torch 2.13.0, transformers 5.24.0 and llama.cpp of
October 2026.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from zlib import crc32

import numpy as np
from safetensors.numpy import load_file, save_file

HERE = Path(__file__).parent
PREFIX = "base_model.model."
ALL = r"(q|k|v|o|gate|up|down)_proj"
# The base, which modules, and what of adapter_config.json is unusual
ADAPTERS = {
    "llama_tied_biases": (rf"{ALL}|embed_tokens", {}),  # q and k permuted
    "qwen2_odd": (rf"{ALL}|lm_head", {"lora_alpha": 6.5}),
    "gemma_narrow": (rf"{ALL}|norm", {}),  # 1 added to norms, which are whole
    "mixtral_1_of_3": (r"experts\.\d+\.w[123]|gate", {}),  # stacked
    "qwen3moe_1_of_3": (r"[qv]_proj|experts\.\d+\.(gate|up|down)_proj", {}),
}


def main() -> None:
    for name, (modules, settings) in ADAPTERS.items():
        folder = HERE / "adapters" / name
        folder.mkdir(parents=True, exist_ok=True)
        save_file(tensors(name, modules), folder / "adapter_model.safetensors", {"format": "pt"})
        config = {"peft_type": "LORA", "r": 3, "lora_alpha": 8} | settings
        (folder / "adapter_config.json").write_text(json.dumps(config, indent=1) + "\n")
        convert(folder, HERE / "data" / name)


def tensors(name: str, modules: str) -> dict[str, np.ndarray]:
    """Return factors for all modules whose name ends as it should; norms are whole."""
    rng, found = np.random.default_rng(crc32(name.encode())), {}
    for weight, values in load_file(HERE / "data" / name / "model.safetensors").items():
        module = weight.removesuffix(".weight")
        if weight == module or not re.search(rf"({modules})$", module):
            continue
        shape = values.shape
        if len(shape) == 1:
            found[PREFIX + weight] = random(rng, shape)
        elif module.endswith("embed_tokens"):
            found[f"{PREFIX}{module}.lora_embedding_A"] = random(rng, (3, shape[0]))
            found[f"{PREFIX}{module}.lora_embedding_B"] = random(rng, (shape[1], 3))
        else:
            found[f"{PREFIX}{module}.lora_A.weight"] = random(rng, (3, shape[1]))
            found[f"{PREFIX}{module}.lora_B.weight"] = random(rng, (shape[0], 3))
    return found


def random(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Return numbers that float16 holds, as files of them compress."""
    return rng.normal(size=shape).astype(np.float16).astype(np.float32)


def convert(folder: Path, base: Path) -> None:
    script = Path(sys.argv[1]) / "convert_lora_to_gguf.py"
    command = [
        sys.executable,
        script,
        folder,
        "--base",
        base,
        "--outfile",
        folder / "expected.gguf",
    ]
    subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
