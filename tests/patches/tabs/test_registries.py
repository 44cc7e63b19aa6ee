"""The lists of the tabs are those of the registries: a member added in one file stands in them."""

from __future__ import annotations

import warnings

import gradio as gr
import pytest
from hypernetwork_workbench.hypernetworks.network.activations import ACTIVATIONS, Activation
from hypernetwork_workbench.hypernetworks.train.settings.job import SECTIONS

from tests.support import made_up, rooms


@pytest.fixture
def lists(host, tmp_path, monkeypatch):
    """Return the choices of every list of the tabs Train and Create, by the id of the component."""
    from hypernetwork_workbench.patches.tabs.create import tab as create
    from hypernetwork_workbench.patches.tabs.train import tab as train

    made_up.training_members(tmp_path, monkeypatch)
    rooms.keep(ACTIVATIONS, monkeypatch)
    ACTIVATIONS.add("halved", Activation(ACTIVATIONS["relu"].make))
    start = {name: {} for name in SECTIONS}
    with warnings.catch_warnings(), gr.Blocks() as page:
        warnings.simplefilter("ignore")
        train.make_tab(start)
        create.make_tab(start)
    return {block.elem_id: block.choices for block in page.blocks.values() if isinstance(block, gr.Dropdown)}


@pytest.mark.parametrize(
    ("id_", "name"),
    [
        ("hnw_train_optimizer_name", "Sign"),
        ("hnw_train_schedule_kind", "plain"),
        ("hnw_train_loss_kind", "l1"),
        ("hnw_create_activation", "halved"),
    ],
)
def test_a_member_stands_in_the_list_of_its_tab(id_, name, lists):
    assert name in lists[id_]
