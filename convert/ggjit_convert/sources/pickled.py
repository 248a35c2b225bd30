"""A pickle that holds tensors, run by a machine that can make nothing else.

It knows the opcodes that `torch.save` writes, and of names only those it is given: there is no
import, no attribute and no call of anything a file names. It makes dictionaries, lists, tuples,
strings, numbers and what the given functions return. Source: pickletools.py of CPython.
"""

from __future__ import annotations

import pickletools
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

MAX_STEPS = 2_000_000
MAX_NAME = 256
OPCODES = {op.code: op.name for op in pickletools.opcodes}


class PickleProblem(ValueError):
    """What is wrong with a pickle."""


@dataclass(frozen=True)
class Function:
    """What a pickle may call, with a tuple of arguments."""

    call: Callable[[tuple[Any, ...]], Any]


def unpickle(data: bytes, known: Mapping[str, object], persistent: Callable[[Any], object]) -> Any:
    """Return what a pickle holds.

    `known` are the objects it may name, as module.name; `persistent` makes one of a persistent id.
    Raises: PickleProblem.
    """
    return _Machine(data, known, persistent).run()


class _Machine:
    def __init__(
        self, data: bytes, known: Mapping[str, object], persistent: Callable[[Any], object]
    ) -> None:
        self.data, self.known, self.persistent = data, known, persistent
        self.at = 0
        self.stack: list[Any] = []
        self.below: list[list[Any]] = []  # stacks below marks
        self.memo: dict[int, Any] = {}

    def run(self) -> Any:
        for _ in range(MAX_STEPS):
            begin, code = self.at, self.take(1).decode("latin-1")
            if code == ".":
                return self.pop()
            if code not in STEPS:
                name = OPCODES.get(code, repr(code))
                raise PickleProblem(f"{name} at byte {begin} is not what a checkpoint has")
            STEPS[code](self)
        raise PickleProblem(f"has more than {MAX_STEPS} steps")

    # -- reading -----------------------------------------------------------------------------------

    def take(self, n: int) -> bytes:
        if n > len(self.data) - self.at:
            raise PickleProblem(f"ends early: {n} bytes at byte {self.at} of {len(self.data)}")
        self.at += n
        return self.data[self.at - n : self.at]

    def number(self, form: str) -> Any:
        return struct.unpack(form, self.take(struct.calcsize(form)))[0]

    def text(self, n: int) -> str:
        try:
            return self.take(n).decode()
        except UnicodeDecodeError:
            raise PickleProblem(f"text before byte {self.at} is not UTF-8") from None

    def line(self) -> str:
        end = self.data.find(b"\n", self.at, self.at + MAX_NAME)
        if end < 0:
            raise PickleProblem(f"a name at byte {self.at} does not end")
        line = self.text(end - self.at)
        self.at += 1
        return line

    # -- the stack ---------------------------------------------------------------------------------

    def push(self, value: Any) -> None:
        self.stack.append(value)

    def pop(self) -> Any:
        if not self.stack:
            raise PickleProblem(f"takes from an empty stack before byte {self.at}")
        return self.stack.pop()

    def pop_tuple(self, n: int) -> tuple[Any, ...]:
        return tuple(reversed([self.pop() for _ in range(n)]))

    def mark(self) -> None:
        self.below.append(self.stack)
        self.stack = []

    def pop_marked(self) -> list[Any]:
        if not self.below:
            raise PickleProblem(f"lacks a mark before byte {self.at}")
        items, self.stack = self.stack, self.below.pop()
        return items

    def top(self, kind: type) -> Any:
        """Return what is on top, if it is what the step changes."""
        if not self.stack or type(self.stack[-1]) is not kind:
            raise PickleProblem(
                f"changes something before byte {self.at} that is no {kind.__name__}"
            )
        return self.stack[-1]

    # -- steps -------------------------------------------------------------------------------------

    def protocol(self) -> None:
        if (version := self.take(1)[0]) > 5:
            raise PickleProblem(f"has protocol {version}, known: 0 to 5")

    def long(self) -> None:
        if (n := self.take(1)[0]) > 8:
            raise PickleProblem(f"has an integer of {n} bytes before byte {self.at}")
        self.push(int.from_bytes(self.take(n), "little", signed=True))

    def named(self, module: Any, name: Any) -> None:
        if type(module) is not str or type(name) is not str:
            raise PickleProblem(f"names something before byte {self.at} by what is no text")
        full = f"{module}.{name}"
        if full not in self.known:
            problem = f"wants {full[:MAX_NAME]!r}: nothing but tensors is made of a pickle"
            raise PickleProblem(problem)
        self.push(self.known[full])

    def remember(self, index: int) -> None:
        self.push(value := self.pop())
        self.memo[index] = value

    def recall(self, index: int) -> None:
        if index not in self.memo:
            raise PickleProblem(f"recalls {index} before byte {self.at}, which it did not keep")
        self.push(self.memo[index])

    def reduce(self) -> None:
        function, arguments = self.pop_tuple(2)
        if type(function) is not Function or type(arguments) is not tuple:
            raise PickleProblem(f"calls something before byte {self.at} that is no function")
        self.push(function.call(arguments))

    def build(self) -> None:
        self.pop()  # attributes, such as the versions of modules in a state_dict
        self.top(dict)

    def append(self, items: list[Any]) -> None:
        self.top(list).extend(items)

    def set_items(self, items: list[Any]) -> None:
        keys, values = items[::2], items[1::2]
        if len(keys) != len(values) or not all(type(key) in (str, int) for key in keys):
            raise PickleProblem(
                f"has keys before byte {self.at} that are neither text nor integers"
            )
        self.top(dict).update(zip(keys, values, strict=True))


Step = Callable[[_Machine], Any]
STEPS: dict[str, Step] = {
    "\x80": _Machine.protocol,
    "\x95": lambda m: m.take(8),  # the length of a frame
    "(": _Machine.mark,
    "N": lambda m: m.push(None),
    "\x88": lambda m: m.push(True),
    "\x89": lambda m: m.push(False),
    "J": lambda m: m.push(m.number("<i")),
    "K": lambda m: m.push(m.number("<B")),
    "M": lambda m: m.push(m.number("<H")),
    "\x8a": _Machine.long,
    "G": lambda m: m.push(m.number(">d")),
    "X": lambda m: m.push(m.text(m.number("<I"))),
    "\x8c": lambda m: m.push(m.text(m.number("<B"))),
    "}": lambda m: m.push({}),
    "]": lambda m: m.push([]),
    ")": lambda m: m.push(()),
    "t": lambda m: m.push(tuple(m.pop_marked())),
    "\x85": lambda m: m.push(m.pop_tuple(1)),
    "\x86": lambda m: m.push(m.pop_tuple(2)),
    "\x87": lambda m: m.push(m.pop_tuple(3)),
    "a": lambda m: m.append([m.pop()]),
    "e": lambda m: m.append(m.pop_marked()),
    "s": lambda m: m.set_items(list(m.pop_tuple(2))),
    "u": lambda m: m.set_items(m.pop_marked()),
    "c": lambda m: m.named(m.line(), m.line()),
    "\x93": lambda m: m.named(*m.pop_tuple(2)),
    "q": lambda m: m.remember(m.number("<B")),
    "r": lambda m: m.remember(m.number("<I")),
    "\x94": lambda m: m.remember(len(m.memo)),
    "h": lambda m: m.recall(m.number("<B")),
    "j": lambda m: m.recall(m.number("<I")),
    "Q": lambda m: m.push(m.persistent(m.pop())),
    "R": _Machine.reduce,
    "b": _Machine.build,
}
