"""Linked networks on the embedded host: listed, and used wherever a network is named; typed paths stay confined."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypernetwork_workbench.hypernetworks.base.errors import SettingsError

from tests.patches.test_on_host import generate, save_network

pytestmark = pytest.mark.skipif(os.name != "posix", reason="links need rights elsewhere")


@pytest.fixture
def linked(patched: Any, tmp_path: Path) -> Iterator[Path]:
    """Return the link `far` in the host's folder to a network outside of it; another one, `lost`, leads nowhere."""
    path = save_network(patched, "far")
    real = path.replace(tmp_path / "drive.bin")
    (tmp_path / "second").symlink_to(real)
    path.symlink_to(tmp_path / "second")
    lost = path.with_name("lost.pt")
    lost.symlink_to(tmp_path / "nowhere")
    patched.module("shared").reload_hypernetworks()
    yield path
    for link in (path, lost):
        link.unlink(missing_ok=True)


def test_a_prompt_takes_it_and_names_one_that_leads_nowhere(patched: Any, linked: Path):
    assert {"far", "lost"} <= set(patched.module("shared").hypernetworks)
    plain = generate(patched, "a red circle")[0]
    picture, processed = generate(patched, "a red circle<hypernet:far:1>")
    assert not np.array_equal(picture, plain)
    assert processed.comments == ""
    _, processed = generate(patched, "a red circle<hypernet:lost:1>")
    assert "lost.pt: it is a link to" in processed.comments
    assert "where there is no file" in processed.comments


def test_a_link_that_leads_elsewhere_now_is_read_anew(patched: Any, linked: Path, tmp_path: Path):
    first = generate(patched, "a red circle<hypernet:far:1>")[0]
    other = save_network(patched, "other", seed=9).replace(tmp_path / "other.bin")
    os.utime(other, ns=(1, (tmp_path / "drive.bin").stat().st_mtime_ns))
    linked.unlink()
    linked.symlink_to(other)
    assert not np.array_equal(generate(patched, "a red circle<hypernet:far:1>")[0], first)


def test_compositions_may_be_links_and_name_them(patched: Any, linked: Path, tmp_path: Path):
    (tmp_path / "real.hns").write_text('{"far": 0.5}', encoding="utf-8")
    composition = linked.with_name("mix.hns")
    composition.symlink_to(tmp_path / "real.hns")
    patched.module("shared").reload_hypernetworks()
    try:
        half = generate(patched, "a red circle<hypernet:far:0.5>")[0]
        assert np.array_equal(generate(patched, "a red circle<hypernet:mix:1>")[0], half)
    finally:
        composition.unlink()


def test_the_tabs_and_the_api_open_it_by_its_name(patched: Any, linked: Path):
    from hypernetwork_workbench.patches.api import routes
    from hypernetwork_workbench.patches.runs import job
    from hypernetwork_workbench.patches.tabs.inspect import work

    assert work.network_path("far") == linked
    assert "f<!---->ar.pt" in work.page(linked)
    assert routes.inspect({}, "far")["widths"]
    assert work.compare("far", "far")
    made = routes.merge({"method": "weighted_sum", "network_1": "far", "network_2": "far", "name": "merged"})
    assert made["name"] == "merged"
    assert job.listed_name(str(linked)) == "far"
    with pytest.raises(SettingsError, match=r"far exists already|far\.pt is a link"):
        routes.create({"name": "far", "widths": [8]})
    with pytest.raises(SettingsError, match=r"lost\.pt is a link to .*choose another name"):
        routes.create({"name": "lost", "widths": [8]})


@pytest.mark.parametrize("typed", ["../drive.bin", "{outside}/drive.bin", "{outside}/second"])
def test_a_typed_path_opens_nothing_outside_of_the_folder(patched: Any, linked: Path, tmp_path: Path, typed: str):
    from hypernetwork_workbench.patches.api import routes

    name = typed.format(outside=tmp_path)
    with pytest.raises(SettingsError, match="there is no network"):
        routes.inspect({}, name)
    with pytest.raises(SettingsError, match="there is no network"):
        routes.merge({"method": "weighted_sum", "network_1": name, "network_2": "far", "name": "merged2"})
