"""Stored blocks and the numbers in them.

Made once with gguf-py 0.19.0 (`gguf.quants.quantize`, then `dequantize`) from the 32 values of
`source`, the float types from the first eight; not to be made again with this project's code.
"""

import gguf
import numpy as np
import pytest

from ggjit.formats import all_formats

GOLDEN = {
    "F32": (
        "0000d0bf000080bf0000c0be0000803e0000603f0000c03f000008400000a0bf",
        "-1.625 -1 -0.375 0.25 0.875 1.5 2.125 -1.25",
    ),
    "F16": (
        "80be00bc00b60034003b003e404000bd",
        "-1.625 -1 -0.375 0.25 0.875 1.5 2.125 -1.25",
    ),
    "BF16": (
        "d0bf80bfc0be803e603fc03f0840a0bf",
        "-1.625 -1 -0.375 0.25 0.875 1.5 2.125 -1.25",
    ),
    "Q4_0": (
        "80b47e4c2907c5a3805c3a18d6b4816d4b29",
        "-1.6875 -1.125 -0.28125 0.28125 0.84375 1.40625 2.25 -1.125 -0.5625 0 0.5625 1.125 "
        "1.96875 -1.40625 -0.84375 -0.28125 0.28125 1.125 1.6875 2.25 -1.125 -0.5625 0 "
        "0.84375 1.40625 1.96875 -1.40625 -0.84375 0 0.5625 1.125 1.6875",
    ),
    "Q4_1": (
        "223480be80a2d5f72a4c7f91c4e6193b6e80b3d5",
        "-1.625 -1.1083984375 -0.33349609375 0.18310546875 0.9580078125 1.474609375 "
        "2.24951171875 -1.36669921875 -0.591796875 -0.0751953125 0.69970703125 1.21630859375 "
        "1.9912109375 -1.625 -0.85009765625 -0.33349609375 0.44140625 0.9580078125 "
        "1.73291015625 2.24951171875 -1.1083984375 -0.591796875 0.18310546875 0.69970703125 "
        "1.474609375 1.9912109375 -1.36669921875 -0.85009765625 -0.0751953125 0.44140625 "
        "1.21630859375 1.73291015625",
    ),
    "Q8_0": (
        "8924a4c8eb0e315578b9dd0023476aabcff215385c7fc0e4072a4e71b2d6f91c4063",
        "-1.62982177734375 -0.9920654296875 -0.3720245361328125 0.248016357421875 "
        "0.8680572509765625 1.5058135986328125 2.1258544921875 -1.2577972412109375 "
        "-0.6200408935546875 0 0.6200408935546875 1.2577972412109375 1.877838134765625 "
        "-1.5058135986328125 -0.8680572509765625 -0.248016357421875 0.3720245361328125 "
        "0.9920654296875 1.62982177734375 2.2498626708984375 -1.1337890625 -0.49603271484375 "
        "0.1240081787109375 0.744049072265625 1.381805419921875 2.0018463134765625 "
        "-1.381805419921875 -0.744049072265625 -0.1240081787109375 0.49603271484375 "
        "1.1337890625 1.7538299560546875",
    ),
}


def source():
    """-1.625 to 2.25 in steps of 1/8, in no order."""
    return ((np.arange(32) * 37 % 32) - 13).astype(np.float32) / np.float32(8)


def numbers(name):
    return np.array(GOLDEN[name][1].split(), np.float32)


@pytest.mark.parametrize("fmt", all_formats().values(), ids=lambda f: f.name)
def test_stored_blocks_decode_to_the_stored_numbers(fmt):
    """A new format is not done before it has its golden block here."""
    stored, expected = GOLDEN[fmt.type.name][0], numbers(fmt.type.name)
    blocks = np.frombuffer(bytes.fromhex(stored), np.uint8)
    got = fmt.decode_rows(blocks, len(expected))[0]
    np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("name", GOLDEN)
def test_the_numbers_are_near_those_they_were_made_from(name):
    expected = numbers(name)
    kind = gguf.GGMLQuantizationType[name]
    step = {"Q4_0": 0.29, "Q4_1": 0.26, "Q8_0": 0.018}.get(kind.name, 0)
    assert np.all(np.abs(expected - source()[: len(expected)]) <= step / 2)
