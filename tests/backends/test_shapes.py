"""The tiles of a type's products: measured once, remembered, never in the way."""

import json
from dataclasses import asdict

import gguf
import numpy as np
import pytest
from tensors import tensor

from ggjit import loading
from ggjit.backends.cpu import shapes
from ggjit.backends.cpu.shapes import fastest, main_format, seconds_of, shape_of, shapes_to_try
from ggjit.backends.cpu.tuning import Tuning, remember
from ggjit.formats import all_formats
from ggjit.gguf import GGMLType
from ggjit.graph import Graph, Param
from ggjit.kernels.tiles import BYTES, WIDE, TileShape, tile_shape

KINDS = gguf.GGMLQuantizationType
OTHER = TileShape(1, 2, 48)


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    monkeypatch.setenv("GGJIT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "tuning"


@pytest.fixture
def measured(monkeypatch):
    """Let every model be large and `OTHER` be fastest; return what was measured."""
    told = []

    def fastest(shapes, fmt, form, progress):
        told.append((fmt.name, form))
        return OTHER

    monkeypatch.setattr(shapes, "LEAST", 1)
    monkeypatch.setattr(shapes, "shapes_to_try", lambda: [tile_shape(), OTHER])
    monkeypatch.setattr(shapes, "fastest", fastest)
    return told


def matrix(name, values, kind):
    return Param(name, tensor(name, values, kind))


def graph_of(kind, output=KINDS.Q8_0):
    graph, values = Graph(), np.ones((32, 32))
    x = graph.embed(Param("e", tensor("e", values)))
    x = graph.linear(x, matrix("m", values, kind))
    graph.linear(graph.select(x), matrix("o", np.ones((320, 32)), output))
    return graph


def test_it_is_measured_once_for_a_type_and_bits(measured, cache):
    for _ in range(2):
        for kind in (KINDS.Q4_0, KINDS.Q4_1):
            assert shape_of(graph_of(kind), 16) == OTHER
    assert shape_of(graph_of(KINDS.Q4_0), 8) == OTHER
    assert measured == [("q4_0", WIDE), ("q4_1", WIDE), ("q4_0", BYTES)]
    assert len(list(cache.iterdir())) == 3


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "3", '{"shape": 1}', '{"shape": {"n_groups": 1}}', "\0",
     pytest.param("[" * 100_000, id="deep"),
     '{"shape": {"n_groups": 9, "n_tokens": 4, "panel": 96}}',
     '{"shape": {"n_groups": 1, "n_tokens": "x", "panel": 96}}',
     '{"shape": {"n_groups": 1, "n_tokens": Infinity, "panel": 96}}',
     '{"shape": {"n_groups": 1, "n_tokens": 4, "panel": 96, "more": 1}}'],
)  # fmt: skip
def test_what_cannot_be_used_is_measured_again(measured, cache, text):
    graph = graph_of(KINDS.Q4_0)
    shape_of(graph, 16)
    (path,) = cache.iterdir()
    path.write_text(text)
    assert shape_of(graph, 16) == OTHER
    assert len(measured) == 2
    assert json.loads(path.read_text())["shape"]["n_tokens"] == 2


def test_where_nothing_can_be_kept_nothing_is_measured(measured, cache):
    cache.parent.write_text("a file where the folder should be")
    assert shape_of(graph_of(KINDS.Q4_0), 16) == tile_shape()
    assert measured == []


def test_a_folder_in_the_place_is_left_there(measured, cache):
    shape_of(graph_of(KINDS.Q4_0), 16)
    (path,) = cache.iterdir()
    path.unlink()
    path.mkdir()
    assert shape_of(graph_of(KINDS.Q4_0), 16) == tile_shape()


def test_a_disk_that_is_full_meanwhile_is_no_error(measured, cache, monkeypatch):
    def full(path, to):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", full)
    assert shape_of(graph_of(KINDS.Q4_0), 16) == OTHER
    assert not list(cache.iterdir())


def test_what_was_measured_on_a_busy_machine_is_replaced(measured, cache):
    graph = graph_of(KINDS.Q4_0)
    shape_of(graph, 16)
    (path,) = cache.iterdir()
    path.write_text(json.dumps({"shape": asdict(TileShape(1, 3, 24))}))
    assert shape_of(graph, 16) == TileShape(1, 3, 24)
    assert shape_of(graph, 16, anew=True) == shape_of(graph, 16) == OTHER
    assert len(measured) == 2


def test_most_weights_that_prompts_meet_decide(monkeypatch):
    """Neither the embedding nor the output matrix do: prompts are not multiplied by them."""
    assert main_format(graph_of(KINDS.Q4_0)) is None  # small
    monkeypatch.setattr(shapes, "LEAST", 1)
    assert main_format(graph_of(KINDS.Q4_0)).name == "q4_0"
    assert main_format(graph_of(KINDS.F16)) is None
    assert main_format(Graph()) is None


def test_what_was_found_for_a_model_goes_first(measured):
    graph, tuned = graph_of(KINDS.Q4_0), TileShape(1, 3, 24)
    open_executor = (graph, 64, "cpu", 1, 16, None, ("f16", "f16"), 1, "auto")
    assert loading._executor(*open_executor)._lowering.shape == OTHER
    remember(graph, Tuning(1, tuned))
    assert loading._executor(*open_executor)._lowering.shape == tuned
    assert len(measured) == 1


def test_only_what_is_clearly_better_takes_the_defaults_place(monkeypatch):
    fmt, times = all_formats()[GGMLType.Q4_0], {}
    monkeypatch.setattr(shapes, "compile_kernels", lambda *args: None)
    monkeypatch.setattr(shapes, "seconds_of", lambda *args: times)
    for seconds, best in ((0.99, tile_shape()), (0.9, OTHER), (1.1, tile_shape())):
        times |= {tile_shape(): 1.0, OTHER: seconds}
        assert fastest([tile_shape(), OTHER], fmt, WIDE) == best


@pytest.mark.parametrize("form", [BYTES, WIDE])
def test_it_measures(form, monkeypatch):
    monkeypatch.setattr(shapes, "N_ROUNDS", 2)
    fmt, tried = all_formats()[GGMLType.Q8_0], [tile_shape(), OTHER]
    assert all(seconds > 0 for seconds in seconds_of(tried, fmt, form).values())
    told = []
    assert fastest(tried, fmt, form, lambda *progress: told.append(progress)) in tried
    assert {what for what, _, _ in told} <= {"choosing tiles"}


def test_the_default_is_tried_first():
    tried = shapes_to_try()
    assert tried[0] == tile_shape()
    assert len(set(tried)) == len(tried)
