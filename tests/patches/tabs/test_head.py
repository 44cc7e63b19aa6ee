"""The head of a form: what it finds settings by, which of them are changed, and how they get their defaults back."""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass

import pytest
from hypernetwork_workbench.hypernetworks.base.options import Group, Settings, setting

FOLD = Group("fold", "More of it")


@dataclass(frozen=True)
class Kind(Settings):
    """One setting of each type."""

    rate: float = setting(0.001, "Rate", "How fast.")
    count: int = setting(3, "Count", "How many.", group=FOLD)
    sizes: tuple[int, ...] = setting((1, 2), "Sizes", "How large.", group=FOLD)
    name: str = setting("a", "Name", "What it is called.")
    is_on: bool = setting(False, "On", "Whether.")


@pytest.fixture
def parts(host):
    """Return a form of one section with its head."""
    import gradio as gr
    from hypernetwork_workbench.patches.tabs.form import Form
    from hypernetwork_workbench.patches.tabs.head import Head

    with warnings.catch_warnings(), gr.Blocks():
        warnings.simplefilter("ignore")
        form = Form("hnw_some")
        head = Head(form)
        form.add_rows({"part": Kind}, {"part": {"name": "b"}})
        form.add_folds({"part": Kind}, {}, [FOLD])
        head.fill()
    return form, head


def changed(parts, **entered):
    _, head = parts
    values = {"rate": 0.001, "count": 3, "sizes": "1, 2", "name": "b", "is_on": False, **entered}
    return re.findall(r'data-changed="hnw_some_part_(.*?)"', head.update({"part": values}))


def test_settings_are_found_by_label_help_and_the_name_in_a_job_file(parts):
    page = parts[1]._contents.value
    assert 'data-field="hnw_some_part_count" data-words="Count How many. part.count"' in page
    assert 'data-fold="hnw_some_fold"' in page
    assert "More of it" in page


def test_only_another_value_is_a_change_not_another_way_to_write_it(parts):
    assert changed(parts) == []
    assert changed(parts, rate="1e-3", count="3", sizes=[1, 2], name=" b ") == []
    assert changed(parts, rate=0.002, sizes="1,2,1", is_on=True) == ["rate", "is_on", "sizes"]
    assert changed(parts, name="a", count=None, sizes="many") == ["name", "count", "sizes"]


def test_a_component_of_its_own_starts_with_its_value(host):
    import gradio as gr
    from hypernetwork_workbench.hypernetworks.base.options import Option
    from hypernetwork_workbench.patches.tabs.form import Form

    with warnings.catch_warnings(), gr.Blocks():
        warnings.simplefilter("ignore")
        form = Form("hnw_some")
        for name, component in (
            ("text", gr.Textbox("", elem_id="text")),
            ("filled", gr.Textbox("as it was", elem_id="filled")),
            ("choice", gr.Dropdown(["a", "b"], value=None, elem_id="choice")),
            ("ticks", gr.CheckboxGroup(["1", "2"], value=[], elem_id="ticks")),
        ):
            form.add_component("", name, Option(name, ""), component)

    def found(*entered):
        return [field.name for field in form.changed(form.values(entered))]

    assert found("", "as it was", None, []) == []
    assert found("768", "other", "b", ["2"]) == ["text", "filled", "choice", "ticks"]


def test_a_field_gets_what_it_started_with_again(parts):
    import gradio as gr

    form, head = parts
    asked = []
    with gr.Blocks() as page:
        for component in (*form.components, head._reset, head._which):
            component.render()
        head.connect(lambda changes, given: asked.append((changes, given)) or [None], [], [form.components[0]])
    page.fns[-1].fn("hnw_some_part_name", 5)
    page.fns[-1].fn("hnw_some_part_sizes")
    page.fns[-1].fn("no such field")
    assert asked == [({"part.name": "b"}, (5,)), ({"part.sizes": (1, 2)}, ()), ({}, ())]
