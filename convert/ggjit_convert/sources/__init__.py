"""Reading checkpoints, without torch: `open_checkpoint` gives tensors by name, read as asked for.

Nothing in a file is trusted: sizes are checked before anything is mapped or allocated, no code of
a file is run, and no name in one leads out of its folder.
"""

from __future__ import annotations

from pathlib import Path

from ..errors import CheckpointError
from .checkpoint import CONFIG, Checkpoint, text_config
from .files import inside
from .hub import located
from .shards import has_weights, read_file, read_folder
from .strict_json import read_json

__all__ = ["CONFIG", "Checkpoint", "has_weights", "located", "open_checkpoint", "text_config"]


def open_checkpoint(path: Path) -> Checkpoint:
    """Open a folder as Hugging Face lays it out, or one file of tensors.

    Raises: CheckpointError for a bad checkpoint, or none; OSError where the system cannot read it.
    """
    if not path.exists():
        raise CheckpointError("no such file or folder", path=path)
    folder = path if path.is_dir() else path.parent
    config_file = inside(folder, CONFIG)
    config = read_json(config_file) if config_file.exists() else {}
    tensors = read_folder(path) if path.is_dir() else read_file(path)
    return Checkpoint(path, config, tensors)
