"""The last net under pages and requests: one sentence in each place, never a bare error."""

import contextlib
from pathlib import Path

import gradio as gr
import pytest
from hypernetwork_workbench.hypernetworks.base.errors import DatasetError

pytestmark = pytest.mark.unforeseen


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
    with pytest.raises(gr.Error, match="nobody foresaw") as caught:
        ours.fn()
    report = Path(str(caught.value).partition("the report ")[2].partition(",")[0])
    assert "KeyError" in report.read_text()
    assert hosts.fn is fail


def test_a_sentence_that_a_handler_lets_through_is_shown(host):
    def refuse():
        raise DatasetError("no picture")

    with pytest.raises(gr.Error, match="no picture"):
        built(host, refuse)[1].fn()


def test_every_action_of_the_tabs_has_the_net(host):
    from hypernetwork_workbench.patches.runs import training
    from hypernetwork_workbench.patches.tabs.dataset import work
    from hypernetwork_workbench.patches.tabs.inspect import work as inspecting
    from hypernetwork_workbench.patches.tabs.merge import baking, compositions, handlers

    actions = [work.look, work.set_caption, work.set_tags, work.undo, work.caption_all, work.make_copies]
    actions += [handlers.merge_files, compositions.write_hns, compositions.write_one, baking._bake]
    actions += [inspecting.write_converted, inspecting.rename, inspecting.write_notes, inspecting.compare]
    actions += [training.run_job, training.check_job, training.find_rate_for]
    for action in actions:
        assert action.__code__.co_filename == contextlib.__file__, action  # decorated with `told`


def test_a_command_that_fails_is_a_sentence(monkeypatch, tmp_path, capsys):
    from standalone import command_net

    def main(argv):
        raise KeyError(argv[0])

    monkeypatch.setattr(command_net, "ROOT", tmp_path)
    monkeypatch.setattr(command_net.sys, "path", [str(tmp_path), *command_net.sys.path])
    assert command_net.over_net(main)(["a caption"]) == 1
    told = capsys.readouterr().err
    assert "nobody foresaw (KeyError" in told
    assert "Traceback" not in told
    (report,) = (tmp_path / "data" / "reports").iterdir()
    assert str(report) in told


def test_every_command_has_the_net():
    from standalone import app, bench_command, launcher, train_command

    assert all(
        hasattr(main, "__wrapped__") for main in (app.serve, bench_command.main, launcher.main, train_command.main)
    )
