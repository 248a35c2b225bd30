"""A plot of each comparison: tokens per second, ours against theirs, with matplotlib (`.[plots]`).

    python bench/compare.py ... --name compare-1b > compare-1b.txt
    python bench/plots.py compare-1b.txt ... [--to docs/plots]

Reads what compare.py printed, whose last line is JSON, and writes docs/plots/compare-1b.png: a
panel for prompts and one for tokens one by one. Bars are medians, lines go from least to most.
"""

from __future__ import annotations

import json
import textwrap
from argparse import ArgumentParser, RawTextHelpFormatter
from io import BytesIO
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("agg")
from matplotlib.figure import Figure
from PIL import Image

FOLDER = Path(__file__).parents[1] / "docs" / "plots"
OURS = ("#0b6e6e", "#5fb8ad")
THEIRS = ("#d08a3c", "#8a8f98", "#b9678f", "#c3c7cd")
PANELS = {"prompts": "pp", "tokens one by one": "tg"}
BAR = 0.21  # inches
N_COLOURS = 32
Record = dict[str, Any]


def main() -> None:
    """Draw every comparison."""
    parser = ArgumentParser(description=__doc__, formatter_class=RawTextHelpFormatter)
    parser.add_argument("outputs", type=Path, nargs="+", metavar="OUTPUT")
    parser.add_argument("--to", type=Path, default=FOLDER, help="folder (docs/plots)")
    args = parser.parse_args()
    args.to.mkdir(parents=True, exist_ok=True)
    for output in args.outputs:
        found = json.loads(output.read_text(encoding="utf-8").strip().rpartition("\n")[2])
        path = args.to / f"{found['name']}.png"
        save(draw(found), path)
        print(path)


def save(figure: Figure, path: Path) -> None:
    """Write a figure with few colours, which makes the file small."""
    picture = BytesIO()
    figure.savefig(picture, dpi=100)
    Image.open(picture).convert("RGB").quantize(N_COLOURS).save(path, optimize=True)


def draw(found: dict[str, Any]) -> Figure:
    """Return a figure of what compare.py measured."""
    records = found["results"]
    engines = list(dict.fromkeys(r["engine"] for r in records))
    panels = {
        title: groups
        for title, kind in PANELS.items()
        if (groups := groups_of([r for r in records if r["test"].startswith(kind)]))
    }
    rows = [len(groups) * (len(engines) + 1) for groups in panels.values()]
    height = BAR * sum(rows) + 0.45 * len(rows) + 0.8
    figure = Figure(figsize=(8, height), layout="constrained", facecolor="white")
    axes = figure.subplots(len(panels), 1, squeeze=False, height_ratios=rows)[:, 0]
    for panel, (title, groups) in zip(axes, panels.items(), strict=True):
        draw_panel(panel, title, groups, colours(engines))
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper left",
                  ncols=min(4, len(engines)), frameon=False, fontsize=9)  # fmt: skip
    figure.supxlabel("\n".join(textwrap.wrap(found["machine"], 125)), fontsize=7, color="#666666")
    return figure


def groups_of(records: list[Record]) -> dict[str, list[Record]]:
    """Return the records of each file and test, under their name."""
    groups: dict[str, list[Record]] = {}
    for record in records:
        name = f"{record['file'].removesuffix('.gguf')}\n{record['test']}"
        groups.setdefault(name, []).append(record)
    return groups


def colours(engines: list[str]) -> dict[str, str]:
    """Give each engine a colour, ours all of one hue."""
    ours = [name for name in engines if name.startswith("ggjit")]
    theirs = [name for name in engines if name not in ours]
    chosen = {name: OURS[i % len(OURS)] for i, name in enumerate(ours)}
    return chosen | {name: THEIRS[i % len(THEIRS)] for i, name in enumerate(theirs)}


def draw_panel(
    panel: Any, title: str, groups: dict[str, list[Record]], colours: dict[str, str]
) -> None:
    """Draw the bars of each group below each other."""
    step = len(colours) + 1
    most = max(max(r["samples_ts"], default=0) for group in groups.values() for r in group)
    for i, (engine, colour) in enumerate(colours.items()):
        records = [next(r for r in group if r["engine"] == engine) for group in groups.values()]
        places = [step * n + i for n in range(len(groups))]
        medians = [r["median_ts"] for r in records]
        panel.barh(places, medians, 0.86, color=colour, label=engine, xerr=errors(records),
                   error_kw={"elinewidth": 0.8, "ecolor": "#333333"})  # fmt: skip
        for place, record in zip(places, records, strict=True):
            end = max(record["samples_ts"], default=0) + 0.01 * most
            panel.text(end, place, words(record), va="center", fontsize=8, color="#333333")
    panel.set_title(f"{title}: tokens/s", loc="left", fontsize=10, fontweight="bold")
    panel.set_yticks([step * n + (step - 2) / 2 for n in range(len(groups))], groups, fontsize=8)
    panel.set(xlim=(0, 1.12 * (most or 1)), ylim=(step * len(groups) - 1.3, -0.7))
    panel.tick_params(axis="y", length=0)
    panel.tick_params(axis="x", labelsize=8)
    panel.grid(axis="x", color="#e4e4e4")
    panel.set_axisbelow(True)
    panel.spines[["top", "right", "left"]].set_visible(False)


def errors(records: list[Record]) -> list[list[float]]:
    """Return how far samples reach below and above their median."""
    below = [r["median_ts"] - min(r["samples_ts"] or [r["median_ts"]]) for r in records]
    above = [max(r["samples_ts"] or [r["median_ts"]]) - r["median_ts"] for r in records]
    return [below, above]


def words(record: Record) -> str:
    """Return what stands behind a bar."""
    if record["failure"]:
        return "not measured" if record["failure"] == "-" else str(record["failure"])
    return (
        f"{record['median_ts']:.1f}" if record["median_ts"] < 1000 else f"{record['median_ts']:.0f}"
    )


if __name__ == "__main__":
    main()
