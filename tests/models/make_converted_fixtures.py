"""Makes the files in data/ that llama.cpp's converter writes, as make_fixtures.py makes others.

What they are is in *_models.py beside this: a dictionary MODELS in each.

Run by hand, never by a test, in an environment with torch, transformers, gguf and llama.cpp's
converter (its folder, which holds `conversion` and gguf-py, is the argument):

    PYTHONPATH=LLAMA_CPP/gguf-py python tests/models/make_converted_fixtures.py LLAMA_CPP [NAME...]

The files are what the converter writes (without a vocabulary), with float16 matrices. The
checkpoints go to tests/convert/data. Made with
torch 2.13.0, transformers 5.24.0, gguf 0.19.0 and llama.cpp of October 2026.
"""

from __future__ import annotations

import json
import re
import sys
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from zlib import crc32

import numpy as np
import torch
from make_fixtures import DATA, N_GREEDY, N_TOKENS, randomize
from make_fixtures import logits_of as all_at_once
from moe_models import ROPE
from safetensors.torch import load_file, save_file
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForImageTextToText,
    DeepseekV2Config,
    PreTrainedModel,
)
from transformers.models.deepseek_v2.modeling_deepseek_v2 import DeepseekV2Moe

CHECKPOINTS = DATA.parents[1] / "convert" / "data"
COMMON = {"num_hidden_layers": 2, "max_position_embeddings": 256, "rms_norm_eps": 1e-5}


def main() -> None:
    sys.path.insert(0, sys.argv[1])
    known: dict[str, dict[str, Any]] = {}
    for path in sorted(Path(__file__).parent.glob("*_models.py")):
        known |= import_module(path.stem).MODELS
    for name in sys.argv[2:] or known:
        settings = dict(known[name])
        make(name, settings.pop("seed", crc32(name.encode()) % 9973), settings)


def make(name: str, seed: int, settings: dict[str, Any]) -> None:
    n_tokens, kind = settings.pop("n_tokens", N_TOKENS), settings.pop("model_type")
    make_model = {"deepseek": deepseek, "minicpm": minicpm}.get(kind, causal_lm)
    make_model = nested if "around" in settings else make_model
    model = make_model(kind, COMMON | settings).eval()
    randomize(model, torch.Generator().manual_seed(seed))
    refine(model, torch.Generator().manual_seed(seed))
    ids = np.random.default_rng(seed).integers(0, settings["vocab_size"], n_tokens)
    is_recurrent = "linear_attention" in (getattr(model.config, "layer_types", None) or ())
    logits_of = stepwise if is_recurrent else all_at_once
    logits, greedy = logits_of(model, ids), ids.tolist()
    for _ in range(N_GREEDY):
        greedy.append(int(logits_of(model, greedy)[-1].argmax()))
    np.savez(
        DATA / f"{name}.npz", ids=ids.astype(np.int32), logits=logits,
        greedy=np.array(greedy[n_tokens:], np.int32),
    )  # fmt: skip
    path = DATA / f"{name}.gguf"
    with TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        if kind == "deepseek":
            as_deepseek(Path(folder), settings)
        elif kind == "minicpm":
            change_config(Path(folder), settings | {"architectures": ["MiniCPMForCausalLM"]})
        keep(Path(folder), CHECKPOINTS / name, settings)
        convert(CHECKPOINTS / name, path)
    print(name, f"{logits.std():.3f}", path.stat().st_size)


def stepwise(model: PreTrainedModel, ids: Any) -> Any:
    """Return logits token by token: chunks of recurrent layers lose digits in float32."""
    made, cache = [], None
    with torch.no_grad():
        for id in ids:
            out = model(torch.tensor([[int(id)]]), past_key_values=cache, use_cache=True)
            made.append(out.logits[0].numpy())
            cache = out.past_key_values
    return np.concatenate(made)


def keep(folder: Path, to: Path, settings: dict[str, Any]) -> None:
    """Keep a checkpoint for tests of conversion, matrices in float16, which has their values."""
    to.mkdir(parents=True, exist_ok=True)
    config = json.loads((folder / "config.json").read_text())
    (to / "config.json").write_text(json.dumps(config | {"dtype": "float16"}, indent=1) + "\n")
    if kinds := settings.get("layer_types"):  # transformers changed some names
        change_config(to, {"layer_types": kinds})
    tensors = load_file(folder / "model.safetensors")
    dense = re.compile(r"block_sparse_moe\.(?=(gate|up|down)_proj)")  # of Kimi Linear
    tensors = {dense.sub("mlp.", name): t for name, t in tensors.items()}
    tensors = {name: t.half() if t.squeeze().ndim > 1 else t for name, t in tensors.items()}
    save_file(tensors, to / "model.safetensors", {"format": "pt"})
    if config["model_type"].startswith("gemma3"):  # llama.cpp's converter counts its tokens
        vocab = {f"t{i}": i for i in range(settings["vocab_size"])}
        model = {"model": {"vocab": vocab}, "added_tokens": []}
        (to / "tokenizer.json").write_text(json.dumps(model))


def causal_lm(kind: str, settings: dict[str, Any]) -> PreTrainedModel:
    return AutoModelForCausalLM.from_config(
        AutoConfig.for_model(kind, **settings), attn_implementation="eager",
        experts_implementation="eager", dtype=torch.float32,
    )  # fmt: skip


def nested(kind: str, settings: dict[str, Any]) -> PreTrainedModel:
    """A text model inside a model that sees."""
    text = {name: value for name, value in settings.items() if name != "around"}
    config = AutoConfig.for_model(**settings["around"], text_config={"model_type": kind} | text)
    return AutoModelForImageTextToText.from_config(
        config, attn_implementation="eager", dtype=torch.float32
    )


def deepseek(kind: str, settings: dict[str, Any]) -> PreTrainedModel:
    """Llama with the experts of DeepSeek-V2, which are those of the first DeepSeek."""
    rope = ROPE | {"rope_theta": settings["rope_theta"]}
    model = causal_lm("llama", settings | {"rope_parameters": rope})
    config = DeepseekV2Config(**settings | {"topk_method": "greedy", "routed_scaling_factor": 1.0})
    config._experts_implementation = "eager"
    for layer in model.model.layers[settings["first_k_dense_replace"] :]:
        layer.mlp = DeepseekV2Moe(config)
    return model.float()


def minicpm(kind: str, settings: dict[str, Any]) -> PreTrainedModel:
    """Granite with the multipliers of MiniCPM, which transformers does not have."""
    multipliers = {
        "embedding_multiplier": settings["scale_emb"],
        "residual_multiplier": settings["scale_depth"] / settings["num_hidden_layers"] ** 0.5,
        "logits_scaling": settings["hidden_size"] / settings["dim_model_base"],
        "attention_multiplier": (settings["hidden_size"] // settings["num_attention_heads"])
        ** -0.5,
    }
    return causal_lm("granite", settings | multipliers)


def change_config(folder: Path, changes: dict[str, Any]) -> None:
    """Change values of config.json."""
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | changes))


def as_deepseek(folder: Path, settings: dict[str, Any]) -> None:
    """Give a checkpoint the names of DeepseekForCausalLM, which transformers does not have."""
    change_config(folder, COMMON | settings | {"architectures": ["DeepseekForCausalLM"]})
    tensors = {}
    for name, values in load_file(folder / "model.safetensors").items():
        module, _, last = name.rpartition(".")
        if not module.endswith("experts"):
            tensors[name] = values
            continue
        parts = {"down_proj": values}
        if last == "gate_up_proj":
            parts = dict(zip(("gate_proj", "up_proj"), values.chunk(2, dim=1), strict=True))
        for part, stack in parts.items():
            for i, one in enumerate(stack):
                tensors[f"{module}.{i}.{part}.weight"] = one.contiguous()
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})


def refine(model: PreTrainedModel, generator: torch.Generator) -> None:
    """Scale stacked matrices by their width, and let biases that choose experts matter.

    Every number is one that float16 has.
    """
    for parameter in model.parameters():
        if parameter.ndim == 3:
            parameter.data *= 3.0 / parameter.shape[-1] ** 0.5
        parameter.data = parameter.data.half().float()
    for name, values in model.named_buffers():
        if name.endswith("e_score_correction_bias"):
            values.copy_(0.3 * torch.randn(values.shape, generator=generator))


def below(kind: type) -> list[type]:
    return [k for child in kind.__subclasses__() for k in (child, *below(child))]


def convert(folder: Path, path: Path) -> None:
    """Write what llama.cpp's converter makes of a checkpoint."""
    import conversion
    import gguf

    hparams = conversion.ModelBase.load_hparams(folder, False)
    name = conversion.get_model_architecture(hparams, conversion.ModelType.TEXT)
    kind = conversion.get_model_class(name)
    for model in (conversion.TextModel, *below(conversion.TextModel)):
        model.set_vocab = lambda self: None
    kind.no_mtp = name.startswith("Qwen3")  # none is in these
    kind(folder, gguf.LlamaFileType.MOSTLY_F16, path, use_temp_file=False).write()


if __name__ == "__main__":
    main()
