"""The architecture of docs/add-an-architecture.md, in a file of one's own."""

import re
import sys
import types
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import tiny_llama

import ggjit
from ggjit.backends.cpu import CPUExecutor
from ggjit.backends.reference import ReferenceExecutor
from ggjit.gguf import open_gguf
from ggjit.models import registry

DOC = Path(__file__).parents[2] / "docs" / "add-an-architecture.md"


@pytest.fixture
def registered_for_a_while():
    yield
    registry._architectures.pop("sidebyside")


@pytest.mark.usefixtures("registered_for_a_while")
def test_the_documented_architecture_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    my_model, make_tiny, load = re.findall(
        r"```python\n(.*?)```", DOC.read_text("utf-8"), re.DOTALL
    )
    monkeypatch.setitem(sys.modules, "my_model", types.ModuleType("my_model"))
    exec(compile(my_model, "my_model.py", "exec"), vars(sys.modules["my_model"]))
    exec(compile(make_tiny, "make_tiny.py", "exec"), {})
    exec(compile(load, "load.py", "exec"), {})
    assert capsys.readouterr().out.count("[") == 4  # logits of three tokens
    _, graph = tiny_llama.graph_of(tmp_path / "tiny.gguf")
    ids = np.array([1, 5, 7], np.int32)
    results = []
    for executor in (ReferenceExecutor(graph, 64), CPUExecutor(graph, 64, 1)):
        results.append(executor.run(executor.new_state(), ids))
    np.testing.assert_allclose(results[1], results[0], rtol=0.01, atol=0.01)


@pytest.fixture
def no_architectures(monkeypatch):
    monkeypatch.setattr(registry, "_architectures", {})


@pytest.mark.usefixtures("no_architectures")
def test_a_name_is_registered_once():
    def forward(g, c, w): ...

    def other(g, c, w): ...

    ggjit.register("mine")(forward)
    ggjit.register("mine")(forward)  # as when a cell of a notebook is run again
    message = "architecture 'mine' is registered already, by .*forward"
    with pytest.raises(ValueError, match=message):
        ggjit.register("yours", "mine")(other)
    assert set(registry.registered()) == {"mine"}


@pytest.mark.usefixtures("no_architectures")
def test_what_can_be_called_can_be_registered():
    class Forward:
        def __call__(self, g, c, w, variant=0): ...

    for forward in (partial(Forward.__call__, variant=1), Forward()):
        for _ in range(2):
            ggjit.register(type(forward).__name__)(forward)
    with pytest.raises(ValueError, match=r"registered already, by .*Forward\.__call__"):
        ggjit.register("partial")(Forward())


def test_the_last_operation_is_returned(tmp_path):
    def forward(g, c, w):
        x = g.embed(w.token_embd)
        g.linear(g.rms_norm(g.select(x), w.output_norm, c.norm_eps), w.output)
        return x

    shapes = tiny_llama.shapes()
    file = open_gguf(tiny_llama.write(tmp_path / "x.gguf", tiny_llama.weights(shapes)))
    with pytest.raises(ValueError, match="'llama' does not return its last operation"):
        registry.Architecture("llama", forward).build(file)


@pytest.mark.parametrize("forgotten", ["select", "linear"])
def test_logits_are_made_by_a_matrix_of_selected_tokens(forgotten, tmp_path):
    def forward(g, c, w):
        x = g.embed(w.token_embd)
        x = x if forgotten == "select" else g.select(x)
        x = g.rms_norm(x, w.output_norm, c.norm_eps)
        return x if forgotten == "linear" else g.linear(x, w.output)

    shapes = tiny_llama.shapes()
    file = open_gguf(tiny_llama.write(tmp_path / "x.gguf", tiny_llama.weights(shapes)))
    message = "architecture 'llama' makes no logits of selected tokens by a matrix"
    with pytest.raises(ValueError, match=message):
        registry.Architecture("llama", forward).build(file)


def test_the_name_is_public():
    assert ggjit.register is registry.register
