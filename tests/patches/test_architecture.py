"""docs/ARCHITECTURE.md names every patch."""

from __future__ import annotations

from hypernetwork_workbench.patches import PATCH_SETS
from hypernetwork_workbench.patches.patching import Patch

from tests.support import architecture


def test_every_replaced_function_is_named(host):
    table = architecture.rows("Functions replaced")
    named = {name.strip("`"): set(architecture.CODE.findall(cell)) for name, cell, _ in table}
    expected = {
        patch_set.name: {target for patch in patch_set.patches if isinstance(patch, Patch) for target in patch.targets}
        for patch_set in PATCH_SETS
    }
    expected["xyz_grid"] = {"axis_options"}
    assert named == expected
    assert list(named) == [patch_set.name for patch_set in PATCH_SETS]


def test_no_two_patches_have_one_target_and_one_name(host):
    """A patch would take another of its name for what an earlier copy of itself left behind, and throw it out."""
    patches = [patch for patch_set in PATCH_SETS for patch in patch_set.patches if isinstance(patch, Patch)]
    targets = [(target, patch._name) for patch in patches for target in patch.targets]
    assert len(targets) == len(set(targets))
