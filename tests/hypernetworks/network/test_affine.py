"""Affine networks as one matrix and one vector."""

import pytest
import torch
from hypernetwork_workbench.hypernetworks.base.errors import MergeError
from hypernetwork_workbench.hypernetworks.network.fold import affine_map, is_affine
from hypernetwork_workbench.hypernetworks.network.hypernetwork import Structure

from tests.support.networks import random_network

X = torch.randn(2, 3, 8, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    ("affine", "flags"),
    [
        (True, {}),
        (True, {"activate_output": True}),
        (True, {"layer_structure": (1, 1.5, 0.5, 1), "dropout_structure": (0, 0.3, 0, 0)}),
        (True, {"layer_structure": (1, 1), "activation": "relu"}),
        (False, {"layer_structure": (1, 1), "activation": "relu", "activate_output": True}),
        (False, {"activation": "mish"}),
        (False, {"layer_norm": True}),
        (False, {"skip_connection": True}),
    ],
)
def test_affine_networks_are_one_matrix_and_one_vector(affine, flags):
    assert is_affine(Structure(**flags)) == affine
    network = random_network(3, **flags)
    if not affine:
        with pytest.raises(MergeError, match="the network is not affine"):
            affine_map(network, 8, for_v=False)
        return
    for for_v in (False, True):
        weight, bias = affine_map(network, 8, for_v)
        assert (weight.shape, bias.shape, weight.dtype) == ((8, 8), (8,), torch.float32)
        for strength in (1.0, -0.7):
            expected = network.transform(X, strength)[int(for_v)]
            torch.testing.assert_close(X + strength * (X @ weight.T + bias), expected, atol=1e-5, rtol=1e-5)
            # Folded into a linear layer behind it, as into `to_k`.
            layer = torch.nn.Linear(8, 4)
            folded = layer.weight @ (torch.eye(8) + strength * weight)
            shifted = layer.bias + strength * layer.weight @ bias
            torch.testing.assert_close(X @ folded.T + shifted, layer(expected), atol=1e-5, rtol=1e-5)


def test_a_width_the_network_lacks_is_named():
    with pytest.raises(MergeError, match="A has no attention width 9"):
        affine_map(random_network(1, name="A"), 9, for_v=False)


def test_half_precision_is_folded_in_float32():
    assert affine_map(random_network(1).half(), 8, for_v=True)[0].dtype == torch.float32
