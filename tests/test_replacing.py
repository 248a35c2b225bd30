"""Files that take the place of others."""

import os

from ggjit.replacing import replacing


def test_two_who_write_at_once_do_not_meet(tmp_path):
    """Not even if they have one process id and one thread id, as in two containers."""
    path = tmp_path / "x"
    with replacing(path) as first:
        first.write_text("first")
        with replacing(path) as second:
            second.write_text("second")
        assert path.read_text() == "second"
    assert path.read_text() == "first"
    assert list(tmp_path.iterdir()) == [path]


def test_the_file_has_the_permissions_of_any_other(tmp_path):
    with replacing(tmp_path / "x") as part:
        part.touch()
    (tmp_path / "y").touch()
    assert os.stat(tmp_path / "x").st_mode == os.stat(tmp_path / "y").st_mode
