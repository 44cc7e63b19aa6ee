"""Five hundred folders as people make them: each caption is what was meant, or a sentence names its file."""

from __future__ import annotations

import pytest
from hypernetwork_workbench.hypernetworks.base.errors import DatasetError, SettingsError
from hypernetwork_workbench.hypernetworks.data.captions import ONE_LINE
from hypernetwork_workbench.hypernetworks.data.scan import ScanHooks, scan_pictures
from hypernetwork_workbench.hypernetworks.data.settings import DataSettings
from hypernetwork_workbench.hypernetworks.data.summary import sentences
from hypernetwork_workbench.hypernetworks.data.survey import captioning
from hypernetwork_workbench.hypernetworks.data.survey.caption_edits import History
from hypernetwork_workbench.hypernetworks.data.survey.conversion import ConversionSettings, changes_to_utf8
from hypernetwork_workbench.hypernetworks.data.survey.survey import SurveyRequest, survey
from hypernetwork_workbench.hypernetworks.data.survey.tags import TagSettings
from hypernetwork_workbench.hypernetworks.data.survey.thumbnails import Thumbnails

from tests.support.caption_folders import Maker

SEEDS = range(500)


class Watcher:
    def report(self, done, total, text):
        pass

    def is_interrupted(self):
        return False


def scan(settings):
    return scan_pictures(settings, "n", 0, ScanHooks())


def assert_shown(sample, meant):
    """Check a caption with nothing drawn, and its tags when they are shuffled."""
    rules = sample.subset.captions
    assert rules.every(sample.written) == meant.captions
    if meant.tags is not None and rules.shuffle and rules.lines != ONE_LINE:
        shown = rules.shown(sample.written, 0, 1, 2)
        assert sorted(filter(None, shown.split(", "))) == sorted(meant.tags)


def assert_named(one, meant):
    assert meant.file in one.sentence
    assert "\n" not in one.sentence
    if one.caption and one.caption.codec and meant.data:
        assert meant.data.decode(one.caption.codec) == meant.text


@pytest.mark.parametrize("first", range(0, len(SEEDS), 50))
def test_every_caption_is_what_was_meant_or_its_file_is_named(tmp_path, first):
    for seed in SEEDS[first : first + 50]:
        place = tmp_path / str(seed)
        place.mkdir()
        made = Maker(place, seed).made
        settings = DataSettings(**made.settings)
        if made.refused:
            with pytest.raises(SettingsError, match=r"^data\.folder: ") as raised:
                scan(settings)
            assert made.refused in str(raised.value), seed
            continue
        found = scan(settings)
        shown = {sample.path: sample for sample in found.samples}
        left_out = {one.path: one for one in found.left_out}
        for picture, meant in made.pictures.items():
            if meant.repeats and meant.captions:
                assert picture in shown, (seed, left_out.get(picture))
                assert_shown(shown[picture], meant)
                assert shown[picture].subset.repeats == meant.repeats
            elif meant.repeats:
                assert picture in left_out, (seed, shown.get(picture))
                assert_named(left_out[picture], meant)
        passed_over = sum(one.pictures for one in found.passed_over)
        assert len(shown) + len(left_out) + passed_over == len(made.pictures)
        used = {path for path, meant in made.pictures.items() if meant.repeats}
        assert set(found.unused_captions) == {one for one in made.unused if any(one.parent == p.parent for p in used)}
        assert all("\n" not in sentence for sentence in sentences(found))


def test_what_is_converted_is_then_trained_as_it_was_meant(tmp_path):
    converted = 0
    for seed in SEEDS[::3]:
        place = tmp_path / str(seed)
        place.mkdir()
        maker = Maker(place, seed)
        made = maker.made
        if not maker.codec or made.refused:
            continue
        settings = DataSettings(**made.settings)
        seen = survey(SurveyRequest(settings), Thumbnails(), Watcher())
        try:
            changes = changes_to_utf8(seen, ConversionSettings())
        except SettingsError:  # it is not certain, or there is nothing to convert
            continue
        for change in changes:
            change.path.write_bytes(change.after)
        shown = {sample.path: sample for sample in scan(settings).samples}
        for picture, meant in made.pictures.items():
            if meant.data and picture in shown:
                lines = [" ".join(line.split()) for line in meant.text.splitlines() if line.strip()]
                written = shown[picture].written
                assert written.split("\n")[0] in (lines[0], " ".join(lines)), seed
                converted += 1
    assert converted > 100


def test_tags_are_changed_and_given_back_to_the_last_byte(tmp_path):
    changed = 0
    for seed in SEEDS[::10]:
        place = tmp_path / str(seed)
        place.mkdir()
        made = Maker(place, seed).made
        if made.refused:
            continue
        files = {path: path.read_bytes() for path in place.rglob("*") if path.is_file()}
        try:
            seen = survey(SurveyRequest(DataSettings(**made.settings)), Thumbnails(), Watcher())
            changes = captioning.changes_of_tags(seen, TagSettings(action="replace", tag="solo", replacement="duo"))
        except (DatasetError, SettingsError):  # no caption has the tag
            continue
        history = History(tmp_path / "edits")
        edit = history.apply("replace", changes)
        for change in (one for one in changes if one.before is not None):
            codec = next(code for mark, code in _MARKS if change.before.startswith(mark))
            before, after = change.before.decode(codec), change.path.read_bytes().decode(codec)
            assert after == before.replace("solo", "duo"), seed
            changed += 1
        history.undo(edit)
        assert {path: path.read_bytes() for path in place.rglob("*") if path.is_file()} == files
    assert changed > 10


_MARKS = [(b"\xff\xfe\0\0", "utf-32"), (b"\0\0\xfe\xff", "utf-32"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16")]
_MARKS.append((b"", "utf-8"))
