"""`launch.py dataset`: kohya's metadata is made, cleaned and written back; what is wrong is named, nothing is lost."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypernetwork_workbench.hypernetworks.data.captions import read_metadata
from hypernetwork_workbench.hypernetworks.data.scan import read_dataset
from hypernetwork_workbench.hypernetworks.data.settings import DataSettings
from PIL import Image

from tests.support import pictures

JOB = """
[data]
folder = "pictures"
width = 64
height = 64
batch_size = 2
flip = true
shuffle_tags = true

[train]
max_steps = 8
seed = 3

[output]
name = "small"

[evaluation]
measures = "none"

[tune]
method = "grid"
ranges = "train.seed = [1, 2]"
"""


@pytest.fixture(scope="module")
def command(quick):
    return quick("standalone.dataset_command")


@pytest.fixture
def folder(tmp_path):
    place = pictures.captioned(tmp_path / "pictures", size=(96, 64))
    for number in range(3):
        (place / f"{number}.caption").write_text(f"a a cat {number}\n", encoding="utf-8")
        (place / f"{number}.txt").write_text(f"1girl, solo, tag_{number}\n", encoding="utf-8")
    return place


@pytest.fixture
def asked(command, tmp_path):
    """Return a function that runs a command, and returns what it said."""

    def ask(name: str, *words: object, code: int = 0, writes: bool = True) -> str:
        answer = command(name, *words, *(("--data-dir", tmp_path / "host") if writes else ()))
        assert answer.returncode == code, answer.stderr
        return answer.stderr if code else answer.stdout

    return ask


def held(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def table(path: Path):
    return json.loads(path.read_text(encoding="utf-8"))


def test_a_folder_becomes_metadata_clean_ones_and_caption_files_again(asked, folder, tmp_path):
    before, meta = held(folder), tmp_path / "meta.json"
    said = asked("merge-captions", folder, meta)
    assert said == (
        "3 of 3 pictures have a text in a file .caption.\nWritten: caption of caption files in meta.json.\n"
    )
    assert table(meta) == {str(n): {"caption": f"a a cat {n}"} for n in range(3)}
    asked("merge-tags", folder, meta)
    assert table(meta)["1"] == {"caption": "a a cat 1", "tags": "1girl, solo, tag_1"}
    sized = tmp_path / "sized.json"
    said = asked(
        "prepare-buckets",
        folder,
        meta,
        sized,
        "--max_resolution=64,64",
        "--min-bucket-reso=32",
        "--bucket-reso-steps=16",
    )
    assert "80 x 48: 3 pictures\n" in said
    assert table(sized)["2"] == {**table(meta)["2"], "train_resolution": [80, 48]}
    said = asked("clean", sized, "--no-general")
    assert "3 of 3 entries were changed.\n" in said
    assert "Leave out solo beside 1girl: 3\n" in said
    assert table(sized)["0"] == {"caption": "a cat 0", "tags": "1girl, tag 0", "train_resolution": [80, 48]}
    assert held(folder) == before
    said = asked("write-captions", sized, folder)
    assert "3 files have another text, and stay as they are.\nAll is like that already" in said
    assert held(folder) == before
    asked("write-captions", sized, folder, "--what=caption", "--existing=replace")
    asked("write-captions", sized, folder, "--existing", "replace")
    assert (folder / "1.caption").read_bytes() == b"a cat 1\n"
    assert (folder / "1.txt").read_bytes() == b"a cat 1, 1girl, tag 1\n"
    assert asked("undo", folder) == "Undone: caption files from sized.json.\n"
    assert (folder / "1.caption").read_bytes() == b"a cat 1\n"
    asked("undo", folder)
    assert held(folder) == before
    assert "can be taken back" in asked("undo", folder, code=2)
    assert asked("undo", tmp_path) == "Undone: cleaning in sized.json.\n"
    assert table(sized)["0"]["tags"] == "1girl, solo, tag_0"


def test_the_sizes_are_those_of_a_run_and_the_trainer_reads_the_file(asked, folder, tmp_path):
    meta = tmp_path / "meta.json"
    asked("merge-tags", folder, meta)
    options = ("--max-resolution=64", "--min-bucket-reso=32", "--max-bucket-reso=128", "--bucket-reso-steps=8")
    asked("prepare-buckets", folder, meta, meta, *options)
    limits = {"bucket_step": 8, "min_side": 32, "max_side": 128, "upscale": True}
    settings = DataSettings(str(folder), 64, 64, framing="buckets", metadata_file=str(meta), **limits)
    for sample in read_dataset(settings, "").samples:
        entry = read_metadata(meta, "x").of(sample.path)
        assert entry["train_resolution"] == [sample.frames[0].width_px, sample.frames[0].height_px]
        assert sample.written == entry["tags"]


def test_sizes_of_small_pictures_and_of_those_whose_captions_are_in_the_metadata_alone(asked, folder, tmp_path):
    meta, sized = tmp_path / "meta.json", tmp_path / "sized.json"
    asked("merge-tags", folder, meta)
    (folder / "0.txt").write_bytes(b"\xff\xfe\x00")  # no text any more: that in the metadata counts
    options = ("--max-resolution=256", "--min-bucket-reso=32", "--bucket-reso-steps=8")
    asked("prepare-buckets", folder, meta, sized, *options)
    sizes = {key: entry["train_resolution"] for key, entry in json.loads(sized.read_text()).items()}
    assert set(sizes) == {"0", "1", "2"}
    assert all(width * height > 96 * 64 for width, height in sizes.values())
    asked("prepare-buckets", folder, meta, sized, *options, "--bucket-no-upscale")
    sizes = {key: entry["train_resolution"] for key, entry in json.loads(sized.read_text()).items()}
    assert set(map(tuple, sizes.values())) == {(96, 64)}


def test_a_file_that_is_there_is_added_to(asked, folder, tmp_path):
    meta = tmp_path / "meta.json"
    meta.write_text(json.dumps({f"/far/{folder.name}/1.png": {"tags": "old", "weight": 2}, "x": {"caption": "夜"}}))
    said = asked("merge-tags", folder, meta)
    assert "1 entries had another tags before" not in said
    assert "1 entries had other tags before.\n" in said
    assert table(meta)[f"/far/{folder.name}/1.png"] == {"tags": "1girl, solo, tag_1", "weight": 2}
    assert table(meta)["x"] == {"caption": "夜"}
    assert list(table(meta)) == [f"/far/{folder.name}/1.png", "x", "0", "2"]
    new = tmp_path / "new.json"
    asked("merge-captions", folder, new, "--in_json", meta, "--full-path")
    assert "caption" not in table(meta)["0"]
    assert table(new)["0"]["caption"] == "a a cat 0"
    full = tmp_path / "full.json"
    asked("merge-captions", folder, full, "--full_path")
    assert list(table(full)) == [str(folder / f"{n}.png") for n in range(3)]


def test_pictures_of_one_name_are_told_apart(asked, folder, tmp_path):
    for place in (folder / "a", folder / "b"):
        pictures.captioned(place, count=1)
    (folder / "b" / "3.txt").write_text("x")
    Image.new("RGB", (64, 64)).save(folder / "b" / "3.png")
    Image.new("RGB", (64, 64)).save(folder / "a" / "0.webp")
    meta = tmp_path / "meta.json"
    asked("merge-tags", folder, meta)
    assert sorted(table(meta)) == ["0", "1", "2"]
    assert "0 may be" in asked("merge-tags", folder, meta, "--recursive", code=2)
    meta.unlink()
    asked("merge-tags", folder, meta, "--recursive")
    several = [str(folder / name) for name in ("0.png", "a/0.png", "a/0.webp", "b/0.png")]
    assert sorted(table(meta)) == [*several, "1", "2", "b/3"]
    assert "nothing was written" in asked("merge-tags", folder, meta, "--recursive")
    found = read_metadata(meta, "x")
    assert [found.of(Path(path)) for path in several] == [found.entries[path] for path in several]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("merge-tags", "{pictures}", "{tmp}/none/meta.json"), "out_json: the folder"),
        (("merge-tags", "{tmp}/none", "{tmp}/meta.json"), "folder: "),
        (("merge-tags", "{pictures}", "{tmp}/broken.json"), "in_json: "),
        (
            ("merge-tags", "{pictures}", "{tmp}/meta.json", "--caption-extension=.md"),
            "caption_extension: no picture",
        ),
        (("clean", "{tmp}/none.json"), "in_json: "),
        (("clean", "{tmp}/far.json", "--shortest-tag=x"), "shortest_tag: must be a number"),
        (("prepare-buckets", "{pictures}", "{tmp}/far.json", "{tmp}/m.json"), "in_json: no picture of the folder"),
        (
            ("prepare-buckets", "{pictures}", "{tmp}/far.json", "{tmp}/m.json", "--min-bucket-reso=x"),
            "min_side: must be",
        ),
        (("write-captions", "{tmp}/far.json", "{pictures}"), "in_json: no picture of the folder has such a text"),
    ],
)
def test_a_wrong_entry_is_named_and_nothing_is_written(asked, folder, tmp_path, words, sentence):
    (tmp_path / "broken.json").write_text("{")
    (tmp_path / "far.json").write_text('{"far": {"tags": "x"}}')
    before = held(folder) | held_files(tmp_path)
    filled = [word.format(pictures=folder, tmp=tmp_path) for word in words]
    said = asked(*filled, code=2)
    assert sentence in said
    assert said.count("\n") == 1
    assert held(folder) | held_files(tmp_path) == before


def held_files(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.iterdir() if path.is_file()}


def test_pictures_are_preprocessed_into_a_new_folder_alone(asked, folder, tmp_path):
    before, new = held(folder), tmp_path / "new"
    Image.new("RGB", (400, 64), "red").save(folder / "long.png")
    (folder / "long.txt").write_text("a long wall")
    words = ("--width=64", "--height=64", "--others=cropped", "--crop=subject", "--mirror", "--overlap=0.1")
    said = asked("preprocess", folder, new, *words, writes=False)
    assert said == f"Written: {len(list(new.glob('*.png')))} pictures to {new}.\n"
    names = {path.name for path in new.iterdir()}
    assert {"0.png", "0-mirrored.png", "long-part-1.png", "long-part-7-mirrored.png"} <= names
    assert (new / "long-part-2.txt").read_text() == "a long wall"
    for path in new.glob("*.png"):
        with Image.open(path) as picture:
            assert picture.size == (64, 64)
    assert held(folder) | before == held(folder)
    assert "exists already" in asked("preprocess", folder, new, *words, writes=False, code=2)
    assert "others" in asked("preprocess", folder, new, "--others=x", writes=False, code=2)


def test_show_prints_and_draws_what_each_step_trains(asked, folder, tmp_path):
    job = tmp_path / "job.toml"
    job.write_text(JOB)
    said = asked("show", job, writes=False)
    assert [line for line in said.splitlines() if line.startswith("Step")] == [
        "Step 1, epoch 1: 2 pictures",
        "Step 2, epoch 1: 1 picture",
    ]
    assert said.count(f"64 x 64, {folder}") == 3
    for line in said.splitlines():
        if line.startswith("    "):
            assert sorted(line.strip().split(", "))[:2] == ["1girl", "solo"]
    drawn = tmp_path / "drawn"
    later = asked("show", job, "--first", 3, "--steps=2", "--set", "data.flip=false", "--pictures", drawn, writes=False)
    assert later.startswith("Step 3, epoch 2: ")
    assert later.endswith(f"Pictures: {drawn}\n")
    assert sorted(path.name for path in drawn.iterdir()) == [
        f"step-0000{n}.{ending}" for n in (3, 4) for ending in ("png", "txt")
    ]
    assert "exists already" in asked("show", job, "--pictures", drawn, writes=False, code=2)
    assert "data.flip" in asked("show", job, "--set", "data.flip=maybe", writes=False, code=2)
    assert "must be a whole number" in asked("show", job, "--steps=0", writes=False, code=2)
