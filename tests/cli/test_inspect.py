"""What `ggjit inspect` shows, as data and as tables, on terminals and in pipes."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
from rich.cells import cell_len
from rich.console import Console

from ggjit.cli.inspect import describe, print_description
from ggjit.gguf import GGUFFile, open_gguf

LONG_NAME = "blk.0." + "expert_" * 7 + "w.weight"
Fill = Callable[[gguf.GGUFWriter], None]


def write(path: Path, fill: Fill) -> GGUFFile:
    writer = gguf.GGUFWriter(path, "llama")
    fill(writer)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return open_gguf(path)


def fill_model(writer: gguf.GGUFWriter) -> None:
    writer.add_uint32("llama.block_count", 1)
    writer.add_float32("llama.attention.layer_norm_rms_epsilon", 1e-5)
    writer.add_bool("tokenizer.ggml.add_bos_token", True)
    writer.add_array("tokenizer.ggml.tokens", [f"token{i}" for i in range(1000)])
    writer.add_array("tokenizer.ggml.scores", [0.1 * i for i in range(20)])
    writer.add_array("llama.rope.dimension_sections", [1, 2, 3])
    writer.add_string("tokenizer.chat_template", "{% for m in messages %}\n" * 100)
    writer.add_tensor("token_embd.weight", np.zeros((4, 64), np.float16))
    raw = np.zeros((8, 36), np.uint8)
    writer.add_tensor(LONG_NAME, raw, raw_dtype=gguf.GGMLQuantizationType.Q4_0)


@pytest.fixture
def model(tmp_path: Path) -> GGUFFile:
    return write(tmp_path / "model.gguf", fill_model)


def shown(file: GGUFFile, width: int = 80, terminal: bool = False) -> str:
    console = Console(
        file=io.StringIO(),
        width=width,
        force_terminal=terminal,
        color_system=None,
        legacy_windows=False,
    )
    print_description(file, console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_describe(model: GGUFFile) -> None:
    found = json.loads(json.dumps(describe(model), allow_nan=False))
    assert found["paths"] == [str(model.path)]
    assert found["version"] == 3
    metadata = found["metadata"]
    assert metadata["general.architecture"] == "llama"
    assert metadata["llama.block_count"] == 1
    assert metadata["llama.attention.layer_norm_rms_epsilon"] == 1e-5
    assert metadata["tokenizer.ggml.add_bos_token"] is True
    assert metadata["llama.rope.dimension_sections"] == [1, 2, 3]
    assert metadata["tokenizer.ggml.tokens"]["type"] == "arr[str]"
    assert metadata["tokenizer.ggml.tokens"]["length"] == 1000
    assert metadata["tokenizer.ggml.tokens"]["first"][:2] == ["token0", "token1"]
    assert metadata["tokenizer.ggml.scores"]["first"][:4] == [0.0, 0.1, 0.2, 0.3]
    assert metadata["tokenizer.chat_template"] == "{% for m in messages %}\n" * 100
    assert found["metadata_types"]["llama.block_count"] == "u32"


def test_describe_tensors(model: GGUFFile) -> None:
    found = describe(model)
    embedding, expert = found["tensors"]
    offset = embedding.pop("offset")
    assert embedding == {
        "name": "token_embd.weight",
        "type": "F16",
        "shape": [4, 64],
        "bytes": 512,
        "file": str(model.path),
    }
    assert (expert["type"], expert["shape"], expert["bytes"]) == ("Q4_0", [8, 64], 288)
    assert expert["offset"] == offset + 512
    assert found["totals"] == {
        "n_tensors": 2,
        "n_params": 768,
        "bytes": 800,
        "bits_per_weight": round(8 * 800 / 768, 4),
        "by_type": {
            "F16": {"n_tensors": 1, "n_params": 256, "bytes": 512},
            "Q4_0": {"n_tensors": 1, "n_params": 512, "bytes": 288},
        },
    }


def test_tables(model: GGUFFile) -> None:
    text = shown(model)
    assert "2 tensors" in text
    assert "768 parameters, 800 bytes, 8.33 bits per weight" in text
    rows = {line.split()[0]: line.split()[1:] for line in text.splitlines() if line.strip()}
    assert rows["llama.block_count"] == ["u32", "1"]
    assert rows["llama.attention.layer_norm_rms_epsilon"] == ["f32", "1e-05"]
    assert rows["tokenizer.ggml.add_bos_token"] == ["bool", "True"]
    assert rows["tokenizer.ggml.tokens"][:3] == ["arr[str,1000]", "['token0',", "'token1',"]
    assert rows["token_embd.weight"] == ["F16", "4", "×", "64", "512"]
    assert rows[LONG_NAME] == ["Q4_0", "8", "×", "64", "288"]
    assert rows["Q4_0"] == ["1", "512", "288", "36.0%"]


def test_pipe_keeps_every_row_on_one_line(model: GGUFFile) -> None:
    text = shown(model, width=20)
    assert any(line.startswith(f"{LONG_NAME}  Q4_0") for line in text.splitlines())
    assert any(line.startswith("tokenizer.chat_template") for line in text.splitlines())
    assert not any(line.endswith(" ") for line in text.splitlines())


def test_columns_align(model: GGUFFile) -> None:
    lines = shown(model).splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("tensor "))
    head, *rows = lines[start : start + 3]
    for name in ("type", "shape"):
        assert all(row[head.index(name) - 1] == " " != row[head.index(name)] for row in rows)
    assert {len(row) for row in rows} == {len(head)}


@pytest.mark.parametrize("width", [80, 60, 120])
def test_terminal_is_never_overrun(model: GGUFFile, width: int) -> None:
    lines = shown(model, width, terminal=True).splitlines()
    assert max(cell_len(line) for line in lines[1:]) <= width  # the first line is the path
    text = "".join(line.split("  ")[0].strip() for line in lines)
    assert LONG_NAME in text
    assert "llama.attention.layer_norm_rms_epsilon" in text


def test_long_text_is_shortened(model: GGUFFile) -> None:
    line = next(line for line in shown(model).splitlines() if "chat_template" in line)
    assert line.endswith("… (2,400 characters)")
    assert "\\n" in line


def fill_hostile(writer: gguf.GGUFWriter) -> None:
    writer.add_string("evil\x1b[2J\nkey", "[red]\x1b]0;title\x07[/red] \u202e")
    writer.add_array("evil.array", ["\x1b[31m", "[bold]", "\r"])
    writer.add_tensor("evil\x1b[1m\n.weight", np.zeros(4, np.float32))


@pytest.mark.parametrize("terminal", [False, True])
def test_control_characters_are_escaped(tmp_path: Path, terminal: bool) -> None:
    text = shown(write(tmp_path / "hostile.gguf", fill_hostile), 200, terminal)
    assert "\x1b" not in text
    assert all(character.isprintable() or character == "\n" for character in text)
    assert "evil\\x1b[2J\\nkey" in text
    assert "[red]\\x1b]0;title\\x07[/red] \\u202e" in text
    assert "['\\x1b[31m', '[bold]', '\\r']" in text
    assert "evil\\x1b[1m\\n.weight" in text


def fill_senseless(writer: gguf.GGUFWriter) -> None:
    writer.add_uint32("llama.block_count", 2**32 - 1)
    writer.add_float32("llama.rope.freq_base", math.nan)
    writer.add_array("tokenizer.ggml.scores", [math.inf, -math.inf, 0.0])
    writer.add_array("tokenizer.ggml.tokens", ["a"])
    writer.add_tensor("output.weight", np.zeros((0, 32), np.float32))


def test_senseless_values_are_shown(tmp_path: Path) -> None:
    file = write(tmp_path / "senseless.gguf", fill_senseless)
    found = json.loads(json.dumps(describe(file), allow_nan=False))
    assert found["metadata"]["llama.block_count"] == 2**32 - 1
    assert found["metadata"]["llama.rope.freq_base"] == "nan"
    assert found["metadata"]["tokenizer.ggml.scores"] == ["inf", "-inf", 0.0]
    assert found["totals"]["bits_per_weight"] is None
    text = shown(file)
    assert "[inf, -inf, 0.0]" in text
    assert "0 × 32" in text


def test_file_without_tensors(tmp_path: Path) -> None:
    file = write(tmp_path / "vocabulary.gguf", lambda writer: None)
    totals: dict[str, Any] = describe(file)["totals"]
    assert (totals["n_tensors"], totals["n_params"], totals["by_type"]) == (0, 0, {})
    assert "1 key, 0 tensors" in shown(file)


def test_split_model_names_each_file(tmp_path: Path) -> None:
    writer = gguf.GGUFWriter(tmp_path / "model.gguf", "llama", split_max_tensors=1)
    for i in range(2):
        writer.add_tensor(f"t{i}", np.zeros(8, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    paths = [str(path) for path in sorted(tmp_path.iterdir())]
    file = open_gguf(paths[1])
    found = describe(file)
    assert found["paths"] == paths
    assert [tensor["file"] for tensor in found["tensors"]] == paths
    assert shown(file).splitlines()[:2] == paths


def test_check_says_that_all_is_well(tmp_path: Path, ggjit_command: Any) -> None:
    write(tmp_path / "good.gguf", lambda writer: writer.add_tensor("t", np.zeros((3, 8), "f4")))
    outcome = ggjit_command("inspect", "--check", tmp_path / "good.gguf")
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out == f"{tmp_path / 'good.gguf'}: 1 tensors, all values finite\n"


def test_check_names_every_damaged_tensor(tmp_path: Path, ggjit_command: Any) -> None:
    def fill(writer: gguf.GGUFWriter) -> None:
        values = np.zeros((3, 8), np.float32)
        writer.add_tensor("good", values.copy())
        values[1, 7] = math.nan
        writer.add_tensor("bad\x1b[2J", values.copy())
        values[0, 0] = math.inf
        writer.add_tensor("worse", values)

    path = tmp_path / "bad.gguf"
    write(path, fill)
    outcome = ggjit_command("inspect", path, "--check")
    assert outcome.code == 2
    assert outcome.out.splitlines() == [
        f"{path}: tensor 'bad\\x1b[2J' (F32): row 1 has values that are not finite",
        f"{path}: tensor 'worse' (F32): row 0 has values that are not finite",
    ]
    assert outcome.err == f"ggjit: error: {path}: 2 of 3 tensors are damaged\n"
