"""The limits and first values of a network's settings."""

import pytest
from hypernetwork_workbench.hypernetworks.base.errors import SettingsError
from hypernetwork_workbench.hypernetworks.base.registry import broken_rules
from hypernetwork_workbench.hypernetworks.network.settings import CreateSettings, NetworkSettings
from hypernetwork_workbench.hypernetworks.network.structure import MAX_LAYERS, Structure


def made(**values):
    """Make settings of a network called `ink`, with layers that fit the largest width."""
    return CreateSettings(**{"name": "ink", "layer_structure": (1, 0.5, 1)} | values)


@pytest.mark.parametrize(
    ("field", "accepted", "refused"),
    [
        ("widths", [(2,), (16384,)], [(0,), (16385,)]),
        ("layer_structure", [(1, 0.001, 1), (1, 64, 1)], [(1, 0.0009, 1), (1, 64.1, 1)]),
        ("dropout_structure", [(0, 0.0, 0), (0, 0.99, 0)], [(0, -0.01, 0), (0, 0.995, 0)]),
        ("init_std", [0.0, 1.0], [-0.01, 1.01]),
        ("seed", [0, 2**63 - 1], [-1, 2**63]),
    ],
)
def test_limits_are_accepted_and_what_is_beyond_is_not(field, accepted, refused):
    for value in accepted:
        assert getattr(made(**{field: value}), field) == value
    for value in refused:
        with pytest.raises(SettingsError) as caught:
            made(**{field: value})
        assert caught.value.field == field


def test_what_is_not_said():
    settings = CreateSettings(name="ink")
    pair = Structure((1, 2, 1), activation="relu", weight_init="KaimingNormal", zero_last_layer=True)
    assert settings.structure() == CreateSettings.from_mapping({"name": "ink"}).structure() == pair
    assert (settings.widths, settings.seed, settings.overwrite) == ((), 0, False)
    assert NetworkSettings().file == ""


def weights(**values):
    """Return rule, deviation and zero last layer of what a file with these settings means."""
    settings = NetworkSettings.from_mapping(values)
    return settings.weight_init, settings.init_std, settings.zero_last_layer


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ({"weight_init": "Normal"}, ("Normal", 0.01, False)),
        ({"weight_init": "XavierUniform"}, ("XavierUniform", 0.01, False)),
        ({"init_std": 0.02}, ("Normal", 0.02, False)),
        ({"zero_last_layer": True}, ("Normal", 0.01, True)),
        ({"zero_last_layer": "false"}, ("Normal", 0.01, False)),
        ({"skip_connection": True}, ("Normal", 0.01, False)),
        ({"skip_connection": "yes", "activation": "tanh"}, ("Normal", 0.01, False)),
        ({"activate_output": True}, ("Normal", 0.01, False)),
        ({"activate_output": True, "activation": "sigmoid", "layer_norm": True}, ("KaimingNormal", 0.01, True)),
        ({"activate_output": True, "activation": "swish"}, ("KaimingNormal", 0.01, True)),
        ({"skip_connection": False, "activation": "mish"}, ("KaimingNormal", 0.01, True)),
        ({"layer_structure": "1, 1.5, 1"}, ("KaimingNormal", 0.01, True)),
    ],
)
def test_a_file_keeps_the_first_weights_that_it_says(said, meant):
    """What files said before the defaults were a pair, or of shapes that the pair does not fit, gives the same."""
    assert weights(**said) == meant


def test_a_wrong_value_is_named_and_not_what_depends_on_it():
    for values, field in (({"skip_connection": 5}, "skip_connection"), ({"activation": "glu"}, "activation")):
        with pytest.raises(SettingsError) as caught:
            NetworkSettings.from_mapping(values)
        assert [error.field for error in caught.value.errors] == [field]
    with pytest.raises(SettingsError, match="table of settings"):
        NetworkSettings.from_mapping([1])


def test_what_the_structure_and_the_widths_refuse_is_a_problem_of_the_settings():
    assert list(broken_rules(made(), ())) == []
    for field, values in {
        "upsample_linear": {"upsample_linear": True},
        "widths": {"widths": (5,), "layer_structure": (1, 0.1, 1)},
        "layer_structure": {"widths": (16384,), "layer_structure": (1, 64, 64, 1)},
    }.items():
        with pytest.raises(SettingsError) as caught:
            made(**values)
        assert caught.value.field == field
    assert made(widths=(768, 768)).widths == (768, 768)  # typed twice is meant once


@pytest.mark.parametrize("name", ["", " ", "a/b", "con"])
def test_a_name_that_no_file_can_have_is_a_problem(name):
    with pytest.raises(SettingsError, match="name") as caught:
        CreateSettings(name=name)
    assert [error.field for error in caught.value.errors] == ["name"]


def test_a_good_name_is_none():
    assert CreateSettings(name="ink").name == "ink"


def test_limits_of_a_structure_are_accepted_and_what_is_beyond_is_not():
    for values in ({"layer_structure": (1,) * MAX_LAYERS}, {"layer_structure": (1, 100, 1)}, {"init_std": 1}):
        Structure(**values)
    for values in ({"layer_structure": (1,) * (MAX_LAYERS + 1)}, {"layer_structure": (1, 100.5, 1)}, {"init_std": 1.5}):
        with pytest.raises(SettingsError):
            Structure(**values)
    assert MAX_LAYERS == 64
    assert Structure().check_widths([1, 65536]) == (1, 65536)
    with pytest.raises(SettingsError):
        Structure().check_widths([65537])
    # 0 is no width, and not one that leaves a layer without values.
    with pytest.raises(SettingsError, match="must be whole numbers from 1 to 65536, not 0"):
        Structure().check_widths([0])
