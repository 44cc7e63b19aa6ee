"""The survey of a dataset: it tells what a run would see, and every problem by its name."""

from __future__ import annotations

import base64
import io
import re
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypernetwork_workbench.hypernetworks.base.errors import DatasetError, SettingsError
from hypernetwork_workbench.hypernetworks.data.survey import captioning, tagger
from hypernetwork_workbench.hypernetworks.data.survey.caption_edits import History
from hypernetwork_workbench.hypernetworks.data.survey.duplicates import find_duplicates, perceptual_hash
from hypernetwork_workbench.hypernetworks.data.survey.survey import (
    Helpers,
    SurveyInterruptedError,
    SurveyRequest,
    SurveySettings,
    survey,
)
from hypernetwork_workbench.hypernetworks.data.survey.tags import TagSettings
from hypernetwork_workbench.hypernetworks.data.survey.thumbnails import Thumbnail, Thumbnails, trained_picture
from hypernetwork_workbench.hypernetworks.pages import dataset, dataset_pictures
from hypernetwork_workbench.hypernetworks.train.plan import make_plan
from hypernetwork_workbench.hypernetworks.train.settings.job import DataSettings
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tests.support.examples import examples
from tests.support.fake_ports import fake_ports
from tests.support.runs import make_job

DEMO = Path(__file__).parents[4] / "examples" / "night"


class Watcher:
    """Progress that may end after some reports."""

    def __init__(self, stop_after=None):
        self.reports = []
        self._stop_after = stop_after

    def report(self, done, total, text):
        self.reports.append((done, total, text))

    def is_interrupted(self):
        return self._stop_after is not None and len(self.reports) > self._stop_after


def words(texts):
    return [len(text.split()) for text in texts]


def look(folder, thumbnails=None, progress=None, limits=None, count=words, **data):
    request = SurveyRequest(
        DataSettings(folder=str(folder), **{"width": 32, "height": 32, **data}),
        SurveySettings(**limits or {}),
    )
    return survey(request, thumbnails or Thumbnails(), progress or Watcher(), Helpers(count))


def photo(seed=1, size=(96, 64)):
    blocks = np.random.default_rng(seed).integers(0, 256, (4, 6, 3), dtype=np.uint8)
    return Image.fromarray(blocks).resize(size, Image.Resampling.BICUBIC)


def problems(found, kind):
    return {problem.path.name: problem.sentence for problem in found.problems if problem.kind == kind}


whole = st.integers(1, 3)


def planned_and_surveyed(folder, place, **changes):
    """Return the plan of a run, or why there is none, and the survey of its pictures."""
    job = make_job(folder, **{"data__bucket_step": 8, "data__min_side": 8, "output__sheet": False, **changes})
    request = SurveyRequest(
        job.data,
        name=job.output.name,
        seed=job.train.seed,
        gradient_accumulation=job.train.gradient_accumulation,
        validation_share=job.train.validation_share,
    )
    found = survey(request, Thumbnails(), Watcher())
    try:
        return make_plan(job, fake_ports(Path(place))), found
    except (DatasetError, SettingsError) as error:
        return str(error), found


def assert_they_agree(plan, found, accumulation=1):
    assert bool(found.obstacle) == isinstance(plan, str)
    if found.obstacle:
        assert found.obstacle in plan
        assert f"A run would not start: {found.obstacle}." in dataset.render(found)
        for one in found.scan.left_out:
            assert one.sentence in plan
            assert one.path.name in [problem.path.name for problem in found.problems]
        return
    assert found.division.steps_per_epoch == plan.steps_per_epoch
    assert found.division.training.items == plan.training.items
    assert found.division.training.views == plan.training.views
    assert [sample.path for sample in found.division.held_out.samples] == [
        sample.path for sample in plan.held_out.samples
    ]
    assert sum(bucket.shown for bucket in found.buckets) == len(plan.training.items)
    assert -(-sum(bucket.batch_count for bucket in found.buckets) // accumulation) == plan.steps_per_epoch


@examples(15)
@given(
    st.lists(st.tuples(st.integers(20, 90), st.integers(20, 90)), min_size=1, max_size=6),
    st.fixed_dictionaries(
        {
            "data__framing": st.sampled_from(["square", "buckets", "keep every size"]),
            "data__crop": st.sampled_from(["centre", "random"]),
            "data__repeats": whole,
            "data__batch_size": whole,
            "data__flip": st.booleans(),
            "data__stop_at_broken": st.booleans(),
            "train__gradient_accumulation": whole,
            "train__validation_share": st.sampled_from([0.0, 0.4]),
            "train__seed": st.integers(0, 5),
        }
    ),
)
def test_a_survey_agrees_with_the_plan_of_a_run(sizes, changes):
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place, "pictures")
        folder.mkdir()
        for number, size in enumerate(sizes):
            Image.new("RGB", size, (40 * number, 90, 9)).save(folder / f"{number}.png")
        plan, found = planned_and_surveyed(folder, place, **changes)
        assert_they_agree(plan, found, changes["train__gradient_accumulation"])


LONG, TALL, FINE, BROKEN = (81, 20), (20, 81), (64, 64), None


def write_pictures(folder, sizes):
    folder.mkdir(parents=True)
    for number, size in enumerate(sizes):
        path = folder / f"{number}.png"
        if size is BROKEN:
            path.write_bytes(b"no picture")
        else:
            photo(number + 1, size).save(path)


@pytest.mark.parametrize(
    ("folders", "changes", "obstacle"),
    [
        ({"2_taught": [TALL]}, {}, "no picture can be used"),
        ({"2_taught": [TALL, LONG, TALL]}, {}, "no picture can be used"),
        ({"2_taught": [TALL, BROKEN]}, {"train__validation_share": 0.5}, "no picture can be used"),
        ({"2_taught": [BROKEN, BROKEN], "0_rest": [FINE]}, {}, "no picture can be used"),
        (
            {"2_taught": [FINE, BROKEN]},
            {"data__stop_at_broken": True},
            "pictures that cannot be used prevent a run from st",
        ),
        ({"0_taught": [FINE, FINE]}, {"data__crop": "random"}, "a folder name with 0 repeats passes over all"),
        ({"regular": [FINE, FINE]}, {}, "there are only regularisation pictures"),
        ({"regular": [FINE, TALL]}, {"train__validation_share": 0.5}, "there are only regularisation pictures"),
        ({"2_taught": [TALL, BROKEN], "regular": [FINE]}, {}, "only regularisation pictures are left"),
        ({"0_taught": [FINE], "regular": [FINE]}, {}, "only regularisation pictures are left"),
        ({"2_taught": [FINE, TALL], "0_rest": [FINE], "regular": [FINE]}, {"train__validation_share": 0.5}, ""),
    ],
)
def test_where_nothing_is_left_to_teach_survey_and_plan_say_why(tmp_path, folders, changes, obstacle):
    for name, sizes in folders.items():
        write_pictures(tmp_path / ("regular" if name == "regular" else "pictures") / name, sizes)
    changes = {"data__framing": "keep every size", "data__folder_repeats": True, **changes}
    if "regular" in folders:
        changes["data__more_folders"] = f"{tmp_path / 'regular'} | is_reg=true"
    folder = tmp_path / "pictures" if set(folders) != {"regular"} else ""
    plan, found = planned_and_surveyed(folder, tmp_path, **changes)
    assert found.obstacle.startswith(obstacle)
    assert bool(found.obstacle) == bool(obstacle)
    assert_they_agree(plan, found)


def test_what_is_left_out_is_a_problem_of_its_own_kind(tmp_path):
    write_pictures(tmp_path / "pictures", [TALL, FINE])
    (tmp_path / "pictures" / "too small.png").write_bytes(b"no picture")
    found = look(tmp_path / "pictures", framing="keep every size")
    assert problems(found, "too small").keys() == {"0.png"}
    assert problems(found, "unreadable").keys() == {"too small.png"}


def test_both_reasons_to_pass_over_all_pictures_are_said(tmp_path):
    write_pictures(tmp_path / "pictures" / "0_none", [FINE])
    write_pictures(tmp_path / "small", [FINE])
    config = tmp_path / "set.toml"
    config.write_text("[general]\nskip_image_resolution = 64\n[[datasets]]\n[[datasets.subsets]]\nimage_dir = 'small'")
    changes = {"data__dataset_config": str(config), "data__folder_repeats": True}
    plan, found = planned_and_surveyed(tmp_path / "pictures", tmp_path, **changes)
    assert found.obstacle == "skip_image_resolution and a folder name with 0 repeats pass over all pictures"
    assert plan.startswith("data.dataset_config: ")
    assert_they_agree(plan, found)
    shown = dataset.render(found)
    assert "1 passed over by a folder name with 0 repeats, 1 passed over by skip_image_resolution" in shown


@pytest.mark.parametrize(("sizes", "held_out"), [([FINE], 0), ([FINE, TALL], 0), ([FINE, FINE], 1)])
def test_a_share_that_holds_out_no_picture_is_reported(tmp_path, sizes, held_out):
    write_pictures(tmp_path / "pictures", sizes)
    changes = {"data__framing": "keep every size", "train__validation_share": 0.2}
    plan, found = planned_and_surveyed(tmp_path / "pictures", tmp_path, **changes)
    assert_they_agree(plan, found)
    assert len(plan.held_out) == held_out
    assert ("none held out for validation" in dataset.render(found)) == (not held_out)
    assert any(line.startswith("No picture is held out for validation") for line in plan.lines()) == (not held_out)


def test_every_problem_has_its_name(tmp_path):
    for number, name in enumerate(("a", "b", "long")):
        photo(30 * number).save(tmp_path / f"{name}.png")
        (tmp_path / f"{name}.txt").write_text("one two", encoding="utf-8")
    (tmp_path / "long.txt").write_text("w " * 9, encoding="utf-8")
    (tmp_path / "b.txt").write_text(" \n", encoding="utf-8")
    photo(11, (192, 128)).save(tmp_path / "larger.jpg", quality=60)
    photo(11).save(tmp_path / "first.png")
    (tmp_path / "same.png").write_bytes((tmp_path / "a.png").read_bytes())
    (tmp_path / "broken.png").write_bytes(b"no picture")
    photo(90, (200, 40)).save(tmp_path / "wide_one.png")
    photo(70, (20, 30)).save(tmp_path / "tiny.png")
    found = look(tmp_path, limits={"token_limit": 8})
    assert "cannot be read" in problems(found, "unreadable")["broken.png"]
    assert problems(found, "too small") == {"tiny.png": "20 x 30 pixels are enlarged 1.6 times, to 32 x 32"}
    assert problems(found, "extreme ratio").keys() == {"wide_one.png"}
    assert problems(found, "caption over the token limit") == {"long.png": "9 tokens, the limit is 8"}
    assert problems(found, "duplicate") == {
        "same.png": "is the same file as a.png",
        "larger.jpg": "looks like first.png",
    }
    missing = problems(found, "no caption")
    assert missing["b.png"] == "its caption file b.txt is empty"
    assert missing["wide_one.png"] == "there is no caption file; the words of its file name are used: “wide one”"
    assert "a.png" not in missing


def test_the_demo_has_no_problem():
    found = look(DEMO, width=64, height=64, batch_size=8)
    assert found.problems == []
    assert (len(found.samples), found.division.steps_per_epoch, found.obstacle) == (16, 2, "")


def test_a_folder_of_broken_pictures_is_surveyed_and_says_that_nothing_can_be_trained(tmp_path):
    (tmp_path / "broken.png").write_bytes(b"no picture")
    found = look(tmp_path)
    assert (found.samples, found.buckets, found.division.steps_per_epoch) == ((), [], 0)
    assert "A run would not start: no picture can be used." in dataset.render(found)
    assert "No picture" in dataset_pictures.cards(found, [], 1)


@pytest.fixture
def opened(monkeypatch):
    """Return a list of the pictures that thumbnails are made of, as they are."""
    found = []
    make = Thumbnail.of
    monkeypatch.setattr(Thumbnail, "of", lambda picture: found.append(picture) or make(picture))
    return found


def test_known_pictures_are_not_opened_again_and_a_stopped_survey_goes_on(tmp_path, opened):
    for number in range(4):
        photo(number * 20).save(tmp_path / f"{number}.png")
    thumbnails, stopped = Thumbnails(), Watcher(stop_after=2)
    with pytest.raises(SurveyInterruptedError, match="stopped after 2 of 4 pictures"):
        look(tmp_path, thumbnails, stopped)
    assert len(opened) >= 2
    watcher = Watcher()
    look(tmp_path, thumbnails, watcher)
    assert len(opened) == 4
    look(tmp_path, thumbnails)
    assert len(opened) == 4
    assert watcher.reports[-1] == (3, 4, "Looking at pictures, 3 of 4")


def test_a_folder_of_more_pictures_than_thumbnails_are_kept_is_opened_once(tmp_path, opened):
    for number in range(6):
        photo(number * 20).save(tmp_path / f"{number}.png")
    thumbnails = Thumbnails(kept=3)
    for _ in range(2):
        assert problems(look(tmp_path, thumbnails), "duplicate") == {}
        assert len(opened) == 6


def recoded(picture, quality, scale):
    data = io.BytesIO()
    small = picture.resize((int(picture.width * scale), int(picture.height * scale)))
    small.save(data, "JPEG", quality=quality)
    return Image.open(data)


@pytest.mark.parametrize(("quality", "scale"), [(90, 1), (40, 1), (85, 0.5), (85, 1.7)])
def test_copies_of_other_size_and_quality_look_alike_and_different_pictures_do_not(quality, scale):
    pictures = [Image.open(path).convert("RGB") for path in sorted(DEMO.glob("*.png"))]
    copies = [recoded(picture, quality, scale) for picture in pictures]
    found = find_duplicates([Thumbnail.of(one.convert("RGB")).hash for one in [*pictures, *copies]], 24)
    assert found == [[number, number + len(pictures)] for number in range(len(pictures))]


def test_perceptual_hashes_differ_by_colour_and_ratio():
    red, green = (Image.new("RGB", (64, 64), colour) for colour in ("#b00", "#0b0"))
    same = [
        perceptual_hash(red, (64, 64)),
        perceptual_hash(green, (64, 64)),
        perceptual_hash(red, (64, 32)),
        perceptual_hash(red, (32, 32)),
    ]
    assert find_duplicates(same, 24) == [[0, 3]]
    assert find_duplicates([], 24) == []


def test_a_caption_is_given_to_one_picture_in_a_file_of_its_own(tmp_path):
    photo().save(tmp_path / "red_house.png")
    found = look(tmp_path)
    (change,) = captioning.change_of_one(found, 0, " a  red\nhouse ")
    assert (change.path.name, change.before, change.after) == ("red_house.txt", None, b"a  red\nhouse\n")
    History(tmp_path / "edits").apply("edit", [change])
    after = found.recaptioned(words)
    assert after.samples[0].written == "a red house"
    assert problems(after, "no caption") == {}
    assert captioning.change_of_one(after, 0, "a  red\nhouse") == []


def test_tags_change_everywhere_but_in_metadata(tmp_path):
    for name, caption in (("a", "x, y"), ("b", "y"), ("c", "x")):
        photo().save(tmp_path / f"{name}.png")
        (tmp_path / f"{name}.txt").write_text(caption, encoding="utf-8")
    (tmp_path / "meta.json").write_text('{"c": {"caption": "x"}}', encoding="utf-8")
    found = look(tmp_path, metadata_file=str(tmp_path / "meta.json"))
    changes = captioning.changes_of_tags(found, TagSettings(action="replace", tag="x", replacement="z"))
    assert {change.path.name: change.after for change in changes} == {"a.txt": b"z, y"}
    with pytest.raises(SettingsError, match="no caption that can be edited has w"):
        captioning.changes_of_tags(found, TagSettings(action="remove", tag="w"))
    with pytest.raises(SettingsError, match="comes from the metadata file"):
        captioning.change_of_one(found, 2, "new")


@pytest.mark.parametrize(
    ("existing", "after"),
    [
        (tagger.KEEP, {"b.txt": b"new\n"}),
        (tagger.BEFORE, {"a.txt": b"new, old", "b.txt": b"new\n"}),
        (tagger.AFTER, {"a.txt": b"old, new", "b.txt": b"new\n"}),
        (tagger.REPLACE, {"a.txt": b"new", "b.txt": b"new\n"}),
    ],
)
def test_a_taggers_captions_go_with_those_that_are_there(tmp_path, existing, after):
    for name in "ab":
        photo().save(tmp_path / f"{name}.png")
    (tmp_path / "a.txt").write_text("old", encoding="utf-8")
    found, settings_ = look(tmp_path), tagger.TaggerSettings(existing=existing)
    wanted = captioning.samples_to_caption(found, settings_)
    changes = captioning.changes_of_tagger(found, dict.fromkeys(wanted, "new"), settings_)
    assert {change.path.name: change.after for change in changes} == after


def test_no_name_and_no_caption_can_put_html_into_the_page(tmp_path):
    evil = "<script>alert(1)</script>'\""
    for name in ("<img src=x onerror=alert(1)>", "b"):
        photo().save(tmp_path / f"{name}.png")
        (tmp_path / f"{name}.txt").write_text(f"{evil}, b", encoding="utf-8")
    (tmp_path / "<b>broken.png").write_bytes(b"no picture")
    found = look(tmp_path, limits={"token_limit": 1})
    numbers = dataset_pictures.chosen(found, dataset_pictures.ALL, "")
    shown = dataset.render(found) + dataset_pictures.cards(found, numbers, 1) + dataset_pictures.large(found, 0)
    assert shown.replace("<!---->", "").count("&lt;script&gt;") >= 5  # names stand in two parts for the translation
    assert not re.search(r"<(script|img src=x|b>broken)", shown)
    assert "'&#34;" not in shown.replace("&#39;&#34;", "")


def test_pictures_are_chosen_by_size_problem_and_words(tmp_path):
    for number, size in enumerate([(64, 64), (64, 32), (64, 64)]):
        photo(number * 30, size).save(tmp_path / f"{number}.png")
        (tmp_path / f"{number}.txt").write_text(f"tag {number}", encoding="utf-8")
    (tmp_path / "2.txt").unlink()
    found = look(tmp_path, framing="buckets", bucket_step=8, min_side=8)
    assert dataset_pictures.choices(found) == ["all pictures", "with problems", "32 x 32", "32 x 16"]
    assert dataset_pictures.chosen(found, "32 x 32", "") == [0, 2]
    assert dataset_pictures.chosen(found, "with problems", "") == [2]
    assert dataset_pictures.chosen(found, "all pictures", " TAG 1") == [1]
    assert dataset_pictures.chosen(found, "32 x 32", "tag 1") == []


def test_a_page_shows_so_many_pictures_and_no_more(tmp_path):
    for number in range(dataset_pictures.PER_PAGE + 1):
        Image.new("RGB", (40, 40), (number * 9, 0, 0)).save(tmp_path / f"{number:02}.png")
    found = look(tmp_path)
    numbers = dataset_pictures.chosen(found, dataset_pictures.ALL, "")
    assert dataset_pictures.page_count(numbers) == 2
    assert dataset_pictures.cards(found, numbers, 1).count("class='hnw-card'") == dataset_pictures.PER_PAGE
    assert dataset_pictures.cards(found, numbers, 2).count("class='hnw-card'") == 1
    assert dataset_pictures.page_count([]) == 1


def pixels(uri):
    return Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))).convert("RGB")


def test_what_is_shown_as_trained_is_the_part_that_is_trained_and_its_mask(tmp_path):
    picture = Image.new("RGB", (96, 32), "red")
    picture.paste("blue", (32, 0, 64, 32))
    picture.save(tmp_path / "a.png")
    mask = Image.new("L", (96, 32), 255)
    mask.paste(0, (32, 0, 48, 32))
    mask.save(tmp_path / "a-mask.png")
    found = look(tmp_path, masks="file")
    (sample,) = found.samples
    shown = pixels(trained_picture(found.thumbnails.get(sample), sample, sample.frames[0], 64))
    assert shown.size == (32, 32)
    dark, light = shown.getpixel((6, 16)), shown.getpixel((26, 16))
    assert light[2] > 200
    assert light[0] < 60
    assert dark[2] < 90
    assert "M32.0 0.0H64.0V32.0H32.0Z" in dataset_pictures.cards(found, [0], 1)
