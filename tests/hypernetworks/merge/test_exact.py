"""Exact merges: outputs equal what the networks give together, here and by the rules of the other readers."""

import pytest
import torch
from hypernetwork_workbench.hypernetworks import compose, files
from hypernetwork_workbench.hypernetworks.base.errors import MergeError
from hypernetwork_workbench.hypernetworks.merge import Options, merge, plan
from hypernetwork_workbench.hypernetworks.network.activations import ACTIVATIONS
from hypothesis import given
from hypothesis import strategies as st

from tests.support import comfyui_reader, webui_reader
from tests.support.examples import examples
from tests.support.networks import random_network

CLOSE = 1e-4


def context(width, seed=0):
    return torch.randn(3, 4, width, generator=torch.Generator().manual_seed(seed))


def summed(networks, width, blocks=None):
    """x plus the weighted sum of what each network adds, in float64."""
    x = context(width)
    total = [x.double(), x.double()]
    for side in range(2):
        for index, (network, weight) in enumerate(networks):
            share = blocks[side][index] if blocks else weight
            total[side] = total[side] + share * (network.transform(x)[side].double() - x.double())
    return total


def assert_gives(transform, width, expected):
    for output, wanted in zip(transform(context(width)), expected, strict=True):
        assert (output.double() - wanted).abs().max() <= CLOSE * wanted.abs().max()


@pytest.mark.parametrize("activation", sorted(ACTIVATIONS))
@given(data=st.data())
@examples(8)
def test_side_by_side_equals_the_weighted_sum(activation, data, tmp_path):
    depth = data.draw(st.integers(0, 3))
    multipliers = st.lists(st.sampled_from((0.5, 1, 1.25, 1.5, 2, 3)), min_size=depth, max_size=depth)
    activate_output = data.draw(st.booleans())
    widths = data.draw(st.sampled_from([(8,), (8, 12), (7, 10, 5)]))
    networks = []
    for seed in range(data.draw(st.integers(1, 3))):
        flags = {
            "layer_structure": (1, *data.draw(multipliers), 1),
            "activation": activation,
            "activate_output": activate_output,
        }
        if data.draw(st.booleans()):
            flags["dropout_structure"] = (0, *[0.3] * depth, 0)
        own = data.draw(st.sampled_from([widths, widths[:1]]))
        networks.append((random_network(seed, own, **flags), data.draw(st.floats(-2, 2))))
    planned = plan(networks, "exact_parallel")
    result = merge(networks, "exact_parallel")
    assert planned.structure == result.structure
    path = tmp_path / "merged.pt"
    files.save(result, path)
    loaded, other = files.load(path), webui_reader.read(path)
    for width in result.widths:
        expected = summed(networks, width)
        for reader in (result, loaded, other):
            assert_gives(reader.transform, width, expected)


@pytest.mark.parametrize("activation", ["linear", "mish"])
@pytest.mark.parametrize("activate_output", [False, True])
def test_comfyui_gives_the_same(activation, activate_output, tmp_path):
    flags = {"activation": activation, "activate_output": activate_output}
    networks = [(random_network(1, **flags), 0.8), (random_network(2, **flags), 0.2)]
    for method in ("exact_parallel", "exact_sequence") if activation == "linear" else ("exact_parallel",):
        result = merge(networks, method)
        files.save(result, tmp_path / "merged.pt", portable=True)
        reader = comfyui_reader.read(tmp_path / "merged.pt")
        assert_gives(reader.transform, 8, [part.double() for part in result.transform(context(8))])


def test_weights_of_sum_one_equal_the_composition():
    networks = {name: random_network(seed, activation="tanh") for seed, name in enumerate("AB")}
    result = merge([(networks["A"], 0.8), (networks["B"], 0.2)], "exact_parallel")
    expected = compose.parse('{"A": 0.8, "B": 0.2}').transform(context(8), networks)
    assert_gives(result.transform, 8, [part.double() for part in expected])
    assert result.structure.layer_structure == (1, 4, 1)


def test_real_widths_hold_the_summed_widths_to_the_value():
    widths = (320, 640, 1280)
    structures = [(1, multiplier, 1) for multiplier in (1.1, 2.2)]
    pair = [(random_network(1, widths, layer_structure=structure, activation="relu"), 1) for structure in structures]
    structure = plan(pair, "exact_parallel").structure
    assert structure.layer_structure == (1, 3.3, 1)
    assert [structure.layer_widths(width)[1] for width in widths] == [352 + 704, 704 + 1408, 1408 + 2816]


def test_fractions_that_round_each_width_differently_get_spare_values_that_add_nothing():
    networks = [(random_network(seed, (5, 8), layer_structure=(1, 1.5, 1), activation="sigmoid"), 1) for seed in (1, 2)]
    result = merge(networks, "exact_parallel")
    assert result.structure.layer_structure == (1, 3, 1)
    # 7 + 7 values are needed at width 5, and 3 times 5 are there.
    assert result.pair(5)[0].linear[-1].weight[:, -1].abs().max() == 0
    assert_gives(result.transform, 5, summed(networks, 5))


def test_an_activated_output_stands_beside_one_more_layer():
    networks = [
        (random_network(1, activation="tanh", activate_output=True), 0.7),
        (random_network(2, activation="tanh", layer_structure=(1, 2, 3, 1)), -0.4),
    ]
    result = merge(networks, "exact_parallel")
    assert result.structure.layer_structure == (1, 4, 4, 1)
    assert not result.structure.activate_output
    assert_gives(result.transform, 8, summed(networks, 8))


def test_affine_networks_of_different_depth_become_one_map():
    networks = [
        (random_network(1), 0.7),
        (random_network(2, layer_structure=(1, 2, 0.5, 1), activate_output=True), 1.5),
        (random_network(3, layer_structure=(1, 1), activation="relu"), -1),
    ]
    result = merge(networks, "exact_parallel")
    assert result.structure.layer_structure == (1, 1)
    assert_gives(result.transform, 8, summed(networks, 8))


def test_blocks_have_weights_of_their_own():
    networks = [(random_network(seed, activation="relu"), 1) for seed in (1, 2)]
    result = merge(networks, "exact_parallel", Options(block_weights={"k": (2, 0), "8.v": (-1, 0.5)}))
    assert_gives(result.transform, 8, summed(networks, 8, blocks=((2, 0), (-1, 0.5))))


@given(
    strengths=st.lists(st.floats(-1.5, 1.5), min_size=1, max_size=4),
    structures=st.lists(st.sampled_from([(1, 2, 1), (1, 1), (1, 0.5, 1.5, 1)]), min_size=4, max_size=4),
)
@examples(25)
def test_affine_networks_in_a_row_become_one_map(strengths, structures, tmp_path):
    networks = [
        (random_network(seed, (8, 5)[: 1 + seed % 2], layer_structure=structures[seed]), strength)
        for seed, strength in enumerate(strengths)
    ]
    result = merge(networks, "exact_sequence")
    files.save(result, tmp_path / "merged.pt")
    reader = webui_reader.read(tmp_path / "merged.pt")
    for width in result.widths:
        k = v = context(width).double()
        for network, strength in networks:
            if width in network.widths:
                doubled = [module.double() for module in network.pair(width)]
                k, v = doubled[0](k, strength), doubled[1](v, strength)
                network.float()
        assert_gives(result.transform, width, (k, v))
        assert_gives(reader.transform, width, (k, v))


@pytest.mark.parametrize(
    ("method", "flags", "message"),
    [
        ("exact_parallel", {"layer_norm": True}, "'Other' has LayerNorm"),
        ("exact_parallel", {"skip_connection": True}, "'Other' has residual blocks"),
        ("exact_parallel", {"activation": "mish"}, "'Other' has the activation mish and 'A' relu"),
        ("exact_parallel", {"activation": "linear"}, "'Other' has the activation linear and 'A' relu"),
        ("exact_parallel", {"layer_structure": (1, 2, 2, 1)}, "'Other' has 2 hidden layers and 'A' 1"),
        ("exact_parallel", {"activate_output": True}, "'Other' has 2 hidden layers and 'A' 1 .an activated output"),
        ("exact_parallel", {"layer_structure": (1, 99, 1)}, "101 times the attention width, more than the 100"),
        ("exact_sequence", {"activation": "linear"}, "'A' has the activation relu, and only affine"),
    ],
)
def test_what_cannot_be_exact_is_refused_by_name(method, flags, message):
    first = random_network(1, (4,), "A", activation="relu")
    other = random_network(2, (4,), "Other", **{"activation": "relu", **flags})
    networks = [(first, 1), (other, 1)]
    with pytest.raises(MergeError, match=message) as caught:
        merge(networks, method)
    planned = plan(networks, method)
    assert (planned.possible, planned.reason) == (False, str(caught.value))


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"layer_norm": True}, "'Other' has LayerNorm, and only"),
        ({"skip_connection": True}, "has residual blocks, and"),
    ],
)
def test_only_affine_networks_go_in_a_row(flags, message):
    with pytest.raises(MergeError, match=message):
        merge([(random_network(1), 1), (random_network(2, name="Other", **flags), 1)], "exact_sequence")
