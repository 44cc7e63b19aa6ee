"""Unexpected errors of pages and requests: one sentence in each place, never a bare error."""

from __future__ import annotations

import contextlib
import functools
import os
import subprocess
from pathlib import Path
from typing import Any

import gradio as gr
import pytest
from gradio.utils import get_function_with_locals, get_type_hints
from hypernetwork_workbench.hypernetworks.base.errors import DatasetError

from tests.support import commands

pytestmark = pytest.mark.unexpected


def built(host, handler):
    """Return what the page calls for a button with `handler`, in a tab of ours."""
    from hypernetwork_workbench.patches import tabs

    def build(_params):
        gr.Button("x").click(handler)

    with gr.Blocks(analytics_enabled=False) as page:
        gr.Button("the host's").click(fail)
        registry = tabs.TabRegistry()
        registry.add("x", build)
        registry.build_in_train("x", None)
    return page.fns


def fail():
    raise KeyError("a caption")


def test_a_handler_that_fails_shows_a_sentence(host):
    hosts, ours = built(host, fail)
    with pytest.raises(gr.Error, match="an unexpected error occurred") as caught:
        ours.fn()
    report = Path(str(caught.value).partition("the report ")[2].partition(",")[0])
    assert "KeyError" in report.read_text()
    assert hosts.fn is fail


def test_gradio_can_read_the_annotations_of_a_partial_handler(host):
    def handler(answer: Any) -> Any:
        return answer

    function = get_function_with_locals(built(host, functools.partial(handler, "a"))[1].fn, None, None)
    assert get_type_hints(function) == {}
    assert function() == "a"


def test_a_sentence_that_a_handler_lets_through_is_shown(host):
    def refuse():
        raise DatasetError("no picture")

    with pytest.raises(gr.Error, match="no picture"):
        built(host, refuse)[1].fn()


def test_every_action_of_the_tabs_reports_unexpected_errors(host):
    from hypernetwork_workbench.patches.runs import training
    from hypernetwork_workbench.patches.tabs.dataset import work
    from hypernetwork_workbench.patches.tabs.inspect import work as inspecting
    from hypernetwork_workbench.patches.tabs.merge import baking, compositions
    from hypernetwork_workbench.patches.tabs.merge import work as merging

    actions = [work.look, work.set_caption, work.set_tags, work.undo, work.caption_all, work.make_copies]
    actions += [merging.merge_files, compositions.write_hns, compositions.write_one, baking._bake]
    actions += [inspecting.write_converted, inspecting.rename, inspecting.write_notes, inspecting.compare]
    actions += [training.run_job, training.check_job, training.find_rate_for]
    for action in actions:
        assert action.__code__.co_filename == contextlib.__file__, action  # decorated with `report_unexpected`


def test_a_command_that_fails_is_a_sentence(monkeypatch, tmp_path, capsys):
    from standalone import command_errors

    def main(argv):
        raise KeyError(argv[0])

    monkeypatch.setattr(command_errors, "ROOT", tmp_path)
    monkeypatch.setattr(command_errors.sys, "path", [str(tmp_path), *command_errors.sys.path])
    assert command_errors.with_error_report(main)(["a caption"]) == 1
    shown = capsys.readouterr().err
    assert "an unexpected error occurred (KeyError" in shown
    assert "Traceback" not in shown
    (report,) = (tmp_path / "data" / "reports").iterdir()
    assert str(report) in shown


@pytest.mark.parametrize("arguments", [["--help"], ["queue", "--help"]], ids=["own help", "help of argparse"])
def test_a_reader_that_has_read_enough_ends_a_command_quietly(arguments, monkeypatch):
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)  # argparse swallows what it cannot print at once
    reading, writing = os.pipe()
    os.close(reading)
    process = commands.start("standalone.launcher", *arguments, stdout=writing, stderr=subprocess.PIPE)
    os.close(writing)
    _, said = process.communicate(timeout=60)
    assert (said, process.returncode) == (b"", 141)


def test_a_broken_pipe_of_something_else_is_reported(monkeypatch, tmp_path, capsys):
    from standalone import command_errors

    def main(argv):
        raise BrokenPipeError("of a child")

    monkeypatch.setattr(command_errors, "ROOT", tmp_path)
    monkeypatch.setattr(command_errors.sys, "path", [str(tmp_path), *command_errors.sys.path])
    assert command_errors.with_error_report(main)([]) == 1
    assert "an unexpected error occurred (BrokenPipeError" in capsys.readouterr().err


def test_every_command_has_the_net():
    from standalone import app, bench_command, launcher, train_command

    assert all(
        hasattr(main, "__wrapped__") for main in (app.serve, bench_command.main, launcher.main, train_command.main)
    )
