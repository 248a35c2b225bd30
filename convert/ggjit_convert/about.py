"""What a model is called and who made it, from its folder, config.json and the model card."""

from __future__ import annotations

from typing import Any

import gguf
import numpy as np

from .architectures import Architecture
from .errors import CheckpointError
from .plan import Planned


def about(family: Architecture, plan: list[Planned]) -> dict[str, Any]:
    """Return the keys `general.*` of a model, as gguf-py finds them.

    Raises: CheckpointError if the model card cannot be read.
    """
    writer = gguf.GGUFWriter(None, family.arch)
    for one in plan:
        writer.add_tensor_info(one.name, one.shape, np.dtype(np.float32), one.n_bytes)
    total, shared, expert, n_expert = writer.get_total_parameter_count()
    folder = family.checkpoint.folder
    try:
        found = gguf.Metadata.load(None, folder, None, total)
    except Exception as error:  # whatever a card in YAML that is none leads to
        first = str(error).partition("\n")[0]
        raise CheckpointError(f"cannot be read: {first}", path=folder / "README.md") from None
    found.name = found.name or family.checkpoint.name
    if found.size_label is None and total > 0:
        found.size_label = gguf.size_label(total, shared, expert, n_expert)
    writer.add_type(gguf.GGUFType.MODEL)
    found.set_gguf_meta_model(writer)
    return {key: value.value for key, value in writer.kv_data[0].items()}
