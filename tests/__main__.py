"""`python -m tests`: everything a change has to pass. Arguments go to pytest."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from time import perf_counter

ROOT = Path(__file__).parents[1]
STEPS = {
    "ruff": ["ruff", "check", "."],
    "mypy": ["mypy"],
    "pytest": ["pytest"],
}


def main(arguments: list[str]) -> int:
    """Run the steps one after the other, all of them; return how many failed."""
    failed = []
    for name, command in STEPS.items():
        print(f"== {' '.join(command)}", flush=True)
        start = perf_counter()
        more = arguments if name == "pytest" else []
        if subprocess.run(
            [sys.executable, "-m", *command, *more], cwd=ROOT, check=False
        ).returncode:
            failed.append(name)
        print(f"-- {perf_counter() - start:.0f} s", flush=True)
    print(f"== failed: {', '.join(failed)}" if failed else "== all passed", flush=True)
    return len(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
