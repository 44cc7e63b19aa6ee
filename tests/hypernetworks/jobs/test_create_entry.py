"""What the Create form says about an entry, before anything is made."""

from __future__ import annotations

import pytest
from hypernetwork_workbench.hypernetworks.base.errors import SettingsError
from hypernetwork_workbench.hypernetworks.base.names import check_name
from hypernetwork_workbench.hypernetworks.jobs import create_entry
from hypernetwork_workbench.hypernetworks.network import sizes
from hypernetwork_workbench.hypernetworks.network.activations import ACTIVATIONS
from hypernetwork_workbench.hypernetworks.network.hypernetwork import Hypernetwork, Structure
from hypernetwork_workbench.hypernetworks.network.layers import WEIGHT_INITS
from hypernetwork_workbench.hypernetworks.network.settings import CreateSettings, ShapeSettings

RIGHT = {"name": "ink", "widths": ["24", "32"], "more_widths": ""}


def sentences(**changes):
    return {error.field: error.reason for error in create_entry.check_entry({**RIGHT, **changes}, (24, 32)).problems}


def test_a_right_entry_has_settings_and_no_problem():
    entry = create_entry.check_entry({**RIGHT, "more_widths": "32, 40"}, (24, 32))
    assert entry.problems == ()
    assert entry.widths == (24, 32, 40)
    assert entry.settings.widths == (24, 32, 40)
    assert entry.structure == entry.settings.structure()


WRONG = {
    "name": "a/b",
    "more_widths": "wide",
    "layer_structure": "1, 2",
    "activation": "glu",
    "weight_init": "Best",
    "init_std": -1,
    "dropout_structure": "0, 0.1, 0.1, 0",
    "seed": -5,
    "upsample_linear": True,
}


@pytest.mark.parametrize("field", WRONG)
def test_one_reason_beside_the_field_that_is_wrong(field):
    found = sentences(**{field: WRONG[field]})
    assert list(found) == [field]
    assert not found[field][0].isupper(), "so that a name that begins one needs no capital either"
    assert not found[field].endswith(".")
    assert "_" not in found[field]


def test_every_wrong_field_is_named_at_once():
    assert set(sentences(**{**WRONG, "layer_structure": "1, 2, 1"})) == set(WRONG) - {"layer_structure"}


def test_what_depends_on_a_wrong_field_is_not_blamed():
    assert list(sentences(layer_structure="1, x, 2, 1", dropout_structure="0, 0.1, 0.1, 0")) == ["layer_structure"]


def test_the_example_in_a_sentence_is_accepted():
    sentence = sentences(layer_structure="1, 2, 3, 2, 1", dropout_structure="0, 0.1, 0")["dropout_structure"]
    example = sentence.split("for example ")[1]
    assert sentences(layer_structure="1, 2, 3, 2, 1", dropout_structure=example) == {}


def test_no_width_is_a_problem_only_where_some_can_be_ticked():
    values = {**RIGHT, "widths": []}
    assert [error.field for error in create_entry.check_entry(values, (24, 32)).problems] == ["widths"]
    assert create_entry.check_entry(values).problems == ()


def test_a_width_too_small_for_the_layers_is_named():
    assert "24" in sentences(layer_structure="1, 0.01, 1", widths=["24"])["widths"]


def test_a_taken_name_needs_the_box():
    assert [e.field for e in create_entry.check_entry({**RIGHT, "name": " ink "}, (24, 32), ("ink",)).problems] == [
        "name"
    ]
    assert create_entry.check_entry({**RIGHT, "overwrite": True}, (24, 32), ("ink",)).problems == ()


def test_the_structure_is_known_as_long_as_its_own_fields_are_right():
    assert create_entry.check_entry({**RIGHT, "name": ""}).structure == ShapeSettings().structure()
    assert create_entry.check_entry({**RIGHT, "layer_structure": "1"}).structure is None


def test_every_choice_the_form_offers_is_accepted():
    for activation in ACTIVATIONS:
        for weight_init in WEIGHT_INITS:
            assert sentences(activation=activation, weight_init=weight_init) == {}


def test_a_network_too_large_to_be_meant_is_refused():
    found = sentences(layer_structure="1, 64, 64, 1", more_widths="16384")
    assert list(found) == ["layer_structure"]
    assert "GB" in found["layer_structure"]


@pytest.mark.parametrize("name", ["", "a(b)", "a[b", "a{b}", "a,b", "..", ".a", "nul", "a ", "x" * 300, "\ud800"])
def test_names_that_files_or_prompts_refuse(name):
    with pytest.raises(SettingsError) as raised:
        check_name(name)
    assert raised.value.field == "name"


@pytest.mark.parametrize("name", ["ink", "夜の絵", "Ночь 2", "élan", "a-b_c.v2", "مرحبا"])
def test_names_of_any_language(name):
    assert check_name(name) == name


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"layer_norm": True},
        {"layer_structure": (1, 1.5, 0.5, 1)},
        {"skip_connection": True, "upsample_linear": True},
    ],
)
def test_sizes_are_those_of_the_network(changes):
    structure = Structure(**changes)
    network = Hypernetwork.create(structure, (24, 32), seed=1)
    found = sizes.sizes(structure, (24, 32))
    assert found.parameters == sum(one.numel() for one in network.parameters())
    assert found.file_bytes == {
        "float32": found.parameters * 4,
        "float16": found.parameters * 2,
        "bfloat16": found.parameters * 2,
    }
    assert found.training_bytes == found.parameters * 16


def test_the_size_people_know():
    found = sizes.sizes(Structure(), (768, 320, 640, 1280))
    assert sizes.readable_bytes(found.file_bytes["float32"]) == "87.8 MB"
    assert sizes.readable_bytes(2_500_000_000) == "2.5 GB"
    assert sizes.readable_bytes(1200) == "1.2 kB"


def test_every_field_of_the_structure_can_be_set():
    shape = {name for name, _, _ in CreateSettings.options()}
    assert set(Structure.__dataclass_fields__) <= shape
