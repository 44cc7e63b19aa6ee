import copy

import pytest
import torch
from hypernetwork_workbench.hypernetworks.network.activations import ACTIVATIONS
from hypernetwork_workbench.hypernetworks.network.hypernetwork import Hypernetwork, Structure
from hypernetwork_workbench.hypernetworks.network.layers import WEIGHT_INITS
from torch import nn


def context(width: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(2, 7, width, generator=torch.Generator().manual_seed(seed))


def network(seed: int = 1, **values) -> Hypernetwork:
    return Hypernetwork.create(Structure(**values), [16, 24], seed)


def weights(net: Hypernetwork) -> torch.Tensor:
    return torch.cat([weight.detach().reshape(-1) for weight in net.parameters()])


def test_the_seed_decides_the_weights_and_the_global_random_state_is_left_alone():
    torch.manual_seed(5)
    before = torch.get_rng_state()
    first = network(3)
    unseeded = [Hypernetwork.create(Structure(), [16]) for _ in range(2)]
    assert torch.equal(before, torch.get_rng_state())
    torch.manual_seed(99)
    assert torch.equal(weights(first), weights(network(3)))
    assert not torch.equal(weights(first), weights(network(4)))
    assert not torch.equal(weights(unseeded[0]), weights(unseeded[1]))
    again = Hypernetwork.create(Structure(), [16], unseeded[0].metadata.training["seed"])
    assert torch.equal(weights(unseeded[0]), weights(again))


def test_k_and_v_start_with_different_weights():
    first, second = network().pair(16)
    assert not torch.equal(first.linear[0].weight, second.linear[0].weight)


@pytest.mark.parametrize("strength", [0.0, 0.5, 1.0, -1.0, 1.3])
@pytest.mark.parametrize("residual", [False, True])
def test_strength_scales_what_the_network_adds(strength, residual):
    net = network(skip_connection=residual, weight_init="XavierNormal")
    x = context(16)
    with torch.no_grad():
        full, _ = net.transform(x)
        part, _ = net.transform(x, strength)
    torch.testing.assert_close(part, x + strength * (full - x))
    assert not torch.equal(full, x)
    with torch.no_grad():
        torch.testing.assert_close(full, net.transform(x, 1.0)[0], rtol=0, atol=0)


def test_an_unknown_width_and_strength_zero_give_the_same_object():
    net = network()
    x = context(17)
    assert all(out is x for out in net.transform(x))
    x = context(16)
    assert all(out is x for out in net.transform(x, 0.0))


def test_strength_is_one_in_training():
    net = network(activation="tanh")
    x = context(16)
    whole = net.transform(x)
    net.train()
    for strength in (0.0, 0.3, 5.0):
        assert all(torch.equal(a, b) for a, b in zip(net.transform(x, strength), whole, strict=True))


def test_at_strength_one_nothing_is_multiplied():
    net = network().train()
    out = net.transform(context(16))[0]
    last_layer = net.pair(16)[0].linear(context(16))
    assert out.grad_fn.next_functions[1][0].name() == last_layer.grad_fn.name()
    assert torch.equal(out, context(16) + last_layer * 1.0)


@pytest.mark.parametrize("residual", [False, True])
def test_dropout_works_in_training_only(residual):
    net = network(layer_structure=(1, 2, 1), dropout_structure=(0, 0.5, 0), skip_connection=residual, init_std=0.3)
    x = context(16)
    assert torch.equal(net.transform(x)[0], net.transform(x)[0])
    net.train()
    assert not torch.equal(net.transform(x)[0], net.transform(x)[0])


@pytest.mark.parametrize("name", sorted(ACTIVATIONS))
def test_every_activation_gives_finite_outputs_and_gradients(name):
    net = network(activation=name, activate_output=True, weight_init="XavierUniform").train()
    sum(out.square().sum() for out in net.transform(context(16))).backward()
    gradients = [weight.grad for module in net.pair(16) for weight in module.parameters()]
    assert all(gradient is not None and torch.isfinite(gradient).all() for gradient in gradients)


@pytest.mark.parametrize("rule", WEIGHT_INITS)
def test_initialisers_spread_as_their_rule_says(rule):
    net = Hypernetwork.create(Structure((1, 2, 1), weight_init=rule, init_std=0.02), [256], 0)
    weight = net.pair(256)[0].linear[0].weight
    expected = {"Normal": 0.02, "Xavier": (2 / (256 + 512)) ** 0.5, "Kaiming": (2 / 256) ** 0.5}
    std = expected[rule.removesuffix("Uniform").removesuffix("Normal") or "Normal"]
    assert weight.std().item() == pytest.approx(std, rel=0.02)
    if rule.endswith("Uniform"):
        assert weight.abs().max().item() <= 3**0.5 * std
    assert not net.pair(256)[0].linear[0].bias.any()


def test_layer_norm_starts_at_one():
    norms = [layer for layer in network(layer_norm=True).modules() if isinstance(layer, nn.LayerNorm)]
    assert len(norms) == 2 * 2 * 2
    assert all(bool((norm.weight == 1).all()) and not norm.bias.any() for norm in norms)


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"layer_norm": True, "activation": "relu"},
        {"activation": "sigmoid"},
        {"activation": "relu", "activate_output": True, "layer_norm": True},
        {"activation": "swish", "activate_output": True},
    ],
)
def test_a_zero_last_layer_changes_nothing_at_first_and_learns(values):
    net = network(zero_last_layer=True, weight_init="KaimingNormal", **values)
    x = context(16)
    assert all(torch.equal(out, x) for out in net.transform(x))
    net.train()
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-3)
    (net.transform(x)[0] - 2 * x).square().mean().backward()
    optimizer.step()
    changed = net.eval().transform(x)[0] - x
    assert 0 < changed.abs().max().item() < 0.2


def test_half_weights_take_float_contexts_and_the_other_way_round():
    net = network(weight_init="XavierNormal")
    x = context(16)
    wanted = net.transform(x)[0]
    half = copy.deepcopy(net).half().transform(x)[0]
    assert half.dtype == torch.float32
    torch.testing.assert_close(half, wanted, atol=2e-2, rtol=0)
    out = net.transform(x.half())[0]
    assert out.dtype == torch.float16
    torch.testing.assert_close(out.float(), wanted, atol=1e-2, rtol=0)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert net.transform(x)[0].dtype == torch.float32


def test_a_residual_block_takes_any_number_of_axes():
    net = network(layer_structure=(1, 1.5, 1), skip_connection=True)
    x = context(16)
    flat = net.transform(x.reshape(14, 16))[0]
    torch.testing.assert_close(flat.reshape(2, 7, 16), net.transform(x)[0])


def test_a_linear_upsampling_has_weights_of_its_own():
    net = network(layer_structure=(1, 2, 1), skip_connection=True, upsample_linear=True)
    names = net.pair(16)[0].state_dict()
    assert "linear.0.upsample_layer.weight" in names
    assert "linear.0.upsample_layer.bias" not in names
