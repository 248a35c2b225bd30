"""The file of predictions: its bytes, what rounding they cost, and damaged files."""

import struct

import numpy as np
import pytest

from ggjit.measure import LogitsFile, LogitsWriter, log_softmax

IDS = np.array([[4, 0, 1, 3, 2, 2], [1, 1, 4, 0, 3, 3]], np.int32)  # two scored of each six


@pytest.fixture
def path(tmp_path):
    return tmp_path / "x.logits"


def write(path, logits, ids=IDS, n_vocab=None):
    with LogitsWriter(path, ids, n_vocab or logits.shape[-1]) as writer:
        for rows in logits:
            writer.add(rows)


def packed(row):
    """One row as llama.cpp packs it, number by number."""
    most = max(row)
    least = max(min(row), most - np.float32(16))
    log_sum = np.log(sum(np.exp(x - most) for x in row))
    scale = np.float32(most - least) / np.float32(65535)
    data = struct.pack("<ff", scale, least - most - log_sum)
    for x in row:
        data += struct.pack("<H", round(float((x - least) / scale)) if x > least else 0)
    return data + bytes(2 * (len(row) % 2))


def test_every_byte(path, rng):
    logits = rng.normal(size=(2, 2, 5)).astype(np.float32) * 3
    logits[0, 1] = [0, -40, -15.9, -16.1, -3]
    write(path, logits)
    data = path.read_bytes()
    assert data[:20] == b"_logits_" + struct.pack("<3i", 6, 5, 2)
    assert data[20:68] == IDS.tobytes()
    wanted = b"".join(packed(row) for row in logits.reshape(-1, 5))
    got, wanted = (np.frombuffer(x, "<u2").reshape(4, 10) for x in (data[68:], wanted))
    np.testing.assert_array_equal(got[:, 4:9] == 0, wanted[:, 4:9] == 0)
    assert np.abs(got[:, 4:].astype(int) - wanted[:, 4:]).max() <= 1
    np.testing.assert_allclose(got[:, :4].copy().view("<f4"), wanted[:, :4].copy().view("<f4"))


@pytest.mark.parametrize("n_vocab", [1, 2, 77, 1000])
def test_what_is_read_is_what_was_written_but_for_rounding(path, rng, n_vocab):
    logits = rng.normal(size=(2, 2, n_vocab)).astype(np.float32) * rng.choice([0.1, 5, 20])
    write(path, logits, IDS % n_vocab)
    file = LogitsFile(path)
    np.testing.assert_array_equal(file.ids, IDS % n_vocab)
    for i in range(2):
        wanted = log_softmax(logits[i])
        wanted = np.maximum(wanted, wanted.max(-1, keepdims=True) - 16)
        np.testing.assert_allclose(file.log_probs(i, 0, 2), wanted, atol=16 / 65535)
        np.testing.assert_array_equal(file.log_probs(i, 1, 1), file.log_probs(i, 0, 2)[1:])


def test_equal_logits(path):
    write(path, np.full((2, 2, 5), 3, np.float32))
    np.testing.assert_allclose(LogitsFile(path).log_probs(1, 0, 2), np.log(0.2), rtol=1e-6)


def test_half_a_file_is_never_left(path, tmp_path):
    path.write_bytes(b"the one before")

    def interrupted(logits):
        yield logits[0]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write(path, interrupted(np.zeros((1, 2, 5), np.float32)), n_vocab=5)
    assert path.read_bytes() == b"the one before"
    assert list(tmp_path.iterdir()) == [path]


@pytest.fixture
def good(path):
    write(path, np.arange(20, dtype=np.float32).reshape(2, 2, 5))
    return path.read_bytes()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda d: b"", "begin"),
        (lambda d: d[:19], "begin"),
        (lambda d: b"GGUF" + d, "begin"),
        (lambda d: d[:-1], "bytes"),
        (lambda d: d + b"x", "bytes"),
        (lambda d: d[:8] + struct.pack("<i", 2) + d[12:], "make no sense"),
        (lambda d: d[:12] + struct.pack("<i", -5) + d[16:], "make no sense"),
        (lambda d: d[:16] + struct.pack("<i", 0) + d[20:], "make no sense"),
        (lambda d: d[:16] + struct.pack("<i", 1 << 30) + d[20:], "bytes"),
        (lambda d: d[:20] + struct.pack("<i", 5) + d[24:], "token id"),
        (lambda d: d[:20] + struct.pack("<i", -1) + d[24:], "token id"),
    ],
)
def test_damaged_files(path, good, change, says):
    path.write_bytes(change(good))
    with pytest.raises(ValueError, match=says) as caught:
        LogitsFile(path)
    assert str(path) in str(caught.value)


def test_values_that_are_not_finite(path, good):
    path.write_bytes(good[:68] + struct.pack("<f", float("nan")) + good[72:])
    file = LogitsFile(path)
    file.log_probs(0, 1, 1)
    with pytest.raises(ValueError, match=r"window 0 .* not finite"):
        file.log_probs(0, 0, 1)
