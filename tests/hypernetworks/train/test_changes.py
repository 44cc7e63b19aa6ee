"""Continue tells what has changed, goes on with what may change, and asks about the rest."""

import dataclasses
import json
import shutil

import pytest
import torch
from hypernetwork_workbench.hypernetworks import files
from hypernetwork_workbench.hypernetworks.base.errors import SettingsError
from hypernetwork_workbench.hypernetworks.base.forms import UnfitError
from hypernetwork_workbench.hypernetworks.data.scan import read_dataset
from hypernetwork_workbench.hypernetworks.data.settings import DataSettings
from hypernetwork_workbench.hypernetworks.ports import Checkpoint
from hypernetwork_workbench.hypernetworks.train import origin
from hypernetwork_workbench.hypernetworks.train.plan import make_plan
from hypernetwork_workbench.hypernetworks.train.run import train
from hypernetwork_workbench.hypernetworks.train.settings.job import SECTIONS
from hypernetwork_workbench.hypernetworks.train.state_file import state_of
from PIL import Image

from tests.support.fake_ports import fake_ports
from tests.support.runs import make_job, same, weights


@pytest.fixture
def half(pictures, tmp_path):
    """Return the folder of pictures of a run that was interrupted after five steps, and that of its files."""
    copy = tmp_path / "copied"
    shutil.copytree(pictures, copy)
    train(make_job(copy, output__sheet=False), fake_ports(tmp_path / "run", stop_after=5))
    return copy, tmp_path / "run"


def resumed(half, **changes):
    return train(make_job(half[0], **{"output__sheet": False, **changes}), fake_ports(half[1]), resume=True)


def add(folder):
    Image.new("RGB", (40, 40), "red").save(folder / "zz-new.png")
    (folder / "zz-new.txt").write_text("new")


def first(folder, pattern="*.png"):
    return sorted(folder.glob(pattern))[0]


FILES = {
    "pictures added: zz-new.png": add,
    "pictures removed: {}": lambda folder: first(folder).unlink(),
    "pictures replaced: {}": lambda folder: Image.new("RGB", (40, 40), "red").save(first(folder)),
    "captions edited: {}": lambda folder: first(folder).with_suffix(".txt").write_text("edited"),
}
BREAKING = {
    "train__seed": 4,
    "train__gradient_accumulation": 2,
    "train__validation_share": 0.3,
    "data__batch_size": 1,
    "data__caption_dropout": 0.5,
    "data__flip": True,
    "data__repeats": 2,
    "data__width": 40,
    "loss__kind": "huber",
    "loss__noise_offset": 0.1,
    "optimizer__arguments": "weight_decay=0.1",
    "optimizer__clip": "norm",
    "train__precision": "bf16",
}
FREE = {
    "train__max_steps": 14,
    "train__rollback_after": 7,
    "schedule__rate": "0.005",
    "preview__every": "4",
    "output__save_every": "3",
    "output__keep_last": 1,
    "data__cache": False,
}


@pytest.mark.parametrize("text", FILES)
def test_other_pictures_and_captions_are_told_and_asked_about(half, text):
    name = first(half[0]).name
    FILES[text](half[0])
    with pytest.raises(SettingsError, match=r"another than without a break") as caught:
        resumed(half)
    assert caught.value.field == "output.resume_changed"
    assert text.format(name) in str(caught.value)
    done = resumed(half, output__resume_changed=True)
    assert done.steps == 12
    assert any(text.format(name) in note for note in done.notes)
    assert resumed(half, train__max_steps=14).notes == (
        "Changed since the state was saved: train.max_steps is 14, not 12.",
    )


@pytest.mark.parametrize("address", BREAKING)
def test_settings_that_change_the_result_are_told_and_asked_about(half, address):
    name = address.replace("__", ".")
    with pytest.raises(SettingsError, match=rf"^output\.resume_changed: .*{name} is "):
        resumed(half, **{address: BREAKING[address]})
    job = make_job(half[0], output__resume_changed=True, **{address: BREAKING[address]})
    assert any(f"{name} is" in line for line in make_plan(job, fake_ports(half[1]), resume=True).lines())


@pytest.mark.parametrize("address", FREE)
def test_settings_that_may_change_are_told_and_no_more(half, address):
    done = resumed(half, **{address: FREE[address]})
    assert len(done.notes) == 1
    assert address.replace("__", ".") in done.notes[0]


def test_nothing_is_told_where_nothing_changed_also_in_another_place(half, pictures, tmp_path):
    whole = train(make_job(pictures, output__sheet=False), fake_ports(tmp_path / "whole"))
    moved = tmp_path / "moved"
    half[0].rename(moved)
    done = resumed((moved, half[1]))
    assert done.notes == ()
    assert same(weights(done.network), weights(whole.network))


def test_another_checkpoint_or_structure_is_told(half):
    ports = dataclasses.replace(fake_ports(half[1]), checkpoint=Checkpoint("other", "9876543210"))
    with pytest.raises(SettingsError, match="the checkpoint is another"):
        train(make_job(half[0]), ports, resume=True)
    with pytest.raises(SettingsError, match=r"dropout structure of the network is \[0\.0, 0\.5, 0\.0\], not"):
        resumed(half, network__dropout_structure="0, 0.5, 0")
    ports = fake_ports(half[1])
    ports.encoder.picture_fingerprint = lambda: "another VAE"
    with pytest.raises(SettingsError, match="the VAE is another"):
        train(make_job(half[0]), ports, resume=True)


@pytest.mark.parametrize(
    ("name", "value", "setting", "text"),
    [
        ("prediction", "v", "epsilon", "the prediction of the checkpoint is another"),
        (
            "alphas_cumprod",
            torch.linspace(0.999, 0.0, 100),
            "zero terminal SNR",
            "the noise schedule of the checkpoint is",
        ),
    ],
)
def test_a_host_that_takes_the_model_for_another_is_told(half, tmp_path, name, value, setting, text):
    ports = fake_ports(half[1])
    setattr(ports.denoiser, name, value)
    with pytest.raises(SettingsError, match=text):
        train(make_job(half[0]), ports, resume=True)
    # Where a setting says it, the host has no say.
    key = "loss__prediction" if name == "prediction" else "loss__noise_schedule"
    job = make_job(half[0], output__sheet=False, **{key: setting})
    train(job, fake_ports(tmp_path / "said", stop_after=5))
    ports = fake_ports(tmp_path / "said")
    setattr(ports.denoiser, name, value)
    make_plan(job, ports, resume=True)  # it raises for a change that breaks the run
    assert train(job, ports, resume=True).notes == ()


def test_the_same_schedule_rounded_in_another_way_is_no_change():
    alphas = torch.cumprod(1 - torch.linspace(0.00085**0.5, 0.012**0.5, 1000).double() ** 2, 0)
    assert origin._schedule(alphas) == origin._schedule(alphas.float() * (1 + 1e-6))


def test_a_run_whose_steps_are_done_is_finished_whatever_has_changed(half, tmp_path):
    done = resumed(half)
    before = weights(done.network)
    done.network.unlink()
    add(half[0])
    again = resumed(half)
    assert same(weights(again.network), before)
    assert any("zz-new" in note for note in again.notes)


def test_a_state_without_a_record_goes_on_with_one_sentence(half):
    path = state_of(half[1] / "hypernetworks" / "fake.pt")
    content = files.read_plain(path)
    del content["run"], content["origin"]
    content["version"] = 1
    import torch

    torch.save(content, path)
    add(half[0])
    done = resumed(half)
    assert len(done.notes) == 1
    assert "older version" in done.notes[0]


def test_many_names_are_counted(half):
    for number in range(9):
        Image.new("RGB", (40, 40), "red").save(half[0] / f"zz-{number}.png")
        (half[0] / f"zz-{number}.txt").write_text("new")
    with pytest.raises(SettingsError, match=r"zz-4\.png and 4 more"):
        resumed(half)


def test_the_lists_of_settings_name_settings():
    known = {f"{section}.{name}" for section, kind in SECTIONS.items() for name, _, _ in kind.options()}
    assert known >= origin.FREE
    assert known >= origin.UNTOLD


def test_the_record_is_small_plain_json(half):
    content = files.read_plain(state_of(half[1] / "hypernetworks" / "fake.pt"))
    found = json.loads(content["origin"])
    assert len(found["pictures"]) == len(list(half[0].glob("*.png")))
    assert len(json.dumps(found["pictures"])) < 150 * len(found["pictures"])


@pytest.mark.parametrize("text", ["\x1b[31mEVIL", "two\nlines", "\ud800", "\u202eturned"])
def test_no_record_steers_the_terminal_or_breaks_an_answer(text):
    before = origin.Origin({"train.attention": text}, {}, {}, (origin.Picture(text, "a", "b", "c", "d"),))
    now = origin.Origin({"train.attention": "auto"}, {}, {}, ())
    told = [change.text for change in before.changes(now)]
    assert len(told) == 2
    assert all("\ufffd" in one and one.isprintable() for one in told), told
    "".join(told).encode()


@pytest.mark.parametrize(("text", "matters"), [("one line", False), ("", False), ("two\nlines", True)])
def test_what_lines_are_counts_only_where_there_are_several(tmp_path, text, matters):
    Image.new("RGB", (16, 16)).save(tmp_path / "a.png")
    (tmp_path / "a.txt").write_text(text, encoding="utf-8")
    seen = set()
    for lines in ("one tag a line", "one line at random"):
        settings = DataSettings(folder=str(tmp_path), width=16, height=16, caption_lines=lines)
        seen.add(origin._picture(read_dataset(settings, "n").samples[0]))
    assert (len(seen) > 1) == matters


def of(pictures=(), settings=None, structure=None, model=None):
    """Return what a run is made of, with pictures given as `name content mask caption treatment`."""
    return origin.Origin(
        settings or {}, structure or {}, model or {}, tuple(origin.Picture(*one.split()) for one in pictures)
    )


def told(before, now):
    return [tuple(change) for change in before.changes(now)]


@pytest.mark.parametrize(
    ("now", "text"),
    [
        (["a 1 2 3 4", "b 1 2 3 4", "c 1 2 3 4"], "pictures added: c"),
        (["b 1 2 3 4"], "pictures removed: a"),
        (["a 9 2 3 4", "b 1 2 3 4"], "pictures replaced: a"),
        (["a 1 9 3 4", "b 1 2 3 4"], "masks changed: a"),
        (["a 1 2 9 4", "b 1 2 3 4"], "captions edited: a"),
        (["a 1 2 3 9", "b 1 2 3 4"], "pictures shown in another way: a"),
        (["b 1 2 3 4", "a 1 2 3 4"], "the pictures come in another order"),
        (["a 1 2 3 4", "a 1 2 3 4", "b 1 2 3 4"], "pictures added: a (2)"),
    ],
)
def test_each_difference_of_pictures_has_its_words(now, text):
    before = ["a 1 2 3 4", "b 1 2 3 4"]
    assert told(of(before), of(now)) == [(text, True)]
    assert told(of(before), of(before)) == []


def test_a_setting_of_the_data_explains_that_pictures_are_shown_in_another_way():
    flip, order = {"data.flip": True}, {"train.max_steps": 5}
    before = of(["a 1 2 3 4"], {"data.flip": False, "train.max_steps": 4})
    assert told(before, of(["a 1 2 3 9"], flip)) == [("data.flip is true, not false", True)]
    shown = ("pictures shown in another way: a", True)
    assert told(before, of(["a 1 2 3 9"], order)) == [shown, ("train.max_steps is 5, not 4", False)]


def test_what_one_of_two_versions_does_not_know_is_no_change():
    old = of((), {"train.seed": 1}, {"activation": "relu"}, {"checkpoint": "a", "vae": ""})
    new = of((), {"train.ema_decay": 0.5}, {"skip_connection": True}, {"text_encoder": "b", "vae": "c"})
    assert told(old, new) == []
    assert told(old, of((), {}, {"activation": "mish"}, {"checkpoint": "b"})) == [
        ("activation of the network is mish, not relu", True),
        ("the checkpoint is another", True),
    ]


def test_files_and_places_among_the_settings_are_not_compared_by_their_names():
    names = ("data.folder", "output.name", "output.dir", "network.file")
    assert told(of((), dict.fromkeys(names, "a")), of((), dict.fromkeys(names, "b"))) == []


@pytest.mark.parametrize(
    ("value", "text"),
    [("", "empty"), ("x" * 60, "x" * 60), ("x" * 61, "x" * 60 + "..."), (3, "3"), (None, "null"), ("猫", "猫")],
)
def test_a_long_value_is_cut_after_sixty_characters(value, text):
    found = told(of((), {"optimizer.arguments": "a"}), of((), {"optimizer.arguments": value}))
    assert found == [(f"optimizer.arguments is {text}, not a", True)]


@pytest.mark.parametrize(("count", "ending"), [(5, "e"), (6, "e and 1 more")])
def test_five_names_are_told(count, ending):
    pictures = [f"{name} 1 2 3 4" for name in "abcdef"[:count]]
    assert told(of(), of(pictures)) == [(f"pictures added: a, b, c, d, {ending}", True)]


def test_a_record_that_cannot_be_read_says_so():
    whole = of(["a 1 2 3 4"], {"train.seed": 1}, {"activation": "relu"}, {"vae": "x"})
    assert origin.Origin.read(whole.text()) == whole.plain() == whole
    for text in ("", "[" * 100_000, '{"settings": {}}', whole.text().replace('"4"', "4")):
        with pytest.raises(UnfitError):
            origin.Origin.read(text)
