"""What a run, Check and the tab Dataset tell of pictures and captions: the same facts in the same words."""

from __future__ import annotations

import html
import logging
import time
from pathlib import Path

import pytest
from hypernetwork_workbench.hypernetworks.data.base_subset import base_subset
from hypernetwork_workbench.hypernetworks.data.reading import ScanHooks
from hypernetwork_workbench.hypernetworks.data.scan import _unused, read_dataset, scan_pictures
from hypernetwork_workbench.hypernetworks.data.settings import DataSettings
from hypernetwork_workbench.hypernetworks.data.summary import facts
from hypernetwork_workbench.hypernetworks.data.survey.survey import SurveyRequest, survey
from hypernetwork_workbench.hypernetworks.data.survey.thumbnails import Thumbnails
from hypernetwork_workbench.hypernetworks.pages import dataset as page
from hypernetwork_workbench.hypernetworks.train.plan import make_plan
from PIL import Image

from tests.support.fake_ports import fake_ports
from tests.support.runs import make_job


class Watcher:
    def report(self, done, total, text):
        pass

    def is_interrupted(self):
        return False


def put(folder: Path, captions: dict[str, bytes | None]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, caption in captions.items():
        Image.new("RGB", (32, 32)).save(folder / f"{name}.png")
        if caption is not None:
            (folder / f"{name}.txt").write_bytes(caption)
    return folder


def told(folder: Path, **changes) -> dict[str, str]:
    settings = DataSettings(folder=str(folder), width=16, height=16, **changes)
    return dict(facts(scan_pictures(settings, "n", 0, ScanHooks())))


def test_every_kind_of_picture_and_caption_is_counted(tmp_path):
    folder = put(tmp_path / "set", {"a": b"x, y", "b": b"", "c": b" \n", "d": b"x\ny", "red_house": None, "0012": None})
    put(folder, {"broken": b"z", "jis": "猫が好き、犬も".encode("cp932")})
    (folder / "broken.png").write_bytes(b"no picture")
    for name in ("old.txt", "a.png.txt"):
        (folder / name).write_bytes(b"unused")
    assert told(folder) == {
        "Pictures": "6 can be used, 2 left out",
        "Captions": "4 from caption files, 2 of them empty, 2 from names",
        "Without a caption file": "2 pictures: 1 trained with the words of their file names, 1 trained with an empty "
        "caption because their names have no words",
        "Caption files of no picture, or behind another one": "a.png.txt, old.txt",
        "Captions of several lines": "all lines (1)",
    }


@pytest.mark.parametrize(
    ("captions", "changes", "captions_told", "without"),
    [
        ({"a": b"x"}, {}, "1 from caption files", None),
        ({"a": None}, {}, "1 from names", "1 picture: 1 trained with the words of their file names"),
        (
            {"a": None, "b": b"x"},
            {"caption_extension": ".tags"},
            "2 from names",
            "2 pictures: 2 trained",
        ),
        (
            {"7": None},
            {},
            "1 from names",
            "1 picture: 1 trained with an empty caption because",
        ),
    ],
)
def test_an_empty_caption_and_no_caption_are_different(tmp_path, captions, changes, captions_told, without):
    found = told(put(tmp_path / "set", captions), **changes)
    assert found["Captions"] == captions_told
    assert found.get("Without a caption file", "").startswith(without or "")
    assert ("Without a caption file" in found) == (without is not None)


def test_class_tokens_and_metadata_are_told_from_names(tmp_path):
    folder = put(tmp_path / "set" / "2_sks cat", {"a": None, "b": b"x"}).parent
    put(folder / "3_", {"c": None})
    (tmp_path / "meta.json").write_text('{"b": {"caption": "y"}}', encoding="utf-8")
    found = told(folder, folder_repeats=True, metadata_file=str(tmp_path / "meta.json"))
    assert sorted(found["Captions"].split(", ")) == ["1 class tokens", "1 from names", "1 from the metadata file"]
    assert "1 trained with class tokens" in found["Without a caption file"]
    assert found["Without a caption file"].startswith("2 pictures")


def test_many_unused_captions_are_counted(tmp_path):
    folder = put(tmp_path / "set", {"a": b"x"})
    for number in range(8):
        (folder / f"old{number}.caption").touch()
    unused = told(folder)["Caption files of no picture, or behind another one"]
    assert unused == "old0.caption, old1.caption, old2.caption, old3.caption, old4.caption and 3 more"


class Beside:
    """A caption for each picture, without a disk: to list its files takes longer than what is measured."""

    def __init__(self, count):
        self.pictures = [Path(f"/set/{number}.png") for number in range(count)]
        self._captions = {picture: picture.with_suffix(".txt") for picture in self.pictures}

    def captions(self, picture, extensions):
        return [self._captions[picture]]

    def files(self, folder):
        return list(self._captions.values())


def test_unused_captions_of_four_times_as_many_pictures_take_about_four_times_as_long():
    subset = base_subset(DataSettings(folder="/set"), "n")
    spent = []
    for count in (1500, 6000):
        beside = Beside(count)
        found = [(picture, subset) for picture in beside.pictures]
        rounds = []
        for _ in range(3):  # the first one makes the names' own hashes too
            started = time.process_time()
            assert _unused(found, [], beside) == ()
            rounds.append(time.process_time() - started)
        spent.append(min(rounds))
    assert spent[1] < 8 * spent[0]


def test_log_check_and_page_say_the_same(tmp_path, caplog):
    folder = put(
        tmp_path / "set" / "2_fine", {"a": b"x, y", "red_house": None, "c": "夜の雨、街".encode("cp932")}
    ).parent
    put(folder / "0_later", {"d": b"x"})
    job = make_job(folder, data__folder_repeats=True, output__sheet=False)
    with caplog.at_level(logging.INFO):
        plan = make_plan(job, fake_ports(tmp_path / "host"))
    seen = survey(SurveyRequest(job.data, name=job.output.name), Thumbnails(), Watcher())
    shown = html.unescape(page.render(seen))
    for heading, text in facts(seen.scan):
        assert f"{heading}: {text}." in caplog.messages
        assert f"{heading}: {text}." in plan.lines()
        assert heading in shown
        assert text in shown
    assert f"1 picture is passed over by a folder name with 0 repeats: {folder / '0_later'}." in plan.lines()
    assert any(
        one.startswith("Left out: c.txt: the caption cannot be read (it is not UTF-8") for one in caplog.messages
    )
    assert any(one.startswith("Left out: c.txt: the caption cannot be read (it is not UTF-8") for one in plan.lines())
    assert len(read_dataset(job.data, "n")) == 2
