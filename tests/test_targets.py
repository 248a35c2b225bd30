"""Every instruction set that this machine can run, each in a process of its own.

The kernels' tests run again on each; results are the same bits on all; and the assembly shows
that a target uses its instructions and no others.
"""

import os
import platform
import subprocess
import sys
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from ggjit.simd import target

TESTS = Path(__file__).parent
TIMEOUT_S = 600
RUNNABLE = [t.name for t in target.runnable()]
OTHERS = [name for name in RUNNABLE if name != target.current().name]


def on(name, *arguments):
    """Run Python with a forced target; return what it printed."""
    path = os.pathsep.join([str(TESTS), *sys.path])
    process = subprocess.run(
        [sys.executable, *arguments],
        env={**os.environ, "GGJIT_TARGET": name, "PYTHONPATH": path},
        cwd=TESTS.parent,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert process.returncode == 0, process.stdout[-5000:] + process.stderr[-2000:]
    return process.stdout


@pytest.mark.parametrize("name", OTHERS)
def test_the_kernels_on_another_target(name):
    chosen = ["tests/kernels", "tests/simd", "-m", "not every_type"]
    out = on(name, "-m", "pytest", *chosen, "-q", "-p", "no:cacheprovider")
    assert " failed" not in out


# -- the same bits everywhere ---------------------------------------------------------------------

LOGITS = """
import sys
import numpy as np
import gguf
from pathlib import Path
from tiny_llama import graph_of, shapes, weights, write
from ggjit.backends.cpu import CPUExecutor

folder = Path(sys.argv[1])
ids = np.random.default_rng(0).integers(0, 83, 70).astype(np.int32)
logits = {}
for kind in ("F32", "F16", "Q4_0", "Q4_1", "Q8_0"):
    kind = gguf.GGMLQuantizationType[kind]
    graph = graph_of(write(folder / f"{kind.name}.gguf", weights(shapes()), kind=kind))[1]
    for bits in (8, 16):
        executor = CPUExecutor(graph, 128, 1, activations=bits)
        logits[f"{kind.name}_{bits}"] = executor.run(executor.new_state(), ids, "all")
np.savez(folder / "logits.npz", **logits)
"""


def logits_on(name, folder):
    folder.mkdir()
    on(name, "-c", LOGITS, str(folder))
    return np.load(folder / "logits.npz")


@pytest.mark.skipif(not OTHERS, reason="only one target here")
def test_logits_are_the_same_bits_on_every_target(tmp_path):
    first, *others = (logits_on(name, tmp_path / name) for name in RUNNABLE)
    for other, name in zip(others, RUNNABLE[1:], strict=True):
        for key in first:
            np.testing.assert_array_equal(first[key], other[key], err_msg=f"{key} on {name}")


# -- assembly -------------------------------------------------------------------------------------

ASSEMBLY = """
from ggjit.formats import all_formats
from ggjit.jit.compiler import assembly
from ggjit.kernels.linear_int8 import linear_int8
from ggjit.kernels.tiles import tile_shape
fmt = next(f for f in all_formats().values() if f.name == "q4_1")
print(assembly(linear_int8(fmt, False, False, tile_shape())))
"""

x86 = pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="x86 instructions")


@cache
def product_on(name):
    if name not in RUNNABLE:
        pytest.skip(f"{name} does not run here")
    return on(name, "-c", ASSEMBLY)


@x86
@pytest.mark.parametrize(
    ("name", "used", "unused"),
    [
        ("avx512-amx", ["tdpbssd", "vpdpbusd", "zmm"], []),
        ("avx512-vnni", ["vpdpbusd", "vfmadd", "zmm"], ["tdpbssd", "vpmaddubsw"]),
        ("avx2", ["vpmaddubsw", "vpmaddwd", "vfmadd", "ymm"], ["zmm", "vpdpbusd", "%k1"]),
        ("generic", ["xmm"], ["ymm", "zmm", "vpmadd", "vpdpbusd", "vfmadd"]),
    ],
)
def test_a_target_uses_its_instructions_and_no_others(name, used, unused):
    text = product_on(name)
    assert [word for word in used if word not in text] == []
    assert [word for word in unused if word in text] == []
