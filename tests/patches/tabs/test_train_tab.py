"""The handlers of the tab Train Gamma on the embedded host with a tiny checkpoint."""

from __future__ import annotations

import json
import re
import types
import warnings
from pathlib import Path

import pytest
from hypernetwork_workbench.hypernetworks import files
from hypernetwork_workbench.hypernetworks.base.errors import TrainingError
from hypernetwork_workbench.hypernetworks.train.settings import presets
from hypernetwork_workbench.hypernetworks.train.settings.job import SECTIONS, Job
from hypernetwork_workbench.hypernetworks.train.settings.job_file import read_tables
from PIL import Image

from tests.support.train_tab import TXT2IMG, Tab

#: Settings that may have a unit, so that their fields are texts.
LENGTHS = ("train.max_steps", "schedule.warmup", "schedule.decay_steps")


@pytest.fixture
def tab(network, dataset):
    opened = Tab()
    opened.look(
        network__file="ink",
        data__folder=str(dataset),
        data__width=64,
        data__height=64,
        schedule__rate="0.001",
        train__max_steps=3,
        preview__sampling_steps=2,
        output__sheet=False,
    )
    return opened


@pytest.fixture
def few_samples(monkeypatch):
    """Make the search for a rate a quick one; how exact the rate is, is no matter to the tab."""
    from hypernetwork_workbench.hypernetworks.train import rate_trials

    monkeypatch.setattr(rate_trials, "_SAMPLES", 16)


def test_the_rates_are_plotted_as_they_are_entered(tab):
    assert "<svg" in tab.outputs["plot"]
    assert "3 steps; learning rate 0.001." in tab.outputs["plot"]
    assert tab.problems() == {}
    tab.look(schedule__kind="cosine restarts", schedule__cycle="2 epochs", train__max_steps=12)
    assert "12 steps (4 epochs)" in tab.outputs["plot"]
    tab.look(schedule__rate="fast")
    assert "<svg" not in tab.outputs["plot"]
    assert list(tab.problems()) == ["schedule_rate"]


def test_problems_stand_beside_their_fields_and_go(tab):
    tab.look(train__max_steps=None, data__width=63, output__save_best=True, network__file="nobody")
    status = tab.problems()
    assert set(status) == {"train_max_steps", "data_width", "network_file", "output_save_best"}
    assert status["network_file"] == "there is no network nobody"
    tab.look(train__max_steps=3, data__width=64, network__file="ink")
    needed = "needs a “Validation share” or a “Validation folder” to measure on"
    assert tab.problems() == {"output_save_best": needed}
    tab.look(output__save_best=False)
    assert tab.problems() == {}


def test_an_untouched_tab_reproaches_nobody(patched):
    opened = Tab()
    opened.look()
    assert opened.problems() == {}
    assert "<svg" in opened.outputs["plot"]


def test_an_untouched_tab_marks_nothing_and_each_field_that_is_changed_is_marked(network):
    start = {"data": {"width": 64}, "output": {"name": "night"}, "schedule": {"kind": "cosine"}}
    opened = Tab(start)
    opened.look()
    assert re.findall("data-changed", opened.outputs["changed"]) == []
    opened.look(data__width=512, network__file="ink", output__name="day", schedule__kind="steps")
    found = re.findall(r'data-changed="hnw_train_(.*?)"', opened.outputs["changed"])
    assert sorted(found) == ["data_width", "network_file", "output_name", "schedule_kind"]


def test_what_is_entered_is_not_taken_as_html(tab):
    tab.look(schedule__rate="<img src=x>")
    assert "<img" not in tab.problems()["schedule_rate"]
    tab.press("check")
    assert "<img" not in tab.status


@pytest.mark.parametrize(
    ("entered", "field"),
    [
        ({"train__max_steps": "1.5 epochs", "schedule__warmup": "2 epochs"}, "schedule.warmup"),
        ({"train__max_steps": "1.5 epochs", "schedule__warmup": "5"}, "schedule.warmup"),
        ({"train__max_steps": "2 epochs", "schedule__warmup": "1", "schedule__min_rate": 9.0}, "schedule.min_rate"),
        ({"train__max_steps": 4, "schedule__warmup": "5", "network__file": None}, "schedule.warmup"),
        ({"train__max_steps": "2 epochs", "data__folder": "/nowhere"}, "data.folder"),
    ],
)
def test_what_keeps_the_rates_from_being_drawn_is_said_at_its_field(tab, entered, field):
    tab.look(schedule__kind="cosine", **entered)
    assert "<svg" not in tab.outputs["plot"]
    assert list(tab.problems()) == [field.replace(".", "_")]


def test_every_recipe_fills_the_form_and_can_be_planned(tab):
    for preset in presets.PRESETS:
        tab.choose_preset(preset.name)
        assert tab.problems() == {}
        assert (tab.outputs["preset"], tab.outputs["advice"]) == (preset.name, preset.advice)
        assert "<svg" in tab.outputs["plot"]
        lengths = {one: str(preset.values()[one]) for one in LENGTHS}
        assert {address: tab.entered[address] for address in preset.values()} == {**preset.values(), **lengths}
    tab.look(train__max_steps=77)
    assert tab.outputs["preset"] == "Own settings"


def test_saved_settings_come_back_and_are_a_job_for_the_command_line(tab, host, network):
    tab.look(optimizer__name="Prodigy", preview__prompt='a "red" star', output__name="night ink", loss__noise_cycle="9")
    path = tab.save()
    assert path.parent.parent == Path(host.module("paths").data_path)
    job = Job.from_mapping(read_tables(path))
    assert (job.network.file, job.output.name, job.optimizer.name) == (str(network), "night ink", "Prodigy")
    wanted = dict(tab.entered)
    again = Tab()
    again.load(path)
    assert "Loaded night ink.toml" in again.status
    assert again.entered == wanted


def test_settings_without_a_network_are_saved_but_not_wrong_ones(patched, dataset):
    opened = Tab()
    opened.look(data__folder=str(dataset))
    assert "name" not in read_tables(opened.save())["output"]
    opened.look(schedule__rate="fast")
    assert opened.save() is None
    assert "Learning rate:" in opened.status


def test_a_network_of_a_file_is_found_by_its_path_or_name(tab, tmp_path, network):
    path = tmp_path / "a.toml"
    path.write_text(f"[network]\nfile = {json.dumps(str(network))}\n[data]\nbatch_size = 4\n")
    tab.look(network__file="")
    tab.load(path)
    assert (tab.entered["network.file"], tab.entered["data.batch_size"]) == ("ink", 4)
    path.write_text('[network]\nfile = "elsewhere/ink.pt"\n')
    tab.look(network__file="")
    tab.load(path)
    assert tab.entered["network.file"] == "ink"
    path.write_text('[network]\nfile = "elsewhere/nobody.pt"\n')
    tab.load(path)
    assert "Network to train: elsewhere/nobody.pt is not among the networks" in tab.status
    assert tab.entered["network.file"] == "ink"


def test_the_originals_settings_are_loaded_and_what_is_left_out_is_said(tab, tmp_path):
    path = tmp_path / "old_train_.json"
    path.write_text(
        json.dumps({"learn_rate": "5e-5", "batch_size": 2, "loss_opt": "loss_vlb", "latent_sampling_std": 2, "x": 1})
    )
    tab.look(train__max_steps=5)
    tab.load(path)
    assert (tab.entered["schedule.rate"], tab.entered["data.batch_size"], tab.entered["train.max_steps"]) == (
        "5e-5",
        2,
        "5",
    )
    assert "left out: latent_sampling_std = 2, loss_opt = loss_vlb" in tab.status
    assert "x: there is no such setting" in tab.status
    assert "Loaded the rest of old_train_.json." in tab.status


@pytest.mark.parametrize("name", ["kohya.toml", "lora.json"])
def test_a_partial_file_of_kohyas_trainer_changes_what_it_names_and_no_more(tab, tmp_path, name):
    values = {"network_module": "networks.lora", "network_dim": 32, "max_train_steps": 700, "seed": 1.5}
    if name.endswith("json"):
        values = {"LoRA_type": "Standard", "network_dim": 32, "max_train_steps": 700, "seed": "1.5", "epoch": 1}
    path = tmp_path / name
    lines = "".join(f"{key} = {json.dumps(value)}\n" for key, value in values.items())
    path.write_text(json.dumps(values) if name.endswith("json") else lines)
    tab.look(data__batch_size=3, schedule__rate="5e-5", train__seed=9)
    before = dict(tab.entered)
    tab.load(path)
    changed = {address for address, value in tab.entered.items() if value != before[address]}
    assert changed == {"train.max_steps"}
    assert int(tab.entered["train.max_steps"]) == 700
    assert "network_dim = 32" in tab.status
    assert "must be a whole number, not" in tab.status
    assert "Changed: Steps." in tab.status


def test_a_file_that_holds_no_settings_changes_nothing(tab, tmp_path):
    path = tmp_path / "picture.json"
    path.write_bytes(b"\x89PNG\xff\0")
    before = dict(tab.entered)
    tab.load(path)
    assert "picture.json: cannot be read: it has the character NUL in it, so it is no text" in tab.status
    assert tab.entered == before


def test_check_says_the_plan_and_all_that_is_wrong_at_once(tab, network):
    before = network.read_bytes()
    tab.press("check")
    assert "3 pictures, framed to 64 x 64" in tab.status
    assert "3 steps per epoch" in tab.status
    assert "MB in addition to model and network" in tab.status
    tab.look(
        data__folder="/no such folder",
        preview__sampler="Euler a",
        schedule__kind="cosine restarts",
        schedule__cycle="2 epochs",
        output__name="",
        optimizer__arguments="colour=1",
        train__seed=-1,
        network__file="",
    )
    tab.press("check")
    assert tab.status.count("<li>") == 3
    assert "Network to train: choose a network" in tab.status
    assert "Optimizer options:" in tab.status
    assert "Training seed:" in tab.status
    assert network.read_bytes() == before


@pytest.mark.parametrize("button", ["train", "resume", "check", "find_rate"])
def test_where_nothing_can_be_trained_that_is_said_before_what_is_not_filled_in(patched, monkeypatch, button):
    monkeypatch.setattr(patched.module("shared").cmd_opts, "lowvram", True, raising=False)
    tab = Tab()
    assert tab.press(button) is None
    assert "training is not possible with --lowvram" in tab.status
    assert "folder" not in tab.status


def test_train_and_continue_answer_with_pictures_and_a_sentence(tab, network):
    tab.look(preview__every="2")
    pictures = tab.press("train")
    assert "Trained 3 steps in" in tab.status
    assert "<svg" in tab.status
    assert [Path(path).name for path in pictures] == ["strip.png", "step-000002.png"]
    assert files.load(network).metadata.step == 3
    tab.press("resume")
    assert "ended at step 3 already; raise “Steps” to continue" in tab.status
    tab.look(train__max_steps=5)
    pictures = tab.press("resume")
    assert re.search(r"Trained 2 steps in \d+ s \(5 in all\); loss", tab.status)
    assert [Path(path).name for path in pictures] == ["strip.png", "step-000004.png", "step-000002.png"]
    assert files.load(network).metadata.step == 5


@pytest.mark.long("test_train_and_continue_answer_with_pictures_and_a_sentence")
def test_previews_can_be_those_of_txt2img(tab, host):
    tab.look(preview__every="3", preview__preview_seed=9)
    (_, preview) = tab.press("train", TXT2IMG)
    with Image.open(preview) as picture:
        assert picture.size == (64, 72)
        infotext = picture.info["parameters"]
    lines = infotext.splitlines()
    assert lines[:2] == ["a blue star", "Negative prompt: blurry"]
    for part in ("Steps: 3", "Sampler: Euler,", "CFG scale: 5", "Seed: 9", "Size: 64x72"):
        assert part in lines[2], part
    job = Job.from_mapping(read_tables(Path(preview).parents[1] / "job.toml"))
    assert (job.preview.prompt, job.preview.sampler) == ("a blue star", "Euler")
    tab.look(output__overwrite=True)
    (_, preview) = tab.press("train", (*TXT2IMG[:5], 1234, *TXT2IMG[6:]))
    with Image.open(preview) as picture:
        assert "Seed: 1234" in picture.info["parameters"]


@pytest.mark.unexpected
def test_a_reopened_page_shows_how_the_last_run_ended(tab, monkeypatch):
    from hypernetwork_workbench.patches.tabs.train import buttons

    tab.press("train")
    assert buttons.last_answer()[1] == tab.status
    tab.look(network__file="nobody")
    tab.press("train")
    assert "there is no network nobody" in buttons.last_answer()[1]

    def fail(_job):
        raise ZeroDivisionError

    tab.look(network__file="ink")
    monkeypatch.setattr(buttons, "check", fail)
    tab.press("check")
    assert "an unexpected error occurred (ZeroDivisionError" in tab.status
    assert buttons.last_answer()[1] == tab.status


def test_the_last_answer_has_no_pictures_that_are_gone(tab, tmp_path):
    from hypernetwork_workbench.patches.tabs.train import buttons

    tab.look(preview__every="1", output__name="day", output__dir=str(tmp_path), output__overwrite=True)
    pictures = tab.press("train")
    assert buttons.last_answer()[0]["value"] == pictures
    Path(pictures[0]).unlink()
    assert buttons.last_answer()[0]["value"] == pictures[1:]


@pytest.mark.long("test_train_and_continue_answer_with_pictures_and_a_sentence")
def test_a_page_that_is_opened_later_shows_the_last_run(tab, monkeypatch, patched, tmp_path):
    from hypernetwork_workbench.patches.runs import training
    from hypernetwork_workbench.patches.runs.job import job_from
    from hypernetwork_workbench.patches.runs.progress import RunProgress
    from hypernetwork_workbench.patches.runs.run import runs
    from hypernetwork_workbench.patches.tabs.train import buttons

    form = tab.handlers.form
    monkeypatch.setattr(runs, "_known", type(runs._known)())
    assert buttons.last_run(form)[1] == ""
    tab.look(preview__every="1", output__name="day", output__dir=str(tmp_path), output__overwrite=True)
    with runs.hold(task="task(run)"):
        pictures = tab.press("train")
        assert buttons.last_run(form)[1] == "", "it goes on"
    trained = tab.status
    with runs.hold(task="task(check)"):
        tab.press("check")
    gallery, said = buttons.last_run(form)
    assert (gallery["value"], said) == (pictures, trained)
    assert "<svg" in said

    with monkeypatch.context() as patch:
        patch.setattr(RunProgress, "is_interrupted", lambda progress: progress._run.done >= 2)
        run = training.start(job_from(form.values([*tab.entered.values()])))  # as over HTTP
        assert run.over.wait(120)
    gallery, said = buttons.last_run(form)
    assert "Stopped by hand after 2 steps" in said
    assert "<svg" in said
    assert gallery["value"]
    gone = gallery["value"][0]
    Path(gone).unlink()
    assert buttons.last_run(form)[0]["value"] == gallery["value"][1:], "a page cannot be sent what is no file any more"

    def fail(*_):
        raise TrainingError("the disk is full")

    with runs.hold(task="task(next)"):
        monkeypatch.setattr(training, "train", fail)
        tab.press("train")
    assert "the disk is full" in tab.status
    gallery, said = buttons.last_run(form)
    assert "The disk is full" in said or "the disk is full" in said
    assert "The training of day failed." in said
    assert gallery["value"] == [], "previews of the run before are not its own"


def test_interrupt_answers_only_where_a_run_goes_on_and_touches_no_other_job(patched):
    from hypernetwork_workbench.patches.runs.run import runs
    from hypernetwork_workbench.patches.tabs.train import buttons

    state = patched.module("shared").state
    try:
        state.job = "task(x)"
        assert "value" not in buttons.interrupt()
        with runs.hold() as run:
            said = buttons.interrupt()
            assert "It ends after this step" in said
            assert run.is_cancelled
            assert "value" not in buttons.after_interrupt(said), "its end is still to come"
        buttons._last_answer[:] = [{}, "Stopped by hand"]
        assert buttons.after_interrupt(said) == "Stopped by hand", "the page had its end before"
        assert buttons.after_interrupt(said, lambda: "of a study") == "of a study"
        assert "value" not in buttons.after_interrupt("something else")
        assert not state.interrupted
    finally:
        state.job, state.interrupted = "", False


@pytest.mark.parametrize("action", ["train", "resume", "check", "find_rate"])
def test_an_interrupt_that_comes_before_its_run_ends_it(tab, action, patched):
    from hypernetwork_workbench.patches.runs.run import runs
    from hypernetwork_workbench.patches.tabs.train import buttons

    def press(action, task):
        handler = buttons.handler(tab.handlers.form, getattr(buttons, action), 0)
        queued = patched.module("call_queue").wrap_gradio_gpu_call(handler, extra_outputs=["as it was"])
        return buttons.one_at_a_time(queued)(task, False, *tab.entered.values())

    assert "Interrupted before it began." in buttons.interrupt(f"task({action})")
    gallery, status = press(action, f"task({action})")
    assert "value" not in gallery
    assert "Interrupted before it began." in status
    assert runs.active is None
    assert "value" not in buttons.interrupt(f"task({action})")
    assert "Interrupted" not in press("check", "task(next)")[1]


def state_of_the_model(host):
    import random

    import numpy as np
    import torch

    model = host.model
    return {
        "weights": {name: weight.clone() for name, weight in model.state_dict().items()},
        "grad": [weight.requires_grad for weight in model.parameters()],
        "mode": [module.training for module in model.modules()],
        "random": (random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()),
        "loaded": list(host.module("shared").loaded_hypernetworks),
    }


def test_find_a_rate_answers_with_a_rate_its_chart_and_a_button_and_leaves_all_as_it_was(
    tab, network, patched, few_samples
):
    import torch

    before, model, networks = network.read_bytes(), state_of_the_model(patched), sorted(network.parent.iterdir())
    tab.press("find_rate")
    rates = r"data-rates='\{&#34;schedule_rate&#34;: &#34;([^']+)&#34;\}'"
    found = re.search(rates + r"\s+onclick='hnwTrainUseRates\(this\)'>Use this rate</button>", tab.status)
    assert f"<p class='hnw-done'>A learning rate of {found[1]} suits this run of 3 steps; rates from" in tab.status
    assert "<svg" in tab.status
    assert "after 3 steps" in tab.status
    assert network.read_bytes() == before
    assert sorted(network.parent.iterdir()) == networks
    after = state_of_the_model(patched)
    assert all(torch.equal(weight, after["weights"][name]) for name, weight in model.pop("weights").items())
    assert {name: after[name] for name in model} == model
    tab.look(schedule__rate=found[1])
    assert tab.problems() == {}


def test_where_no_rate_can_be_told_nothing_is_green_and_there_is_no_button(tab):
    tab.look(optimizer__name="Prodigy", schedule__rate="1")
    tab.press("find_rate")
    assert "<p class='hnw-unsure'>No learning rate can be told: Prodigy finds the size" in tab.status
    assert "hnw-done" not in tab.status
    assert "button" not in tab.status


def test_a_schedule_of_several_rates_is_found_as_a_whole(tab):
    tab.look(schedule__rate="4e-05:1,4e-06")
    tab.press("find_rate")
    entered = re.search(r"data-rates='\{&#34;schedule_rate&#34;: &#34;([^']+)&#34;\}'", tab.status)[1]
    high, low = (float(piece.partition(":")[0]) for piece in entered.split(","))
    assert high / low == pytest.approx(10, rel=0.06)
    assert ":1," in entered


def test_the_tab_is_built_with_the_components_of_the_host(patched):
    import gradio as gr
    from hypernetwork_workbench.patches.tabs.train import tab as tab_train

    with warnings.catch_warnings(), gr.Blocks() as page:
        warnings.simplefilter("ignore")
        params = types.SimpleNamespace(txt2img_preview_params=[gr.Textbox(value=str(one)) for one in TXT2IMG])
        tab_train.build(params)
    components = [block for block in page.blocks.values() if isinstance(block, gr.components.Component)]
    labels = [one.label for one in components if getattr(one, "label", None) and (one.elem_id or "").startswith("hnw_")]
    assert len(labels) == len(set(labels)), "the host keys defaults by label"
    helpless = [
        one.elem_id
        for one in components
        if hasattr(one, "info")
        and (one.elem_id or "").startswith("hnw_")
        and isinstance(one, (gr.Textbox, gr.Number, gr.Dropdown, gr.Checkbox))
        and not one.info
    ]
    assert helpless == []
    trained = next(fn for fn in page.dependencies if fn["js"] == "hnwStartTraining")
    fields = sum(len(kind.options()) for name, kind in SECTIONS.items() if name != "network") + len(["network.file"])
    assert len(trained["inputs"]) == 2 + len(TXT2IMG) + fields
    stopped = next(number for number, fn in enumerate(page.dependencies) if fn["js"] == "hnwRunComing")
    (then,) = [fn for fn in page.dependencies if fn["trigger_after"] == stopped]
    assert then["inputs"] == then["outputs"] == page.dependencies[stopped]["outputs"], (
        "the end is shown if it came before"
    )


def test_a_second_user_is_shown_the_run_at_once_and_the_place_is_free_again_afterwards(patched):
    import gradio as gr
    from hypernetwork_workbench.patches.runs.run import RUNNING, runs
    from hypernetwork_workbench.patches.tabs.train import buttons

    answers = []

    def first(_task, *_entered):
        runs.active.name, runs.active.state, runs.active.left_s = "<night> ink", RUNNING, 63
        runs.note(3, 9, "step 3 of 9, loss 0.0912, rate 5e-05, 3.1 steps/s, peak memory 2.10 GB")
        answers.append(buttons.one_at_a_time(lambda *_: pytest.fail("two at a time"))("task(second)", 1))
        return "mine"

    assert buttons.one_at_a_time(first)("task(first)", 1) == "mine"
    ((gallery, sentence),) = answers
    assert gallery == gr.update()
    said = "&lt;night&gt; ink is being trained (step 3 of 9, 1 min 3 s left); wait for its end, or interrupt it."
    assert said in sentence
    assert "task(second)" in patched.module("progress").finished_tasks, "its page waits no longer"
    assert runs.active is None
    assert buttons.one_at_a_time(lambda *_: "next")("task(third)") == "next"


def test_an_optimizer_or_a_schedule_that_is_in_no_list_can_be_typed(tab):
    for address in ("optimizer.name", "schedule.kind"):
        (field,) = [one for one in tab.handlers.form.fields if one.address == address]
        assert field.component.allow_custom_value
    tab.look(optimizer__name="Adamax", schedule__kind="OneCycleLR", train__max_steps=40)
    assert tab.problems() == {}
    assert tab.outputs["plot"].count("<polyline") == 1
    tab.look(optimizer__name="os.system", schedule__kind="StepLR")
    assert "os is no module that optimizers may come from" in tab.problems()["optimizer_name"]
    assert "StepLR needs step_size" in tab.problems()["schedule_arguments"]


def test_the_form_says_where_the_rate_is_not_used(tab):
    tab.look(optimizer__name="AdaFactor", optimizer__arguments="relative_step=True")
    assert "The learning rate is not used: AdaFactor with relative_step sets its own." in tab.outputs["plot"]
    assert "<svg" not in tab.outputs["plot"]
