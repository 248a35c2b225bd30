"""Results of `ggjit bench` as llama-bench prints them: md, csv, json, jsonl.

Keys that llama-bench has mean the same here; `activations` and those after it are ours.
Source: llama.cpp tools/llama-bench/llama-bench.cpp.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from statistics import fmean, stdev
from typing import Any, TextIO

from .. import __version__
from ..backends.cpu.machine import cpu_name
from ..generate import Model
from ..gguf import GGUFFile
from .bench_measure import BenchResult, Machine, bandwidth_share, peak_share
from .bench_plan import BenchTest
from .wording import counted

Record = dict[str, Any]
FORMATS = ("md", "csv", "json", "jsonl")
COLUMNS = {"model": -30, "size": 10, "params": 10, "backend": -10, "threads": 7, "test": 15}
COLUMNS |= {"t/s": 20}  # widths, negative ones to the left
TEST = ("n_prompt", "n_gen", "n_depth", "n_sequences")
QUANT_SIZES = {"S": "Small", "M": "Medium", "L": "Large"}


def record(
    result: BenchResult, model: Model, arguments: Mapping[str, Any], machine: Machine | None
) -> Record:
    """Return a result under llama-bench's keys; `arguments` are those that `load` got."""
    file, test, samples = model.file, result.test, result.samples_ns
    backend, activations = arguments["backend"], arguments["activations"]
    type_k, type_v = getattr(model.executor, "cache_types", ("f32", "f32"))
    return {
        "build_commit": __version__,
        "build_number": 0,
        "cpu_info": cpu_name(),
        "gpu_info": "",
        "backends": backend.upper() if backend == "cpu" else backend,
        "model_filename": str(file.path),
        "model_type": model_type(file),
        "model_size": sum(t.data.nbytes for t in file.tensors.values()),
        "model_n_params": _n_params(file),
        "n_batch": getattr(model.executor, "n_batch", None),
        "n_threads": result.n_threads,
        "type_k": type_k,
        "type_v": type_v,
        "n_prompt": test.n_prompt,
        "n_gen": test.n_gen,
        "n_depth": test.n_depth,
        "test_time": result.test_time,
        "avg_ns": round(fmean(samples)),
        "stddev_ns": round(stdev(samples)) if len(samples) > 1 else 0,
        "avg_ts": round(result.avg_ts, 6),
        "stddev_ts": round(result.stddev_ts, 6),
        "activations": activations,
        "pack": arguments["pack"],
        "latent": arguments["latent"],
        "n_sequences": test.n_sequences,
        "avg_ts_each": round(result.avg_ts_each, 6),
        "memory_bandwidth": machine and machine.bandwidth,
        "bandwidth_share": bandwidth_share(result, model.executor, machine),
        "int8_peak": machine and machine.int8_peak,
        "peak_share": peak_share(result, file, activations, machine),
        "load_s": round(model.load_stats.load_s, 6),
        "compile_s": round(model.load_stats.compile_s, 6),
        "samples_ns": samples,
        "samples_ts": [round(ts, 6) for ts in result.samples_ts],
    }


class Report:
    """Prints records as they come."""

    def __init__(self, format: str, out: TextIO) -> None:
        self._format, self._out, self._records = format, out, list[Record]()

    def add(self, record: Record) -> None:
        """Print one record, after the heading if it is the first."""
        first = not self._records
        self._records.append(record)
        getattr(self, f"_add_{self._format}")(record, first)
        self._out.flush()

    def end(self) -> None:
        """Print what comes after the last record."""
        if self._format == "json":
            self._print("\n]" if self._records else "[]")
        elif self._format == "md" and self._records:
            for line in notes(self._records):
                self._print(line)

    def _add_json(self, record: Record, first: bool) -> None:
        text = json.dumps(record, indent=2, ensure_ascii=False)
        self._out.write(("[\n" if first else ",\n") + text)

    def _add_jsonl(self, record: Record, first: bool) -> None:
        self._print(json.dumps(record, ensure_ascii=False))

    def _add_csv(self, record: Record, first: bool) -> None:
        row = {key: value for key, value in record.items() if not isinstance(value, list)}
        if first:
            self._print(",".join(row))
        csv.writer(self._out, quoting=csv.QUOTE_ALL, lineterminator="\n").writerow(row.values())

    def _add_md(self, record: Record, first: bool) -> None:
        if first:
            self._print_row({name: name for name in COLUMNS})
            dashes = ("-" * (abs(w) - 1) + (":" if w > 0 else "-") for w in COLUMNS.values())
            self._print("| " + " | ".join(dashes) + " |")
        self._print_row(markdown_cells(record))

    def _print_row(self, cells: dict[str, str]) -> None:
        padded = (
            cells[name].rjust(width) if width > 0 else cells[name].ljust(-width)
            for name, width in COLUMNS.items()
        )
        self._print("| " + " | ".join(padded) + " |")

    def _print(self, line: str) -> None:
        print(line, file=self._out)


def markdown_cells(record: Record) -> dict[str, str]:
    """Return what llama-bench's table shows of a record."""
    size, params = record["model_size"], record["model_n_params"]
    return {
        "model": record["model_type"],
        "size": f"{size / 2**30:.2f} GiB" if size >= 2**30 else f"{size / 2**20:.2f} MiB",
        "params": f"{params / 1e9:.2f} B" if params >= 1e9 else f"{params / 1e6:.2f} M",
        "backend": record["backends"],
        "threads": str(record["n_threads"]),
        "test": BenchTest(*(record[key] for key in TEST)).name,
        "t/s": f"{record['avg_ts']:.2f} ± {record['stddev_ts']:.2f}",
    }


def notes(records: list[Record]) -> list[str]:
    """Return the lines below the table: shares of what the machine can do, times, versions."""
    lines = [""]
    n_files = len({record["model_filename"] for record in records})

    def of(record: Record) -> str:
        return f"{Path(record['model_filename']).name}: " if n_files > 1 else ""

    for record in records:
        threads = counted(record["n_threads"], "thread")
        test = f"{of(record)}{markdown_cells(record)['test']} with {threads}"
        if record["n_sequences"] > 1:
            lines.append(f"{test}: {record['avg_ts_each']:.2f} t/s for each sequence")
        if record["bandwidth_share"] is not None:
            limit = f"{record['memory_bandwidth'] / 1e9:.1f} GB/s of memory bandwidth"
            lines.append(f"{test}: {record['bandwidth_share']:.0%} of {limit}")
        if record["peak_share"] is not None:
            limit = f"{record['int8_peak'] / 1e12:.2f} int8 TOPS"
            lines.append(f"{test}: {record['peak_share']:.0%} of {limit}")
    shares = (record[key] for record in records for key in ("bandwidth_share", "peak_share"))
    if any(share is not None and share > 1 for share in shares):
        lines.append("the machine was busy while its limits were measured: shares mean little")
    for last in {record["model_filename"]: record for record in records}.values():
        load = f"load: {last['load_s']:.2f} s, of which compiling {last['compile_s']:.2f} s"
        lines.append(of(last) + load)
    versions = f"numba {version('numba')}, numpy {version('numpy')}"
    lines.append(f"build: ggjit {__version__} ({versions}), {records[-1]['cpu_info']}")
    return lines


def model_type(file: GGUFFile) -> str:
    """Return a short name: architecture, size, quantization."""
    arch = file.get("general.architecture", str, "?")
    size = file.get("general.size_label", str, None) or _rounded(_n_params(file))
    return f"{arch} {size} {_quantization(file)}"


def _quantization(file: GGUFFile) -> str:
    """Return llama.cpp's words for the file's type, such as Q4_0 or Q4_K - Medium."""
    from gguf import LlamaFileType

    number = file.get("general.file_type", int, None)
    if number is None or number not in set(LlamaFileType):
        return "?"
    name = LlamaFileType(number).name.removeprefix("MOSTLY_").removeprefix("ALL_")
    stem, _, size = name.rpartition("_")
    return f"{stem} - {QUANT_SIZES[size]}" if size in QUANT_SIZES else name


def _n_params(file: GGUFFile) -> int:
    return sum(t.n_elements for t in file.tensors.values())


def _rounded(n_params: int) -> str:
    return f"{n_params / 1e9:.1f}B" if n_params >= 1e9 else f"{n_params / 1e6:.0f}M"
