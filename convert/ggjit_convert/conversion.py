"""From a checkpoint to a GGUF file."""

from __future__ import annotations

import os
from pathlib import Path

import gguf
import numpy as np

from ggjit.gguf import GGMLType

from .architectures import architecture_of
from .architectures.base import Architecture
from .arrays import Bytes, Floats
from .errors import CheckpointError
from .keys import Keys
from .plan import Planned, mapped
from .sources import open_checkpoint
from .types import chosen, file_type, known_type
from .writing import Progress, encode_floats, write

GGML_QUANT_VERSION = 2


def convert(
    source: Path,
    out: Path,
    type: str = "auto",
    *,
    force: bool = False,
    n_threads: int | None = None,
    progress: Progress = lambda what, n_done, n_all: None,
) -> list[str]:
    """Convert a checkpoint to a GGUF file; return what is worth knowing about it, a line each.

    Raises: CheckpointError for a bad checkpoint; ValueError for a bad wish; OSError.
    """
    if out.exists() and not force:
        raise ValueError(f"{out} exists already; --force writes over it")
    family = architecture_of(open_checkpoint(source))
    wanted = known_type(type)
    plan = planned(family, wanted)
    keys = metadata(family, plan, wanted)
    write(out, keys, plan, encode, n_threads or os.cpu_count() or 1, progress)
    return family.notes()


def planned(family: Architecture, wanted: str) -> list[Planned]:
    """Return every tensor of the file to be."""
    tensors = mapped(family)
    types = chosen(wanted, tensors)
    return [Planned(name, a, types[name]) for name, a in tensors.items()]


def metadata(family: Architecture, plan: list[Planned], wanted: str) -> Keys:
    """Return all keys: what the model is called, who made it, its numbers, its vocabulary."""
    keys = Keys(family.arch)
    keys.general |= _about(family, plan)
    keys.general["general.quantization_version"] = GGML_QUANT_VERSION
    keys.general["general.file_type"] = file_type(wanted, [planned.type for planned in plan])
    family.write_keys(keys)
    return keys


def _about(family: Architecture, plan: list[Planned]) -> dict[str, object]:
    """Return name, author, licence and the like, from config.json and the model card."""
    writer = gguf.GGUFWriter(None, family.arch)
    for one in plan:
        writer.add_tensor_info(one.name, one.shape, np.dtype(np.float32), one.n_bytes)
    total, shared, expert, n_expert = writer.get_total_parameter_count()
    folder = family.checkpoint.folder
    try:
        about = gguf.Metadata.load(None, folder, None, total)
    except Exception as error:  # of a model card in YAML that is not
        raise CheckpointError(f"cannot be read: {error}", path=folder / "README.md") from None
    about.name = about.name or folder.resolve().name
    if about.size_label is None and total > 0:
        about.size_label = gguf.size_label(total, shared, expert, n_expert)
    writer.add_type(gguf.GGUFType.MODEL)
    about.set_gguf_meta_model(writer)
    return {k: v.value for k, v in writer.kv_data[0].items()}


def encode(planned: Planned, rows: Floats) -> Bytes:
    """Encode rows as the planned type."""
    if planned.type in (GGMLType.F32, GGMLType.F16, GGMLType.BF16):
        return encode_floats(planned, rows)
    raise ValueError(f"type {planned.type.name} cannot be written yet")
