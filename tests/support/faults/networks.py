"""Network files that are broken, hostile, or ask for long work; and sound ones with bytes changed at random."""

from __future__ import annotations

import contextlib
import json
import pickle
import random
import re
import struct
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import torch
from hypernetwork_workbench.hypernetworks import files, report
from hypernetwork_workbench.hypernetworks.base.errors import HypernetworkFileError

from tests.support import hostile

from . import Case, NotHandledError

_DRAWN = 20
#: All whole multiples of it have the hash 0.
_PRIME = 2**61 - 1


def cases() -> Iterator[Case]:
    """Yield the hostile files, those that ask for long work, and files with changed bytes."""
    for name, (make, reason) in hostile.CASES.items():
        yield Case(f"file: {name}", partial(_refused, reason), make)
    for name, (ending, write) in _LONG.items():
        yield Case(f"long work: {name}", partial(_refused, ""), partial(_written, ending, write))
    for number in range(_DRAWN):
        for ending in files.SUFFIXES:
            yield Case(f"changed bytes: {ending} {number}", partial(_changed, ending, number))


def _refused(reason: str, path: Path) -> str:
    said = ""
    try:
        files.load(path)
    except HypernetworkFileError as error:
        said = str(error)
    if not said:
        raise NotHandledError("the file was taken")
    if not reason:
        _described(path)
    if not re.search(reason, said):
        raise NotHandledError(f"another sentence than expected: {said}")
    return said


def _described(path: Path) -> None:
    report.outline(path)
    with contextlib.suppress(HypernetworkFileError):
        report.describe(path)


def _written(ending: str, write: Callable[[Path], Any], folder: Path) -> Path:
    path = folder / f"x{ending}"
    write(path)
    return path


def _changed(ending: str, number: int, folder: Path) -> str:
    draw = random.Random(f"14 {ending} {number}")
    path = folder / f"x{ending}"
    hostile_good = folder / "good.pt"
    torch.save(hostile.good(), hostile_good)
    files.save(files.load(hostile_good), path)
    data = bytearray(path.read_bytes())
    for _ in range(draw.choice((1, 4, 30))):
        data[draw.randrange(len(data))] = draw.randrange(256)
    if draw.random() < 0.3:
        del data[draw.randrange(len(data)) :]
    path.write_bytes(data)
    try:
        files.load(path)
    except HypernetworkFileError as error:
        return str(error)
    return "still sound"


def _long(number: int) -> bytes:
    data = number.to_bytes(16, "little", signed=True)
    return b"\x8a\x10" + data


def _colliding_keys(path: Path) -> None:
    pairs = b"".join(_long(number * _PRIME) + b"N" for number in range(40_000))
    hostile.with_pickle(path, b"\x80\x02}(" + pairs + b"u.")


def _colliding_floats(path: Path) -> None:
    pairs = b"".join(b"G" + struct.pack(">d", float(number * 2**61)) + b"N" for number in range(40_000))
    hostile.with_pickle(path, b"\x80\x02}(" + pairs + b"u.")


def _colliding_memo(path: Path) -> None:
    places = b"".join(b"p%d\n" % (number * _PRIME) for number in range(40_000))
    hostile.with_pickle(path, b"\x80\x02N" + places + b".")


def _digits(path: Path) -> None:
    hostile.with_pickle(path, b"\x80\x02I" + b"7" * 5_000_000 + b"\n.")


def _views(path: Path) -> None:
    weights = torch.zeros(1 << 20)
    torch.save({8: ({f"linear.{number}.weight": weights for number in range(20_000)}, {}), "step": 1}, path)


def _members(path: Path) -> None:
    hostile.rezip(path, {f"data/{number}": b"" for number in range(15_000)})


def _entries(path: Path) -> None:
    hostile.tensors(
        path, {f"8.k.{number}": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]} for number in range(130_000)}
    )


def _shape(shape: Any) -> Callable[[Path], None]:
    return lambda path: hostile.tensors(path, b'{"8.k.a":{"dtype":"F32","shape":[%s],"data_offsets":[0,0]}}' % shape)


def _texts(texts: dict[str, str]) -> Callable[[Path], None]:
    return lambda path: hostile.tensors(path, json.dumps({"__metadata__": texts}).encode())


def _torch(**content: Any) -> Callable[[Path], None]:
    return lambda path: torch.save(hostile.good(**content), path)


def _strange_stride(path: Path) -> None:
    def big(number: int) -> bytes:
        return b"\x8a\x0a" + number.to_bytes(10, "little")

    storage = b"(X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x80tQ"
    tensor = b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage + b"K\x00(K\x00t(" + big(2**78) + b"t\x89NtR."
    hostile.with_pickle(path, b"\x80\x02" + tensor)


def _nested_old(path: Path) -> None:
    path.write_bytes(b"\x80\x02" + b"(" * 300_000 + b"t" * 300_000 + b".")


_LONG: dict[str, tuple[str, Callable[[Path], Any]]] = {
    "keys with one hash": (".pt", _colliding_keys),
    "fractions with one hash": (".pt", _colliding_floats),
    "memo with one hash": (".pt", _colliding_memo),
    "digits": (".pt", _digits),
    "views of one block": (".pt", _views),
    "zip of many parts": (".pt", _members),
    "an empty axis with a stride of 80 bits": (".pt", _strange_stride),
    "nested tuples of an old file": (".pt", _nested_old),
    "a number as name of a storage": (".pt", lambda path: hostile.with_pickle(path, pickle.dumps({2**90: 1}, 2))),
    "an activation that is a tensor": (".pt", _torch(activation_func=torch.ones(3))),
    "an activation that is a set of names": (".pt", _torch(activation_func={"relu": 1})),
    "layers that are a tensor": (".pt", _torch(layer_structure=torch.ones(3))),
    "layers that are tensors": (".pt", _torch(layer_structure=[torch.ones(1)] * 3)),
    "layers of 79 bits": (".pt", _torch(layer_structure=[1, 2**79, 1])),
    "dropout that is a tensor": (".pt", _torch(dropout_structure=torch.ones(3))),
    "a deviation that is a tensor": (".pt", _torch(weight_init_std=torch.ones(2))),
    "a step that is many": (".pt", _torch(step=torch.ones(5))),
    "a flag that is a tensor": (".pt", _torch(is_layer_norm=torch.ones(2))),
    "a shape of many digits": (".safetensors", _shape(b"9" * 4000)),
    "a shape of more digits": (".safetensors", _shape(b"9" * 500_000)),
    "a shape of many axes": (".safetensors", _shape(b",".join([b"9" * 300] * 10_000))),
    "a shape of texts": (".safetensors", _shape(b'"12"')),
    "a shape of fractions": (".safetensors", _shape(b"1e400")),
    "many entries": (".safetensors", _entries),
    "layers nested": (".safetensors", _texts({"layer_structure": "[" * 100_000})),
    "layers of many digits": (".safetensors", _texts({"layer_structure": "[1," + "9" * 100_000 + ",1]"})),
    "extra nested": (".safetensors", _texts({"extra": '{"a":' * 50_000 + "1" + "}" * 50_000})),
    "a text of millions": (".safetensors", _texts({"name": "n" * 7_000_000})),
}
