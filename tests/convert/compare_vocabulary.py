"""Compare the vocabulary that is written of a checkpoint with what llama.cpp's converter writes.

    python tests/convert/compare_vocabulary.py LLAMA_CPP FOLDER HF_CLASS ARCH

LLAMA_CPP is its source with torch, transformers and sentencepiece installed; FOLDER has tokenizer
files and a config.json with `vocab_size`; HF_CLASS is "LlamaForCausalLM", say, and ARCH "llama".
Prints the keys that differ; those of our own, and others that llama.cpp leaves out, are "more".
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any


def theirs(llama_cpp: Path, folder: Path, hf_class: str, arch: str) -> dict[str, Any]:
    """Let llama.cpp's class for a model set the vocabulary only; return the keys."""
    sys.path[:0] = [str(llama_cpp / "gguf-py"), str(llama_cpp)]
    import gguf
    from conversion import get_model_class

    kind = get_model_class(hf_class)
    model = kind.__new__(kind)  # without tensors
    model.dir_model, model.origin_hf_arch, model.target_model_dir = folder, hf_class, None
    model.is_mistral_format = model.disable_mistral_community_chat_template = False
    model.hparams = json.loads((folder / "config.json").read_text())
    model.gguf_writer = gguf.GGUFWriter(None, arch)
    model.set_vocab()
    pairs = (pair for part in model.gguf_writer.kv_data for pair in part.items())
    return {key: plain(value.value) for key, value in pairs if key.startswith("tokenizer.")}


def plain(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value.decode() if isinstance(value, bytes) else value


def said(value: Any) -> str:
    return f"{len(value)} items" if isinstance(value, list) else repr(value)[:60]


if __name__ == "__main__":
    llama_cpp, folder, hf_class, arch = sys.argv[1:]
    expected = theirs(Path(llama_cpp), Path(folder), hf_class, arch)
    from ggjit_convert.vocab import vocabulary_of  # after llama.cpp's own gguf

    n_vocab = json.loads((Path(folder) / "config.json").read_text())["vocab_size"]
    found = vocabulary_of(Path(folder), n_vocab, arch)
    for key in sorted(expected.keys() | found.metadata.keys()):
        a, b = expected.get(key), found.metadata.get(key)
        if a is None or b is None:
            print(f"{key}: {'more' if a is None else 'MISSING'}, {said(b if a is None else a)}")
        elif isinstance(a, list) and a != b:
            first = [(i, x, y) for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y][:3]
            print(f"{key}: DIFFERENT, {len(a)} and {len(b)} items: {first}")
        elif a != b:
            print(f"{key}: DIFFERENT, {a!r} and {b!r}"[:200])
    print(*found.warnings, f"{len(expected)} keys compared", sep="\n")
