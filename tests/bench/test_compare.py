"""Comparing: medians, the best peer, crashes, repeats."""

import json
import sys
from pathlib import Path

import compare
import contestants
import pytest
import quiet
from contestants import Contestant, Outcome
from tables import put_into

from ggjit.cli.bench_plan import BenchTest

PP, FILE = BenchTest(512, 0, 64), Path("model.gguf")


def outcome(*speeds, **more):
    return Outcome({"samples_ts": list(speeds), **more})


def script(text):
    return Contestant("peer", lambda *_: [sys.executable, "-c", text])


def test_ratio_is_to_the_best_peer_that_ran():
    ours = [Contestant("ggjit", lambda *_: [])]
    peers = [Contestant(name, lambda *_: []) for name in ("slow", "fast", "dead")]
    of = {
        "ggjit": [outcome(90, 100, peak_share=0.5), outcome(300, peak_share=0.6)],
        "slow": [outcome(10)],
        "fast": [outcome(50), outcome(70)],
        "dead": [Outcome({}, "crash (SIGILL)")],
    }
    wanted = ["100.0 (90.0 to 300.0)", "1.67", "55% of int8 peak"]
    wanted += ["10.0 (10.0 to 10.0)", "60.0 (50.0 to 70.0)", "crash (SIGILL)"]
    assert compare.cells(ours, peers, of) == wanted


def test_a_process_reports_its_record():
    one = script(f"print({json.dumps([{'samples_ts': [1.5]}])!r})")
    assert one.run(FILE, PP, 2, 3).record == {"samples_ts": [1.5]}


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_a_crash_is_told_as_such():
    crash = script("import os, signal; os.kill(os.getpid(), signal.SIGILL)")
    assert crash.run(FILE, PP, 2, 3).failure == "crash (SIGILL)"
    assert script("raise SystemExit(2)").run(FILE, PP, 2, 3).failure == "exit code 2"
    assert script("raise SystemExit(3)").run(FILE, PP, 2, 3).failure == "cannot read it"


def test_both_engines_get_the_same_numbers():
    numbers = ["-p", "512", "-n", "0", "-d", "64", "-t", "2", "-r", "3"]
    peers = [make("lb", "x") for make in compare.PEERS.values()]
    for one in (contestants.ggjit(16), *peers):
        command = one.command(FILE, PP, 2, 3)
        assert command[command.index("-p") :][:10] == numbers


def test_only_some_take_several_sequences():
    several = BenchTest(0, 16, 0, 8)
    for one in (contestants.ggjit(16), contestants.llama_python("python", "x")):
        command = one.command(FILE, several, 2, 3)
        assert command[command.index("-b") + 1] == "8"
    for one in (contestants.llama_bench("lb", "x"), contestants.openvino("python", "x")):
        assert one.run(FILE, several, 2, 3).failure == "-"


def test_measure_is_repeated_when_others_were_busy(monkeypatch):
    monkeypatch.setattr(quiet, "_others_for", lambda seconds: 0.0)
    shares, runs = iter([0.5, 0.3, 0.01]), []
    monkeypatch.setattr(quiet.Watch, "others", lambda self: next(shares))
    assert quiet.when_quiet(lambda: runs.append(1) or len(runs), 0.04) == (3, 0.01)


def test_table_goes_between_its_marks(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("a\n<!-- t -->\nold\n<!-- /t -->\nb\n")
    put_into(page, "t", "new\n")
    assert page.read_text() == "a\n<!-- t -->\nnew\n<!-- /t -->\nb\n"
    with pytest.raises(ValueError, match=r"page\.md has no <!-- u -->"):
        put_into(page, "u", "new")
