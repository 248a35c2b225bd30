"""Small files that several tests of executors open."""

import pytest
from tiny_llama import graph_of, shapes, weights, write


@pytest.fixture(scope="session")
def files(tmp_path_factory):
    """A small llama of any type, written once."""
    folder, made = tmp_path_factory.mktemp("llama"), {}

    def file_of(kind):
        if kind not in made:
            made[kind] = graph_of(write(folder / f"{kind.name}.gguf", weights(shapes()), kind=kind))
        return made[kind][1]

    return file_of
