"""Layers by hand: what a residual block adds to its input, and the spread of the rules of initialisation."""

import math

import pytest
import torch
from hypernetwork_workbench.hypernetworks.network.hypernetwork import Hypernetwork, Structure
from hypernetwork_workbench.hypernetworks.network.layers import ResidualBlock, initialise
from torch import nn


def block(widths, fill, linear=False):
    made = ResidualBlock(widths, "linear", False, 0.0, linear)
    for weight in made.linear.parameters():
        nn.init.constant_(weight, fill)
    return made


@pytest.mark.parametrize(
    ("widths", "given", "stretched"),
    [
        ((3, 3), [10.0, 20.0, 30.0], [10.0, 20.0, 30.0]),
        # Value i comes from the place of its middle, floor((i + 0.5) * inputs / outputs).
        ((4, 6), [10.0, 20.0, 30.0, 40.0], [10.0, 20.0, 20.0, 30.0, 40.0, 40.0]),
        ((6, 4), [10.0, 20.0, 30.0, 40.0, 50.0, 60.0], [10.0, 30.0, 40.0, 60.0]),
    ],
)
def test_a_residual_block_adds_its_input_stretched_to_the_nearest_value(widths, given, stretched):
    assert block(widths, 0.0)(torch.tensor([[given]])).tolist() == [[stretched]]
    added = 0.5 * sum(given) + 0.5  # weights and bias of 0.5
    assert block(widths, 0.5)(torch.tensor([[given]])).tolist() == [[[value + added for value in stretched]]]


def test_or_by_a_linear_map_of_its_own():
    made = block((2, 3), 1.0, linear=True)
    made.upsample_layer.weight.data = torch.tensor([[1.0, 0.0], [0.0, 2.0], [3.0, 3.0]])
    # 1 + 10 + 20 is what each value gets from the layer itself.
    assert made(torch.tensor([10.0, 20.0])).tolist() == [10 + 31, 40 + 31, 90 + 31]


@pytest.mark.parametrize(
    ("rule", "deviation"),
    [
        ("Normal", 0.07),
        ("XavierNormal", math.sqrt(2 / (400 + 100))),
        ("XavierUniform", math.sqrt(2 / (400 + 100))),
        ("KaimingNormal", math.sqrt(2 / 400)),
        ("KaimingUniform", math.sqrt(2 / 400)),
    ],
)
def test_each_rule_has_the_spread_of_its_paper(rule, deviation):
    layer = nn.Linear(400, 100)
    initialise(nn.Sequential(layer, nn.LayerNorm(100)), rule, 0.07, torch.Generator().manual_seed(1))
    assert layer.weight.std().item() == pytest.approx(deviation, rel=0.02)
    assert abs(layer.weight.mean().item()) < 0.02 * deviation * 5
    if rule.endswith("Uniform"):
        assert layer.weight.abs().max().item() == pytest.approx(math.sqrt(3) * deviation, rel=0.01)
    assert not layer.bias.any()


def kinds(layers):
    return [type(layer) if type(layer) in (nn.Dropout, nn.ReLU) else type(layer).__base__ for layer in layers]


def test_dropout_is_that_of_each_layer_and_activations_stand_where_the_format_has_them():
    structure = Structure(layer_structure=(1, 2, 2, 1), activation="relu", dropout_structure=(0, 0.3, 0.1, 0))
    layers = Hypernetwork.create(structure, (8,), 1).pair(8)[0].linear
    hidden = [nn.Linear, nn.ReLU, nn.Dropout]
    assert kinds(layers) == [*hidden, *hidden, nn.Linear]
    assert [layer.p for layer in layers if isinstance(layer, nn.Dropout)] == [0.3, 0.1]
    residual = ResidualBlock((4, 4), "relu", True, 0.2, False).linear
    assert kinds(residual) == [nn.Linear, nn.LayerNorm, nn.Dropout, nn.ReLU]
    assert residual[2].p == 0.2
