"""Names as disks have them: each picture is trained or named, and no line of a log or page breaks."""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path

import pytest
from hypernetwork_workbench.hypernetworks.base.errors import DatasetError
from hypernetwork_workbench.hypernetworks.base.names import printable
from hypernetwork_workbench.hypernetworks.data.images import open_raw
from hypernetwork_workbench.hypernetworks.data.scan import read_dataset
from hypernetwork_workbench.hypernetworks.data.settings import DataSettings
from hypernetwork_workbench.hypernetworks.data.survey.caption_edits import History
from hypernetwork_workbench.hypernetworks.data.survey.captioning import change_of_one
from hypernetwork_workbench.hypernetworks.data.survey.copies import CopySettings, plan_copies, write_copies
from hypernetwork_workbench.hypernetworks.data.survey.survey import SurveyRequest, survey
from hypernetwork_workbench.hypernetworks.data.survey.thumbnails import Thumbnails
from hypernetwork_workbench.hypernetworks.pages import dataset as pages
from hypernetwork_workbench.hypernetworks.pages import dataset_pictures as pictures
from hypernetwork_workbench.hypernetworks.train.run import train
from PIL import Image

from tests.support.fake_ports import fake_ports
from tests.support.runs import make_job

pytestmark = pytest.mark.skipif(os.name != "posix", reason="other systems have no such names")

#: Stems, each with the words that a picture without a caption is trained with.
STEMS = {
    "two\nlines": "two lines",
    "a\r\nb\tc": "a b c",
    "\x1b[31mred\x1b[0m": "[31mred [0m",
    "n" * 250: "n" * 250,
    "夜" * 83: "夜" * 83,
    "家族👨‍👩‍👧 🏳️‍🌈": "家族👨‍👩‍👧 🏳️‍🌈",
    "夜　空": "夜 空",
    os.fsdecode(b"caf\xe9"): "caf",
    os.fsdecode("夜空".encode("cp932")): "",
    "trailing ": "trailing",
    "dots..": "dots..",
    'a<b>c:"d|e?f*g': 'a<b>c:"d|e?f*g',
    "CON": "CON",
    "\u202egnp.exe": "gnp.exe",
    "half\u2028way": "half way",
    "{0} {name} %s %(x)d $HOME": "{0} {name} %s %(x)d $HOME",
    "<script>alert(1)": "<script>alert(1)",
}


def fill(folder: Path, ending: str = ".png") -> list[Path]:
    folder.mkdir()
    for number, stem in enumerate(STEMS):
        Image.new("RGB", (32 + 8 * number, 40), (10 * number, 90, 200)).save(folder / f"{stem}{ending}", "PNG")
    return sorted(folder.iterdir())


def plain(text: str) -> bool:
    """Tell whether a text is one line that any log, page and file can hold."""
    text.encode()
    return len(text.splitlines()) == 1 and "\x1b" not in text


def test_every_name_is_trained_with_its_words(tmp_path: Path):
    fill(tmp_path / "in")
    found = read_dataset(DataSettings(folder=str(tmp_path / "in"), width=32, height=32, template="[filewords]"), "n")
    assert {sample.path.stem: sample.caption for sample in found.samples} == STEMS


@pytest.mark.parametrize("ending", [".png", "", ".PNG ", ".jfif"])
def test_a_run_of_them_ends_with_all_its_files(tmp_path: Path, caplog: pytest.LogCaptureFixture, ending: str):
    paths = fill(tmp_path / "in", ending)
    for path in paths[:4]:
        path.write_bytes(b"broken")
    caplog.set_level(logging.INFO)
    ports = fake_ports(tmp_path)
    result = train(make_job(tmp_path / "in", train__max_steps=2, data__cache=True), ports)
    assert ports.encoder.encoded_pictures == len(STEMS) - 4
    assert all(plain(record.getMessage()) for record in caplog.records)
    assert result.log.read_text(encoding="utf-8").count("\n") >= 3
    assert result.sheet is not None


def test_a_broken_one_is_named_in_one_line(tmp_path: Path):
    for path in fill(tmp_path / "in"):
        path.write_bytes(b"broken")
        with pytest.raises(DatasetError) as caught:
            open_raw(path)
        assert plain(str(caught.value))
        assert str(caught.value).startswith(f"{printable(path.name)}: the picture cannot be read (")


def test_the_survey_shows_and_edits_all_of_them(tmp_path: Path):
    paths = fill(tmp_path / "in")
    paths[0].write_bytes(b"broken")
    data = DataSettings(folder=str(tmp_path / "in"), width=32, height=32)
    seen = survey(SurveyRequest(data), Thumbnails(), fake_ports(tmp_path).progress)
    page = pages.render(seen) + pictures.cards(seen, range(len(seen.samples)), 1) + pictures.large(seen, 3)
    json.dumps(page, ensure_ascii=False).encode()
    assert "<script>alert" not in page
    history = History(tmp_path / "edits")
    for number, sample in enumerate(seen.samples):
        if len(os.fsencode(sample.path.name)) > 250:
            continue
        edit = history.apply(f"caption of {printable(sample.path.name)}", change_of_one(seen, number, "new"))
        assert sample.path.with_suffix(".txt").read_text() == "new\n"
        assert history.edits([tmp_path / "in"])[0] == edit
        history.undo(edit)
        assert not sample.path.with_suffix(".txt").exists()


def test_copies_are_made_of_all_of_them(tmp_path: Path):
    fill(tmp_path / "in")
    data = DataSettings(folder=str(tmp_path / "in"), width=32, height=32)
    progress = fake_ports(tmp_path).progress
    seen = survey(SurveyRequest(data), Thumbnails(), progress)
    planned = plan_copies(seen, CopySettings(split=False, mirror=True, target=str(tmp_path / "out")))
    assert len(plan_copies(seen, CopySettings(split=False, mirror=True))) == len(STEMS)
    long = [copy for copy in planned if len(os.fsencode(copy.path.name)) > 255]
    with pytest.raises(DatasetError, match="File name too long"):
        write_copies(long, progress)
    assert write_copies([copy for copy in planned if copy not in long], progress) == 2 * len(STEMS) - len(long)


def test_what_a_line_can_hold_stays():
    for text in ("夜　空", "a\u00a0b", "👨‍👩‍👧", "🏳️‍🌈", "نص", "हिन्दी क्‍ष", "\U0001fae9"):
        assert printable(text) == text
    assert printable("a\nb\x1b\udc80\u202e\u2028") == "a\ufffdb\ufffd\ufffd\ufffd\ufffd"
