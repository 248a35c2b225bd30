"""What tokens choose where scores leave no choice: nothing becomes NaN."""

import numpy as np
import pytest
from tensors import tensor

from ggjit.backends.cpu import CPUExecutor
from ggjit.backends.reference import ReferenceExecutor
from ggjit.graph import Graph, Param, Routing

N_EXPERTS, WIDTH = 5, 6


def routed(logits, routing):
    """Return a graph whose router gives every token the same logits, and whose experts add 1."""

    def param(name, values):
        return Param(name, tensor(name, np.asarray(values)))

    g = Graph()
    x = g.embed(param("e", np.ones((8, WIDTH))))
    router = param("r", np.repeat(np.reshape(logits, (-1, 1)) / WIDTH, WIDTH, axis=1))
    stack = param("s", np.full((N_EXPERTS, WIDTH, WIDTH), 1 / WIDTH))
    routes = g.route(g.linear(x, router), routing)
    y = g.combine(g.expert_linear(x, stack, routes), routes)
    g.linear(g.select(g.add(x, y)), param("o", np.eye(8, WIDTH)))
    return g


@pytest.mark.parametrize("executor", [ReferenceExecutor, lambda g, n: CPUExecutor(g, n, 1)])
@pytest.mark.parametrize(
    ("logits", "score", "weight"),
    [
        ([-300] * N_EXPERTS, "sigmoid", 0), ([300] * N_EXPERTS, "sigmoid", 1),
        ([-300] * N_EXPERTS, "softmax", 1), ([9, 300, -300, -9, 0], "softmax", 1),
        ([-300, 0, -300, -300, -300], "sigmoid", 1), ([-300] * N_EXPERTS, "chosen", 1),
    ],
)  # fmt: skip
def test_normalized_weights_are_shares_or_nothing(executor, logits, score, weight):
    graph = routed(logits, Routing(2, score, normalize=True))
    run = executor(graph, 64)
    got = run.run(run.new_state(), np.arange(3, dtype=np.int32), "all")
    np.testing.assert_allclose(got[:, :WIDTH], 1 + weight, rtol=1e-5)
