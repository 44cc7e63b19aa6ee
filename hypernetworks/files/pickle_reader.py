"""Reads the pickle inside a torch file without executing it.

This is an interpreter for the few pickle operations that a file of tensors and plain values needs. It calls nothing
by a name from the file: a global is only ever compared with the short list below, so that it is safe on every torch
version and does not depend on `torch.load`, which a host may have replaced.
"""

import pickletools
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

from ..base.errors import HypernetworkFileError
from ..filetypes import pickles
from .pickle_names import CALLS, SKIPPED, Global, NumpyType, RefusedError, Skipped, StorageRef, TensorRef, find, storage

__all__ = ["SKIPPED", "Skips", "StorageRef", "TensorRef", "read"]

#: Tells of a name whether what it names is left out.
Skips: TypeAlias = Callable[[str], bool]

MAX_PICKLE_BYTES = 8 << 20
MAX_KEY = 1 << 48  # larger whole numbers can be chosen so that all of them fall into one place of a dict
MAX_INTEGER_BITS = 80  # the magic number of torch before 1.6 has 77


class _Mark:
    """Marks the place on the stack where a group of values begins."""


_MARK = _Mark()


def read(data: bytes, start: int = 0, skips: Skips = lambda name: False) -> tuple[Any, int]:
    """Return the value of one pickle of `data` from byte `start`, and the position of the byte after its end.

    Dicts, lists, tuples, strings, bytes, numbers, None and TensorRef come out; everything else is refused.

    Args:
        skips: names to leave out; what would be made by one of them is `SKIPPED`, and no key of a dict.

    Raises:
        HypernetworkFileError: the pickle is broken, too large, or uses a name that is not on the list.
    """
    if len(data) > MAX_PICKLE_BYTES:
        raise HypernetworkFileError(f"its description is larger than {MAX_PICKLE_BYTES >> 20} MB")
    stream = pickles.stream(data, start)
    try:
        return _Machine(skips).run(pickletools.genops(stream)), stream.tell()
    except RefusedError as reason:
        raise HypernetworkFileError(str(reason)) from None
    except pickles.BROKEN as reason:
        raise HypernetworkFileError(f"its description is damaged ({type(reason).__name__})") from reason


class _Machine:
    """The stack and memo of one pickle."""

    def __init__(self, skips: Skips) -> None:
        self.skips = skips
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}

    def run(self, operations: Iterator[tuple[Any, Any, int | None]]) -> Any:
        """Carry out the operations and return the value under STOP."""
        for count, (opcode, argument, _) in enumerate(operations):
            if count > pickles.MAX_OPERATIONS:
                raise RefusedError(f"its description takes more than {pickles.MAX_OPERATIONS} operations")
            if opcode.name == "STOP":
                return self._pop()
            if opcode.name in _VALUES:
                self.stack.append(_checked_value(argument))
                continue
            handler = _OPERATIONS.get(opcode.name)
            if handler is None:
                raise RefusedError(f"its description uses the pickle operation {opcode.name}, which no network needs")
            handler(self, argument)
        raise RefusedError("its description ends early")

    def _pop(self) -> Any:
        value = self.stack.pop()
        if value is _MARK:
            raise RefusedError("its description is damaged (stray mark)")
        return value

    def _pop_to_mark(self) -> list[Any]:
        for index in range(len(self.stack) - 1, -1, -1):
            if self.stack[index] is _MARK:
                values = self.stack[index + 1 :]
                del self.stack[index:]
                return values
        raise RefusedError("its description is damaged (missing mark)")

    def push(self, value: Any) -> None:
        self.stack.append(value)

    def tuple_of(self, count: int) -> None:
        values = [self._pop() for _ in range(count)]
        self.stack.append(tuple(reversed(values)))

    def marked(self, build: Callable[[list[Any]], Any]) -> None:
        self.stack.append(build(self._pop_to_mark()))

    def append(self, values: list[Any]) -> None:
        target = self.stack[-1]
        if target is SKIPPED:
            return
        if type(target) is not list:
            raise RefusedError("its description is damaged (append to no list)")
        target.extend(values)

    def set_items(self, values: list[Any]) -> None:
        target = self.stack[-1]
        if target is SKIPPED:
            return
        if type(target) is not dict:
            raise RefusedError("its description is damaged (items for no dict)")
        target.update(_pairs(values))

    def set_item(self) -> None:
        value = self._pop()
        self.set_items([self._pop(), value])

    def put(self, index: int | str) -> None:
        if self.stack[-1] is _MARK:
            raise RefusedError("its description is damaged (stray mark)")
        place = int(index)
        if not 0 <= place < MAX_KEY:
            raise RefusedError("its description is damaged (impossible place)")
        self.memo[place] = self.stack[-1]

    def find(self, name: str) -> None:
        name = name.replace(" ", ".")
        self.stack.append(SKIPPED if self.skips(name) else find(name))

    def stack_global(self) -> None:
        name, module = self._pop(), self._pop()
        self.find(f"{module} {name}")

    def persistent(self) -> None:
        self.stack.append(storage(self._pop()))

    def reduce(self) -> None:
        arguments, function = self._pop(), self._pop()
        if function is SKIPPED:
            self.stack.append(SKIPPED)
            return
        if not isinstance(function, Global) or type(arguments) is not tuple:
            raise RefusedError("its description calls something that is no function")
        self.stack.append(CALLS[function.name](*arguments))

    def new_object(self) -> None:
        self._pop()
        if self._pop() is not SKIPPED:
            raise RefusedError("its description uses the pickle operation NEWOBJ, which no network needs")
        self.stack.append(SKIPPED)

    def build(self) -> None:
        """Ignore the state of a dict (torch's `_metadata`) or of a numpy type; nothing else has one."""
        self._pop()
        if not isinstance(self.stack[-1], (dict, NumpyType, Skipped)):
            raise RefusedError("its description sets attributes of something that has none")


def _checked_value(value: Any) -> Any:
    if isinstance(value, int) and value.bit_length() > MAX_INTEGER_BITS:
        raise RefusedError("its description holds a number that is far too large")
    if isinstance(value, str):
        value.encode("utf-8")  # so that lone surrogates raise here and not when the file is written again
    return value


def _pairs(values: list[Any]) -> dict[Any, Any]:
    pairs = dict(zip(_checked_keys(values[::2]), values[1::2], strict=True))
    pairs.pop(SKIPPED, None)
    return pairs


def _checked_keys(keys: list[Any]) -> list[Any]:
    for key in keys:
        # Tuples as keys would let a small file ask for endless hashing.
        if not isinstance(key, (str, int, type(None), Skipped)):
            raise RefusedError(f"its description has a key of type {type(key).__name__}")
        if isinstance(key, int) and abs(key) >= MAX_KEY:
            raise RefusedError("its description has a number as key that is far too large")
    return keys


_VALUES = frozenset(
    {"INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"}
    | {"STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"}
    | {"BINBYTES", "SHORT_BINBYTES", "BINBYTES8"}
)

_OPERATIONS: dict[str, Callable[[_Machine, Any], None]] = {
    "PROTO": lambda machine, _: None,
    "FRAME": lambda machine, _: None,
    "MARK": lambda machine, _: machine.push(_MARK),
    "NONE": lambda machine, _: machine.push(None),
    "NEWTRUE": lambda machine, _: machine.push(True),
    "NEWFALSE": lambda machine, _: machine.push(False),
    "EMPTY_DICT": lambda machine, _: machine.push({}),
    "EMPTY_LIST": lambda machine, _: machine.push([]),
    "EMPTY_TUPLE": lambda machine, _: machine.push(()),
    "TUPLE1": lambda machine, _: machine.tuple_of(1),
    "TUPLE2": lambda machine, _: machine.tuple_of(2),
    "TUPLE3": lambda machine, _: machine.tuple_of(3),
    "TUPLE": lambda machine, _: machine.marked(tuple),
    "LIST": lambda machine, _: machine.marked(list),
    "DICT": lambda machine, _: machine.marked(_pairs),
    "APPEND": lambda machine, _: machine.append([machine._pop()]),
    "APPENDS": lambda machine, _: machine.append(machine._pop_to_mark()),
    "SETITEM": lambda machine, _: machine.set_item(),
    "SETITEMS": lambda machine, _: machine.set_items(machine._pop_to_mark()),
    "PUT": lambda machine, index: machine.put(index),
    "BINPUT": lambda machine, index: machine.put(index),
    "LONG_BINPUT": lambda machine, index: machine.put(index),
    "MEMOIZE": lambda machine, _: machine.put(len(machine.memo)),
    "GET": lambda machine, index: machine.push(machine.memo[int(index)]),
    "BINGET": lambda machine, index: machine.push(machine.memo[index]),
    "LONG_BINGET": lambda machine, index: machine.push(machine.memo[index]),
    "GLOBAL": lambda machine, name: machine.find(name),
    "STACK_GLOBAL": lambda machine, _: machine.stack_global(),
    "REDUCE": lambda machine, _: machine.reduce(),
    "NEWOBJ": lambda machine, _: machine.new_object(),
    "BUILD": lambda machine, _: machine.build(),
    "BINPERSID": lambda machine, _: machine.persistent(),
}
