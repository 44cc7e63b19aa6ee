"""Faulty caches of encoded pictures and captions: what does not fit is made again, and never used.

Each case starts from a cache that a run has filled, and looks at what the next run makes of it.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import torch
from hypernetwork_workbench.hypernetworks.base.errors import SettingsError
from hypernetwork_workbench.hypernetworks.data.encoding.cache import Cache
from hypernetwork_workbench.hypernetworks.data.encoding.latents import EncodedDataset, encode_parts
from hypernetwork_workbench.hypernetworks.train.plan import make_plan
from PIL import Image
from safetensors.torch import load_file, save, save_file
from torch import Tensor

from tests.support.fake_ports import TEXT_WIDTH, fake_ports
from tests.support.runs import draw_pictures, make_job

from . import Case, NotHandledError
from .changes import with_number

Tensors = dict[str, Tensor]
Spoil = Callable[[Path], Any]

_PICTURES = 6
_MASK_PX = 4
#: What nobody but the user may take out of the way.
_STAYS = {"folder", "pipe", "device"}


def cases() -> Iterator[Case]:
    """Yield faults of tensors, of files, and of the folder."""
    for (kind, name), change in _TENSORS.items():
        yield Case(f"cache: {kind} {name}", partial(_act, partial(_spoil_tensors, kind, change, True), is_mended=True))
    for name, change in _NUMBERS.items():
        yield Case(f"cache: {name}", partial(_act, partial(_spoil_tensors, "picture", change, False), is_mended=True))
    for name, spoil in _FILES.items():
        of_picture = partial(_act, partial(_spoil_one, spoil), is_mended=not _STAYS & {*name.split()})
        yield Case(f"cache: {name} in place of a picture", of_picture)
    for name, spoil in {**_FILES, **_LISTS}.items():
        of_list = partial(_act, partial(_spoil_list, spoil), is_mended=not _STAYS & {*name.split()})
        yield Case(f"cache: {name} in place of the list", of_list)
    for name, spoil in _FOLDERS.items():
        yield Case(f"cache: {name}", partial(_act, spoil, is_mended=False))


def _act(spoil: Spoil, folder: Path, is_mended: bool) -> str | None:
    pictures = draw_pictures(folder / "pictures")
    _draw_masked(pictures / "masked.png")
    cache = folder / "logs" / "latents"
    expected = _encoded(pictures, folder)
    spoil(cache)
    try:
        found = _encoded(pictures, folder)
    except SettingsError as error:  # the cache is no folder, or only a link to what is none
        return str(error)
    if not _same(found, expected):
        raise NotHandledError("what the cache held was used")
    if not _same(_encoded(pictures, folder, is_made=not is_mended), expected):
        raise NotHandledError("what was made again is not what it was")
    return None


def _draw_masked(path: Path) -> None:
    picture = Image.new("RGBA", (32, 32), "red")
    picture.putalpha(Image.linear_gradient("L").resize((32, 32)))
    picture.save(path)
    path.with_suffix(".txt").write_text("masked", encoding="utf-8")


def _encoded(pictures: Path, folder: Path, is_made: bool = True) -> EncodedDataset:
    """Return the pictures as a run sees them.

    Args:
        is_made: whether anything may be encoded; else all of it must be in the cache.
    """
    ports = fake_ports(folder)
    plan = make_plan(make_job(pictures, data__masks="alpha", data__latents="once", data__caption_dropout=0.0), ports)
    (found,) = encode_parts((plan.dataset,), ports, plan.cache)
    if not is_made and (ports.encoder.encoded_pictures or ports.encoder.encoded_texts):
        raise NotHandledError("what was made again is not kept")
    return found


def _same(one: EncodedDataset, other: EncodedDataset) -> bool:
    if [sample.size for sample in one.dataset.samples] != [sample.size for sample in other.dataset.samples]:
        return False
    batches = [data.batch(range(_PICTURES), 0) for data in (one, other)]
    first, second = ((batch.latents, batch.conditioning.text, batch.weights) for batch in batches)
    return all(torch.equal(*pair) for pair in zip(first, second, strict=True))


def _spoil_tensors(kind: str, change: Callable[[Tensors], Any], is_sealed: bool, folder: Path) -> None:
    found = False
    for path in sorted(folder.glob("*.safetensors")):
        tensors = load_file(path)
        if kind not in ("picture" if "mean" in tensors else "caption", "mask" if "mask" in tensors else ""):
            continue
        found = True
        change(tensors)
        if is_sealed:
            tensors.pop("digest", None)
            Cache(folder, 100).store(path.stem, tensors)
        else:
            save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, path)
    assert found, kind


def _spoil_one(spoil: Spoil, folder: Path) -> None:
    path = next(path for path in sorted(folder.glob("*.safetensors")) if "mean" in load_file(path))
    path.unlink()
    spoil(path)


def _spoil_list(spoil: Spoil, folder: Path) -> None:
    path = folder / "pictures.json"
    path.unlink()
    spoil(path)


def _changed(name: str, change: Callable[[Tensor], Tensor]) -> Callable[[Tensors], None]:
    def changed(tensors: Tensors) -> None:
        tensors[name] = change(tensors[name])

    return changed


def _of(name: str) -> dict[str, Callable[[Tensors], Any]]:
    """Return what every tensor of a cache may be that it must not be."""
    return {
        f"{name} of shape 3": _changed(name, lambda _: torch.zeros(3)),
        f"{name} without numbers": _changed(name, lambda _: torch.zeros(0)),
        f"{name} of no shape": _changed(name, lambda _: torch.tensor(0.5)),
        f"{name} with an axis more": _changed(name, lambda tensor: tensor[None]),
        f"{name} in half precision": _changed(name, lambda tensor: tensor.half()),
        f"{name} in double precision": _changed(name, lambda tensor: tensor.double()),
        f"{name} of whole numbers": _changed(name, lambda tensor: tensor.long()),
        f"{name} of flags": _changed(name, lambda tensor: tensor > 0),
        f"{name} is NaN": _changed(name, with_number(math.nan)),
        f"{name} is infinite": _changed(name, with_number(-math.inf)),
        f"{name} under another name": lambda tensors: tensors.update({f"{name}s": tensors.pop(name)}),
        f"{name} beside another": lambda tensors: tensors.update(more=torch.zeros(1)),
    }


_TENSORS: dict[tuple[str, str], Callable[[Tensors], Any]] = {
    **{("picture", name): change for name, change in {**_of("mean"), **_of("std")}.items()},
    ("picture", "mean of three channels"): _changed("mean", lambda tensor: tensor[:3]),
    ("picture", "mean of half the width"): _changed("mean", lambda tensor: tensor[..., :2]),
    ("picture", "std below 0"): _changed("std", with_number(-0.1)),
    **{("mask", name): change for name, change in _of("mask").items() if "another name" not in name},
    ("mask", "mask below 0"): _changed("mask", with_number(-1.0)),
    ("mask", "mask of a billion"): _changed("mask", with_number(1e9)),
    **{("caption", name): change for name, change in _of("conditioning").items()},
    ("caption", "conditioning of another width"): _changed("conditioning", lambda _: torch.zeros(5, TEXT_WIDTH + 1)),
    ("caption", "conditioning of no tokens"): _changed("conditioning", lambda _: torch.zeros(0, TEXT_WIDTH)),
}

#: As another program would write them: of the right form, but not what was stored, with the digest of that.
_NUMBERS: dict[str, Callable[[Tensors], Any]] = {
    "latents without a digest": lambda tensors: tensors.pop("digest"),
    "latents with a digest of zeros": _changed("digest", torch.zeros_like),
    "latents of zeros": _changed("mean", torch.zeros_like),
    "latents with one number changed": _changed("mean", with_number(0.25)),
    "latents the other way round": _changed("mean", lambda tensor: tensor.flip(-1)),
    "a mask too many": lambda tensors: tensors.update(mask=torch.ones(1, _MASK_PX, _MASK_PX)),
    "no mask": lambda tensors: tensors.pop("mask", None),
}


def _header(text: bytes, length: int | None = None) -> Spoil:
    size = len(text) if length is None else length
    return lambda path: path.write_bytes(size.to_bytes(8, "little") + text)


def _endless(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(1 << 40)


def _another(path: Path) -> None:
    """Put the sound file of another picture in its place."""
    others = [other for other in sorted(path.parent.glob("*.safetensors")) if "mean" in load_file(other)]
    path.write_bytes(others[0].read_bytes())


def _many(path: Path) -> None:
    entry = {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}
    _header(json.dumps({f"t{number}": entry for number in range(130_000)}).encode())(path)


def _unknown_dtype(path: Path) -> None:
    text = (_ENTRY.replace("F32", "F8_E8M0") % ("[4]", 4)).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + bytes(4))


_ENTRY = '{"mean":{"dtype":"F32","shape":%s,"data_offsets":[0,%s]}}'

_FILES: dict[str, Spoil] = {
    "nothing": lambda path: path.write_bytes(b""),
    "zeros": lambda path: path.write_bytes(bytes(1000)),
    "a text": lambda path: path.write_text("<!DOCTYPE html>"),
    "no text": lambda path: path.write_bytes(b"\xff\xfe\x80"),
    "a header without end": _header(b"{}", 1 << 60),
    "a header of brackets": _header(b'{"a":' + b"[" * 4000),
    "a header of a shape of many digits": _header((_ENTRY % ("[" + "9" * 3000 + "]", 4)).encode()),
    "a header of a shape below 0": _header((_ENTRY % ("[-1]", 4)).encode()),
    "a header of an unknown dtype": _unknown_dtype,
    "a header of 130000 tensors": _many,
    "tensors that end early": lambda path: path.write_bytes(save({"mean": torch.zeros(99)})[:200]),
    "a terabyte of nothing": _endless,
    "another sound file": _another,
    "a folder": lambda path: path.mkdir(),
    "a folder with something in it": lambda path: (path / "inner").mkdir(parents=True),
}
if hasattr(os, "mkfifo"):
    _FILES |= {
        "a pipe": os.mkfifo,
        "a link to itself": lambda path: path.symlink_to(path.name),
        "a link to nothing": lambda path: path.symlink_to("nowhere"),
        "a link to a device": lambda path: path.symlink_to("/dev/zero"),
        "a link to a folder": lambda path: path.symlink_to("/"),
    }


_HASH = "0" * 64


def _listed(size: str) -> Spoil:
    return _json(f'{{"pictures": {{"{_HASH}": {size}}}, "digest": "{_HASH}"}}')


def _json(text: str) -> Spoil:
    return lambda path: path.write_text(text, encoding="utf-8")


def _sealed(change: Callable[[dict[str, Any]], Any]) -> Spoil:
    """Write sizes, of all pictures beside the cache, with the digest that is theirs."""

    def spoil(path: Path) -> None:
        files = (path.parents[2] / "pictures").glob("*.png")
        sizes: dict[str, Any] = {hashlib.sha256(file.read_bytes()).hexdigest(): [32, 32] for file in files}
        change(sizes)
        digest = hashlib.sha256(json.dumps(sizes, sort_keys=True).encode()).hexdigest()
        path.write_text(json.dumps({"pictures": sizes, "digest": digest}), encoding="utf-8")

    return spoil


def _turned(path: Path) -> None:
    """Write the sizes of all pictures with width and height exchanged, and with the digest of the right ones."""
    sizes = {}
    for file in (path.parents[2] / "pictures").glob("*.png"):
        with Image.open(file) as picture:
            sizes[hashlib.sha256(file.read_bytes()).hexdigest()] = list(picture.size)
    digest = hashlib.sha256(json.dumps(sizes, sort_keys=True).encode()).hexdigest()
    turned = {name: size[::-1] for name, size in sizes.items()}
    path.write_text(json.dumps({"pictures": turned, "digest": digest}), encoding="utf-8")


def _all_are(size: Any) -> Spoil:
    return _sealed(lambda sizes: sizes.update(dict.fromkeys(sizes, size)))


_LISTS: dict[str, Spoil] = {
    "a list": _json("[1, 2]"),
    "a number": _json("7"),
    "null": _json("null"),
    "brackets without end": _json("[" * 100_000),
    "brackets in brackets": _json("[" * 100_000 + "]" * 100_000),
    "tables in tables": _json('{"a":' * 50_000 + "1" + "}" * 50_000),
    "infinite sizes": _listed("[1e999, 1e999]"),
    "sizes that are NaN": _listed("[NaN, Infinity]"),
    "sizes of many digits": _listed(f"[{'9' * 5000}, 1]"),
    "sizes twice": _listed(f'[1, 1], "{_HASH}": [2, 2]'),
    "sizes with another digest": _listed("[48, 48]"),
    "sizes without a digest": _json('{"pictures": {}}'),
    "sizes as of version 0.1": _json(f'{{"{_HASH}": [48, 48]}}'),
    "sizes the other way round": _turned,
    "sizes of one pixel": _all_are([1, 1]),
    "sizes of 0": _all_are([0, 0]),
    "sizes below 0": _all_are([-32, 32]),
    "sizes of a billion": _all_are([10**9, 10**9]),
    "sizes of one number": _all_are([32]),
    "sizes as texts": _all_are(["32", "32"]),
    "sizes as fractions": _all_are([32.0, 32.0]),
    "sizes as flags": _all_are([True, True]),
    "sizes as a number": _all_are(32),
    "sizes by other names": _sealed(lambda sizes: sizes.update(picture=[32, 32])),
    "sizes of 101000 pictures": _sealed(lambda sizes: sizes.update({f"{n:064x}": [8, 8] for n in range(101_000)})),
}


def _replaced(make: Spoil) -> Spoil:
    def spoil(folder: Path) -> None:
        folder.rename(folder.with_name("away"))
        make(folder)

    return spoil


_FOLDERS: dict[str, Spoil] = {
    "a file in place of the folder": _replaced(lambda folder: folder.write_text("in the way")),
    **(
        {
            "a pipe in place of the folder": _replaced(os.mkfifo),
            "a link to nothing in place of the folder": _replaced(lambda folder: folder.symlink_to("nowhere")),
            "a link to itself in place of the folder": _replaced(lambda folder: folder.symlink_to(folder.name)),
            "a device in place of the folder": _replaced(lambda folder: folder.symlink_to("/dev/null")),
        }
        if hasattr(os, "mkfifo")
        else {}
    ),
}
