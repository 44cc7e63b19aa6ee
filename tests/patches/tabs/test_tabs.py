"""Where our tabs stand: inside Train, elsewhere where there is no Train, and each off alone."""

from __future__ import annotations

import sys
import types
import warnings

import pytest

#: Ids of our tabs in their order.
TABS = [f"hnw_{name}_tab" for name in ("create", "train", "inspect", "merge", "dataset")]


@pytest.fixture
def callbacks(host):
    """Return the host's callbacks, with nothing registered before and after."""
    from hypernetwork_workbench.patches import tabs

    found = host.module("script_callbacks")
    found.clear_callbacks()
    tabs.forget()
    yield found
    found.clear_callbacks()
    tabs.forget()


@pytest.fixture
def built(monkeypatch):
    """Two tabs of ours that tell what they were built with."""
    from hypernetwork_workbench.patches import tabs

    calls = []
    for name in ("tab_one", "tab_two"):
        module = types.ModuleType(name)
        module.build = lambda params, name=name: calls.append((name, params))
        monkeypatch.setitem(sys.modules, f"{tabs.__package__}.{name}", module)
        tabs.register(name)
    return calls


def top_level(callbacks):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return [(title, name) for _, title, name in callbacks.ui_tabs_callback()]


def test_a_host_with_a_train_tab_has_them_there_at_every_building_of_the_page(callbacks, built):
    for _ in range(2):
        callbacks.ui_train_tabs_callback("params")
        assert top_level(callbacks) == []
    assert built == 2 * [("tab_one", "params"), ("tab_two", "params")]


def test_a_host_without_one_has_them_in_a_tab_of_their_own(callbacks, built):
    for _ in range(2):
        assert top_level(callbacks) == [("Hypernetworks", "hnw_tabs")]
    assert built == 2 * [("tab_one", None), ("tab_two", None)]


def test_a_setting_gives_them_a_tab_of_their_own_with_the_components_of_txt2img(callbacks, built, monkeypatch):
    from hypernetwork_workbench.patches.patching import switches
    from modules import shared

    monkeypatch.setattr(shared.opts, "data", {**shared.opts.data, switches.OWN_TAB: True})
    for _ in range(2):
        callbacks.ui_train_tabs_callback("params")
        assert top_level(callbacks) == [("Hypernetworks", "hnw_tabs")]
    assert built == 2 * [("tab_one", "params"), ("tab_two", "params")]


def test_tabs_beside_others_of_nearly_the_same_names_say_whose_they_are(callbacks):
    import gradio as gr
    from hypernetwork_workbench.patches import tabs

    tabs.register_all()
    with warnings.catch_warnings(), gr.Blocks(), gr.Tabs() as row:
        warnings.simplefilter("ignore")
        gr.Tab("Train_Gamma")
        callbacks.ui_train_tabs_callback("params")
        gr.Tab("Create Beta hypernetwork")
    assert top_level(callbacks) == []
    labels = [tab.label for tab in row.children]
    assert labels[:3] == ["Train_Gamma", "Create Beta Hypernetwork (Workbench)", "Train Gamma (Workbench)"]
    assert labels[3:] == [
        "Train Tuning",
        "Runs",
        "Queue",
        "Inspect Hypernetwork",
        "Merge Hypernetworks",
        "Dataset",
        "Create Beta hypernetwork",
    ]


def test_a_host_that_knows_no_tabs_in_train_is_no_error(callbacks, monkeypatch, request):
    monkeypatch.delattr(callbacks, "on_ui_train_tabs")
    calls = request.getfixturevalue("built")
    assert top_level(callbacks) == [("Hypernetworks", "hnw_tabs")]
    assert [name for name, _ in calls] == ["tab_one", "tab_two"]


def test_one_missing_name_of_the_host_turns_one_tab_off(callbacks, built, monkeypatch, caplog, tmp_path):
    from hypernetwork_workbench.patches import tabs

    (tmp_path / "tab_three.py").write_text("from modules.call_queue import no_such_name\n")
    monkeypatch.setattr(tabs, "__path__", [*tabs.__path__, str(tmp_path)])
    tabs.register("tab_three")
    (record,) = [record for record in caplog.records if record.levelname == "WARNING"]
    assert "tab_three is off" in record.message
    assert "no_such_name" in record.message
    assert len(top_level(callbacks)) == 1
    assert len(built) == 2


def test_an_error_of_our_own_is_not_taken_for_one(callbacks, monkeypatch, tmp_path):
    from hypernetwork_workbench.patches import tabs

    (tmp_path / "tab_four.py").write_text("import no_such_module_of_ours\n")
    monkeypatch.setattr(tabs, "__path__", [*tabs.__path__, str(tmp_path)])
    with pytest.raises(ModuleNotFoundError):
        tabs.register("tab_four")


HELLO = """
import gradio as gr

ORDER = {order}


def build(params):
    gr.HTML("hello", elem_id="hnw_{name}")
"""


def test_a_tab_in_one_file_stands_at_its_place(callbacks, monkeypatch, tmp_path, caplog):
    import gradio as gr
    from hypernetwork_workbench.patches import tabs

    for name, order in (("hello_first", 5), ("hello_middle", 35), ("hello_last", 99)):
        (tmp_path / f"{name}.py").write_text(HELLO.format(order=order, name=name))
        monkeypatch.setitem(sys.modules, f"{tabs.__package__}.{name}", None)
        monkeypatch.delitem(sys.modules, f"{tabs.__package__}.{name}")
    (tmp_path / "broken.py").write_text("ORDER = 1\nraise RuntimeError('broken')\n")
    monkeypatch.setattr(tabs, "__path__", [*tabs.__path__, str(tmp_path)])
    tabs.register_all()
    with warnings.catch_warnings(), gr.Blocks() as page, gr.Tabs():
        warnings.simplefilter("ignore")
        callbacks.ui_train_tabs_callback("params")
    ids = [block.elem_id for block in page.blocks.values() if getattr(block, "elem_id", None)]
    shown = [id_ for id_ in ids if id_.startswith("hnw_hello") or id_ in TABS]
    assert shown == ["hnw_hello_first", *TABS[:3], "hnw_hello_middle", *TABS[3:], "hnw_hello_last"]
    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == ["The part broken is off."]
