"""What is fastest for a model, measured and remembered."""

import numpy as np
import pytest
from tensors import tensor

from ggjit.backends.cpu import CPUExecutor, tuning
from ggjit.backends.cpu.tuning import Speed, Tuning, cuts_to_try, remember, remembered, tune
from ggjit.graph import Graph, Param
from ggjit.kernels.tiles import TileShape, tile_shape


@pytest.fixture
def graph(monkeypatch, tmp_path):
    monkeypatch.setenv("GGJIT_CACHE", str(tmp_path))
    graph, values = Graph(), np.ones((8, 32))
    x = graph.embed(Param("e", tensor("e", values)))
    graph.linear(graph.select(x), Param("o", tensor("o", values)))
    return graph


def test_the_best_is_remembered(graph, monkeypatch):
    """Of two that differ by noise the first stays."""
    monkeypatch.setattr(tuning, "default_threads", lambda: 4)
    monkeypatch.setattr(tuning, "allowed_cpus", lambda: {0, 1, 2, 3})

    def measured(executor, one):
        prompt = {4: 100, 3: 101, 2: 150}[one.n_threads] * (2 if one.shape.panel == 192 else 1)
        return Speed(prompt, 10)

    monkeypatch.setattr(tuning, "measured", measured)
    told = []
    best = tune(graph, 64, lambda one, speed: told.append(one))
    assert (best.n_threads, remembered(graph)) == (2, best)
    assert len(told) == len(set(told)) >= 3
    if len(list(cuts_to_try(best))) > 1:
        assert best.shape.panel == 192


def test_it_measures(graph):
    executor = CPUExecutor(graph, 64, 2)
    speed = tuning.measured(executor, Tuning(1, TileShape(1, 2, 16)))
    assert executor.n_threads == 1
    assert speed.prompt > 0
    assert speed.reply > 0


def test_weights_are_packed_once(graph, monkeypatch):
    made = []

    def counted(*args, **arguments):
        made.append(CPUExecutor(*args, **arguments))
        return made[-1]

    monkeypatch.setattr(tuning, "CPUExecutor", counted)
    told = []
    tune(graph, 64, lambda one, speed: told.append(one))
    assert len(made) == 1
    assert told[0].shape == tile_shape()


def test_what_was_remembered_does_not_count(graph, monkeypatch):
    told = []

    def shape_of(*_, anew=False):
        told.append(anew)
        return tile_shape()

    monkeypatch.setattr(tuning, "shape_of", shape_of)
    monkeypatch.setattr(tuning, "measured", lambda executor, one: Speed(1, 1))
    remember(graph, Tuning(77, TileShape(1, 3, 24)))
    assert tune(graph, 64, lambda one, speed: None) == remembered(graph)
    assert told == [True]
    assert remembered(graph).n_threads < 77


def test_what_is_unreadable_is_nothing(graph):
    assert remembered(graph) is None
    remember(graph, Tuning(3, TileShape(1, 2, 16)))
    assert remembered(graph) == Tuning(3, TileShape(1, 2, 16))
    assert remembered(graph, 8) is None
    for text in ("{", "[]", "null", '{"n_threads": 2}', '{"n_threads": 2, "shape": {}}', "\0"):
        tuning.place_of_model(graph, 16).write_text(text)
        assert remembered(graph) is None


@pytest.mark.parametrize(
    "shape", [(3, 4, 96), (0, 4, 96), (1, 0, 96), (1, 40, 96), (1, 4, 0), (1, 4, 1 << 40)]
)
def test_what_makes_no_sense_is_nothing(graph, shape):
    remember(graph, Tuning(2, TileShape(*shape)))
    assert remembered(graph) is None
    remember(graph, Tuning(-3, TileShape(1, 4, 96)))
    assert remembered(graph) is None
