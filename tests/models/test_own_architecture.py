"""The architecture of docs/add-an-architecture.md, in a file of one's own."""

import re
from pathlib import Path

import numpy as np
import pytest
import tiny_llama

import ggjit
from ggjit.backends.cpu import CPUExecutor
from ggjit.backends.reference import ReferenceExecutor
from ggjit.models import registry

DOC = Path(__file__).parents[2] / "docs" / "add-an-architecture.md"


@pytest.fixture
def registered_for_a_while():
    yield
    registry._architectures.pop("sidebyside")


@pytest.mark.usefixtures("registered_for_a_while")
def test_the_documented_architecture_runs(tmp_path):
    code = re.findall(r"```python\n(.*?)```", DOC.read_text(encoding="utf-8"), re.DOTALL)[0]
    exec(compile(code, "my_model.py", "exec"), {})
    tensors = tiny_llama.weights(tiny_llama.shapes())
    tensors = {name: t for name, t in tensors.items() if "ffn_norm" not in name}
    keys = {k.replace("llama.", "sidebyside."): v for k, v in tiny_llama.METADATA.items()}
    path = tiny_llama.write(tmp_path / "own.gguf", tensors, arch="sidebyside", **keys)
    _, graph = tiny_llama.graph_of(path)
    ids = np.array([1, 5, 7], np.int32)
    results = []
    for executor in (ReferenceExecutor(graph, 64), CPUExecutor(graph, 64, 1)):
        results.append(executor.run(executor.new_state(), ids))
    np.testing.assert_allclose(results[1], results[0], rtol=0.01, atol=0.01)


def test_the_name_is_public():
    assert ggjit.register is registry.register
