"""What a model is called and who made it, from its folder, config.json and the model card."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import gguf
import numpy as np

from .errors import CheckpointError
from .plan import Planned
from .sources import Checkpoint


def about(
    arch: str, checkpoint: Checkpoint, plan: list[Planned], type: str = gguf.GGUFType.MODEL
) -> dict[str, Any]:
    """Return the keys `general.*` of a model or an adapter, as gguf-py finds them.

    Raises: CheckpointError if the model card cannot be read.
    """
    writer = gguf.GGUFWriter(None, arch)
    for one in plan:
        writer.add_tensor_info(one.name, one.shape, np.dtype(np.float32), one.n_bytes)
    total, shared, expert, n_expert = writer.get_total_parameter_count()
    folder = checkpoint.folder
    try:
        found = gguf.Metadata.load(None, folder, None, total)
    except Exception as error:  # whatever a card in YAML that is none leads to
        first = str(error).partition("\n")[0]
        raise CheckpointError(f"cannot be read: {first}", path=folder / "README.md") from None
    if folder.name != checkpoint.name:
        _rename(found, folder.name, checkpoint.name, total)
    found.name = found.name or checkpoint.name
    if found.size_label is None and total > 0:
        found.size_label = gguf.size_label(total, shared, expert, n_expert)
    writer.add_type(type)
    found.set_gguf_meta_model(writer)
    return {key: value.value for key, value in writer.kv_data[0].items()}


def _rename(found: gguf.Metadata, wrong: str, name: str, n_parameters: int) -> None:
    """Replace what came of a folder's name, such as a snapshot's hash, by what `name` says."""
    parts = gguf.Metadata.apply_metadata_heuristic(
        gguf.Metadata(), model_path=Path(name), total_params=n_parameters
    )
    for field in dataclasses.fields(found):
        value = getattr(found, field.name)
        if value is None or str(value).lower() == wrong:
            setattr(found, field.name, getattr(parts, field.name))
