"""Every instruction set that this machine can run, each in a process of its own.

The kernels' tests run again on each; results are the same bits on all; and the assembly shows
that a target uses its instructions and no others.
"""

import os
import platform
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from ggjit.simd import host, target

TESTS = Path(__file__).parent
TIMEOUT_S = 1500
RUNNABLE = [t.name for t in target.runnable()]
OTHERS = [name for name in RUNNABLE if name != target.current().name]


def on(name, *arguments, folder=TESTS.parent, **variables):
    """Run Python with a forced target; return what it printed."""
    path = os.pathsep.join(map(os.path.abspath, [TESTS, *sys.path]))
    process = subprocess.run(
        [sys.executable, *arguments],
        env={**os.environ, "GGJIT_TARGET": name, "PYTHONPATH": path, **variables},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert process.returncode == 0, process.stdout[-5000:] + process.stderr[-2000:]
    return process.stdout


@pytest.fixture(scope="module")
def kernel_tests():
    """Start the kernels' tests on all other targets, as many at a time as there are cores.

    Encoders are only tried on the narrowest: each target compiles everything anew.
    """

    def run(name):
        chosen = ["tests/kernels", "tests/simd", "-m", "not every_type"]
        if name == OTHERS[-1]:
            chosen.append("tests/convert/test_encode_exact.py")
        return on(name, "-m", "pytest", *chosen, "-q", "-p", "no:cacheprovider")

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        yield {name: pool.submit(run, name) for name in OTHERS}


@pytest.mark.parametrize("name", OTHERS)
def test_the_kernels_on_another_target(kernel_tests, name):
    assert " failed" not in kernel_tests[name].result()


# -- models on each -------------------------------------------------------------------------------

MODELS = """
import numpy as np
import gguf
from pathlib import Path
from tiny_llama import graph_of, shapes, weights, write
from ggjit.backends.cpu import CPUExecutor
from ggjit.jit import compiler, library


def compile_and_show(kernel):
    module, machine = compiler.optimized(kernel), compiler.target_machine()
    Path(f"{kernel.name}.s").write_text(machine.emit_assembly(module))
    return machine.emit_object(module)


library.compile_object = compile_and_show
ids = np.random.default_rng(0).integers(0, 83, 70).astype(np.int32)
logits = {}
for kind in ("F32", "F16", "Q4_0", "Q5_1", "Q8_0"):
    kind = gguf.GGMLQuantizationType[kind]
    graph = graph_of(write(Path(f"{kind.name}.gguf"), weights(shapes()), kind=kind))[1]
    for bits in (8, 16):
        executor = CPUExecutor(graph, 128, 1, activations=bits)
        logits[f"{kind.name}_{bits}"] = executor.run(executor.new_state(), ids, "all")
np.savez("logits.npz", **logits)
"""


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Return the logits of a few models on a target, and the assembly of all their kernels."""

    @cache
    def models(name):
        if name not in RUNNABLE:
            pytest.skip(f"{name} does not run here")
        folder = tmp_path_factory.mktemp(name)
        on(name, "-c", MODELS, folder=folder, GGJIT_CACHE=str(folder))
        code = {file.stem: file.read_text() for file in folder.glob("*.s")}
        return dict(np.load(folder / "logits.npz")), code

    return models


@pytest.mark.parametrize("name", OTHERS)
def test_logits_are_the_same_bits_on_every_target(models, name):
    expected, got = models(target.current().name)[0], models(name)[0]
    for key in expected:
        np.testing.assert_array_equal(got[key], expected[key], err_msg=key)


# What a target's products have to use, and what none of its kernels may.
AVX512 = r"%zmm|%k[0-7]\b|%[xy]mm(?:1[6-9]|2\d|3[01])\b"
ASSEMBLY = {
    "avx512-amx": (r"tdpbssd|vpdpbusd", r"vpmaddubsw"),
    "avx512-vnni": (r"vpdpbusd\s.*%zmm", r"tdpbssd|vpmaddubsw"),
    "avx512": (r"vpmadd(ubsw|wd)\s.*%zmm", r"vpdpbusd"),
    "avx-vnni": (r"{vex}\s+vpdpbusd\s.*%ymm", rf"{AVX512}|^\s+vpdpbusd|vpmaddubsw"),
    "avx2": (r"vpmadd(ubsw|wd)\s.*%ymm", rf"{AVX512}|vpdpbusd"),
    "generic": (r"pmaddwd\s.*%xmm", r"%ymm|%zmm|^\s+v|pmaddubsw|pmovsx|pmulld|pshufb"),
}


@pytest.mark.skipif(platform.machine() not in host.X86, reason="x86 instructions")
@pytest.mark.parametrize("name", ASSEMBLY)
def test_a_target_uses_its_instructions_and_no_others(models, name):
    code = models(name)[1]
    used, unused = (re.compile(pattern, re.MULTILINE) for pattern in ASSEMBLY[name])
    products = {kernel: text for kernel, text in code.items() if kernel.startswith("linear_q")}
    assert len(products) >= 6
    assert [kernel for kernel, text in products.items() if not used.search(text)] == []
    found = {kernel: sorted(set(unused.findall(text))) for kernel, text in code.items()}
    assert {kernel: words for kernel, words in found.items() if words} == {}


@pytest.mark.skipif("avx2" not in RUNNABLE, reason="AVX2")
@pytest.mark.parametrize(("fmt", "n"), [("q4_0", 8), ("q5_1", 4), ("q8_0", 8)])
def test_products_of_few_bits_are_summed_in_16_bits(models, fmt, n):
    """Eight registers of 4-bit weights, four of 5 bits, eight of nibbles, and only then in 32."""
    code = models("avx2")[1]
    [text] = (text for kernel, text in code.items() if kernel.startswith(f"linear_{fmt}_a8"))
    assert text.count("vpmaddubsw") == n * text.count("vpmaddwd")


@pytest.mark.skipif("avx2" not in RUNNABLE, reason="AVX2")
def test_activations_of_16_bits_are_multiplied_as_words(models):
    """A word takes one multiplication, two bytes take two or, with 8-bit weights, four."""
    products = [text for name, text in models("avx2")[1].items() if "_a16" in name]
    assert len(products) >= 3
    assert all("vpmaddwd" in text and "vpmaddubsw" not in text for text in products)
