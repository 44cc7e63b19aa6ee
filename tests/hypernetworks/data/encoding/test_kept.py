"""The folder of what encoders gave: what is kept and given back, what goes, and how often faults are told."""

import os

import torch
from hypernetwork_workbench.hypernetworks.base.forms import Array, Record
from hypernetwork_workbench.hypernetworks.base.outside import read_json
from hypernetwork_workbench.hypernetworks.data.encoding import cache as cache_module
from hypernetwork_workbench.hypernetworks.data.encoding.cache import Cache

FORM = Record({"mean": Array((2,), torch.float32)})


def kept(folder, count):
    for number in range(count):
        (folder / f"{number}.safetensors").write_bytes(b"broken")


def test_eight_faulty_files_are_named_and_the_others_together(tmp_path, caplog):
    kept(tmp_path, 11)
    cache = Cache(tmp_path, 1)
    assert [cache.load(str(number), FORM) for number in range(11)] == [None] * 11
    said = [record.getMessage() for record in caplog.records]
    assert [text.split()[4] for text in said[:8]] == [f"{number}.safetensors" for number in range(8)]
    assert said[8:] == ["More of the kept latents cannot be read and are made again."]


def test_what_this_run_uses_is_passed_over_and_the_next_oldest_goes(tmp_path):
    for number, name in enumerate("abcd"):
        (tmp_path / f"{name}.safetensors").write_bytes(bytes(600 << 10))
        os.utime(tmp_path / f"{name}.safetensors", (1000 + number, 1000 + number))
    cache = Cache(tmp_path, 1, {"a.safetensors"})
    (tmp_path / "other.txt").write_bytes(bytes(1 << 20))
    (tmp_path / "e.safetensors").mkdir()
    assert cache.prune() == 3
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.safetensors", "e.safetensors", "other.txt"]


def test_a_folder_of_just_its_limit_stays(tmp_path):
    (tmp_path / "a.safetensors").write_bytes(bytes(1 << 20))
    assert Cache(tmp_path, 1).prune() == 0
    (tmp_path / "b.safetensors").write_bytes(b"x")
    assert Cache(tmp_path, 1).prune() == 1


def test_a_missing_folder_and_one_that_is_a_file_hold_nothing(tmp_path, caplog):
    (tmp_path / "file").write_text("x")
    for folder in (tmp_path / "none", tmp_path / "file"):
        cache = Cache(folder, 1)
        assert cache.load("x", FORM) is None
        assert cache.known_pictures() == {}
        assert cache.prune() == 0
    assert not caplog.records


def test_sizes_of_pictures_are_added_and_replaced_and_a_damaged_list_is_made_again(tmp_path, caplog):
    one, other = "a" * 64, "b" * 64
    cache = Cache(tmp_path / "kept", 1)
    cache.remember_pictures({one: (8, 9)})
    cache.remember_pictures({other: (7, 6)})
    assert cache.known_pictures() == {one: (8, 9), other: (7, 6)}
    for size in ((5, 4), (50, 40)):
        cache.remember_pictures({one: size})
        assert cache.known_pictures() == {one: size, other: (7, 6)}
    path = tmp_path / "kept" / "pictures.json"
    for text in (path.read_text().replace("50", "51"), path.read_text().replace("50", "49"), "{", ""):
        path.write_text(text)
        caplog.clear()
        assert Cache(tmp_path / "kept", 1).known_pictures() == {}
        assert "pictures.json among the kept latents cannot be read and is made again" in caplog.text
    cache.remember_pictures({one: (8, 9)})
    assert cache.known_pictures() == {one: (8, 9)}


def test_the_list_of_sizes_is_read_once_and_again_when_another_run_wrote_it(tmp_path, monkeypatch):
    one, other, third = ("a" * 64, "b" * 64, "c" * 64)
    Cache(tmp_path, 1).remember_pictures({one: (8, 9)})
    reads = []
    monkeypatch.setattr(cache_module, "read_json", lambda *given: (reads.append(1), read_json(*given))[1])
    cache = Cache(tmp_path, 1)
    assert cache.known_pictures() == cache.known_pictures() == {one: (8, 9)}
    cache.remember_pictures({one: (8, 9)})
    assert len(reads) == 1
    Cache(tmp_path, 1).remember_pictures({other: (7, 6)})
    cache.remember_pictures({third: (5, 4)})
    assert cache.known_pictures() == {one: (8, 9), other: (7, 6), third: (5, 4)}


def test_a_disk_that_refuses_once_is_asked_no_more(tmp_path, caplog):
    (tmp_path / "file").write_text("x")
    cache = Cache(tmp_path / "file" / "kept", 1)
    for name in "ab":
        cache.store(name, {"mean": torch.ones(2)})
    assert caplog.text.count("Latents are not kept for the next run: ") == 1


def test_what_is_stored_comes_back_also_where_it_is_part_of_something_larger(tmp_path):
    cache = Cache(tmp_path / "kept", 1)
    whole = torch.arange(8.0).reshape(4, 2).t()
    cache.store("x", {"mean": whole[0, ::2]})
    assert cache.load("x", FORM)["mean"].tolist() == [0.0, 4.0]
    (tmp_path / "kept" / "y.safetensors").write_bytes((tmp_path / "kept" / "x.safetensors").read_bytes())
    assert cache.load("y", FORM) is None  # of another name
