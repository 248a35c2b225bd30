"""`ggjit bench`: what is run, what is timed, and llama-bench's formats."""

import csv
import io
import itertools
import json
import re
from types import SimpleNamespace

import gguf
import numpy as np
import pytest
from fake_engine import FakeExecutor, fake_model, rambling

from ggjit.cli import bench_measure, bench_report
from ggjit.cli.bench_measure import Machine, int8_ops, measure
from ggjit.cli.bench_plan import BenchTest, numbers, plan


def test_lists_and_ranges():
    assert numbers(["512"], "-p") == [512]
    assert numbers(["1,2", "3"], "-p") == [1, 2, 3]
    assert numbers(["1-4"], "-p") == [1, 2, 3, 4]
    assert numbers(["64-256+64"], "-p") == [64, 128, 192, 256]
    assert numbers(["1-9*2,5"], "-p") == [1, 2, 4, 8, 5]
    assert numbers(["7-3"], "-p") == [7]


@pytest.mark.parametrize(
    "text", ["", "a", "1,", "-1", "1-", "1-5+0", "1-5*1", "0-5*2", "1-99999999"]
)
def test_senseless_lists_are_refused(text):
    with pytest.raises(ValueError, match="-p"):
        numbers([text], "-p")


def test_the_plan_is_llama_benchs():
    tests = plan([512, 0], [128, 16], [0, 1024], [1])
    names = ["pp512", "tg128", "tg16", "pp512 @ d1024", "tg128 @ d1024", "tg16 @ d1024"]
    assert [t.name for t in tests] == names
    assert tests[3].n_context == 1536
    together = plan([512], [128], [0, 1024], [1, 8, 0])[-1]
    assert together.name == "tg128 x8 @ d1024"
    assert (together.n_tokens, together.n_context) == (8 * 128, 1152)


@pytest.mark.parametrize(
    ("test", "runs"),
    [
        (BenchTest(8, 0, 0), [8, 8, 8, 8]),
        (BenchTest(0, 2, 0), [1, 1, 1, 1, 1, 1, 1]),
        (BenchTest(4, 0, 10), [10, 4, 4, 4, 4]),
        (BenchTest(0, 2, 10), [10, 1, 1, 1, 1, 1, 1, 1]),
    ],
)
def test_what_is_run(test, runs):
    executor = FakeExecutor(rambling)
    result = measure(executor, test, 3, warm_up=True, progress=lambda _: None)
    assert executor.runs == runs
    assert len(result.samples_ns) == 3
    assert result.samples_ts == [1e9 * test.n_tokens / ns for ns in result.samples_ns]


def test_sequences_run_side_by_side():
    executor = FakeExecutor(rambling)
    result = measure(executor, BenchTest(0, 2, 5, 3), 1, warm_up=True, progress=lambda _: None)
    assert executor.batches == [[5, 5, 5], [1, 1, 1], [1, 1, 1], [1, 1, 1]]
    assert result.samples_ts == [1e9 * 6 / result.samples_ns[0]]
    assert result.avg_ts_each == result.avg_ts / 3


def test_every_run_starts_from_the_same_depth(monkeypatch):
    executor, seen = FakeExecutor(rambling), []
    run = executor.run
    monkeypatch.setattr(executor, "run", lambda s, *more: seen.append(s.n_past) or run(s, *more))
    measure(executor, BenchTest(4, 0, 6), 2, warm_up=True, progress=lambda _: None)
    assert seen == [0, 6, 6, 6]


def matrix(rows, cols, type=gguf.GGMLQuantizationType.Q4_0):
    data = SimpleNamespace(nbytes=rows * cols // 2)
    return SimpleNamespace(shape=(rows, cols), n_elements=rows * cols, type=type, data=data)


def test_int8_operations_of_a_prompt():
    norm = SimpleNamespace(shape=(32,), n_elements=32, type=gguf.GGMLQuantizationType.F32)
    tensors = {
        "token_embd.weight": matrix(100, 32),
        "blk.0.attn_q.weight": matrix(32, 32),
        "blk.0.attn_norm.weight": norm,
        "blk.1.ffn_up.weight": matrix(64, 32, gguf.GGMLQuantizationType.F16),
    }
    tied = SimpleNamespace(tensors=tensors)
    assert int8_ops(tied, 10) == 2 * (10 * 32 * 32 + 100 * 32)
    untied = SimpleNamespace(tensors=tensors | {"output.weight": matrix(200, 32)})
    assert int8_ops(untied, 10) == 2 * (10 * 32 * 32 + 200 * 32)
    assert int8_ops(untied, 0) == 0


@pytest.fixture
def bench(ggjit_command, fake_load, model_file, monkeypatch):
    measured = Machine(bandwidth=40e9, int8_peak=1e12)
    clock = (1_000_000 * i * i for i in itertools.count())  # the fake engine's own is all noise
    monkeypatch.setattr(bench_measure, "perf_counter_ns", lambda: next(clock))
    monkeypatch.setattr(bench_measure, "measure_machine", lambda executor: measured)
    monkeypatch.setattr(bench_report, "cpu_name", lambda: 'A "fast" CPU')
    model = fake_model(rambling)
    model.file.metadata = {
        "general.architecture": "llama",
        "general.size_label": "1B",
        "general.file_type": 2,
    }
    model.file.tensors = {"token_embd.weight": matrix(1000, 64), "blk.0.w": matrix(64, 64)}
    model.executor.weight_bytes, model.executor.n_batch = 34048, 512
    model.executor.cache_bytes_read = lambda n_past: 100 * n_past
    monkeypatch.setattr(model, "close", lambda: None)
    fake_load.model = model

    def bench(*args, n_gen=4, code=0):
        outcome = ggjit_command("bench", model_file, "-p", "8", "-n", n_gen, "-r", "2", *args)
        assert outcome.code == code, outcome.err
        return outcome.err if code else outcome.out

    return bench


def test_json_has_llama_benchs_keys_and_ours(bench, model_file):
    prompt, generation = json.loads(bench("-o", "json"))
    assert (prompt["n_prompt"], prompt["n_gen"], prompt["n_depth"]) == (8, 0, 0)
    assert (generation["n_prompt"], generation["n_gen"]) == (0, 4)
    assert prompt["model_filename"] == model_file
    assert prompt["model_type"] == "llama 1B Q4_0"
    assert prompt["model_size"] == (1000 * 64 + 64 * 64) // 2
    assert prompt["model_n_params"] == 1000 * 64 + 64 * 64
    assert prompt["n_threads"] == 1
    assert prompt["n_batch"] == 512
    assert prompt["backends"] == "CPU"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", prompt["test_time"])
    for result, n in ((prompt, 8), (generation, 4)):
        samples = np.array(result["samples_ns"])
        assert len(samples) == len(result["samples_ts"]) == 2
        assert result["avg_ns"] == pytest.approx(samples.mean(), abs=1)
        assert result["stddev_ns"] == pytest.approx(samples.std(ddof=1), abs=1)
        assert result["avg_ts"] == pytest.approx((1e9 * n / samples).mean(), rel=1e-6)
        assert result["stddev_ts"] == pytest.approx((1e9 * n / samples).std(ddof=1), rel=1e-4)
    share, n_bytes = generation["bandwidth_share"], 34048 + 100 * (0 + 1 + 2 + 3) / 4
    assert share == pytest.approx(n_bytes * generation["avg_ts"] / 40e9, rel=1e-6)
    assert prompt["bandwidth_share"] is None
    assert prompt["activations"] == 16
    ops = 2 * 2 * (8 * 64 * 64 + 1000 * 64)
    assert prompt["peak_share"] == pytest.approx(ops / (prompt["avg_ns"] / 1e9) / 1e12, rel=1e-3)
    assert generation["peak_share"] is None
    assert {"load_s", "compile_s", "memory_bandwidth", "int8_peak"} <= set(prompt)


def test_jsonl_is_one_object_a_line(bench):
    lines = bench("-o", "jsonl", "-d", "0,16").splitlines()
    assert [json.loads(line)["n_depth"] for line in lines] == [0, 0, 16, 16]


def test_weights_are_read_once_for_all_sequences(bench):
    _, both = json.loads(bench("-b", "2", "-d", "10", "-o", "json"))
    assert (both["n_sequences"], both["n_depth"]) == (2, 10)
    assert both["avg_ts_each"] == pytest.approx(both["avg_ts"] / 2, rel=1e-3)
    n_bytes = 34048 + 2 * 100 * (10 + 11 + 12 + 13) / 4
    expected = n_bytes * both["avg_ts"] / 2 / 40e9
    assert both["bandwidth_share"] == pytest.approx(expected, rel=1e-6)


def test_csv_quotes_everything_and_leaves_the_samples_out(bench):
    text = bench("-o", "csv")
    header, first, _ = csv.reader(io.StringIO(text))
    row = dict(zip(header, first, strict=True))
    assert row["n_prompt"] == "8"
    assert row["cpu_info"] == 'A "fast" CPU'
    assert "samples_ns" not in row
    assert text.splitlines()[1].startswith('"')


def test_md_is_llama_benchs_table(bench):
    lines = bench("-d", "0,16").splitlines()
    assert lines[0] == (
        "| model                          |       size |     params | backend    | threads | "
        "           test |                  t/s |"
    )
    assert lines[1] == (
        "| ------------------------------ | ---------: | ---------: | ---------- | ------: | "
        "--------------: | -------------------: |"
    )
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines[2:6]]
    assert [c[5] for c in cells] == ["pp8", "tg4", "pp8 @ d16", "tg4 @ d16"]
    assert cells[0][:5] == ["llama 1B Q4_0", "0.03 MiB", "0.07 M", "CPU", "1"]
    assert all(re.fullmatch(r"\d+\.\d\d ± \d+\.\d\d", c[6]) for c in cells)
    assert {len(line) for line in lines[:6]} == {len(lines[0])}
    notes = "\n".join(lines[6:])
    assert re.search(r"tg4 with 1 thread: \d+% of 40\.0 GB/s", notes)
    assert re.search(r"pp8 with 1 thread: \d+% of 1\.00 int8 TOPS", notes)
    assert "build: ggjit" in notes


def test_shares_above_all_there_is_are_explained(bench, monkeypatch):
    said = "the machine was busy while its limits were measured"
    assert said not in bench()
    slow = Machine(bandwidth=1.0, int8_peak=1e12)
    monkeypatch.setattr(bench_measure, "measure_machine", lambda executor: slow)
    assert bench().count(said) == 1


def test_each_number_of_threads_loads_the_model_anew(bench, fake_load):
    lines = bench("-t", "1-4*2", "-d", "32", "-o", "jsonl").splitlines()
    assert len(lines) == 6
    assert fake_load.arguments["threads"] == 4
    assert fake_load.arguments["context"] == 40


def test_several_models_are_measured_one_after_the_other(ggjit_command, fake_load, bench, tmp_path):
    names = [tmp_path / name for name in ("a.gguf", "b.gguf")]
    for name in names:
        name.write_bytes(b"")
    both = ("-m", names[0], "-m", names[1], "-p", "8", "-n", "4", "-r", "1")
    found = json.loads(ggjit_command("bench", *both, "-o", "json").out)
    assert [r["model_filename"] for r in found] == [str(n) for n in names for _ in range(2)]
    notes = ggjit_command("bench", *both).out
    assert re.search(r"a.gguf: tg4 with 1 thread: .*\n(.*\n)*b.gguf: load: ", notes)
    outcome = ggjit_command("bench", names[0], "-m", names[1])
    assert (outcome.code, "named in two ways" in outcome.err) == (2, True)


def test_a_model_is_opened_as_other_commands_open_it(bench, fake_load):
    result = bench("--latent", "absorbed", "--experts", "mmap", "-ctk", "Q8_0", "-o", "json")
    given = {"latent": "absorbed", "pack": "experts-mmap", "cache_type_k": "q8_0"}
    assert fake_load.arguments.items() >= given.items()
    assert json.loads(result)[0]["pack"] == "experts-mmap"
    assert "--experts is 'gpu', expected mmap" in bench("--experts", "gpu", code=2)


def test_a_single_run_has_no_deviation(bench):
    result = json.loads(bench("-r", "1", "-o", "json", n_gen=0))
    assert len(result) == 1
    assert result[0]["stddev_ts"] == result[0]["stddev_ns"] == 0


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("-o", "xml"), "-o must be one of md, csv, json, jsonl"),
        (("-r", "0"), "-r must be 1 or more"),
        (("-p", "x"), "-p must be like"),
        (("-d", "99999"), "holds 1000 tokens"),
    ],
)
def test_bad_options_are_one_line(bench, args, message):
    assert message in bench(*args, code=2)


def test_quantization_has_llama_cpps_names():
    def name(file_type):
        file = SimpleNamespace(get=lambda key, kind, default=None: file_type)
        return bench_report._quantization(file)

    assert [name(n) for n in (0, 1, 2, 3, 7, 15, 14, 18)] == [
        *("F32", "F16", "Q4_0", "Q4_1", "Q8_0", "Q4_K - Medium", "Q4_K - Small", "Q6_K")
    ]
    assert name(None) == name(99999) == "?"


def test_nothing_to_measure_is_said(ggjit_command, model_file):
    outcome = ggjit_command("bench", model_file, "-p", "0", "-n", "0")
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err == "ggjit: error: there is nothing to measure: -p and -n, or -b, are 0\n"
