"""The converter's commands, run in this process, and a checkpoint to convert."""

import json

import pytest
import typer
from checkpoint_files import safetensors, write
from peft_files import write_adapter
from small_llama import config, llama

from ggjit.cli.errors import exit_code
from ggjit.cli.flags import spread
from ggjit_convert import commands, file_commands, imatrix_command, verify_command
from ggjit_convert.quantized import plain
from ggjit_convert.sources import open_checkpoint

COMMANDS = {
    "convert": commands.convert,
    "quantize": commands.quantize,
    "verify": verify_command.verify,
    "imatrix": imatrix_command.imatrix,
    "split": file_commands.split,
    "merge": file_commands.merge,
    "set-metadata": file_commands.set_metadata,
}


@pytest.fixture
def command(capsys):
    """Run a command; return exit code, stdout, stderr."""
    app = typer.Typer()
    for name, one in COMMANDS.items():
        app.command(name)(spread(one))

    def command(*args):
        code = exit_code(app, [str(arg) for arg in args])
        return code, *capsys.readouterr()

    return command


@pytest.fixture
def checkpoint(tmp_path, rng):
    """Write a folder of a small Llama, with tensors and values of config.json changed."""

    def checkpoint(changes=None, **keys):
        folder = tmp_path / "small"
        folder.mkdir(exist_ok=True)
        tensors = llama(rng) | (changes or {})
        kept = {name: values for name, values in tensors.items() if values is not None}
        (folder / "model.safetensors").write_bytes(safetensors(kept))
        (folder / "config.json").write_text(json.dumps(config(**keys)))
        return folder

    return checkpoint


@pytest.fixture
def adapter(tmp_path):
    """Write an adapter's folder."""

    def adapter(tensors, name="adapter", **changes):
        return write_adapter(tmp_path / name, tensors, **changes)

    return adapter


@pytest.fixture
def folded(tmp_path):
    """Write a checkpoint and return its tensors, folded."""

    def folded(tensors, **config):
        kind = config.pop("model_type", "llama")
        files = {
            "config__json": {"model_type": kind, "quantization_config": config},
            "model__safetensors": tensors,
        }
        return plain(open_checkpoint(write(tmp_path, **files))).tensors

    return folded
