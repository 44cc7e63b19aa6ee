"""Preview prompts in kohya's line form, the strip, the chart, and validation."""

import xml.etree.ElementTree as ET

import pytest
from hypernetwork_workbench.hypernetworks.base.errors import SettingsError
from hypernetwork_workbench.hypernetworks.pages.charts import Curve, draw_chart, draw_rates
from hypernetwork_workbench.hypernetworks.ports import PictureRequest
from hypernetwork_workbench.hypernetworks.train.run import train
from hypernetwork_workbench.hypernetworks.train.tracking import prompt_files
from PIL import Image

from tests.support.fake_ports import fake_ports
from tests.support.runs import make_job, read_log

BASE = PictureRequest("", 1, 512, 512, steps=20, cfg_scale=7.0)


def prompts(tmp_path, text):
    path = tmp_path / "prompts.txt"
    path.write_text(text, encoding="utf-8")
    return prompt_files.read(path, BASE).requests


def test_a_line_gives_prompt_and_changes(tmp_path):
    one, two = prompts(
        tmp_path, "\ufeff# comment\n\na cat, best --n bad, worst --w 640 --h 448 --d 7 --l 5.5 --s 12\n猫\n"
    )
    assert one == PictureRequest("a cat, best", 7, 640, 448, "bad, worst", "Euler a", 12, 5.5)
    assert two.prompt == "猫"
    assert two.seed == 1


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a --w many", "line 1: --w needs a number, not 'many'"),
        ("a --l 7,5", "line 1: write a point for the comma in '7,5', as in 7.5"),
        ("a --l nan", "line 1: --l needs a number, not 'nan'"),
        ("a\nb --h 100", "line 2: --h must be a multiple of 8"),
        ("a --s 0", "line 1: --s must be at least 1"),
        ("# nothing", "holds no prompt"),
    ],
)
def test_wrong_lines_are_named(tmp_path, text, reason):
    with pytest.raises(SettingsError, match=r"^preview\.prompt_file: ") as caught:
        prompts(tmp_path, text)
    assert reason in str(caught.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(SettingsError, match=r"^preview\.prompt_file: .*none\.txt cannot be read"):
        prompt_files.read(tmp_path / "none.txt", BASE)


def test_the_strip_grows_by_a_column_each_time(pictures, tmp_path):
    path = tmp_path / "prompts.txt"
    path.write_text("one --w 64 --h 64\ntwo --w 64 --h 32\n")
    ports = fake_ports(tmp_path)
    job = make_job(pictures, preview__every="1 epoch", preview__prompt_file=str(path), output__sheet=False)
    result = train(job, ports)  # 3 steps an epoch, 12 in all
    assert [p.name for p in result.previews[:2]] == ["step-000003-1.png", "step-000003-2.png"]
    assert len(result.previews) == 8
    with Image.open(result.strip) as strip:
        assert strip.size == (4 * 192, 2 * 192 + 20)
    assert [strip.width for strip in ports.progress.pictures] == [192, 384, 576, 768]


def test_a_long_strip_goes_on_below(pictures, tmp_path):
    job = make_job(pictures, preview__every="1", train__max_steps=11, output__sheet=False)
    with Image.open(train(job, fake_ports(tmp_path)).strip) as strip:
        assert strip.size == (8 * 192, 2 * (192 + 20))


def test_a_run_that_is_to_end_makes_no_more_pictures(pictures, tmp_path):
    ports = fake_ports(tmp_path, stop_after=4)
    result = train(make_job(pictures, preview__every="2"), ports)
    assert (result.steps, result.interrupted) == (4, True)
    assert [path.name for path in result.previews] == ["step-000002.png"]
    assert result.sheet is None
    assert len(ports.previewer.requests) == 1


def test_charts_are_well_formed_and_hold_what_is_finite():
    nan = float("nan")
    svg = draw_chart(
        [Curve("a < b", [(0, 1.0), (5, nan), (10, 3.0)]), Curve("empty", [])], Curve("rate", [(0, 1e-4)]), 10
    )
    root = ET.fromstring(svg)
    lines = [element for element in root.iter() if element.tag.endswith("polyline")]
    assert [len(line.get("points").split()) for line in lines] == [2]
    assert "nan" not in svg
    assert ET.fromstring(draw_chart([], None, 0)) is not None
    rates = draw_rates([Curve("loss", [(1e-4, 1.0), (1e-3, 0.5)])], 1.0, (nan, nan))
    assert "polyline" in rates
    assert "nan" not in rates


def test_the_validation_loss_does_not_depend_on_the_training_seed(pictures, tmp_path):
    def validation(seed, batch):
        job = make_job(
            pictures,
            train__seed=seed,
            data__batch_size=batch,
            train__validation_share=0.4,
            train__validation_every="1",
            train__max_steps=1,
            schedule__rate="0",
            output__sheet=False,
            optimizer__name="SGD",
            network__zero_last_layer=True,
        )
        return read_log(train(job, fake_ports(tmp_path / f"{seed}-{batch}")).log)[0]["validation_loss"]

    assert validation(1, 1) == validation(2, 2) != ""


def test_what_a_person_sees_while_it_runs(pictures, tmp_path):
    ports = fake_ports(tmp_path)
    train(make_job(pictures, train__validation_share=0.3), ports)
    last = ports.progress.texts[-1]
    for part in (
        "step 12 of 12",
        "epoch 6",
        "loss ",
        "validation ",
        "rate 0.01",
        "steps/s",
        "pictures/s",
        "left",
        "GB",
    ):
        assert part in last
    assert ports.progress.charts[-1].startswith("<svg")


def test_pictures_and_copies_at_the_ends_of_cycles(pictures, tmp_path):
    cycles = {"schedule__kind": "cosine restarts", "schedule__cycle": "5", "output__sheet": False}
    ports = fake_ports(tmp_path)
    result = train(make_job(pictures, **cycles, preview__at_cycle_end=True, output__save_at_cycle_end=True), ports)
    assert [path.name for path in result.previews] == ["step-000005.png", "step-000010.png"]
    copies = sorted(path.name for path in (ports.log_dir / "fake").glob("fake-0*.pt"))
    assert copies == ["fake-000005.pt", "fake-000010.pt"]
    both = make_job(pictures, **cycles, preview__at_cycle_end=True, preview__every="4", output__name="both")
    assert [path.stem[-2:] for path in train(both, ports).previews] == ["04", "05", "08", "10", "12"]
