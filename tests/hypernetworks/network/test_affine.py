"""Affine networks as one matrix and one vector."""

import pytest
import torch
from hypernetwork_workbench.hypernetworks.base.errors import MergeError
from hypernetwork_workbench.hypernetworks.network.affine import added_map, check_affine, is_affine, multiply_out
from hypernetwork_workbench.hypernetworks.network.hypernetwork import Structure

from tests.support.networks import random_network

X = torch.randn(2, 3, 8, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    ("reason", "flags"),
    [
        (None, {}),
        (None, {"activate_output": True}),
        (None, {"layer_structure": (1, 1.5, 0.5, 1), "dropout_structure": (0, 0.3, 0, 0)}),
        (None, {"layer_structure": (1, 1), "activation": "relu"}),
        ("the activation relu", {"layer_structure": (1, 1), "activation": "relu", "activate_output": True}),
        ("the activation mish", {"activation": "mish"}),
        ("LayerNorm", {"layer_norm": True, "activation": "relu"}),
        ("residual blocks", {"skip_connection": True, "layer_norm": True}),
    ],
)
def test_affine_networks_are_one_matrix_and_one_vector(reason, flags):
    structure = Structure(**flags)
    assert is_affine(structure) == (reason is None)
    network = random_network(3, **flags)
    if reason is not None:
        with pytest.raises(MergeError, match=f"^'A' has {reason}, and only affine networks can be multiplied out$"):
            check_affine(structure, "'A'")
        assert added_map(network.pair(8)[0], structure) is None
        return
    check_affine(structure)
    for for_v in (False, True):
        module = network.pair(8)[int(for_v)]
        weight, bias = multiply_out(module)
        assert (weight.shape, bias.shape, weight.dtype) == ((8, 8), (8,), torch.float64)
        assert all(map(torch.equal, added_map(module, structure), (weight, bias)))
        weight, bias = weight.float(), bias.float()
        for strength in (1.0, -0.7):
            expected = network.transform(X, strength)[int(for_v)]
            torch.testing.assert_close(X + strength * (X @ weight.T + bias), expected, atol=1e-5, rtol=1e-5)
            # Folded into a linear layer behind it, as into `to_k`.
            layer = torch.nn.Linear(8, 4)
            folded = layer.weight @ (torch.eye(8) + strength * weight)
            shifted = layer.bias + strength * layer.weight @ bias
            torch.testing.assert_close(X @ folded.T + shifted, layer(expected), atol=1e-5, rtol=1e-5)


def test_half_precision_is_multiplied_out_in_more():
    module = random_network(1).half().pair(8)[1]
    wanted = multiply_out(random_network(1).half().double().pair(8)[1])
    assert multiply_out(module)[0].dtype == torch.float64
    assert all(map(torch.equal, multiply_out(module), wanted))


@pytest.mark.parametrize("upsample", [False, True])
def test_residual_blocks_without_a_bend_are_multiplied_out_too(upsample):
    network = random_network(4, skip_connection=True, upsample_linear=upsample, dropout_structure=(0, 0.3, 0))
    module = network.pair(8)[1]
    weight, bias = added_map(module, network.structure)
    assert (weight.dtype, bias.dtype) == (torch.float64, torch.float64)
    torch.testing.assert_close(X + X @ weight.float().T + bias.float(), network.transform(X)[1], atol=1e-5, rtol=1e-5)
    assert next(module.parameters()).dtype == torch.float32
    for bent in ({"activation": "relu"}, {"layer_norm": True}):
        other = random_network(4, skip_connection=True, **bent)
        assert added_map(other.pair(8)[0], other.structure) is None
