"""The page that the server keeps: after a switch its lists of networks are those of now, whatever gradio made it."""

from __future__ import annotations

from types import SimpleNamespace

import gradio as gr
import pytest
from hypernetwork_workbench.patches.patching import page


def made_here(refresh):
    """Return a page of the gradio that is installed."""
    with gr.Blocks() as demo:
        picker = gr.Dropdown(["None"], elem_id="hnw_picker")
        button = gr.Button(elem_id="hnw_picker_refresh")
        other = gr.Button(elem_id="other")
        other.click(lambda: pytest.fail("this is no button of ours"), outputs=[picker])
        button.click(refresh, outputs=[picker])
    demo.config = demo.get_config_file()
    return demo


def made_by_gradio_4(refresh):
    """Return what there is of a page of gradio 4, as Forge has it: no `dependencies`, and functions by their number."""
    picker, button = SimpleNamespace(_id=1, elem_id="hnw_picker"), SimpleNamespace(_id=2, elem_id="hnw_picker_refresh")
    event = {"id": 7, "targets": [(2, "click")], "inputs": [], "outputs": [1]}
    config = {"components": [{"id": 1, "props": {"choices": []}}], "dependencies": [event]}
    return SimpleNamespace(blocks={1: picker, 2: button}, fns={7: SimpleNamespace(fn=refresh)}, config=config)


def pairs(names, render):
    """Return what a dropdown of gradio 4 keeps: each value with the text that is shown for it."""
    assert not render, "no other component may come into the page"
    return SimpleNamespace(choices=[(name, name) for name in names])


@pytest.mark.parametrize(
    ("make", "dropdown", "wanted"),
    [
        (made_here, gr.Dropdown, ["None", "ink"]),
        (made_by_gradio_4, pairs, [("None", "None"), ("ink", "ink")]),
    ],
)
def test_the_lists_of_new_pages_are_read_again(host, monkeypatch, make, dropdown, wanted):
    demo = make(lambda: gr.update(choices=["None", "ink"]))
    monkeypatch.setattr(host.module("shared"), "demo", demo, raising=False)
    monkeypatch.setattr(page.gr, "Dropdown", dropdown)
    page.refresh_lists()
    (kept,) = [one["props"]["choices"] for one in demo.config["components"] if "choices" in one["props"]]
    assert kept == wanted
