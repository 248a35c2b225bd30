"""Quantized checkpoints: what their tensors hold together, as one tensor each.

A file for each way that `quantization_config` of config.json names, with a function
`fold(tensors, settings)`; the rest of the converter sees plain tensors, or MXFP4. Source of names
and formulas: dequant_model of llama.cpp's conversion/base.py.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ggjit.gguf import GGMLType

from ..arrays import Array
from ..errors import CheckpointError
from ..sources import Checkpoint, text_config
from ..sources.files import inside
from ..sources.strict_json import read_json
from ..transforms import Combined
from . import auto_round, awq, bitsandbytes, compressed, float8, gptq, mlx, mxfp4, nvfp4
from .settings import Fold, Settings

METHODS: dict[str, Fold] = {
    "auto-round": auto_round.fold,
    "awq": awq.fold,
    "bitsandbytes": bitsandbytes.fold,
    "compressed-tensors": compressed.fold,
    "fbgemm_fp8": float8.fold,
    "fp8": float8.fold,
    "gptq": gptq.fold,
    "mlx": mlx.fold,
    "modelopt": nvfp4.fold,
    "mxfp4": mxfp4.fold,
}

MODEL_OPTIMIZERS = "hf_quant_config.json"  # where config.json says nothing
DTYPE = ("dtype", "torch_dtype")  # its name in config.json, and the one of before
PRECISIONS = {"float16": GGMLType.F16, "bfloat16": GGMLType.BF16}


def _settings(config: dict[str, Any]) -> Any:
    """Return what is said of the whole model, or of the text model inside it."""
    whole = config.get("quantization_config", config.get("quantization"))
    return text_config(config).get("quantization_config") if whole is None else whole


def _method(given: dict[str, Any]) -> Any:
    """Return what says how; MLX's own configuration does not."""
    is_mlx = "quant_method" not in given and {"bits", "group_size"} <= given.keys()
    return "mlx" if is_mlx else given.get("quant_method")


def plain(checkpoint: Checkpoint) -> Checkpoint:
    """Return a checkpoint whose quantized tensors are folded.

    Raises: CheckpointError for a way that is not known, parts that are missing or do not fit.
    """
    path, given = checkpoint.config_path, _settings(checkpoint.config)
    if given is None and (beside := inside(checkpoint.folder, MODEL_OPTIMIZERS)).is_file():
        path, found = beside, read_json(beside).get("quantization")
        given = {"quant_method": "modelopt", **found} if isinstance(found, dict) else found
    if given is None:
        return checkpoint
    if not isinstance(given, dict):
        raise CheckpointError("must be an object", path=path, field="quantization_config")
    settings = Settings(path, given, str(checkpoint.config.get("model_type")))
    method = _method(given)
    if not isinstance(method, str) or method not in METHODS:
        raise settings.error("quant_method", f"is {method!r}, known: {', '.join(METHODS)}")
    try:
        tensors = METHODS[method](dict(checkpoint.tensors), settings)
    except CheckpointError:
        raise
    except ValueError as error:
        raise CheckpointError(str(error), path=checkpoint.path) from None
    type = _precision(checkpoint.config)
    return replace(checkpoint, tensors={n: _meant(a, type) for n, a in tensors.items()})


def _precision(config: dict[str, Any]) -> GGMLType:
    """Return what the model computes in; float32 where that is not said."""
    given = [of.get(name) for of in (text_config(config), config) for name in DTYPE]
    said = next((str(value) for value in given if value), "float32")
    return PRECISIONS.get(said.removeprefix("torch."), GGMLType.F32)


def _meant(a: Array, type: GGMLType) -> Array:
    return replace(a, precision=type) if isinstance(a, Combined) else a
