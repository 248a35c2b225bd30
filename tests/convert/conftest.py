"""The converter's commands, run in this process."""

import pytest
import typer

from ggjit.cli.errors import exit_code
from ggjit.cli.flags import spread
from ggjit_convert import commands, file_commands, imatrix_command, verify_command

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
