"""Exact shortcuts against the plain path: random compositions and chains of random networks."""

import pytest
import torch
from hypernetwork_workbench.hypernetworks import compose
from hypernetwork_workbench.hypernetworks.compose.bound import Apply, Blend, Chain
from hypernetwork_workbench.hypernetworks.compose.nodes import Parallel, Sequence, Single
from hypernetwork_workbench.hypernetworks.inference.reduced import (
    MLP,
    Affine,
    Composed,
    Identity,
    _Mish,
    reduce,
    split,
)
from hypernetwork_workbench.hypernetworks.kernels.linear import PackedLinear
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from tests.support.examples import examples
from tests.support.networks import random_network

CPU = torch.device("cpu")
KINDS = (
    {},
    {"layer_structure": (1, 0.25, 1)},
    {"layer_structure": (1, 1.5, 0.5, 1), "dropout_structure": (0, 0.3, 0.2, 0)},
    {"activation": "mish"},
    {"activation": "relu", "layer_structure": (1, 2, 2, 1), "activate_output": True},
    {"activation": "softmax"},
    {"activation": "softsign", "layer_norm": True},
    {"layer_norm": True},
    {"skip_connection": True},
    {"skip_connection": True, "upsample_linear": True, "layer_structure": (1, 1.5, 1)},
    {"skip_connection": True, "activation": "leakyrelu", "layer_structure": (1, 1.5, 1)},
    {"layer_structure": (1, 1), "activation": "relu"},
)


def networks():
    made = {}
    for number, flags in enumerate(KINDS):
        network = random_network(number, (8,) if number % 5 else (8, 4), **flags)
        for tensor in network.state_dict().values():
            tensor.mul_(0.5)
        made[f"N{number}"] = network
    return made


NETWORKS = networks()
strengths = st.floats(-1.5, 1.5).map(lambda value: round(value, 2))
shares = st.floats(0.1, 2).map(lambda value: round(value, 2))
leaves = st.builds(Single, st.sampled_from(sorted(NETWORKS)), strengths)


def parallel(branches):
    unique = list(dict.fromkeys(branches))
    return st.tuples(*[shares] * len(unique)).map(lambda weights: Parallel(tuple(unique), weights))


trees = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.lists(inner, min_size=2, max_size=3).map(lambda steps: Sequence(tuple(steps))),
        st.lists(inner, min_size=2, max_size=3, unique=True).flatmap(parallel),
    ),
    max_leaves=6,
)


def close(got, want):
    scale = max(1.0, want.abs().max().item())
    torch.testing.assert_close(got / scale, want / scale, atol=1e-5, rtol=0)


@torch.no_grad()
def check(step, width=8):
    x = torch.randn(2, 5, width, generator=torch.Generator().manual_seed(0))
    kept = x.clone()
    to = torch.nn.Linear(width, 6, bias=False).double()
    for side, want in enumerate(step.transform(x, x)):
        function = reduce(step, width, bool(side), CPU)
        close(function(x), want)
        head, tail = split(function)
        if tail is not None:
            folded = to.weight + to.weight @ tail.weight.double()
            close(head(x).double() @ folded.t() + to.weight @ tail.bias.double(), to(want.double()))
    assert torch.equal(x, kept)


@examples(150)
@given(st.lists(st.tuples(trees, strengths), min_size=1, max_size=3), st.sampled_from((8, 4)))
def test_random_chains_of_compositions_are_what_the_plain_path_gives(links, width):
    parts = [compose.Composition(root).as_step(NETWORKS, strength) for root, strength in links]
    check(Chain(tuple(parts)), width)


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_each_kind_of_network_alone(name):
    for strength in (1.0, -0.7, 0.0):
        check(Apply(NETWORKS[name], strength))


def test_affine_networks_become_one_map_and_others_stay():
    affine = [Apply(NETWORKS[f"N{number}"], 0.5) for number in (0, 2, 8, 9, 11)]
    mish = Apply(NETWORKS["N3"], 0.5)
    assert isinstance(reduce(Chain(tuple(affine)), 8, False, CPU), Affine)
    assert isinstance(reduce(Blend(tuple((part, 0.2) for part in affine)), 8, False, CPU), Affine)
    after = reduce(Chain((mish, *affine)), 8, False, CPU)
    assert isinstance(after, Composed)
    head, tail = split(after)
    assert isinstance(head, MLP)
    assert isinstance(tail, Affine)
    before = reduce(Chain((*affine, mish)), 8, False, CPU)
    assert split(before) == (before, None)
    assert isinstance(reduce(Chain((affine[1],)), 4, False, CPU), Identity)


def test_a_bottleneck_is_cheaper_than_its_product_until_it_is_folded():
    thin = reduce(Apply(NETWORKS["N1"], 0.5), 8, False, CPU)
    assert isinstance(thin, Affine)
    assert thin.cost == 2 * 8 * 2
    twice = reduce(Chain((Apply(NETWORKS["N1"], 0.5),) * 2), 8, False, CPU)
    assert twice.cost == 64
    wide = reduce(Apply(NETWORKS["N0"]), 8, False, CPU)
    assert wide.cost == 64
    assert MLP(NETWORKS["N0"].pair(8)[0], 1).cost == 256


def test_half_precision_weights_and_inputs():
    with torch.no_grad():
        half = random_network(1, activation="mish").half()
        x = torch.randn(2, 3, 8)
        step = Apply(half, 0.5)
        for side, want in enumerate(step.transform(x, x)):
            got = reduce(step, 8, bool(side), CPU)(x)
            assert got.dtype == want.dtype
            torch.testing.assert_close(got, want, atol=1e-2, rtol=1e-2)
        affine = random_network(2)
        for side, want in enumerate(affine.transform(x.half(), 0.5)):
            got = reduce(Apply(affine, 0.5), 8, bool(side), CPU)(x.half())
            assert got.dtype == torch.float16
            torch.testing.assert_close(got, want, atol=1e-2, rtol=1e-2)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_mish_over_its_input_is_torchs(dtype):
    special = torch.tensor([-1e4, -100, -30, -1e-8, 0, 1e-8, 19.9, 20.1, 88, 1e30, torch.inf], dtype=dtype)
    values = torch.cat([special, torch.linspace(-40, 40, 2001, dtype=dtype)])
    got, want = _Mish()(values.clone()), torch.nn.functional.mish(values)
    tolerance = 4 * torch.finfo(dtype).eps
    torch.testing.assert_close(got, want, rtol=tolerance, atol=tolerance)
    assert _Mish()(values.half()).dtype == torch.float16


@pytest.mark.parametrize("flags", KINDS)
def test_the_way_of_graphics_cards_gives_the_same(flags):
    module = random_network(5, **flags).requires_grad_(False).pair(8)[1]
    x = torch.randn(2, 3, 8)
    mlp = MLP(module, -0.7)
    if mlp.layers:
        torch.testing.assert_close(mlp._elsewhere(x), module(x, -0.7), atol=1e-5, rtol=1e-5)
        assert mlp._elsewhere(x).shape == x.shape


def test_the_affine_map_at_the_end_is_split_off_whatever_stands_before_it():
    bent, plain = random_network(1, activation="mish"), random_network(2)
    chain = Chain((Apply(plain, 0.5), Apply(bent), Apply(random_network(3)), Apply(plain, 0.7)))
    x = torch.randn(2, 3, 8)
    whole = reduce(chain, 8, False, CPU)
    assert [type(part) for part in whole.parts] == [Affine, MLP, Affine]
    rest, last = split(whole)
    assert last is whole.parts[2]
    assert [type(part) for part in rest.parts] == [Affine, MLP]
    torch.testing.assert_close(last(rest(x)), chain.transform(x, x)[0], atol=1e-4, rtol=1e-4)
    bent_last = reduce(Chain((Apply(plain), Apply(bent))), 8, False, CPU)
    assert split(bent_last) == (bent_last, None)


def test_costs_are_multiplications_for_each_token():
    assert reduce(Apply(random_network(1), 0.0), 8, False, CPU).cost == 0
    assert reduce(Apply(random_network(1, activation="mish")), 8, False, CPU).cost == 2 * 8 * 16
    assert reduce(Apply(random_network(1)), 8, False, CPU).cost == 8 * 8
    assert reduce(Apply(random_network(1, layer_structure=(1, 0.25, 1))), 8, False, CPU).cost == 2 * 8 * 2


def test_weights_are_packed_once(monkeypatch):
    packed = []

    class Counted(PackedLinear):
        def __init__(self, *layer):
            packed.append(super().__init__(*layer))

    plain, bent = random_network(1).requires_grad_(False), random_network(2, activation="mish").requires_grad_(False)
    functions = [reduce(Apply(network), 8, False, CPU) for network in (plain, bent)]
    monkeypatch.setattr(f"{MLP.__module__}.PackedLinear", Counted)
    for _ in range(3):
        for function in functions:
            function(torch.randn(1, 2, 8))
    assert len(packed) == 1 + 2


def test_a_share_of_a_chain_of_bottlenecks_is_a_share_of_the_whole():
    thin = [random_network(seed, layer_structure=(1, 0.125, 1)) for seed in (1, 2)]
    chain = Chain(tuple(Apply(network, 0.7) for network in thin))
    assert len(reduce(chain, 8, False, CPU).thin) == 2
    x = torch.randn(2, 3, 8)
    for step in (Blend(((chain, 0.5),)), Blend(((Apply(thin[0]), 0.3),))):
        shared = reduce(step, 8, False, CPU)
        torch.testing.assert_close(shared(x), step.transform(x, x)[0], atol=1e-5, rtol=1e-5)
    assert len(reduce(Blend(((Apply(thin[0]), 0.3),)), 8, False, CPU).thin) == 1


def test_activations_overwrite_their_input_where_they_can_in_copies_of_their_own():
    relu, tanh = (random_network(1, (8,), activation=name).pair(8)[0] for name in ("relu", "tanh"))
    own = {module: [layer for layer in module.linear if not isinstance(layer, nn.Linear)] for module in (relu, tanh)}
    (changed,) = (layer for layer in MLP(relu, 1.0).layers if not isinstance(layer, nn.Linear))
    assert changed.inplace
    assert not own[relu][0].inplace
    (kept,) = (layer for layer in MLP(tanh, 1.0).layers if not isinstance(layer, nn.Linear))
    assert kept is own[tanh][0]


def test_mish_overwrites_its_input_in_every_dtype():
    for dtype in (torch.float32, torch.float64, torch.float16, torch.bfloat16):
        x = torch.linspace(-3, 3, 16).to(dtype)
        assert _Mish()(x) is x
