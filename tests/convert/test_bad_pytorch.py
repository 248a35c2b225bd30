"""PyTorch files that are damaged, that lie, and that want to run something: refused by name."""

import io
import os
import stat
import struct
import time
import zipfile

import pytest
from pytorch_files import Call, Name, Raw, Stored, archive, opcodes, pickled, stored, tensor

from ggjit_convert.errors import CheckpointError
from ggjit_convert.sources import open_checkpoint

FLOATS = {"0": bytes(24)}
SIX = stored("0", "Float", 6)
CANARY = "canary"
TOUCH = f"open({CANARY!r}, 'w')"


def refused(folder, content, monkeypatch):
    """Open a file; return why it was refused, in one sentence, in time and with nothing done."""
    monkeypatch.chdir(folder)
    (folder / "x.bin").write_bytes(content)
    begin = time.monotonic()
    with pytest.raises(CheckpointError) as caught:
        open_checkpoint(folder / "x.bin")
    assert time.monotonic() - begin < 5
    assert os.listdir(folder) == ["x.bin"]
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 600
    assert "x.bin: " in message
    return message


def frame(body):
    return b"\x80\x02" + body + b"."


def named(name, *arguments):
    return pickled({"x": Call(Name(name), arguments)})


GETATTR = Call(Name("builtins.getattr"), (Name("builtins.__import__"), "x"))
PICKLES = {
    # what would run something
    "os.system": (named("os.system", f"touch {CANARY}"), "wants 'os.system'"),
    "posix.system": (named("posix.system", f"touch {CANARY}"), "wants 'posix.system'"),
    "eval": (named("builtins.eval", TOUCH), "wants 'builtins.eval'"),
    "exec": (named("builtins.exec", TOUCH), "wants 'builtins.exec'"),
    "python 2's names": (named("__builtin__.eval", TOUCH), "wants '__builtin__.eval'"),
    "getattr": (pickled({"x": Call(GETATTR, ())}), "wants 'builtins.getattr'"),
    "subprocess": (named("subprocess.Popen", ["touch", CANARY]), "wants 'subprocess.Popen'"),
    "runpy": (named("runpy._run_code", TOUCH), "wants 'runpy._run_code'"),
    "torch's own": (named("torch.load", "y.bin"), "wants 'torch.load'"),
    "torch.hub": (named("torch.hub.load", "a/b", "c"), "wants 'torch.hub.load'"),
    "numpy's loader": (named("numpy.load", "y.npy"), "wants 'numpy.load'"),
    "dots in a name": (frame(b"ccollections\nOrderedDict.__init__\n"), "OrderedDict.__init__'"),
    "dots in a module": (frame(b"ctorch._utils._rebuild_tensor_v2\n__globals__\n"), "__globals__"),
    "a program's class": (named("__torch__.Model"), "wants '__torch__.Model'"),
    "nested": (pickled([Call(Name("collections.OrderedDict"), ([Name("os.system")],))]), "os.sys"),
    "STACK_GLOBAL": (frame(b"\x8c\x02os\x8c\x06system\x93"), "wants 'os.system'"),
    "STACK_GLOBAL of numbers": (frame(b"K\x01K\x02\x93"), "by what is no text"),
    "INST": (frame(b"(S'touch canary'\nios\nsystem\n"), "STRING at byte 3"),
    "INST alone": (frame(b"(ios\nsystem\n"), "INST at byte 3"),
    "OBJ": (frame(b"(ccollections\nOrderedDict\no"), "OBJ"),
    "NEWOBJ": (frame(b"ccollections\nOrderedDict\n)\x81"), "NEWOBJ"),
    "NEWOBJ_EX": (frame(b"ccollections\nOrderedDict\n)}\x92"), "NEWOBJ_EX"),
    "an extension": (frame(b"\x82\x01"), "EXT1"),
    "PERSID": (frame(b"Pstorage\n"), "PERSID"),
    "a buffer": (frame(b"\x97"), "NEXT_BUFFER"),
    "BUILD of a function": (
        frame(b"ctorch._utils\n_rebuild_tensor_v2\n" + opcodes({"__globals__": {}}) + b"b"),
        "is no dict",
    ),
    "BUILD with __setstate__": (
        frame(b"}" + opcodes({"__setstate__": Name("os.system")}) + b"b"), "wants 'os.system'",
    ),
    "BUILD alone": (frame(b"}b"), "is no dict"),
    "a call of data": (frame(b"})R"), "is no function"),
    "a call of a storage": (pickled({"x": Call(Name("torch.FloatStorage"), (9,))}), "no function"),
    "a call with a list": (frame(opcodes(Name("collections.OrderedDict")) + b"]R"), "no function"),
    # what would take all memory or time
    "memo far away": (frame(b"}r\xff\xff\xff\xff0"), "POP"),
    "doubling": (frame(b"}" + b"q\x00h\x00h\x00\x86" * 100_000), "holds tuple"),
    "deep lists": (frame(b"]" * 200_000 + b"a" * 199_999), "holds list"),
    "deep marks": (frame(b"(" * 500_000), "empty stack"),
    "deep tuples": (frame(b")" + b"\x85" * 200_000), "holds tuple"),
    "a deep key": (frame(b"})" + b"\x85" * 200_000 + b"Ns"), "neither text nor integers"),
    "a long integer": (frame(b"\x8a\xff" + b"\x7f" * 255), "an integer of 255 bytes"),
    "a longer integer": (frame(b"\x8b\xff\xff\xff\x7f"), "LONG4"),
    "a decimal of many digits": (frame(b"L" + b"9" * 10_000 + b"L\n"), "LONG at byte 2"),
    "text longer than the file": (frame(b"X\xff\xff\xff\xff"), "ends early: 4294967295 bytes"),
    "a name without end": (frame(b"c" + b"a" * 1000), "does not end"),
    # what is damaged
    "nothing": (b"", "ends early"),
    "no stop": (b"\x80\x02}", "ends early"),
    "no value": (b"\x80\x02.", "empty stack"),
    "a new protocol": (b"\x80\x06}.", "protocol 6"),
    "no opcode": (frame(b"\xff"), "'ÿ' at byte 2"),
    "not UTF-8": (frame(b"X\x01\0\0\0\xff"), "not UTF-8"),
    "nothing kept": (frame(b"h\x07"), "recalls 7"),
    "no mark": (frame(b"}u"), "lacks a mark"),
    "a key without a value": (frame(b"}(K\x01u"), "neither text"),
    "items for no dictionary": (frame(b"](K\x01Nu"), "is no dict"),
    "items for no list": (frame(b"}(K\x01e"), "is no list"),
    "a number": (pickled(7), "holds int, expected a dictionary"),
    "a list of tensors": (pickled([tensor(SIX, 0, (2, 3), (3, 1))]), "holds list"),
    "text among tensors": (pickled({"a": "b"}), "'a' is str"),
    "tensors below": (pickled({"a": {"b": tensor(SIX, 0, (1,), (1,))}}), "'a' is dict"),
    "numbers for names": (pickled({1: tensor(SIX, 0, (1,), (1,))}), "'1' is Tensor"),
    "a dictionary made of pairs": (named("collections.OrderedDict", [("a", 1)]), "made of some"),
}  # fmt: skip


def of(*arguments, storages=SIX):
    return pickled({"x": tensor(storages, *arguments)})


def id_of(*identity):
    return of(0, (1,), (1,), storages=Stored(identity))


FLOAT = Name("torch.FloatStorage")
TENSORS = {
    "rows beyond": (of(0, (3, 3), (3, 1)), "its storage has 6 elements"),
    "offset beyond": (of(1, (2, 3), (3, 1)), "its storage has 6 elements"),
    "offset of nothing beyond": (of(7, (0,), (1,)), "its storage has 6 elements"),
    "negative offset": (of(-1, (2,), (1,)), "no sizes"),
    "negative strides": (of(5, (2, 3), (-3, -1)), "no sizes"),
    "negative sizes": (of(0, (-2, -3), (3, 1)), "no sizes"),
    "wide strides": (of(0, (2,), (1 << 40,)), "its storage has 6 elements"),
    "wrapping strides": (of(0, (2,), (1 << 62,)), "no sizes"),
    "wrapping sizes": (of(0, (1 << 32, 1 << 32), (0, 0)), "its storage has 6 elements"),
    "strides of zero": (of(0, (1 << 40,), (0,)), "its storage has 6 elements"),
    "nothing of absurd size": (of(0, (0, 1 << 48, 1 << 48), (1, 1, 1)), "its storage has 6"),
    "more sizes than strides": (of(0, (2, 3), (1,)), "do not fit"),
    "lists for sizes": (of(0, [2, 3], [3, 1]), "do not fit"),
    "truth for a size": (of(0, (True,), (1,)), "no sizes"),
    "fractions": (of(0.0, (1,), (1,)), "no sizes"),
    "many axes": (of(0, (1,) * 17, (1,) * 17), "17 axes"),
    "no storage": (of(0, (1,), (1,), storages=None), "without a storage"),
    "few arguments": (named("torch._utils._rebuild_tensor_v2", SIX, 0), "without a storage"),
    "a parameter of text": (named("torch._utils._rebuild_parameter", "x", True, None), "is no"),
    "a missing entry": (of(0, (1,), (1,), storages=stored("1", "Float", 6)), "not in the archive"),
    "an entry elsewhere": (of(0, (1,), (1,), storages=stored("../0", "Float", 6)), "not in the"),
    "a shorter entry": (of(0, (1,), (1,), storages=stored("0", "Float", 7)), "has 24 bytes"),
    "wider elements": (of(0, (1,), (1,), storages=stored("0", "Double", 6)), "has 24 bytes"),
    "a negative size": (of(0, (1,), (1,), storages=stored("0", "Float", -6)), "has 24 bytes"),
    "complex numbers": (of(0, (1,), (1,), storages=stored("0", "ComplexFloat", 3)), "ComplexFloat"),
    "an odd identity": (id_of("module", FLOAT, "0", "cpu", 6), "is no storage"),
    "a short identity": (id_of("storage"), "is no storage"),
    "identity without a type": (id_of("storage", "f4", "0", "cpu", 6), "without type"),
    "identity by number": (id_of("storage", FLOAT, 0, "cpu", 6), "without type"),
    "identity of text": (pickled({"x": Stored("0")}), "is no storage"),
    "no type": (
        named("torch._utils._rebuild_tensor_v3", SIX, 0, (1,), (1,), False, None, "f8"),
        "without a type",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("pickle", "says"), PICKLES.values(), ids=PICKLES)
def test_pickles(tmp_path, monkeypatch, pickle, says):
    assert says in refused(tmp_path, archive(pickle, FLOATS), monkeypatch)


@pytest.mark.parametrize(("pickle", "says"), TENSORS.values(), ids=TENSORS)
def test_tensors(tmp_path, monkeypatch, pickle, says):
    assert says in refused(tmp_path, archive(pickle, FLOATS), monkeypatch)


# -- archives -------------------------------------------------------------------------------------

GOOD = archive(of(0, (2, 3), (3, 1)), FLOATS)
END = len(GOOD) - 22
DIRECTORY = struct.unpack_from("<I", GOOD, END + 16)[0]
SECOND = GOOD.index(b"PK\1\2", DIRECTORY + 4)  # the entry of the storage


def patched(*patches, data=GOOD):
    """Return the good file with values in other places: pairs of an offset and bytes."""
    out = bytearray(data)
    for at, value in patches:
        out[at : at + len(value)] = value
    return bytes(out)


def zipped(*entries, compression=zipfile.ZIP_STORED):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", compression) as file:
        for name, data in entries:
            file.writestr(name, data)
    return out.getvalue()


def linked():
    link = zipfile.ZipInfo("archive/data/0")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    return zipped(("archive/data.pkl", of(0, (2, 3), (3, 1))), (link, b"/etc/hostname"))


def wide(size=None, offset=None):
    """Return the good file ending as zip64 does, the end lying as told."""
    count, _, n_bytes, begin = struct.unpack_from("<HHII", GOOD, END + 8)
    numbers = (2, 2, n_bytes if size is None else size, begin if offset is None else offset)
    end = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, *numbers)
    locator = struct.pack("<4sLQL", b"PK\6\7", 0, END, 1)
    assert count == 2
    full = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, *[0xFFFF] * 2, *[0xFFFFFFFF] * 2, 0)
    return GOOD[:END] + end + locator + full


PAIR = (("archive/data.pkl", b"x"), ("archive/data/0", bytes(24)))
BOMB = ("archive/data/0", bytes(1 << 24))
ARCHIVES = {
    "compressed": (zipped(*PAIR, compression=zipfile.ZIP_DEFLATED), "is compressed"),
    "a bomb": (zipped(PAIR[0], BOMB, compression=zipfile.ZIP_DEFLATED), "is compressed"),
    "a bomb of another kind": (zipped(BOMB, compression=zipfile.ZIP_LZMA), "is compressed"),
    "sizes that differ": (patched((SECOND + 24, struct.pack("<I", 1 << 30))), "is compressed"),
    "encrypted": (patched((SECOND + 8, b"\1")), "is encrypted"),
    "twice": (
        zipped(*PAIR, ("archive/data/1", b"")).replace(b"data/1", b"data/0"), "is there twice",
    ),
    "a link": (linked(), "is a symbolic link"),
    "entries over each other": (patched((SECOND + 42, bytes(4))), "has another name"),
    "an entry over the next": (
        patched((DIRECTORY + 20, struct.pack("<II", 300, 300))), "lies over 'archive/data/0'",
    ),
    "an entry beyond the file": (
        patched((SECOND + 20, struct.pack("<II", 1 << 31, 1 << 31))), "bytes from byte",
    ),
    "a header beyond the file": (patched((SECOND + 42, b"\xfe\xff\xff\xff")), "is beyond"),
    "a header inside another": (patched((SECOND + 42, b"\x09")), "expected b'PK"),
    "sizes of 64 bits missing": (patched((SECOND + 20, b"\xff" * 8)), "lacks its sizes"),
    "a name elsewhere": (patched((GOOD.index(b"archive/data/0"), b"B")), "another name"),
    "a name that is no text": (patched((SECOND + 46, b"\xff")), "is not UTF-8"),
    "a long name": (patched((SECOND + 28, b"\xff\xff")), "beyond the directory"),
    "a comment": (GOOD[:-2] + b"\5\0hello", "expected b'PK"),
    "bytes behind": (GOOD + b"x", "expected b'PK"),
    "bytes before": (b"PK\3\4" + GOOD, "directory ends at"),
    "more entries": (patched((END + 8, b"\3\0\3\0")), "a record at byte"),
    "fewer entries": (patched((END + 8, b"\1\0\1\0")), "its directory ends"),
    "several parts": (patched((END + 4, b"\1")), "several parts"),
    "a directory elsewhere": (patched((END + 16, bytes(4))), "directory ends at"),
    "no end of zip64": (patched((END + 8, b"\xff" * 4)), "expected b'PK\\x06"),
    "zip64 of another size": (wide(size=1), "directory ends at"),
    "zip64 far away": (wide(offset=1 << 63), "directory ends at"),
    "zip64 of wrapping size": (wide(size=1 << 63, offset=1 << 63), "directory ends at"),
    "no pickle": (zipped(PAIR[1]), "without a checkpoint's data.pkl"),
    "two pickles": (zipped(("a/data.pkl", b""), ("b/data.pkl", b"")), "without a checkpoint's"),
    "empty archive": (zipped(), "is no PyTorch checkpoint"),
    "out of the folder": (zipped(*PAIR, ("../../x", b"")), "is not a plain name"),
    "absolute": (zipped(*PAIR, ("/etc/x", b"")), "is not a plain name"),
    "of Windows": (zipped(*PAIR, ("a\\..\\x", b"")), "is not a plain name"),
    "TorchScript": (
        zipped(("m/code/a.py", b"pass" * 9), compression=zipfile.ZIP_DEFLATED), "TorchScript",
    ),
    "big-endian": (archive(of(0, (2, 3), (3, 1)), FLOATS, byteorder=b"big"), "little-endian"),
    "cut off": (GOOD[:-30], "is it incomplete?"),
    "short": (b"PK\3\4", "is beyond"),
    "LFS": (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS pointer"),
    "a web page": (b"<!doctype html>", "no PyTorch checkpoint"),
    "tar": (bytes(257) + b"\0ustar" + bytes(300), "before version 1.6"),
}  # fmt: skip


@pytest.mark.parametrize(("content", "says"), ARCHIVES.values(), ids=ARCHIVES)
def test_archives(tmp_path, monkeypatch, content, says):
    assert says in refused(tmp_path, content, monkeypatch)


def test_many_steps(tmp_path, monkeypatch):
    monkeypatch.setattr("ggjit_convert.sources.pickled.MAX_STEPS", 1000)
    pickle = archive(frame(b"}" + b"q\x00" * 1000), FLOATS)
    assert "more than 1000 steps" in refused(tmp_path, pickle, monkeypatch)


def test_a_large_pickle(tmp_path, monkeypatch):
    monkeypatch.setattr("ggjit_convert.sources.pytorch.MAX_PICKLE", 10)
    assert "at most 10 are read" in refused(tmp_path, GOOD, monkeypatch)


def test_every_prefix_and_bytes_of_another_value(tmp_path, monkeypatch, rng):
    (tmp_path / "x.bin").write_bytes(GOOD)
    assert list(open_checkpoint(tmp_path / "x.bin").tensors) == ["x"]
    for end in range(1, len(GOOD), 3):
        refused(tmp_path, GOOD[:end], monkeypatch)
    for _ in range(500):
        changed = patched(*[(rng.integers(len(GOOD)), rng.bytes(1)) for _ in range(2)])
        (tmp_path / "x.bin").write_bytes(changed)
        try:
            tensors = open_checkpoint(tmp_path / "x.bin").tensors
            for x in tensors.values():
                assert x.rows(0, x.shape[0]).size <= 6
        except CheckpointError:
            pass


def test_a_pickle_is_never_run(tmp_path, monkeypatch):
    raw = Raw(b"cos\nsystem\n(X\x0c\0\0\0touch canarytR")
    refused(tmp_path, archive(pickled({"x": raw}), FLOATS), monkeypatch)
