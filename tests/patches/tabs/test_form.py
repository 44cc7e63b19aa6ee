"""The forms follow the settings classes: a setting stands where it says, with nothing written anywhere else."""

from __future__ import annotations

import dataclasses
import warnings
from typing import Any

import pytest
from hypernetwork_workbench.hypernetworks.base.options import Group, Settings, groups, setting
from hypernetwork_workbench.hypernetworks.data.settings import ENCODING
from hypernetwork_workbench.hypernetworks.train.settings.job import SECTIONS, CreateSettings

NEW = Group("novelty", "A fold that no form has heard of")
SHOWN = [name for name in SECTIONS if name != "network"]
PLACES = [(section, group) for section in SHOWN for group in (None, *groups([SECTIONS[section]]), NEW)]


def with_one_more(kind: type[Settings], group: Group | None, starts_row: bool = False) -> type[Settings]:
    """Return the class with a setting `made_up` at its end."""
    field = setting("a", "Made up", "No such thing.", group=group, starts_row=starts_row)
    return dataclasses.make_dataclass(kind.__name__, [("made_up", str, field)], bases=(kind,), frozen=True)


def page_of(build: Any) -> dict[str, Any]:
    """Return the blocks of a page by their id."""
    import gradio as gr

    with warnings.catch_warnings(), gr.Blocks() as page, gr.Tabs():
        warnings.simplefilter("ignore")
        build()
    return {block.elem_id: block for block in page.blocks.values() if getattr(block, "elem_id", None)}


def fold_of(block: Any) -> tuple[str, str] | None:
    """Return id and title of the fold that a block stands in."""
    import gradio as gr

    while block is not None and not isinstance(block, gr.Accordion):
        block = block.parent
    return block and (block.elem_id, block.label)


def row_of(block: Any) -> Any:
    import gradio as gr

    while not isinstance(block, gr.Row):
        block = block.parent
    return block


def train_page() -> dict[str, Any]:
    from hypernetwork_workbench.patches.tabs.train import tab

    return page_of(lambda: tab.make_tab({name: {} for name in SECTIONS}))


def dataset_page() -> dict[str, Any]:
    from hypernetwork_workbench.patches.tabs.dataset import tab

    return page_of(lambda: tab.make_tab({name: {} for name in SECTIONS}))


@pytest.mark.parametrize(("section", "group"), PLACES)
def test_a_new_setting_of_a_job_is_shown_where_it_says(host, monkeypatch, section, group):
    monkeypatch.setitem(SECTIONS, section, with_one_more(SECTIONS[section], group))
    found = fold_of(train_page()[f"hnw_train_{section}_made_up"])
    assert found == (group and (f"hnw_train_{group.id}", group.title))


@pytest.mark.parametrize("group", [None, *groups([SECTIONS["data"]]), NEW])
def test_a_new_setting_of_the_dataset_is_in_its_tab_too(host, monkeypatch, group):
    monkeypatch.setitem(SECTIONS, "data", with_one_more(SECTIONS["data"], group))
    page = dataset_page()
    if group == ENCODING:
        assert "hnw_dataset_data_made_up" not in page, "how pictures are encoded is nothing to see there"
    else:
        found = fold_of(page["hnw_dataset_data_made_up"])
        assert found == (group and (f"hnw_dataset_{group.id}", group.title))


@pytest.mark.parametrize("group", [None, *groups([CreateSettings]), NEW])
def test_a_new_setting_of_a_network_is_shown_where_it_says(host, monkeypatch, group):
    from hypernetwork_workbench.patches.tabs.create import tab

    monkeypatch.setattr(tab, "CreateSettings", with_one_more(CreateSettings, group))
    page = page_of(lambda: tab.make_tab({name: {} for name in SECTIONS}))
    assert fold_of(page["hnw_create_made_up"]) == (group and (f"hnw_create_{group.id}", group.title))


@pytest.mark.parametrize("starts_row", [False, True])
def test_a_new_setting_stands_beside_the_one_before_or_below_it(host, monkeypatch, starts_row):
    kind = SECTIONS["data"]
    before = kind.rows(ENCODING)[-1][-1]
    monkeypatch.setitem(SECTIONS, "data", with_one_more(kind, ENCODING, starts_row))
    page = train_page()
    rows = [row_of(page[f"hnw_train_data_{name}"]) for name in (before, "made_up")]
    assert (rows[0] is not rows[1]) == starts_row


def test_the_folds_of_recipes_and_of_the_rate_come_first_and_the_others_as_declared(host):
    import gradio as gr

    folds = [block.label for block in train_page().values() if isinstance(block, gr.Accordion)]
    own = ["Own recipes", "Own data presets"]
    assert folds[:3] == [*own, "More about the learning rate"]
    declared = [group.title for group in groups(SECTIONS[name] for name in SHOWN)]
    assert folds[3:] == [title for title in declared if title != folds[2]]
