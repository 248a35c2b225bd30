"""The table of tensor types against gguf-py's, as far as it goes."""

import gguf
import pytest

from ggjit.gguf import GGMLType
from ggjit.gguf.types import REMOVED


@pytest.mark.parametrize("kind", gguf.GGMLQuantizationType, ids=lambda k: k.name)
def test_numbers_and_sizes_are_ggufs(kind):
    known = GGMLType[kind.name]
    assert known == kind
    # ggml's Q8_1 has had float16 scales for long: 36 bytes by its `sizeof(block_q8_1)`.
    sizes = (32, 36) if kind.name == "Q8_1" else gguf.GGML_QUANT_SIZES[kind]
    assert (known.n_columns, known.n_bytes) == sizes


def test_every_number_is_known_or_removed():
    assert sorted({*GGMLType, *REMOVED}) == list(range(43))
    assert not {*GGMLType} & {*REMOVED}
    assert all(instead in GGMLType.__members__ for _, instead in REMOVED.values())
