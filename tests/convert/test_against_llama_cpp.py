"""Tiny checkpoints become what llama.cpp's converter made of them: every key, every byte.

Made by tests/models/make_converted_fixtures.py, which keeps both sides.
"""

from pathlib import Path

import numpy as np
import pytest

from ggjit.gguf import open_gguf
from ggjit_convert import convert

TESTS = Path(__file__).parents[1]
CHECKPOINTS = sorted((TESTS / "convert" / "data").iterdir())


@pytest.fixture(scope="module", params=CHECKPOINTS, ids=lambda path: path.name)
def both(request, tmp_path_factory):
    """Our file and llama.cpp's."""
    out = tmp_path_factory.mktemp("converted") / "model.gguf"
    convert(request.param, out, "f16", vocabulary=False)
    expected = TESTS / "models" / "data" / f"{request.param.name}.gguf"
    with open_gguf(out) as ours, open_gguf(expected) as theirs:
        yield ours, theirs


def test_metadata(both):
    ours, theirs = (file.metadata for file in both)
    own = {name for name in ours if ".ggjit." in name}
    assert ours.keys() - own == theirs.keys()
    for name, value in theirs.items():
        assert type(ours[name]) is type(value), name
        np.testing.assert_array_equal(ours[name], value, name)


def test_tensors(both):
    ours, theirs = (file.tensors for file in both)
    assert ours.keys() == theirs.keys()
    for name, tensor in theirs.items():
        assert (ours[name].type, ours[name].shape) == (tensor.type, tensor.shape), name
        if name.endswith("ssm_a"):  # an exponential: the last bit is a matter of the library
            values = (t.data.view(np.float32) for t in (ours[name], tensor))
            np.testing.assert_allclose(*values, rtol=1.2e-7)
        else:
            np.testing.assert_array_equal(ours[name].data, tensor.data, name)
