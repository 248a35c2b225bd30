"""`ggjit` in a process of its own, with a model that rambles on; argument 1: seconds a token."""

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "generate"))

from fake_engine import fake_model, rambling

import ggjit
from ggjit.cli import main

pause_s = float(sys.argv.pop(1))


def slowly(state):
    time.sleep(pause_s)
    return rambling(state)


ggjit.load = lambda path, **_: fake_model(slowly, n_context=100_000)
main()
