"""Broken and hostile files, made by code: each case writes one file and names the error it must end in."""

import json
import os
import pickle
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

Case = tuple[Callable[[Path], Path], str]
CASES: dict[str, Case] = {}


def case(reason: str, name: str = "x.pt") -> Callable[[Callable[[Path], Any]], Callable[[Path], Any]]:
    """Register a function that writes the file at the path it is given."""

    def register(write: Callable[[Path], Any]) -> Callable[[Path], Any]:
        def make(folder: Path) -> Path:
            path = folder / name
            write(path)
            return path

        CASES[write.__name__] = (make, reason)
        return write

    return register


def half(width: int = 8) -> dict[str, torch.Tensor]:
    """Weights of a 1,2,1 network."""
    return {
        "linear.0.weight": torch.randn(2 * width, width),
        "linear.0.bias": torch.randn(2 * width),
        "linear.1.weight": torch.randn(width, 2 * width),
        "linear.1.bias": torch.randn(width),
    }


def good(**changes: Any) -> dict[Any, Any]:
    """Tell what a sound file holds."""
    return {8: (half(), half()), "step": 1, "name": "x", "activation_func": "linear", **changes}


def good_bytes(folder: Path) -> bytes:
    """Return the bytes of a sound file."""
    path = folder / "good.tmp"
    torch.save(good(), path)
    data = path.read_bytes()
    path.unlink()
    return data


def members(folder: Path) -> dict[str, bytes]:
    """Return the members of a sound file."""
    path = folder / "good.tmp"
    path.write_bytes(good_bytes(folder))
    with zipfile.ZipFile(path) as archive:
        found = {name.split("/", 1)[1]: archive.read(name) for name in archive.namelist()}
    path.unlink()
    return found


def rezip(path: Path, parts: dict[str, bytes], compression: int = zipfile.ZIP_STORED, folder: str = "x") -> None:
    """Write members as a zip."""
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in parts.items():
            archive.writestr(f"{folder}/{name}" if folder else name, data)


def with_pickle(path: Path, data: bytes) -> None:
    """Write a sound file with another description."""
    rezip(path, {**members(path.parent), "data.pkl": data})


def tensors(path: Path, header: Any, data: bytes = b"", length: int | None = None) -> None:
    """Write a `.safetensors` with a header of one's own."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text) if length is None else length) + text + data)


class Call:
    """Calls a function when it is unpickled."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> Any:
        return self.call


def marker(path: Path) -> Path:
    """Return a file that exists only if something in a hostile file was executed."""
    return path.parent / "executed"


# Nothing there, or not a file at all


@case("there is no such file")
def missing(path: Path) -> None:
    pass


CASES["name_that_leads_out"] = (lambda folder: folder / ".." / "nowhere" / "x.pt", "there is no such file")
CASES["null_in_name"] = (lambda folder: folder / "a\0b.pt", "cannot be read")
CASES["name_too_long"] = (lambda folder: folder / ("n" * 300 + ".pt"), "cannot be read")


@case("it is empty")
def empty(path: Path) -> None:
    path.write_bytes(b"")


@case("it is a folder")
def folder_named_as_a_file(path: Path) -> None:
    path.mkdir()


if os.name == "posix":

    @case("it is a link to nowhere.pt, where there is no file")
    def symlink_to_nothing(path: Path) -> None:
        path.symlink_to("nowhere.pt")

    @case("it is a link to .*x.pt, which leads back to itself")
    def symlink_to_itself(path: Path) -> None:
        path.symlink_to(path)

    @case("it is a link to /dev/zero, which is not a regular file")
    def symlink_to_a_device(path: Path) -> None:
        path.symlink_to("/dev/zero")

    @case("it is a link to .*, which is a folder")
    def symlink_to_a_folder(path: Path) -> None:
        path.symlink_to(path.parent)

    @case("it is a link to second, which is not a regular file")
    def symlink_to_a_symlink_to_a_pipe(path: Path) -> None:
        os.mkfifo(path.parent / "pipe")
        (path.parent / "second").symlink_to("pipe")
        path.symlink_to("second")

    @case("no attention width")
    def symlink_to_another_file(path: Path) -> None:
        torch.save({"step": 1}, path.parent / "target.bin")
        path.symlink_to("target.bin")

    @case("it is not a regular file")
    def pipe(path: Path) -> None:
        os.mkfifo(path)


@case("it is a web page, not a hypernetwork; open its page")
def text(path: Path) -> None:
    path.write_text("<!DOCTYPE html><html>404</html>")


@case("it is full of zeros")
def zeros(path: Path) -> None:
    path.write_bytes(bytes(1000))


@case("it is no torch file")
def one_byte(path: Path) -> None:
    path.write_bytes(b"\x80")


# Zips


@case("it is damaged")
def truncated(path: Path) -> None:
    data = good_bytes(path.parent)
    path.write_bytes(data[: len(data) // 2])


@case("it is damaged")
def only_the_start_of_a_zip(path: Path) -> None:
    path.write_bytes(b"PK\x03\x04")


@case("it is damaged")
def flipped_bit(path: Path) -> None:
    data = bytearray(good_bytes(path.parent))
    data[data.index(b"data/0") + 200] ^= 16
    path.write_bytes(data)


@case("it is a zip archive without a network in it")
def other_zip(path: Path) -> None:
    rezip(path, {"readme.txt": b"hello"})


@case("compressed zip")
def compressed(path: Path) -> None:
    rezip(path, members(path.parent), zipfile.ZIP_DEFLATED)


@case("compressed zip")
def zip_bomb(path: Path) -> None:
    rezip(path, {**members(path.parent), "data/0": bytes(200 << 20)}, zipfile.ZIP_DEFLATED)


@case("parts overlap")
def overlapping_zip_bomb(path: Path) -> None:
    rezip(path, {"data/0": bytes(1 << 20)})
    data = path.read_bytes()
    place = data.rindex(b"PK\x01\x02")
    entry, end = data[place : data.rindex(b"PK\x05\x06")], bytearray(data[data.rindex(b"PK\x05\x06") :])
    entries = b"".join(entry.replace(b"data/0", b"data/%d" % index) for index in range(10))
    end[8:16] = struct.pack("<HHL", 10, 10, len(entries))
    path.write_bytes(data[:place] + entries + end)


@case("directory is too large")
def endless_directory(path: Path) -> None:
    rezip(path, {"data/0": b"1"})
    data = path.read_bytes()
    place = data.rindex(b"PK\x01\x02")
    entry, end = data[place : data.rindex(b"PK\x05\x06")], bytearray(data[data.rindex(b"PK\x05\x06") :])
    entries = entry * (1_100_000 // len(entry))
    end[12:16] = struct.pack("<L", len(entries))
    path.write_bytes(data[:place] + entries + end)


@case("path that leads out")
def member_that_leads_out(path: Path) -> None:
    rezip(path, {**members(path.parent), "../../evil": b"x"})


@case("path that leads out")
def member_with_an_absolute_path(path: Path) -> None:
    rezip(path, {"/etc/passwd": b"x"}, folder="")


@case("several folders")
def two_archives_in_one(path: Path) -> None:
    rezip(path, {"a/data.pkl": b"x", "b/version": b"y"}, folder="")


@case("holds version twice")
def member_twice(path: Path) -> None:
    rezip(path, {"x/version": b"3", "x//version": b"4"}, folder="")


@case("a part of its data is missing")
def missing_storage(path: Path) -> None:
    parts = members(path.parent)
    del parts["data/3"]
    rezip(path, parts)


@case("a part of its data is cut short")
def short_storage(path: Path) -> None:
    rezip(path, {**members(path.parent), "data/3": b"1234"})


@case("big-endian")
def big_endian(path: Path) -> None:
    rezip(path, {**members(path.parent), "byteorder": b"big"})


# Pickles


@case("asks for 'posix.system'|asks for 'nt.system'")
def calls_os_system(path: Path) -> None:
    torch.save({**good(), "x": Call(os.system, f"echo 1 > {marker(path)}")}, path)


@case("asks for")
def calls_eval(path: Path) -> None:
    torch.save({**good(), "x": Call(eval, f"open({str(marker(path))!r}, 'w')")}, path)


@case("asks for")
def calls_exec_in_a_bare_pickle(path: Path) -> None:
    path.write_bytes(pickle.dumps(Call(exec, f"open({str(marker(path))!r}, 'w')")))


@case("asks for")
def calls_os_system_in_the_old_layout(path: Path) -> None:
    content = {**good(), "x": Call(os.system, f"echo 1 > {marker(path)}")}
    torch.save(content, path, _use_new_zipfile_serialization=False)


@case("asks for 'torch.hub.load")
def calls_a_function_of_torch(path: Path) -> None:
    with_pickle(path, b"\x80\x02ctorch.hub\nload_state_dict_from_url\nX\x03\x00\x00\x00urlq\x00\x85R.")


@case("asks for 'torch.storage._load_from_bytes'")
def nested_pickle(path: Path) -> None:
    with_pickle(path, b"\x80\x02ctorch.storage\n_load_from_bytes\nC\x03abc\x85R.")


@case("pickle operation NEWOBJ")
def makes_an_object(path: Path) -> None:
    with_pickle(path, b"\x80\x02ccollections\nOrderedDict\n)\x81.")


@case("pickle operation INST")
def old_instance(path: Path) -> None:
    with_pickle(path, b"(ios\nsystem\n.")


@case("sets attributes")
def sets_attributes_of_a_tuple(path: Path) -> None:
    with_pickle(path, b"\x80\x02)}b.")


@case("cyclic")
def cyclic_list(path: Path) -> None:
    loop: list[Any] = []
    loop.append(loop)
    torch.save(good(extra=loop), path)


@case("cyclic")
def cyclic_dict(path: Path) -> None:
    loop: dict[str, Any] = {}
    loop["self"] = loop
    torch.save(good(extra=loop), path)


@case("nested too deep")
def deep_list(path: Path) -> None:
    with_pickle(path, b"\x80\x02" + b"]" * 50_000 + b"a" * 49_999 + b".")


@case("nested too deep")
def billion_laughs(path: Path) -> None:
    laugh: Any = ["ha"] * 10
    for _ in range(12):
        laugh = [laugh] * 10
    torch.save(good(extra=laugh), path)


@case("more than 400000 operations")
def endless_pickle(path: Path) -> None:
    with_pickle(path, b"\x80\x02" + b"}" * 500_000 + b".")


@case("description is too large")
def huge_pickle(path: Path) -> None:
    with_pickle(path, b"\x80\x02" + b"X" + struct.pack("<L", 9 << 20) + bytes(9 << 20) + b".")


@case("damaged")
def string_longer_than_the_file(path: Path) -> None:
    with_pickle(path, b"\x80\x04\x8d" + struct.pack("<Q", 1 << 40) + b"abc.")


@case("number that is far too large")
def giant_number(path: Path) -> None:
    with_pickle(path, b"\x80\x02\x8b" + struct.pack("<l", 1 << 20) + b"\x7f" * (1 << 20) + b".")


@case("damaged")
def empty_pickle(path: Path) -> None:
    with_pickle(path, b"")


@case("damaged")
def garbage_pickle(path: Path) -> None:
    with_pickle(path, bytes(range(256)))


@case("key of type tuple")
def tuple_as_key(path: Path) -> None:
    with_pickle(path, pickle.dumps({(1, 2): 3}, protocol=2))


# Tensors


def tensor_pickle(size: tuple[int, ...], stride: tuple[int, ...], offset: int = 0, count: int = 128) -> bytes:
    """Return a description with one tensor over the first storage."""

    def numbers(values: tuple[int, ...]) -> bytes:
        return b"(" + b"".join(b"\x8a\x08" + struct.pack("<q", value) for value in values) + b"t"

    def word(value: str) -> bytes:
        return b"X" + struct.pack("<L", len(value)) + value.encode()

    storage = b"(" + word("storage") + b"ctorch\nFloatStorage\n" + word("0") + word("cpu")
    storage += b"\x8a\x08" + struct.pack("<q", count) + b"tQ"
    arguments = b"(" + storage + b"\x8a\x08" + struct.pack("<q", offset) + numbers(size) + numbers(stride)
    return b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n" + arguments + b"\x89ccollections\nOrderedDict\n)RtR."


@case("larger than its data")
def tensor_larger_than_its_data(path: Path) -> None:
    with_pickle(path, tensor_pickle((1 << 30, 1 << 30), (1 << 30, 1)))


@case("larger than its data")
def tensor_blown_up_by_its_stride(path: Path) -> None:
    with_pickle(path, tensor_pickle((1 << 20, 1 << 12), (0, 0)))


@case("impossible shape")
def tensor_with_a_negative_shape(path: Path) -> None:
    with_pickle(path, tensor_pickle((-1, 4), (1, 1)))


@case("larger than its data")
def tensor_that_starts_behind_its_data(path: Path) -> None:
    with_pickle(path, tensor_pickle((4,), (1,), offset=126))


@case("a part of its data is cut short")
def storage_larger_than_its_member(path: Path) -> None:
    tensor = tensor_pickle((1 << 40,), (1,), count=1 << 40)
    with_pickle(path, b"\x80\x02}K\x08" + tensor[2:-1] + b"s.")  # {8: tensor}, so that it looks like a network


@case("holds a Tensor in place of a hypernetwork")
def a_tensor_alone(path: Path) -> None:
    torch.save(torch.ones(3), path)


@case("share the same data")
def weights_that_share_one_block(path: Path) -> None:
    weights = half(64)
    torch.save({8 * width: (weights, weights) for width in range(1, 20)}, path)


@case("not finite")
def nan_weight(path: Path) -> None:
    content = good()
    content[8][1]["linear.1.bias"][2] = float("nan")
    torch.save(content, path)


@case("not finite")
def infinite_half_weight(path: Path) -> None:
    content = {8: tuple({name: value.half() for name, value in half().items()} for _ in range(2))}
    content[8][0]["linear.0.weight"][0, 0] = float("inf")
    torch.save(content, path)


@case("too large")
def double_weight_beyond_float(path: Path) -> None:
    content = {8: tuple({name: value.double() for name, value in half().items()} for _ in range(2))}
    content[8][0]["linear.0.weight"][0, 0] = 1e300
    torch.save(content, path)


# Content


def broken(reason: str, name: str, content: Callable[[], Any]) -> None:
    """Register a torch file with the wrong content."""

    def write(path: Path) -> None:
        torch.save(content(), path)

    write.__name__ = name
    case(reason)(write)


def changed(**weights: Any) -> dict[Any, Any]:
    """Return a file of which one half has other weights; None removes one."""
    other = {**half(), **weights}
    return good() | {8: (half(), {name: value for name, value in other.items() if value is not None})}


broken("holds a list", "a_list", lambda: [1, 2, 3])
broken("no attention width", "no_width", lambda: {"step": 1})
broken(
    "it is a textual-inversion embedding, not a hypernetwork",
    "embedding",
    lambda: {"string_to_param": {"*": torch.ones(1, 768)}, "name": "e"},
)
broken("not a pair", "width_without_a_pair", lambda: good() | {16: half(16)})
broken("not a pair", "three_halves", lambda: good() | {8: (half(), half(), half())})
broken("not a set of weights", "half_is_a_tensor", lambda: good() | {8: (torch.ones(3), torch.ones(3))})
broken(
    "which is no weight",
    "weights_of_whole_numbers",
    lambda: changed(**{"linear.1.bias": torch.ones(8).long()}),
)
broken("which is no weight", "weight_is_text", lambda: changed(**{"linear.1.bias": "text"}))
broken("lacks linear.1.bias", "missing_weight", lambda: changed(**{"linear.1.bias": None}))
broken("has 'linear.7.bias'", "unexpected_weight", lambda: changed(**{"linear.7.bias": torch.ones(8)}))
broken("has the shape", "transposed_weight", lambda: changed(**{"linear.1.weight": torch.ones(16, 8)}))
broken("has the shape", "empty_weight", lambda: changed(**{"linear.1.weight": torch.ones(0, 8)}))
broken("has the shape", "wrong_width", lambda: {16: (half(), half())})
broken("widths: must be whole numbers", "negative_width", lambda: {-8: (half(), half())})
broken("widths: must be whole numbers", "giant_width", lambda: {1 << 40: (half(), half())})
broken("8 twice", "width_twice", lambda: {8: (half(), half()), "8": (half(), half())})
broken("more than 64", "too_many_widths", lambda: {width: (half(), half()) for width in range(1, 80)})
broken("layer_structure: must start and end with 1", "wrong_ends", lambda: good(layer_structure=[2, 2, 2]))
broken("layer_structure: must be a list", "structure_is_text", lambda: good(layer_structure="1,2,1"))
broken("layer_structure: must have 2 to", "endless_structure", lambda: good(layer_structure=[1] * 100_000))
broken("layer_structure: must hold numbers", "structure_of_text", lambda: good(layer_structure=["1", "2", "1"]))
broken("layer_structure: entries", "giant_layer", lambda: good(layer_structure=[1, 1e30, 1]))
broken("layer_structure: must hold numbers", "nan_layer", lambda: good(layer_structure=[1, float("nan"), 1]))
broken("dropout_structure: must have 3", "dropout_of_another_length", lambda: good(dropout_structure=[0, 0]))
broken("dropout_structure: entries", "dropout_of_two", lambda: good(dropout_structure=[0, 2, 0]))
broken("activation: 'nonsense' is unknown", "unknown_activation", lambda: good(activation_func="nonsense"))
broken("activation: prelu cannot be used", "ruled_out_activation", lambda: good(activation_func="prelu"))
broken("activation: must be a name", "activation_is_a_list", lambda: good(activation_func=[1]))
broken("activation: must be a name", "activation_is_an_empty_list", lambda: good(activation_func=[]))
broken("activation: must be a name", "activation_is_a_tensor", lambda: good(activation_func=torch.ones(3)))
broken("is_layer_norm is a str", "flag_is_text", lambda: good(is_layer_norm="yes"))
broken("step is not a number", "step_is_text", lambda: good(step="many"))
broken("step is not a number", "step_is_nan", lambda: good(step=float("nan")))
broken("step is not a number", "step_far_too_large", lambda: good(step=1e300))
broken("step is not a number", "step_that_no_run_reaches", lambda: good(step=2**79))
broken("name is a list", "name_is_a_list", lambda: good(name=["x"]))


# The layout before torch 1.6


@case("bare pickle")
def bare_pickle(path: Path) -> None:
    path.write_bytes(pickle.dumps({"a": 1}, protocol=2))


@case("a part of its data is cut short")
def truncated_old_layout(path: Path) -> None:
    torch.save(good(), path, _use_new_zipfile_serialization=False)
    path.write_bytes(path.read_bytes()[:-20])


@case("damaged|ends early")
def old_layout_cut_in_its_description(path: Path) -> None:
    torch.save(good(), path, _use_new_zipfile_serialization=False)
    path.write_bytes(path.read_bytes()[:600])


@case("list of data is damaged")
def old_layout_without_its_data(path: Path) -> None:
    torch.save(good(), path, _use_new_zipfile_serialization=False)
    data = path.read_bytes()
    keys = data.rindex(b"\x80\x02]")
    path.write_bytes(data[:keys] + pickle.dumps([], protocol=2))


# Safetensors


ENTRY = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}


@case("header is longer than the file", "x.safetensors")
def huge_header(path: Path) -> None:
    tensors(path, b"{}", length=1 << 50)


@case("header is longer than the file", "x.safetensors")
def header_of_all_ones(path: Path) -> None:
    tensors(path, b"{}", length=(1 << 64) - 1)


@case("header is damaged", "x.safetensors")
def header_is_no_json(path: Path) -> None:
    tensors(path, b"{not json}")


@case("header is damaged", "x.safetensors")
def header_of_brackets(path: Path) -> None:
    tensors(path, b'{"a":' + b"[" * 100_000)


@case("header is damaged", "x.safetensors")
def header_with_a_name_twice(path: Path) -> None:
    tensors(path, b'{"8.k.a":{},"8.k.a":{}}')


@case("it is a LoRA, not a hypernetwork", "x.safetensors")
def names_of_another_model(path: Path) -> None:
    tensors(path, {"lora_unet.weight": ENTRY}, bytes(8))


@case("header is damaged", "x.safetensors")
def shape_that_does_not_fit_its_place(path: Path) -> None:
    tensors(path, {"8.k.a": {**ENTRY, "shape": [1 << 40]}}, bytes(8))


@case("header is damaged", "x.safetensors")
def negative_shape(path: Path) -> None:
    tensors(path, {"8.k.a": {**ENTRY, "shape": [-1, -2]}}, bytes(8))


@case("gap or an overlap", "x.safetensors")
def overlapping_tensors(path: Path) -> None:
    tensors(path, {"8.k.a": ENTRY, "8.k.b": ENTRY}, bytes(8))


@case("its end is missing", "x.safetensors")
def truncated_tensors(path: Path) -> None:
    tensors(path, {"8.k.a": ENTRY}, bytes(4))


@case("header is damaged", "x.safetensors")
def metadata_is_a_list(path: Path) -> None:
    tensors(path, {"__metadata__": [1], "8.k.a": ENTRY}, bytes(8))


@case("number that is far too large", "x.safetensors")
def metadata_with_a_number_of_many_digits(path: Path) -> None:
    tensors(path, {"__metadata__": {"training": f'{{"seed": {10**100}}}'}, "8.k.a": ENTRY}, bytes(8))


@case("nested too deep", "x.safetensors")
def metadata_nested_too_deep(path: Path) -> None:
    tensors(path, {"__metadata__": {"extra": '{"a": %s}' % ("[" * 40 + "]" * 40)}, "8.k.a": ENTRY}, bytes(8))


@case("description is damaged", "x.safetensors")
def metadata_with_half_a_letter(path: Path) -> None:
    tensors(path, {"__metadata__": {"training": '{"a": "\\ud800"}'}, "8.k.a": ENTRY}, bytes(8))


@case("no attention width", "x.safetensors")
def no_tensor(path: Path) -> None:
    tensors(path, {"__metadata__": {"name": "x"}})
