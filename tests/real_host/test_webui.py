"""The extension in the real WebUI: nothing of the host is lost, and its Train button trains through us."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.real_host import workplace
from tests.real_host.conftest import Bare
from tests.real_host.webui import WebUI

NETWORK = "first"
ORIGINAL = "Hypernetwork-MonkeyPatch-Extension"
TROUBLE = ("Traceback", "Error", "error:", "WARNING", "Warning")


@pytest.fixture(scope="session")
def created(host: WebUI) -> str:
    """Return a network created through the host's own route; one whose first step changes nothing."""
    host.call(
        "/sdapi/v1/create/hypernetwork", {"name": NETWORK, "enable_sizes": ["96", "64", "128"], "overwrite_old": False}
    )
    return NETWORK


@pytest.fixture(scope="session")
def trained(host: WebUI, created: str, pictures: Path) -> str:
    """Return the network after three steps through the host's own route."""
    said = host.train(created, pictures, 3)
    assert "error: None" in said, said
    return created


def with_network(name: str, strength: float = 1.0) -> dict[str, str]:
    """Return the change of a request that makes it use the network."""
    return {"prompt": f"a red circle<hypernet:{name}:{strength}>"}


def test_the_start_says_nothing_bad(host: WebUI, bare: Bare) -> None:
    before = {line for line in bare.log.splitlines() if any(word in line for word in TROUBLE)}
    after = [line for line in host.start_log.splitlines() if any(word in line for word in TROUBLE)]
    assert not [line for line in after if line not in before]


def test_the_start_says_who_else_replaces_what(host: WebUI) -> None:
    said = [line for line in host.start_log.splitlines() if "replaces these functions too" in line]
    for line in said:
        assert any(f"The extension {other.name} replaces" in line for other in workplace.beside()), line
    if any(other.name == ORIGINAL for other in workplace.beside()):
        assert any(f"{ORIGINAL} " in line and "load_hypernetwork" in line for line in said)


def test_pictures_without_networks_are_the_bare_hosts(host: WebUI, bare: Bare) -> None:
    np.testing.assert_array_equal(host.picture(), bare.plain)
    np.testing.assert_array_equal(host.picture(seed=8, prompt="two blue squares"), bare.other)


def test_a_trained_network_changes_the_picture_by_its_strength(host: WebUI, trained: str, bare: Bare) -> None:
    full, none = host.picture(**with_network(trained)), host.picture(**with_network(trained, 0))
    assert np.abs(full.astype(int) - bare.plain).max() > 2
    np.testing.assert_array_equal(none, bare.plain)
    assert "Loading hypernetwork" not in host.log  # the host's own reader was not asked


def test_the_console_says_what_a_run_is_made_of(host: WebUI, trained: str) -> None:
    assert "Pictures: 2 can be used." in host.log
    assert "Captions: 2 from caption files." in host.log
    assert host.log.count("Captions: 2 from caption files.") == host.log.count("Pictures: 2 can be used.")


def test_uninstalled_patches_leave_the_bare_host(host: WebUI, trained: str, bare: Bare) -> None:
    host.call("/sdapi/v1/options", {"hnw_exact_shortcuts": False})  # they round in another order
    ours = host.picture(**with_network(trained))
    host.call("/probe/uninstall", {})
    try:
        np.testing.assert_array_equal(host.picture(), bare.plain)
        assert all(not any("patching.py" in file for file in files) for files in host.call("/probe/layers").values())
        np.testing.assert_array_equal(host.picture(**with_network(trained)), ours)
    finally:
        host.call("/probe/install", {})
    np.testing.assert_array_equal(host.picture(**with_network(trained)), ours)
    host.call("/sdapi/v1/options", {"hnw_exact_shortcuts": True})
    assert np.abs(host.picture(**with_network(trained)).astype(int) - ours).max() <= 1


def test_reloading_the_page_twice_doubles_nothing(host: WebUI, trained: str, bare: Bare) -> None:
    before = _installed(host)
    ours = host.picture(**with_network(trained))
    tabs = _our_ids(host)
    for _ in range(2):
        host.reload()
        assert _installed(host) == before
        assert _our_ids(host) == tabs
    np.testing.assert_array_equal(host.picture(**with_network(trained)), ours)
    np.testing.assert_array_equal(host.picture(), bare.plain)


def test_nothing_of_ours_is_a_module_at_the_top(host: WebUI) -> None:
    assert not [name for name, file in host.call("/probe/modules").items() if workplace.OURS in file]


def _installed(host: WebUI) -> list[object]:
    """Tell what runs below each of our targets, and all axes of the grid."""
    return [host.call("/probe/layers"), sorted(host.call("/probe/axes"))]


def _our_ids(host: WebUI) -> list[str]:
    ids = (part["props"].get("elem_id") or "" for part in host.call("/config")["components"])
    return sorted(name for name in ids if name.startswith("hnw_"))
