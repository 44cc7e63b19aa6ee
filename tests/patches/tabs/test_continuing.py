"""What Train Gamma tells below its buttons: what a start would go on with, and what Continue would."""

from __future__ import annotations

import html
import os
from pathlib import Path

import gradio as gr
import pytest
from hypernetwork_workbench.hypernetworks import files
from hypernetwork_workbench.hypernetworks.files.create import create_file
from hypernetwork_workbench.hypernetworks.train.settings.embedding import ALONE
from hypernetwork_workbench.hypernetworks.train.settings.job import CreateSettings


@pytest.fixture
def told(train):
    def look(**entered):
        train.look(**entered)
        return html.unescape(train.outputs["continues"])

    return look


def network_dir(host):
    return Path(host.module("shared").cmd_opts.hypernetwork_dir)


def make_anew(host, **settings):
    """Make the network `ink` anew, later than all that is there."""
    path = create_file(CreateSettings(name="ink", overwrite=True, **settings), (24, 32), network_dir(host))
    newest = max(one.stat().st_mtime_ns for one in path.parent.iterdir())
    os.utime(path, ns=(newest + 1, newest + 1))
    return path


def test_a_start_with_a_trained_network_is_told_before_the_press(train, told):
    assert "Start training" not in told()
    train.press("train")
    assert "Start training begins a new run with ink, which has learnt for 4 steps already." in told()
    assert "Start training" not in told(embedding__trains=ALONE, embedding__names="word")


def test_the_second_start_counts_on_and_keeps_the_earlier_run_in_the_list(train, told):
    from hypernetwork_workbench.patches.runs import saved

    train.press("train")
    train.press("train")
    assert "The earlier run of this name is called ink-earlier now." in train.status
    assert "which has learnt for 8 steps already" in told()
    assert [record.name for record in saved.all_runs()[0]] == ["ink", "ink-earlier"]


def test_earlier_runs_in_another_folder_are_listed_too(train, told, tmp_path):
    from hypernetwork_workbench.patches.runs import saved

    told(output__dir=str(tmp_path / "else[1]where"), output__name="away", output__overwrite=True)
    for _ in range(2):
        train.press("train")
    assert {record.name for record in saved.all_runs()[0]} == {"away", "away-earlier"}


def test_continue_leaves_a_network_alone_that_was_made_anew_after_the_run(train, told, host):
    train.press("train")
    assert "made anew" not in told(train__max_steps=9)
    path = make_anew(host)
    before = path.read_bytes()
    said = told()
    assert "ink.pt was made anew after the run ink." in said
    assert "Continue goes on" not in said
    assert "Start training" not in said
    train.press("resume")
    assert "Continue with changes" in train.status
    assert "was made anew after the run to continue" in train.status
    assert path.read_bytes() == before
    train.press("train")
    assert "Trained 9 steps" in train.status
    assert files.load(path).metadata.step == 9
    assert "made anew" not in told()


def test_a_network_of_the_run_that_was_written_again_is_not_made_anew(train, told, host):
    train.press("train")
    path = network_dir(host) / "ink.pt"
    network = files.load(path)
    network.metadata.optional_info = "edited"
    files.save(network, path)
    newest = max(one.stat().st_mtime_ns for one in path.parent.iterdir())
    os.utime(path, ns=(newest + 1, newest + 1))
    said = told(train__max_steps=9)
    assert "made anew" not in said
    assert "Continue goes on to 9" in said
    train.press("resume")
    assert "Trained 5 steps" in train.status


def test_what_a_refusal_of_continue_asks_for_can_be_ticked_in_the_form(train, told, host):
    from hypernetwork_workbench.patches.runs import saved

    told(output__name="other", output__overwrite=False)
    train.press("train")
    make_anew(host).replace(network_dir(host) / "other.pt")
    told(train__max_steps=9)
    train.press("resume")
    assert "“Overwrite”" in train.status
    told(output__overwrite=True)
    train.press("resume")
    assert "Continue with changes" in train.status
    told(output__resume_changed=True)
    train.press("resume")
    assert "Trained 5 steps" in train.status
    assert saved.all_runs()[0][0].job.output.overwrite


def test_a_new_network_is_chosen_and_what_was_refused_before_goes(patched):
    from hypernetwork_workbench.hypernetworks.pages.sentences import done, refused
    from hypernetwork_workbench.patches.tabs.train.tab import chosen_anew

    create_file(CreateSettings(name="fresh"), (24, 32), network_dir(patched))
    patched.module("shared").reload_hypernetworks()
    network, status = chosen_anew("fresh", refused(["there is no network fresh."]))
    assert (network["value"], status) == ("fresh", "")
    assert "fresh" in network["choices"]
    assert chosen_anew("fresh", done("Trained 4 steps."))[1] == gr.update()
    assert chosen_anew("", refused(["wrong"])) == (gr.update(), gr.update())
