"""A zip archive as PyTorch writes it: every entry stored as it is, so that it can be mapped.

Nothing is unpacked, and no entry's name becomes a path. Whatever PyTorch does not write (comments,
compression, encryption, entries that lie in each other) is refused. Source: APPNOTE.TXT of PKWARE,
sections 4.3 to 4.5.
"""

from __future__ import annotations

import stat
import struct
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from ..errors import CheckpointError
from .files import Bytes

END, END64, LOCATOR = (
    struct.Struct("<4s4H2LH"),
    struct.Struct("<4sQ2H2L4Q"),
    struct.Struct("<4sLQL"),
)
CENTRAL, LOCAL = struct.Struct("<4s6H3L5H2L"), struct.Struct("<4s5H3L2H")
FULL16, FULL32 = 0xFFFF, 0xFFFFFFFF  # the value is in a wider field elsewhere
ENCRYPTED = 1 | 1 << 6 | 1 << 13
MAX_ENTRIES = 1 << 20


def read_archive(data: Bytes, path: Path) -> dict[str, Bytes]:
    """Return each entry's bytes by name; `path` is for messages.

    Raises: CheckpointError naming the entry.
    """
    archive = _Archive(data, path)
    n_entries, at, end = archive.directory()
    entries: dict[str, _Entry] = {}
    for _ in range(n_entries):
        entry, at = archive.entry(at, end)
        if entry.name in entries:
            raise archive.error("is there twice", entry.name)
        entries[entry.name] = entry
    if at != end:
        raise archive.error(f"its directory ends at byte {at}, it says {end}")
    archive.check_apart(list(entries.values()))
    return {name: data[entry.begin : entry.end] for name, entry in entries.items()}


@dataclass(frozen=True)
class _Entry:
    """An entry's local header is at `start`, its bytes from `begin` to `end`."""

    name: str
    start: int
    begin: int
    end: int


@dataclass(frozen=True, eq=False)
class _Archive:
    data: Bytes
    path: Path

    def error(self, problem: str, name: str | None = None) -> CheckpointError:
        field = f"entry {name[:96]!r}" if name else "zip archive"
        return CheckpointError(problem, path=self.path, field=field)

    def unpack(self, form: struct.Struct, at: int, magic: bytes) -> tuple[int, ...]:
        """Return a record's numbers."""
        if not 0 <= at <= len(self.data) - form.size:
            raise self.error(f"a record at byte {at} is beyond the file's {len(self.data)} bytes")
        found, *numbers = form.unpack(self.data[at : at + form.size].tobytes())
        if found != magic:
            raise self.error(f"at byte {at} is {found!r}, expected {magic!r}; is it incomplete?")
        return tuple(numbers)

    def directory(self) -> tuple[int, int, int]:
        """Return how many entries there are, and where their directory begins and ends."""
        at = len(self.data) - END.size
        disk, disks, here, count, size, begin, _ = self.unpack(END, at, b"PK\5\6")
        if FULL16 in (disk, here, count) or FULL32 in (size, begin):
            _, at, _ = self.unpack(LOCATOR, at - LOCATOR.size, b"PK\6\7")
            *_, disk, disks, here, more, n_bytes, offset = self.unpack(END64, at, b"PK\6\6")
            for narrow, wide in ((count, more), (size, n_bytes), (begin, offset)):
                if narrow not in (wide, FULL16, FULL32):
                    raise self.error(f"its two ends say {narrow} and {wide}")
            count, size, begin = more, n_bytes, offset
        elif self.data[at - LOCATOR.size :][:4].tobytes() == b"PK\6\7":
            _, at, _ = self.unpack(LOCATOR, at - LOCATOR.size, b"PK\6\7")
        if disk or disks or here != count:
            raise self.error("is in several parts")
        if count > MAX_ENTRIES:
            raise self.error(f"has {count} entries, at most {MAX_ENTRIES} are read")
        if begin + size != at:
            raise self.error(f"its directory ends at byte {begin + size}, expected {at}")
        return count, begin, at

    def entry(self, at: int, limit: int) -> tuple[_Entry, int]:
        """Return an entry and where the next begins."""
        numbers = self.unpack(CENTRAL, at, b"PK\1\2")
        flags, method, stored, size = numbers[2], numbers[3], numbers[7], numbers[8]
        n_name, n_extra, n_comment, _, _, attributes, start = numbers[9:]
        at += CENTRAL.size
        if (after := at + n_name + n_extra + n_comment) > limit:
            raise self.error("an entry goes beyond the directory")
        raw = self.data[at : at + n_name].tobytes()
        name = self._name(raw)
        extra = self.data[at + n_name : at + n_name + n_extra].tobytes()
        size, stored, start = self._wide(extra, name, size, stored, start)
        if flags & ENCRYPTED:
            raise self.error("is encrypted", name)
        if method or size != stored:
            raise self.error(
                "is compressed, as in TorchScript; a checkpoint has all as it is", name
            )
        if stat.S_ISLNK(attributes >> 16):
            raise self.error("is a symbolic link", name)
        return self._placed(name, raw, start, size), after

    def _name(self, raw: bytes) -> str:
        try:
            name = raw.decode()
        except UnicodeDecodeError:
            raise self.error(f"the name {raw[:96]!r} is not UTF-8") from None
        if set(name) & set("\\:\0") or {"", "..", "."} & set(name.split("/")):
            raise self.error("is not a plain name", name or " ")
        return name

    def _wide(self, extra: bytes, name: str, *narrow: int) -> tuple[int, ...]:
        """Return sizes and offset, those that do not fit taken from the field of zip64."""
        wide, n_wide = b"", 8 * narrow.count(FULL32)
        while n_wide and len(extra) >= 4:
            kind, n_bytes = struct.unpack_from("<2H", extra)
            if kind == 1:
                wide = extra[4 : 4 + n_bytes]
            extra = extra[4 + n_bytes :]
        if len(wide) < n_wide:
            raise self.error("lacks its sizes of 64 bits", name)
        values = iter(struct.unpack(f"<{n_wide // 8}Q", wide[:n_wide]))
        return tuple(next(values) if n == FULL32 else n for n in narrow)

    def _placed(self, name: str, raw: bytes, start: int, size: int) -> _Entry:
        *_, n_name, n_extra = self.unpack(LOCAL, start, b"PK\3\4")
        begin = start + LOCAL.size
        if self.data[begin : begin + n_name].tobytes() != raw:
            raise self.error("has another name where it lies", name)
        begin += n_name + n_extra
        if begin + size > len(self.data):
            problem = f"has {size} bytes from byte {begin}, the file has {len(self.data)}"
            raise self.error(problem, name)
        return _Entry(name, start, begin, begin + size)

    def check_apart(self, entries: list[_Entry]) -> None:
        """Refuse entries that share bytes."""
        entries.sort(key=lambda entry: entry.start)
        for entry, following in pairwise(entries):
            if entry.end > following.start:
                raise self.error(f"lies over {following.name[:96]!r}", entry.name)
