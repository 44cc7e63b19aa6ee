import dataclasses

import pytest
import torch
from hypernetwork_workbench.hypernetworks.base.errors import SettingsError
from hypernetwork_workbench.hypernetworks.network.activations import ACTIVATIONS, RULED_OUT, make_activation
from hypernetwork_workbench.hypernetworks.network.hypernetwork import Hypernetwork, Structure
from hypernetwork_workbench.hypernetworks.network.structure import default_dropout
from hypothesis import given
from hypothesis import strategies as st

from tests.support.examples import examples


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("layer_structure", {"layer_structure": (1,)}),
        ("layer_structure", {"layer_structure": (2, 1)}),
        ("layer_structure", {"layer_structure": (1, 2)}),
        ("layer_structure", {"layer_structure": (1, 0, 1)}),
        ("layer_structure", {"layer_structure": (1, -1, 1)}),
        ("layer_structure", {"layer_structure": (1, float("nan"), 1)}),
        ("layer_structure", {"layer_structure": (1, 1e9, 1)}),
        ("layer_structure", {"layer_structure": "1,2,1"}),
        ("layer_structure", {"layer_structure": (1, True, 1)}),
        ("layer_structure", {"layer_structure": (1,) * 100}),
        ("activation", {"activation": "no such"}),
        ("activation", {"activation": None}),
        ("weight_init", {"weight_init": "Zero"}),
        ("init_std", {"init_std": -0.1}),
        ("init_std", {"init_std": float("inf")}),
        ("layer_norm", {"layer_norm": 1}),
        ("activate_output", {"activate_output": None}),
        ("dropout_structure", {"dropout_structure": (0, 0.3)}),
        ("dropout_structure", {"dropout_structure": (0, 1, 0)}),
        ("dropout_structure", {"dropout_structure": (0, -0.1, 0)}),
        ("dropout_structure", {"dropout_structure": (0, 0.1, 0.1)}),
        ("dropout_structure", {"dropout_structure": (0.1, 0.1, 0)}),
        ("upsample_linear", {"upsample_linear": True}),
        ("zero_last_layer", {"zero_last_layer": True, "skip_connection": True}),
        ("zero_last_layer", {"zero_last_layer": True, "activate_output": True, "activation": "sigmoid"}),
        ("zero_last_layer", {"zero_last_layer": True, "activate_output": True, "activation": "relu"}),
    ],
)
def test_a_wrong_value_names_its_field(field, values):
    with pytest.raises(SettingsError) as caught:
        Structure(**values)
    assert caught.value.field == field
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", sorted(RULED_OUT))
def test_ruled_out_activations_are_refused_with_the_reason(name):
    assert name not in ACTIVATIONS
    with pytest.raises(SettingsError, match=RULED_OUT[name]):
        Structure(activation=name)


def test_the_activations_are_those_of_torch():
    classes = {name.lower() for name in torch.nn.modules.activation.__all__}
    torchs = {name for name, one in ACTIVATIONS.items() if one.is_torchs}
    assert torchs == (classes - set(RULED_OUT)) | {"linear", "swish"}
    assert isinstance(make_activation("swish"), torch.nn.Hardswish)


@pytest.mark.parametrize("widths", [(), (0,), (-768,), (7.0,), (True,), (768, 768), (1 << 20,)])
def test_wrong_widths_are_refused(widths):
    with pytest.raises(SettingsError) as caught:
        Hypernetwork.create(Structure(), widths)
    assert caught.value.field == "widths"


def test_a_width_too_small_for_a_fraction_is_refused():
    with pytest.raises(SettingsError, match="without any value"):
        Hypernetwork.create(Structure(layer_structure=(1, 0.1, 1)), [5])


@pytest.mark.parametrize("seed", [-1, 2**63, 1.5, True, "3"])
def test_a_wrong_seed_is_refused(seed):
    with pytest.raises(SettingsError) as caught:
        Hypernetwork.create(Structure(), [8], seed)
    assert caught.value.field == "seed"


@given(
    layers=st.lists(st.sampled_from([0.5, 0.75, 1, 1.5, 2, 3]), max_size=3),
    widths=st.lists(st.integers(2, 40), min_size=1, max_size=3, unique=True),
    layer_norm=st.booleans(),
    residual=st.booleans(),
    upsample=st.booleans(),
)
@examples(40)
def test_the_parameter_count_is_that_of_the_network(layers, widths, layer_norm, residual, upsample):
    structure = Structure(
        (1, *layers, 1), layer_norm=layer_norm, skip_connection=residual, upsample_linear=residual and upsample
    )
    network = Hypernetwork.create(structure, widths, seed=0)
    assert structure.parameter_count(widths) == sum(weight.numel() for weight in network.parameters())


def test_flags_follow_from_the_dropout_structure():
    plain = Structure((1, 2, 2, 1))
    assert plain.dropout_structure == (0, 0, 0, 0)
    assert (plain.use_dropout, plain.last_layer_dropout) == (False, False)
    first = dataclasses.replace(plain, dropout_structure=[0, 0.3, 0, 0])
    assert (first.use_dropout, first.last_layer_dropout) == (True, False)
    both = dataclasses.replace(plain, dropout_structure=(0, 0.3, 0.2, 0))
    assert (both.use_dropout, both.last_layer_dropout) == (True, True)


@pytest.mark.parametrize(
    ("layers", "last", "expected"),
    [
        ((1, 1), True, (0, 0)),
        ((1, 2, 1), False, (0, 0, 0)),
        ((1, 2, 1), True, (0, 0.3, 0)),
        ((1, 2, 2, 1), False, (0, 0.3, 0, 0)),
        ((1, 2, 3, 2, 1), True, (0, 0.3, 0.3, 0.3, 0)),
    ],
)
def test_the_dropout_of_files_that_only_have_flags(layers, last, expected):
    assert default_dropout(layers, True, last) == expected
    assert default_dropout(layers, False, last) == (0,) * len(layers)
