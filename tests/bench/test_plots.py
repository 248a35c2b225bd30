"""Plots: small files that show whatever compare.py found."""

import json
import sys

import pytest

pytest.importorskip("matplotlib")

import plots


def record(engine, test, *speeds, failure=None):
    median = sorted(speeds)[len(speeds) // 2] if speeds else 0.0
    return {"file": "a-q4_0.gguf", "test": test, "engine": engine, "samples_ts": list(speeds),
            "median_ts": median, "failure": failure}  # fmt: skip


def test_a_comparison_becomes_a_small_picture(tmp_path, monkeypatch):
    results = [
        record("ggjit 16 bits", "pp512", 1900, 2000, 2100),
        record("llama-bench", "pp512", failure="crash (SIGILL)"),
        record("ggjit 16 bits", "tg128 x8", 900.0),
        record("llama-bench", "tg128 x8", failure="-"),
    ]
    output = tmp_path / "out.txt"
    found = {"name": "compare-x", "machine": "A CPU, 2 cores; 2026.", "results": results}
    output.write_text(f"| a table |\n{json.dumps(found)}\n")
    monkeypatch.setattr(sys, "argv", ["plots.py", str(output), "--to", str(tmp_path / "plots")])
    plots.main()
    picture = (tmp_path / "plots" / "compare-x.png").read_bytes()
    assert picture.startswith(b"\x89PNG")
    assert len(picture) < 60_000


def test_ours_are_told_from_theirs():
    chosen = plots.colours(["ggjit 16 bits", "ggjit 8 bits", "native", "openvino"])
    assert len(set(chosen.values())) == 4
    assert {chosen["ggjit 16 bits"], chosen["ggjit 8 bits"]} == set(plots.OURS)
