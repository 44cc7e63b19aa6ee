"""What people take for a hypernetwork is named in one sentence, from small parts of it."""

from __future__ import annotations

import os
import re
import time

import pytest
import torch
from hypernetwork_workbench.hypernetworks import files, filetypes, report
from hypernetwork_workbench.hypernetworks.base.errors import HypernetworkFileError
from hypernetwork_workbench.hypernetworks.files import listing
from hypernetwork_workbench.hypernetworks.network.hypernetwork import Hypernetwork, Structure

from tests.support import other_files
from tests.support.memory import peak_memory

MEGABYTE = 1 << 20


def placed(folder, case):
    path = folder / case[1]
    path.write_bytes(case[2]())
    return path


def told(path):
    with pytest.raises(HypernetworkFileError) as caught:
        files.load(path)
    return str(caught.value)


@pytest.mark.parametrize("name", other_files.CASES)
def test_a_file_of_another_kind_is_named_and_the_advice_follows(name, tmp_path):
    case = other_files.CASES[name]
    path = placed(tmp_path, case)
    sentence = told(path)
    assert sentence.startswith(f"{path.name}: it is {case[0]}, not a hypernetwork; ")
    assert len(sentence) < 300
    assert "\n" not in sentence
    assert not sentence.endswith(".")
    assert filetypes.recognise_path(path) == sentence


@pytest.mark.parametrize("name", other_files.CUT)
def test_what_never_came_is_to_be_fetched_again(name, tmp_path):
    case = other_files.CUT[name]
    path = placed(tmp_path, case)
    assert case[0] in told(path)
    assert told(path) == filetypes.recognise_path(path)


@pytest.mark.parametrize("suffix", [".pt", ".safetensors", ".ckpt", ".bin", ".pth", ".PT"])
def test_a_network_is_opened_by_its_content_whatever_its_ending(suffix, tmp_path):
    network = Hypernetwork.create(Structure(), (8,), 1)
    for form in (".pt", ".safetensors"):
        files.save(network, tmp_path / f"x{form}")
        path = tmp_path / f"other{suffix}"
        path.write_bytes((tmp_path / f"x{form}").read_bytes())
        assert files.load(path).widths == (8,)


def test_a_damaged_network_keeps_the_reason_why_it_cannot_be_used(tmp_path):
    files.save(Hypernetwork.create(Structure(), (8,), 1), tmp_path / "x.pt")
    content = torch.load(tmp_path / "x.pt", weights_only=True)
    del content[8][0]["linear.1.bias"]
    torch.save(content, tmp_path / "x.pt")
    assert "lacks linear.1.bias" in told(tmp_path / "x.pt")
    del content[8]
    torch.save(content, tmp_path / "x.pt")
    assert "no attention width" in told(tmp_path / "x.pt")


class Other:
    """An object that no network needs."""


def noise(seed):
    return torch.randint(0, 256, (5000,), dtype=torch.uint8, generator=torch.Generator().manual_seed(seed)).numpy()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"\xa0" + noise(1).tobytes(), "it is no torch file"),
        (bytes(300_000) + noise(2).tobytes() + bytes(300_000), "it is no torch file"),
        (bytes(900_000) + b"x", "it is no torch file"),
        (other_files.saved({"fc.weight": torch.ones(2), "more": Other()})(), "asks for '.*Other'"),
        (other_files.saved({"fc.weight": torch.ones(2), "more": Other()}, old=True)(), "asks for '.*Other'"),
    ],
)
def test_what_cannot_be_known_keeps_its_reason(content, reason, tmp_path):
    (tmp_path / "x.pt").write_bytes(content)
    assert re.search(reason, told(tmp_path / "x.pt"))
    assert filetypes.recognise_path(tmp_path / "x.pt") is None


def large_safetensors(path):
    data = other_files.safe(other_files.UNET, other_files.CLIP)()
    length = int.from_bytes(data[:8], "little")
    header = data[8 : 8 + length].rstrip()
    header = header.replace(
        b'"shape":[2,2],"data_offsets":[16,32]', b'"shape":[4,500000000],"data_offsets":[16,8000000016]'
    )
    path.write_bytes(len(header).to_bytes(8, "little") + header)
    with path.open("r+b") as file:
        file.truncate(8 + len(header) + 8_000_000_016)


def large_legacy(path):
    path.write_bytes(other_files.saved(other_files.tensors([other_files.UNET, other_files.CLIP]), old=True)())
    with path.open("r+b") as file:
        file.truncate(7_000_000_000)


def large_zip(path):
    torch.save({other_files.UNET: torch.zeros(150 * MEGABYTE // 4), other_files.CLIP: torch.zeros(1)}, path)


@pytest.mark.parametrize("write", [large_safetensors, large_legacy, large_zip])
def test_a_large_checkpoint_is_known_without_its_numbers(write, tmp_path):
    path = tmp_path / "night.pt"
    write(path)
    start = time.thread_time()
    with peak_memory() as peak:
        assert "a checkpoint (Stable Diffusion 1)" in told(path)
        outline = report.outline(path)
    assert time.thread_time() - start < 2
    assert peak.bytes < 60 * MEGABYTE
    assert other_files.UNET in outline.keys


def test_the_report_of_another_file_has_its_names(tmp_path):
    path = placed(tmp_path, other_files.CASES["embedding_webui"])
    outline = report.outline(path)
    assert {"string_to_token", "string_to_param", "name"} <= set(outline.keys)
    assert outline.short_hash
    assert outline.file_bytes == path.stat().st_size


def test_a_description_without_end_ends(tmp_path):
    data = b"\x80\x02" + b"}" * (12 * MEGABYTE)
    (tmp_path / "x.pt").write_bytes(data)
    start = time.thread_time()
    assert "operations" in told(tmp_path / "x.pt") or "larger than" in told(tmp_path / "x.pt")
    assert time.thread_time() - start < 5


def test_a_folder_is_no_file_and_nothing_is_told_of_it(tmp_path):
    assert filetypes.recognise_path(tmp_path) is None
    assert filetypes.recognise_path(tmp_path / "absent") is None


@pytest.mark.skipif(os.name != "posix", reason="other systems have no pipes by name")
def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "night.zip")
    assert filetypes.recognise_path(tmp_path / "night.zip") is None
    assert "regular file" in listing.instead(tmp_path, "night")


def many_functions(count):
    texts = b"".join(b"\x8c\x06%06d" % number for number in range(count))
    return b"\x80\x04" + texts + b"\x93" * count


@pytest.mark.parametrize(
    "data",
    [
        b"<!---->" * 24 + b"<div>",
        b"<!-- a --> <!-- b -->\n" * 12 + b"<div>",
        b"<html>" + b"<title " * 30_000,
        many_functions(40_000),
    ],
)
def test_what_no_program_writes_is_looked_at_in_time(tmp_path, data):
    (tmp_path / "x.pt").write_bytes(data)
    start = time.thread_time()
    filetypes.recognise_path(tmp_path / "x.pt")
    assert time.thread_time() - start < 1


def test_a_page_is_known_behind_its_comments(tmp_path):
    (tmp_path / "x.pt").write_bytes(b"<!-- saved from -->\n<!-- by -- > -->\n<html><title>Night</title>")
    assert "a web page (“Night”)" in filetypes.recognise_path(tmp_path / "x.pt")
