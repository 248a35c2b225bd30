"""AutoRound: integers packed as GPTQ packs them, without an order of inputs, or as AWQ does.

Source: vLLM `model_executor/layers/quantization/auto_round.py`, which reads them so.
"""

from __future__ import annotations

from . import awq, gptq
from .settings import Settings, Tensors

PACKED = {"auto_round:auto_gptq": gptq.fold, "auto_round:auto_awq": awq.fold}


def fold(tensors: Tensors, settings: Settings) -> Tensors:
    packing = settings.one_of("packing_format", tuple(PACKED), "auto_round:auto_gptq")
    return PACKED[packing](tensors, settings)
