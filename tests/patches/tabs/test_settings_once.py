"""Settings are declared once: every field is in the form, in the job file, in the logs and in the network's file."""

from __future__ import annotations

import dataclasses
import warnings

import pytest
from hypernetwork_workbench.hypernetworks import files
from hypernetwork_workbench.hypernetworks.texts.toml import tomllib
from hypernetwork_workbench.hypernetworks.train.settings.job import SECTIONS, Job, ShapeSettings
from hypernetwork_workbench.hypernetworks.train.settings.job_file import job_text, read_tables
from hypernetwork_workbench.hypernetworks.train.tracking.logs import flat

ADDRESSES = [f"{section}.{name}" for section, kind in SECTIONS.items() for name, _, _ in kind.options()]
SHAPE = {field.name for field in dataclasses.fields(ShapeSettings)}


@pytest.fixture
def job(tmp_path):
    return Job.from_mapping({"data": {"folder": str(tmp_path)}, "output": {"name": "n"}})


@pytest.fixture(scope="module")
def forms(host):
    """Addresses of the fields of the Train tab and names of those of the Create tab."""
    import gradio as gr
    from hypernetwork_workbench.patches.tabs.create import tab
    from hypernetwork_workbench.patches.tabs.train import tab as tab_train

    start = {name: {} for name in SECTIONS}
    with warnings.catch_warnings(), gr.Blocks():
        warnings.simplefilter("ignore")
        train, create = tab_train.make_tab(start), tab.make_tab(start)
    return [field.address for field in train.form.fields], [field.name for field in create.form.fields]


def test_every_field_is_in_the_form_once(forms):
    train, create = forms
    assert len(train) == len(set(train))
    assert set(create) >= SHAPE
    assert set(train) | {f"network.{name}" for name in SHAPE} == set(ADDRESSES)


def test_every_field_is_in_the_job_file_and_the_logs(job):
    written = tomllib.loads(job_text(job))
    assert [f"{section}.{name}" for section, table in written.items() for name in table] == ADDRESSES
    assert list(flat(job)) == ADDRESSES


@pytest.mark.parametrize("address", ADDRESSES)
def test_every_field_has_label_and_help_and_a_default_that_is_allowed(address):
    section, _, name = address.partition(".")
    kind, option = next((kind, option) for one, kind, option in SECTIONS[section].options() if one == name)
    assert option.label
    assert option.help.rstrip().endswith((".", ")")), option.help
    assert kind is not None


def test_labels_are_unique_within_the_form():
    labels = [option.label for section, kind in SECTIONS.items() for _, _, option in kind.options()]
    assert len(labels) == len(set(labels))


def test_every_field_is_in_the_folder_and_the_file_of_a_run(tmp_path):
    from hypernetwork_workbench.hypernetworks.train.run import train

    from tests.support.fake_ports import fake_ports
    from tests.support.runs import make_job

    folder = tmp_path / "pictures"
    folder.mkdir()
    from PIL import Image

    Image.new("RGB", (32, 32)).save(folder / "a.png")
    (folder / "a.txt").write_text("a")
    job = make_job(folder, train__max_steps=1, output__sheet=False)
    result = train(job, fake_ports(tmp_path / "host"))
    assert Job.from_mapping(read_tables(result.log.parent / "job.toml")) == job
    assert files.load(result.network).metadata.training["settings"] == job.to_mapping()


def test_no_number_that_a_person_can_enter_is_rounded_before_it_is_judged(host):
    import gradio as gr
    from hypernetwork_workbench.patches.tabs.create import tab
    from hypernetwork_workbench.patches.tabs.dataset import tab as tab_dataset
    from hypernetwork_workbench.patches.tabs.merge import tab as tab_merge
    from hypernetwork_workbench.patches.tabs.train import tab as tab_train

    start = {name: {} for name in SECTIONS}
    with warnings.catch_warnings(), gr.Blocks() as page:
        warnings.simplefilter("ignore")
        tab_dataset.make_tab(start, tab_train.make_tab(start).form)
        tab.make_tab(start)
        tab_merge.make_tab()
    numbers = [one for one in page.blocks.values() if isinstance(one, gr.Number) and one.visible]
    assert len(numbers) > 50
    assert [one.elem_id for one in numbers if one.precision is not None] == []
