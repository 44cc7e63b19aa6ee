"""The benchmark of time to quality: its styles, its judge, its ways and its rows."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from benchmarks import learning, rate_jobs
from benchmarks.learning import Learnt, Place, bounds, case, learn
from benchmarks.learning.quality import Judge, Quality
from benchmarks.learning.styles import NIGHT, PRINT, STYLES
from benchmarks.learning.ways import Way, ways
from benchmarks.training_cases import Case, loaded

START = Quality(latents=2.0, patches=0.4, followed=0.5)
GOOD = Quality(latents=0.5, patches=0.1, followed=0.9)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    with loaded(Case("demo", 64)) as running:
        yield Place.of(NIGHT, running.model, tmp_path_factory.mktemp("night"))


def shown(way: Way, steps: int) -> Way:
    return replace(way, tables={**way.tables, "train": {"max_steps": steps}})


@pytest.mark.parametrize(
    ("change", "is_good"),
    [({}, True), ({"latents": 0.51}, False), ({"patches": 0.11}, False), ({"followed": 0.89}, False)],
)
def test_good_is_a_quarter_of_both_distances_with_nine_captions_of_ten(change, is_good):
    assert replace(GOOD, **change).is_good(START) is is_good


def test_every_preset_and_the_webuis_way_are_compared_with_the_demos_settings():
    found = [*ways()]
    names = [way.name for way in found]
    changed = ("plain loss", "layer normalisation, rate 0.02")
    assert names[:3] == ["demo.toml", *(f"demo.toml, {one}" for one in changed)]
    assert names[3:-3] == [job.name for job in rate_jobs.presets()]
    demo, plain, normed = (way.tables for way in found[:3])
    assert "loss" not in plain
    assert demo == {**plain, "loss": {"min_snr_gamma": 5.0}}
    assert (normed["network"]["layer_norm"], normed["schedule"]["rate"], normed["loss"]) == (True, "0.02", demo["loss"])
    assert [way.webui_rate for way in found[-3:]] == [1e-3, 2e-3, 5e-3]
    for way in found[-3:]:
        assert way.tables["network"]["weight_init"] == "Normal"
        assert not way.tables["data"]["caption_dropout"]


def test_a_presets_rates_are_a_hundred_times_higher():
    tables = {way.name: way.tables["schedule"]["rate"] for way in ways()}
    assert tables["Standard"] == "0.001"
    assert tables["Style"] == "0.004:100,0.0004:200,4e-05:300"


@pytest.mark.parametrize("style", STYLES, ids=lambda style: style.name)
def test_a_style_is_written_as_16_pictures_with_captions_that_its_judge_reads(style, tmp_path):
    folder = style.write(tmp_path / "pictures")
    assert len([*folder.glob("*.png")]) == len([*folder.glob("*.txt")]) == 16
    texts = [path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.txt"))]
    assert all(
        style.follows(*pair)
        for pair in zip(style._pictures(11, learning.styles.captions.balanced(111)), texts, strict=True)
    )


@pytest.mark.long(alone="pictures are made and looked at time and again")
def test_a_network_that_learns_nothing_leaves_the_quality_of_the_start(place):
    still = Way(
        "still", {"network": {"layer_structure": [1, 1], "zero_last_layer": True}, "schedule": {"rate": "1e-30"}}
    )
    found = learn(shown(still, 1), place, 0)
    assert found.seconds is found.steps is None
    assert found.end.latents == pytest.approx(found.start.latents, rel=1e-3)
    assert found.end.followed == found.start.followed >= 0.9


def test_the_autoencoder_alone_holds_the_demos_style(place):
    assert bounds.through_autoencoder(place.judge).is_good(place.judge.start)


@pytest.mark.long(alone="nothing else trains the whole U-Net")
def test_the_whole_u_net_is_trained_and_is_as_before_then(place):
    unet = place.model.model.diffusion_model
    before = {name: weight.clone() for name, weight in unet.state_dict().items()}
    wanted = [parameter.requires_grad for parameter in unet.parameters()]
    job = next(ways()).job(place.pictures, 0)
    seen = bounds.whole_unet(job, place.here, place.judge, place.model, steps=8)
    assert seen.latents < 0.9 * place.judge.start.latents
    assert all(torch.equal(weight, before[name]) for name, weight in unet.state_dict().items())
    assert [parameter.requires_grad for parameter in unet.parameters()] == wanted


@pytest.mark.long("tests/standalone/test_demo_job.py::test_a_short_demo_learns_its_style")
def test_the_demos_settings_are_good_in_a_hundred_steps(place):
    found = learn(shown(next(ways()), 100), place, 0)
    assert found.end.is_good(found.start)
    assert found.steps <= 100
    assert found.seconds > 0


@pytest.mark.long("tests/examples/test_looks.py::test_the_demo_model_knows_a_hollow_shape_by_its_word")
def test_a_style_that_was_never_seen_is_learnt_and_captions_are_still_followed(place, tmp_path):
    """With a U-Net that knew plain shapes and parts of the night alone, the shares were 0.15, 0.35 and 0.54."""
    found = learn(next(ways()), Place.of(PRINT, place.model, tmp_path), 0)
    assert found.end.latents < 0.1 * found.start.latents
    assert found.end.patches < 0.3 * found.start.patches
    assert found.end.followed >= 0.75


def test_the_webuis_way_takes_steps_of_its_rate(place, monkeypatch):
    """Adam's first step moves every weight that has a gradient by the rate."""
    seen = []
    theirs = learning._theirs

    def watched(trainer, model, rate):
        before = [one.detach().clone() for one in trainer.state.network.parameters()]
        seen.append((trainer.state.network, before))
        return theirs(trainer, model, rate)

    monkeypatch.setattr(learning, "_theirs", watched)
    monkeypatch.setattr(Judge, "pictures", lambda _: [])
    monkeypatch.setattr(Judge, "look", lambda *_: START)
    learn(shown([*ways()][-1], 1), place, 0)
    network, before = seen[0]
    moved = max(float((one - two).detach().abs().max()) for one, two in zip(network.parameters(), before, strict=True))
    assert moved == pytest.approx(5e-3, rel=0.05)


def test_a_row_tells_the_mean_of_the_good_runs_and_of_all_ends():
    runs = [Learnt(10.0, 50, START, GOOD), Learnt(20.0, 150, START, GOOD), Learnt(None, None, START, START)]
    way = next(ways())
    row = case(NIGHT, way, runs)
    assert (row["good"], row["seconds"], row["steps"]) == ("2 of 3", 15.0, 100)
    assert (row["latents"], row["patches"], row["followed"]) == (0.5, 0.5, 0.767)
    broken = case(NIGHT, way, [Learnt(None, None, START, None)])
    assert (broken["good"], broken["seconds"], broken["latents"]) == ("0 of 1", "not reached", "not finite")
