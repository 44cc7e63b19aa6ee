"""The tab Runs: what it lists, shows, continues and compares; and Continue of Train Gamma."""

from __future__ import annotations

import html
import re
from pathlib import Path

import gradio as gr
import pytest
from hypernetwork_workbench.hypernetworks import files

from tests.support.train_tab import Tab

CHOICE = re.compile(r"value='([^']*)'|value=\"([^\"]*)\"")


@pytest.fixture
def train(train):
    train.look(train__validation_every="2", preview__every="2", preview__sampling_steps=2)
    return train


@pytest.fixture
def runs_tab(train):
    from hypernetwork_workbench.patches.tabs.runs.handlers import Handlers

    return Handlers(train.handlers.form)


def ids(runs_tab):
    return [one or other for one, other in CHOICE.findall(runs_tab.listing())]


def stop_after(monkeypatch, step):
    """Interrupt every run after so many steps."""
    from hypernetwork_workbench.patches.model import host

    monkeypatch.setattr(host.HostProgress, "is_interrupted", lambda self: getattr(self, "done", 0) >= step)
    whole = host.HostProgress.report

    def report(self, done, total, text):
        if text.startswith("step"):
            self.done = done
        whole(self, done, total, text)

    monkeypatch.setattr(host.HostProgress, "report", report)


def log_of(name):
    from hypernetwork_workbench.patches.runs import folders

    return (folders.log_dir() / name / "log.csv").read_text().splitlines()[1:]


def test_an_empty_list_says_so(runs_tab):
    assert "There is no run yet." in runs_tab.listing()


def test_a_run_is_listed_with_picture_state_steps_loss_and_date(train, runs_tab):
    train.press("train")
    loss = re.search(r"loss \d\.\d+ at first, (\d\.\d+) at last", train.status)[1]
    page = runs_tab.listing()
    assert "<b>i<!---->nk</b>" in page
    assert ">finished<" in page
    assert "4 of 4 steps" in page
    assert f"loss {loss}" in page
    assert "validation 0." in page or "validation 1." in page
    assert re.search(r"<time>20\d\d-\d\d-\d\d \d\d:\d\d</time>", page)
    assert "data:image/jpeg;base64," in page


def test_a_run_in_another_folder_is_listed_too(train, runs_tab, tmp_path):
    train.look(output__dir=str(tmp_path / "elsewhere"), output__name="away")
    train.press("train")
    assert ids(runs_tab) == [str(tmp_path / "elsewhere" / "away")]


def test_settings_that_cannot_be_read_are_said_in_the_list_and_let_no_other_run_go_on(train, runs_tab):
    from hypernetwork_workbench.patches.runs import folders

    train.press("train")
    (chosen,) = ids(runs_tab)
    settings = folders.log_dir() / "ink" / "job.toml"
    settings.write_text(settings.read_text().replace("max_steps = 4", "max_steps = none"))
    page = runs_tab.listing()
    assert "job.toml: the settings of the run cannot be read (" in page
    assert "max_steps" in page
    assert "There is no run yet." not in page
    assert "job.toml: the settings of the run cannot be read (" in runs_tab.compare(chosen)[-1]
    train.look(train__max_steps=9)
    train.press("resume")
    assert "job.toml: the settings of the run cannot be read (" in train.status
    assert len(log_of("ink")) == 4


def test_more_runs_than_are_shown_are_counted(train, runs_tab, monkeypatch):
    from hypernetwork_workbench.patches.runs import saved

    train.press("train")
    monkeypatch.setattr(saved, "_MOST_SHOWN", 0)
    assert "Older runs that are not shown: 1." in runs_tab.listing()


def test_continue_takes_the_settings_of_the_run_and_says_what_the_form_has_otherwise(train, monkeypatch):
    from hypernetwork_workbench.patches.tabs.train import continuing

    with monkeypatch.context() as patch:
        stop_after(patch, 2)
        train.press("train")
    assert len(log_of("ink")) == 2
    train.look(schedule__rate="0.5", train__max_steps=9, data__batch_size=3)
    said = continuing.before_continue(train.handlers.form.values(list(train.entered.values())))
    assert "own settings, not with the form&#39;s" in said or "own settings, not with the form's" in said
    assert "Steps: 4 (the form: 9)" in said
    train.press("resume")
    assert "Trained 2 steps in" in train.status
    assert "(4 in all)" in train.status
    assert "0.5" in train.status
    rows = log_of("ink")
    assert len(rows) == 4
    assert {row.split(",")[3] for row in rows} == {rows[0].split(",")[3]}


@pytest.mark.long("test_continue_takes_the_settings_of_the_run_and_says_what_the_form_has_otherwise")
def test_the_run_that_continue_is_for_is_told_before_the_press(train, monkeypatch):
    def told(**entered):
        train.look(**entered)
        return html.unescape(train.outputs["continues"])

    assert told() == ""
    with monkeypatch.context() as patch:
        stop_after(patch, 2)
        train.press("train")
    said = told()
    assert "Continue goes on with the run ink, from step 2 of 4." in said
    assert "form's" not in said
    assert "Steps: 4 (the form: 9)" in told(train__max_steps=9)
    assert "Learning rate: 0.00001 (the form: 0.5)" in told(train__max_steps=4, schedule__rate="0.5")
    assert "Continue" not in told(output__name="another")
    assert told(output__name="")
    train.press("resume")
    assert "The run ink has done all of its 4 steps; raise “Steps” to continue it." in told()
    assert "The run ink has done its 4 steps; Continue goes on to 6, as “Steps” says." in told(train__max_steps=6)
    assert told(network__file="nobody") == ""


@pytest.mark.long("test_a_finished_run_goes_on_to_more_epochs_of_the_form")
def test_a_finished_run_goes_on_to_more_steps_of_the_form_and_nothing_else(train):
    train.press("train")
    train.look(schedule__rate="0.5", train__max_steps=6)
    train.press("resume")
    assert "Trained 2 steps in" in train.status
    assert "(6 in all)" in train.status
    assert "Learning rate" in train.status
    assert "Steps: 4" not in train.status
    assert len(log_of("ink")) == 6


@pytest.mark.parametrize(("length", "steps"), [("3 epochs", 6), ("1 epoch", None), ("soon", None)])
def test_a_finished_run_goes_on_to_more_epochs_of_the_form(train, length, steps):
    train.press("train")
    assert len(log_of("ink")) == 4
    train.look(train__max_steps=length)
    train.press("resume")
    if steps is None:
        assert "the run has ended at step 4 already" in train.status
    else:
        assert f"({steps} in all)" in train.status


def test_continue_needs_no_right_form_but_only_the_name(train, monkeypatch):
    with monkeypatch.context() as patch:
        stop_after(patch, 2)
        train.press("train")
    train.look(schedule__rate="fast", data__folder="")
    train.press("resume")
    assert "(4 in all)" in train.status


def test_settings_are_shown_beside_the_forms_and_those_ticked_are_taken(train, runs_tab, monkeypatch):
    with monkeypatch.context() as patch:
        stop_after(patch, 2)
        train.press("train")
    train.look(train__max_steps=5, schedule__rate="0.5")
    entered = list(train.entered.values())
    (chosen,) = ids(runs_tab)
    details, taken, _, status = runs_tab.show(chosen, *entered)
    assert status == ""
    assert "<td>Steps</td><td>4</td><td>5</td>" in details
    assert ("Steps: 5", "train.max_steps") in taken["choices"]
    assert taken["value"] == []
    gallery, said = runs_tab.resume("task(x)", chosen, ["train.max_steps"], *entered)
    assert "(5 in all)" in said
    assert "Steps: 4" not in said
    assert "Learning rate" in said
    assert gallery["value"]


def test_a_form_that_is_not_filled_in_is_compared_by_what_its_values_mean(train, runs_tab, monkeypatch):
    with monkeypatch.context() as patch:
        stop_after(patch, 2)
        train.press("train")
    # As the page sends them: whole numbers with a point, and lengths as texts.
    train.look(data__folder="", data__width=64.0, data__height=128.0, train__max_steps="4", schedule__warmup="0")
    (chosen,) = ids(runs_tab)
    details, taken, *_ = runs_tab.show(chosen, *train.entered.values())
    assert {address for _, address in taken["choices"]} == {"data.folder", "data.height"}
    assert "<td>Picture height</td><td>64</td><td>128</td>" in details


def test_two_runs_are_compared_by_curves_and_sheets(train, runs_tab):
    train.press("train")
    train.look(output__name="other", output__sheet=False)
    train.press("train")
    both = ids(runs_tab)
    assert len(both) == 2
    *_, page, status = runs_tab.compare("\n".join(both))
    assert status == ""
    assert page.count("<polyline") + page.count("h0'") + page.count('h0"') >= 2
    assert "stroke-dasharray" in page or page.count('h0"') >= 1
    assert page.count("class='hnw-wipe'") == 3
    assert page.count("alt='before'") == page.count("alt='after'") == 3
    assert "It has no before-and-after sheet." in page
    assert "type='range'" in page


def test_what_an_earlier_run_said_goes_as_soon_as_one_is_continued_from_the_list(patched):
    from hypernetwork_workbench.patches.tabs import runs, train

    with gr.Blocks() as page, gr.Tabs():
        train.build()
        runs.build()
    (button,) = (one for one in page.blocks.values() if one.elem_id == "hnw_runs_go_on")
    (status,) = (one for one in page.blocks.values() if one.elem_id == "hnw_train_status")
    wiped = [one for one in page.dependencies if one["targets"] == [button._id] and not one["backend_fn"]]
    assert [one["outputs"] for one in wiped] == [[status._id]]


def test_what_cannot_be_done_is_said(train, runs_tab):
    entered = list(train.entered.values())
    assert "choose a run first" in runs_tab.show("", *entered)[-1]
    assert "there is no run in /nowhere" in runs_tab.compare("/nowhere")[-1]
    assert "choose a run first" in runs_tab.resume("task(x)", "", [], *entered)[-1]
    assert "choose a run first" in runs_tab.refusal("")
    assert "choose a run first" in runs_tab.fill(train.handlers)("", *entered)[0]


def test_the_settings_of_a_run_fill_the_form(train, runs_tab):
    train.press("train")
    train.look(train__max_steps=99, output__name="else")
    (chosen,) = ids(runs_tab)
    status, *updates = runs_tab.fill(train.handlers)(chosen, *train.entered.values())
    assert "The form has the settings of ink now." in status
    train.take(train.handlers.filled, updates)
    assert train.entered["train.max_steps"] == "4"
    assert train.entered["output.name"] == "ink"
    assert train.entered["network.file"] == "ink"


def test_a_page_that_is_opened_meanwhile_shows_the_run_that_goes_on(train):
    from hypernetwork_workbench.patches.runs.job import job_from
    from hypernetwork_workbench.patches.runs.run import runs

    entered = list(train.entered.values())
    assert train.handlers.show_active(*entered)[0] == ""
    train.look(train__max_steps=77)
    job = job_from(train.handlers.form.values(list(train.entered.values())))
    with runs.hold(task="task(run)") as run:
        runs.begin(job)
        other = Tab()
        task, *updates = other.handlers.show_active(*other.entered.values())
        other.take(other.handlers.filled, updates)
        run.state = "finished"
    assert task == "task(run)"
    assert other.entered["train.max_steps"] == "77"
    assert other.entered["network.file"] == "ink"


def test_what_can_be_asked_of_a_run_is_refused_where_none_goes_on(patched):
    from hypernetwork_workbench.patches.tabs.train import going_on

    assert "no run is going on" in going_on.save_now()
    assert "no run is going on" in going_on.preview_now("x")[1]
    assert "No run is going on" in going_on.pause()
    assert "No run is going on" in going_on.go_on()


def test_a_copy_and_a_preview_are_answered_with_their_files(patched, monkeypatch, tmp_path):
    from hypernetwork_workbench.patches.runs import training
    from hypernetwork_workbench.patches.tabs.train import going_on

    asked = []
    monkeypatch.setattr(training, "save_now", lambda: Path(tmp_path / "a-000003.pt"))
    monkeypatch.setattr(training, "preview_now", lambda prompt: asked.append(prompt) or tmp_path / "now-000003.png")
    assert "Saved as a-000003.pt" in going_on.save_now()
    gallery, said = going_on.preview_now("  a cat ")
    assert gallery == gr.update(value=[str(tmp_path / "now-000003.png")])
    assert "now-000003.png" in said
    assert asked == ["a cat"]


def test_the_network_of_a_continued_run_has_all_its_steps(train, runs_tab, network):
    train.press("train")
    train.look(train__max_steps=6)
    (chosen,) = ids(runs_tab)
    runs_tab.resume("task(x)", chosen, [], *train.entered.values())
    assert files.load(network).metadata.step == 6
