"""A merge method is one file: what it says of itself is known everywhere, and no list names the methods by hand."""

from __future__ import annotations

import ast
import json

import pytest
import torch
from hypernetwork_workbench.hypernetworks import files, merge
from hypernetwork_workbench.hypernetworks.base.errors import MergeError, SettingsError
from hypernetwork_workbench.hypernetworks.jobs import json_schema
from hypernetwork_workbench.hypernetworks.merge import blocks, check
from hypernetwork_workbench.hypernetworks.merge.inputs import check_inputs
from hypernetwork_workbench.hypernetworks.merge.method import METHODS
from hypernetwork_workbench.hypernetworks.merge.settings import OWN_OPTIONS, MergeSettings, used_fields
from hypernetwork_workbench.hypernetworks.pages import merge as page

from tests import sources
from tests.support import made_up, rooms
from tests.support.networks import random_network

A, B, C = (random_network(seed, (8, 6), name, layer_structure=(1, 1)) for seed, name in enumerate("ABC"))


@pytest.fixture
def middle(tmp_path, monkeypatch):
    """Add a method in one file, between DARE and TIES."""
    made_up.merge_method(tmp_path, monkeypatch)


def test_one_file_is_a_method_with_its_place_plan_and_recipe(middle, tmp_path):
    names = merge.method_names()
    assert names.index("dare") + 1 == names.index("middle") == names.index("ties") - 1
    planned = {plan.method: plan for plan in merge.plans([(A, 1), (B, 0.5)])}
    assert list(planned) == list(names)
    assert planned["middle"].reason.startswith("goes half the way; the result has")
    assert not merge.plan([(A, 1)], "middle").possible
    assert not merge.plan([(A, 0.5), (B, 1)], "middle").possible
    with pytest.raises(MergeError, match=r"the choices are .*dare, middle, ties"):
        merge.merge([(A, 1)], "nothing")
    result = merge.merge([(A, 1), (B, 0.5)], "middle", merge.Options(density=0.25, rank=3))
    recipe = result.metadata.training["merge"]
    assert {name: value for name, value in recipe.items() if name != "networks"} == {
        "method": "middle",
        "density": 0.25,
    }
    files.save(result, tmp_path / "middle.pt")
    assert files.load(tmp_path / "middle.pt").metadata.training["merge"] == recipe


def test_one_file_is_a_method_with_its_refusals(middle):
    other = random_network(5, (8, 6), "Other", layer_norm=True, layer_structure=(1, 1))
    planned = merge.plan([(A, 1), (other, 1)], "middle")
    assert not planned.possible
    assert planned.reason == "'Other' has LayerNorm, and the middle has none"
    with pytest.raises(MergeError, match="the middle has none"):
        merge.merge([(A, 1), (other, 1)], "middle")


def test_one_file_is_a_method_in_the_settings_and_on_the_page(middle):
    settings = MergeSettings(network_1="A", network_2="B", weight_2=0.5, method="Middle (half the way)", density=0.25)
    assert settings.method_name == "middle"
    assert settings.weights("middle") == (1, 0.5)
    assert used_fields(settings.method, (1, 2, 3)) == {"weight_2", "weight_3", "density", "block_weights"}
    assert settings.method in json_schema.of_settings(MergeSettings)["properties"]["method"]["enum"]
    with pytest.raises(SettingsError, match=r"must be one of .*, Middle \(half the way\), TIES"):
        MergeSettings(method="middle")
    assert blocks.parse("k=0.3", "middle", 3, (8,)) == {"k": (1, 0.3, 0.3)}
    assert "<b>Middle (half the way)</b>" in page.methods_table(merge.plans([(A, 1), (B, 1)]), "middle")


def test_one_file_is_a_method_with_its_expected_output(middle):
    pairs = [(A, 1), (B, 0.5)]
    result = merge.merge(pairs, "middle", merge.Options(density=0.25))
    found = check.differences(result, check_inputs(pairs, merge.Options()), "middle")
    assert "what lies between them" in page.check_table(found, check.compared_with("middle"))
    assert all(one.largest is not None and one.largest < 1e-5 for one in found)


ITS_OWN = """
import json
from hypernetwork_workbench.hypernetworks import merge
from hypernetwork_workbench.hypernetworks.jobs import json_schema
from hypernetwork_workbench.hypernetworks.merge.settings import OWN_OPTIONS, MergeSettings, used_fields
from hypernetwork_workbench.hypernetworks.network.hypernetwork import Hypernetwork, Structure

networks = [(Hypernetwork.create(Structure(), (8,), seed), 1.0) for seed in (1, 2)]
settings = MergeSettings(method="Slide (between the networks)", network_1="A", network_2="B", slide=0.25)
options = settings.merge_options("slide", (8,))
try:
    merge.Options(slide=2)
except merge.MergeError as error:
    refused = str(error)
print(json.dumps([
    merge.method_names()[-1], OWN_OPTIONS[-1], sorted(used_fields(settings.method, (1, 2))),
    json_schema.of_settings(MergeSettings)["properties"]["slide"], refused,
    merge.merge(networks, "slide", options).metadata.training["merge"]["slide"],
    merge.merge(networks, "slide").metadata.training["merge"]["slide"],
]))
"""


def test_an_option_of_its_own_stands_in_the_same_file(tmp_path):
    one_more = {"hypernetworks/merge/methods/slide.py": made_up.MERGE_WITH_AN_OPTION}
    found = json.loads(rooms.answer(one_more, ITS_OWN, tmp_path))
    name, last, used, schema, refused, chosen, default = found
    assert (name, last, used) == ("slide", "slide", ["block_weights", "slide", "weight_1", "weight_2"])
    assert (schema["title"], schema["default"], schema["maximum"]) == ("Slide", 0.5, 1)
    assert refused == "slide: must be a number from 0 to 1, not 2"
    assert (chosen, default) == (0.25, 0.5)


def test_no_other_source_names_a_method_or_an_option_of_methods():
    """A composition is made of three methods, and the first is the default of `merge`; a rank may be a process."""
    names = {*METHODS, *(method.label for method in METHODS.values())} - {"weighted_sum", "Weighted sum"}
    names -= {"exact_parallel", "exact_sequence"}
    names |= {*OWN_OPTIONS} - {"multiplier", "seed"}
    wrong = [
        f"{path.relative_to(sources.ROOT)}:{node.lineno} {node.value}"
        for path in sources.paths()
        if path.parent.name not in {"methods", "ranks"} and path.name != "method_options.py"
        for node in ast.walk(sources.tree(path))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in names
    ]
    assert wrong == []


def test_the_seed_fixes_what_is_drawn_whatever_was_drawn_before():
    first = merge.merge([(A, 1), (B, 1)], "dare", merge.Options(seed=3))
    torch.rand(5)
    second = merge.merge([(A, 1), (B, 1)], "dare", merge.Options(seed=3))
    for name, tensor in first.state_dict().items():
        assert torch.equal(tensor, second.state_dict()[name])
