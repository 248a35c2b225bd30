"""`ggjit convert` and `quantize` as commands: what is said, when, and with which exit code."""

import os
import re

import pytest
import tiny_llama


@pytest.fixture
def model(tmp_path):
    return tiny_llama.write(tmp_path / "in.gguf", tiny_llama.weights(tiny_llama.shapes()))


def test_a_slash_makes_a_folder_for_a_file_named_by_its_type(command, model, tmp_path):
    code, out, err = command("quantize", model, f"{tmp_path}/new/", "q8_0")
    assert (code, out, err) == (0, f"{tmp_path}/new/in-Q8_0.gguf\n", "")


def test_what_is_lost_is_said_before_a_byte_is_written(command, model, tmp_path, monkeypatch):
    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("ggjit_convert.writing._write_one", full)
    code, _, err = command("quantize", model, tmp_path / "x.gguf", "iq2_xs")
    assert code == 3
    *notes, last = err.splitlines()
    assert all(line.startswith("note: ") for line in notes)
    assert "rows are no multiple of 256" in notes[0]
    assert last == f"ggjit: error: {tmp_path / 'x.gguf'}: No space left on device"


def test_bad_input_is_2_and_found_before_the_source_is_opened(command, tmp_path):
    (there := tmp_path / "there.gguf").touch()
    for args, says in [
        (("quantize", "none.gguf", there, "q8_0"), "there.gguf exists already; --force"),
        (("convert", "none", "-o", there), "there.gguf exists already; --force"),
        (("convert", "none", "--type", "q9"), "type 'q9' is none of f32"),
        (("convert", "none", "--output-type", "q8_k"), "type 'q8_k' is none of f32"),
        (("convert", "none", "-t", "0"), "-t must be 1 or more, not 0"),
        (("convert", "none", "--imatrix", tmp_path / "no.gguf"), "no.gguf: No such file"),
        (("quantize", "none", "x", "q8_0", "--imatrix", "no.dat"), "no.dat: No such file"),
        (("convert", there), "there.gguf: is a GGUF file: ggjit quantize"),
        (("convert", "none"), "none: no such file or folder"),
        (("quantize", "none.gguf", tmp_path / "x", "q8_0"), "none.gguf: No such file"),
    ]:
        code, _, err = command(*args)
        assert code == 2, args
        assert says in err
        assert err.count("\n") == 1


@pytest.mark.skipif(os.name == "nt", reason="devices with paths")
def test_a_device_is_never_replaced_by_a_file(command, model):
    code, _, err = command("quantize", model, os.devnull, "q8_0", "--force")
    assert code == 2
    assert "/dev/null is not a regular file, and is not written over" in err


def test_an_output_that_cannot_be_there_is_named(command, model, tmp_path):
    place = tmp_path / "none" / "x.gguf"
    code, _, err = command("quantize", model, place, "q8_0")
    assert (code, err) == (2, f"ggjit: error: {place}: there is no folder {place.parent}\n")


def test_ctrl_c_says_that_nothing_was_written(command, model, tmp_path, monkeypatch):
    def interrupted(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr("ggjit_convert.writing._write_one", interrupted)
    code, out, err = command("quantize", model, tmp_path / "x.gguf", "q8_0")
    assert (code, out, err) == (130, "", "interrupted: nothing was written\n")
    assert [path.name for path in tmp_path.iterdir()] == ["in.gguf"]


def test_a_dry_run_has_a_heading(command, model, tmp_path):
    code, out, _ = command("quantize", model, tmp_path / "x.gguf", "q8_0", "--dry-run")
    lines = out.splitlines()
    assert code == 0
    assert lines[0].split() == ["tensor", "shape", "from", "to", "bytes"]
    assert re.search(r" F32 +Q8_0 +\d+,\d{3}$", out, re.MULTILINE)
    assert not (tmp_path / "x.gguf").exists()
