"""What all tests share; every test can import the modules beside this file."""

import numpy as np
import pytest


@pytest.fixture
def rng(request):
    """A generator that depends on the test's name alone."""
    return np.random.default_rng(list(request.node.name.encode()))
