"""docs/OPTIONS.md: every option of kohya's guide and of the original's tabs stands there, and what it says is so."""

from __future__ import annotations

import re

import pytest
from hypernetwork_workbench.hypernetworks.data import kohya, kohya_unused
from hypernetwork_workbench.hypernetworks.data.survey.copies import CopySettings
from hypernetwork_workbench.hypernetworks.jobs import kohya_form
from hypernetwork_workbench.hypernetworks.network.settings import CreateSettings
from hypernetwork_workbench.hypernetworks.train.settings.job import SECTIONS
from hypernetwork_workbench.hypernetworks.tuning.space.settings import TuneSettings

from tests import sources
from tests.support.option_names import KOHYA, ORIGINAL, WEBUI

PAGE = (sources.ROOT / "docs" / "OPTIONS.md").read_text(encoding="utf-8")
ROWS = {
    name.strip("`"): (here, note)
    for name, here, note in re.findall(r"^\| (.+?) \| (.+?) \|(?: (.*?))? ?\|$", PAGE, re.MULTILINE)
    if name not in ("there", "---")
}
KINDS = {**SECTIONS, "create": CreateSettings, "tune": TuneSettings, "copies": CopySettings}
ADDRESSES = {f"{section}.{name}" for section, kind in KINDS.items() for name, _, _ in kind.options()}


@pytest.mark.parametrize(
    ("names", "least"), [(KOHYA, 220), (ORIGINAL, 70), (WEBUI, 24)], ids=["kohya", "original", "webui"]
)
def test_no_option_is_nowhere(names, least):
    assert [name for name in names if name not in ROWS] == []
    assert len(set(names)) >= least


def test_the_dataset_file_knows_the_same_options():
    in_files = {*kohya._OF_DATASET, *kohya._OF_SUBSETS, *kohya._OF_ONE_SUBSET, *kohya_unused.UNUSED}
    assert in_files - {"weight"} <= set(KOHYA)  # that one is ours


def test_every_row_leads_to_a_setting_or_has_a_reason():
    for name, (here, note) in ROWS.items():
        if here == "not here":
            assert note, name
        else:
            found = re.findall(r"`([^`]+)`", here)
            assert found, name
            assert set(found) <= ADDRESSES, name


def test_the_table_says_what_load_settings_does():
    for name in KOHYA:
        here, note = ROWS[name]
        is_read = name in kohya_form._SAME or name in kohya_form._SWITCHES or name in kohya_form._OTHERWISE
        if is_read:
            assert here != "not here", name
        if name in kohya_form._SAME:
            assert f"`{kohya_form._SAME[name]}`" in f"{here} {note}", name
    told = {*kohya_form._SAME, *kohya_form._OTHERWISE, *kohya_form._SWITCHES}
    own = {
        "lr",
        "steps",
        "optimizer",
        "max_resolution",
        "folder",
        "regularisation_folder",
        "more_folders",
        "validation_folder",
    }
    assert told - own <= set(KOHYA)
