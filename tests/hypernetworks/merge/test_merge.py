"""Merges tensor by tensor: what each method computes, plans, recipes and refusals."""

import dataclasses

import pytest
import torch
from hypernetwork_workbench.hypernetworks import files
from hypernetwork_workbench.hypernetworks.base.errors import MergeError
from hypernetwork_workbench.hypernetworks.merge import Options, merge, method_names, plan, plans
from hypernetwork_workbench.hypernetworks.network.hypernetwork import Hypernetwork

from tests.support.networks import random_network

WIDTHS = (8, 6)
FLAGS = {"activation": "relu", "layer_norm": True, "dropout_structure": (0, 0.2, 0)}
A, B, C = (random_network(seed, WIDTHS, name, **FLAGS) for seed, name in enumerate("ABC"))


def state(network):
    return {name: tensor.clone() for name, tensor in network.state_dict().items()}


def assert_states(network, expected):
    actual = network.state_dict()
    assert list(actual) == list(expected)
    for name, tensor in actual.items():
        torch.testing.assert_close(
            tensor, expected[name], atol=1e-6, rtol=1e-5, msg=lambda text, name=name: name + text
        )


def combined(function):
    return {name: function(*(net.state_dict()[name] for net in (A, B, C))) for name in A.state_dict()}


def test_weighted_sum_adds_up_the_weights_and_leaves_the_inputs_alone():
    before = [state(net) for net in (A, B, C)]
    result = merge([(A, 0.5), (B, 2), (C, -0.25)])
    assert_states(result, combined(lambda a, b, c: 0.5 * a + 2 * b - 0.25 * c))
    assert result.structure == A.structure
    assert not result.training
    for net, old in zip((A, B, C), before, strict=True):
        assert_states(net, old)
    single = merge([(A, 1.0)])
    assert_states(single, before[0])
    next(single.parameters()).data.fill_(7)
    assert_states(A, before[0])


@pytest.mark.parametrize("third", [1, 0.3, -0.3])
def test_add_difference_adds_what_b_has_beyond_c(third):
    result = merge([(A, 1), (B, 0.3), (C, third)], "add_difference")
    assert_states(result, combined(lambda a, b, c: a + 0.3 * (b - c)))


def test_blocks_take_the_weight_of_the_most_exact_key():
    blocks = {"v": (0, 1), "8": (0.25, 0.75), "8.k": (1, 0)}
    result = merge([(A, 0.5), (B, 0.5)], options=Options(block_weights=blocks))
    wanted = {(8, 0): (1, 0), (8, 1): (0.25, 0.75), (6, 0): (0.5, 0.5), (6, 1): (0, 1)}
    for (width, side), (first, second) in wanted.items():
        parts = (net.pair(width)[side].state_dict() for net in (A, B))
        expected = {name: first * a + second * b for (name, a), b in zip(*map_items(*parts), strict=True)}
        assert_states(result.pair(width)[side], expected)


def map_items(first, second):
    return first.items(), second.values()


def test_svd_cuts_the_difference_to_its_rank():
    result = merge([(A, 1), (B, 0.5)], "svd", Options(rank=2))
    for name, base in A.state_dict().items():
        difference, added = B.state_dict()[name] - base, (result.state_dict()[name] - base) / 0.5
        if base.dim() == 1:
            torch.testing.assert_close(added, difference, atol=1e-5, rtol=1e-5)
            continue
        sizes = torch.linalg.svdvals(difference)
        assert torch.linalg.matrix_rank(added, atol=1e-4) == 2
        torch.testing.assert_close((difference - added).norm(), sizes[2:].norm(), atol=1e-4, rtol=1e-4)
    full = merge([(A, 1), (B, 0.5)], "svd", Options(rank=100))
    assert_states(full, combined(lambda a, b, c: 0.5 * a + 0.5 * b))


def test_dare_drops_by_the_seed_and_makes_up_for_it():
    big = [random_network(seed, (64,), layer_structure=(1, 4, 1)) for seed in (1, 2)]
    options = Options(density=0.25, seed=5)
    result, again = (merge([(big[0], 1), (big[1], 1)], "dare", options) for _ in range(2))
    other = merge([(big[0], 1), (big[1], 1)], "dare", dataclasses.replace(options, seed=6))
    name = "pairs.64.0.linear.0.weight"
    base, difference = (net.state_dict()[name] for net in big)
    difference = difference - base
    added = result.state_dict()[name] - base
    kept = added != 0
    assert torch.equal(result.state_dict()[name], again.state_dict()[name])
    assert not torch.equal(result.state_dict()[name], other.state_dict()[name])
    assert abs(kept.float().mean() - 0.25) < 0.02
    torch.testing.assert_close(added[kept], difference[kept] * 4, atol=1e-5, rtol=1e-4)
    assert_states(merge([(A, 1), (B, 1)], "dare", Options(density=1.0)), state(B))


def test_ties_keeps_the_large_values_that_agree_in_sign():
    def one(values):
        network = Hypernetwork.create(A.structure.__class__(layer_structure=(1, 1)), [2], 0)
        for tensor in network.state_dict().values():
            tensor.copy_(torch.tensor(values).reshape(2, 2) if tensor.dim() == 2 else torch.zeros(2))
        return network

    base, first, second = one([1.0, 1, 1, 1]), one([5.0, -2, 1.5, 1.1]), one([3.0, 2, 4, 0.9])
    result = merge([(base, 1), (first, 1), (second, 1)], "ties", Options(density=0.5))
    # Kept differences: [4, -3, 0, 0] and [2, 0, 3, 0]; the sum of the weights is 2.
    expected = torch.tensor([[1.0 + 2 * 3, 1 - 2 * 3], [1 + 2 * 3, 1]])
    torch.testing.assert_close(result.pair(2)[0].state_dict()["linear.0.weight"], expected)
    half = merge([(base, 1), (first, 0.25), (second, 0.75)], "ties", Options(density=1.0))
    # Scaled differences: [1, -.75, .125, .025] and [1.5, .75, 2.25, -.075], whose second values cancel out.
    expected = torch.tensor([[1 + 2.5, 1.0], [1 + 2.375, 1 - 0.075 / 0.75]])
    torch.testing.assert_close(half.pair(2)[1].state_dict()["linear.0.weight"], expected)
    assert_states(merge([(A, 1), (B, 0.5)], "ties", Options(density=1.0)), combined(lambda a, b, c: (a + b) / 2))


def test_the_recipe_is_kept_in_the_file(tmp_path):
    B.metadata.step = 70
    first = merge([(A, 1), (B, 0.5)], "ties", Options(density=0.3, block_weights={"8.v": (1, 2)}))
    second = merge([(first, 0.5), (C, 0.5)])
    for suffix in (".pt", ".safetensors"):
        files.save(second, tmp_path / f"mix{suffix}")
        loaded = files.load(tmp_path / f"mix{suffix}")
        assert loaded.metadata.name == "mix"
        assert_states(loaded, state(second))
        recipe = loaded.metadata.training["merge"]
        assert recipe["method"] == "weighted_sum"
        assert recipe["networks"][1] == {"name": "C", "step": 0, "weight": 0.5}
        assert recipe["networks"][0]["merge"] == {
            "method": "ties",
            "networks": [{"name": "A", "step": 0, "weight": 1.0}, {"name": "B", "step": 70, "weight": 0.5}],
            "density": 0.3,
            "block_weights": {"8.v": [1.0, 2.0]},
        }


def test_the_checkpoint_is_kept_where_all_share_it():
    one, two = (random_network(seed) for seed in (1, 2))
    for net in (one, two):
        net.metadata.sd_checkpoint, net.metadata.sd_checkpoint_name = "abc", "model"
    assert merge([(one, 1), (two, 1)]).metadata.sd_checkpoint == "abc"
    two.metadata.sd_checkpoint = "def"
    assert merge([(one, 1), (two, 1)]).metadata.sd_checkpoint is None


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"layer_structure": (1, 3, 1)}, r"'Other' has the layer_structure \[1, 3, 1\] and 'A' \[1, 2, 1\]"),
        ({"activation": "mish"}, "'Other' has activation mish and 'A' relu"),
        ({"layer_norm": False}, "'Other' has layer_norm False and 'A' True"),
        ({"activate_output": True}, "'Other' has activate_output True and 'A' False"),
        ({"skip_connection": True}, "'Other' has skip_connection True and 'A' False"),
    ],
)
@pytest.mark.parametrize("method", ["weighted_sum", "svd", "dare", "ties", "add_difference"])
def test_other_forms_are_refused_by_name(flags, message, method):
    other = random_network(9, WIDTHS, "Other", **{**FLAGS, **flags, "dropout_structure": ()})
    networks = [(A, 1), (other, 1), (C, 1)]
    with pytest.raises(MergeError, match=message) as caught:
        merge(networks, method)
    planned = plan(networks, method)
    assert not planned.possible
    assert planned.reason == str(caught.value)


def test_other_widths_are_refused_by_name():
    other = random_network(9, (8,), "Other", **FLAGS)
    with pytest.raises(MergeError, match=r"'Other' has the widths \[8\] and 'A' \[8, 6\]"):
        merge([(A, 1), (other, 1)])


def test_different_dropout_merges_into_none():
    other = random_network(9, WIDTHS, **{**FLAGS, "dropout_structure": ()})
    result = merge([(A, 0.5), (other, 0.5)])
    assert result.structure.dropout_structure == (0, 0, 0)
    x = torch.randn(1, 2, 8)
    assert torch.equal(result.transform(x)[0], merge([(other, 0.5), (A, 0.5)]).transform(x)[0])


@pytest.mark.parametrize(
    ("networks", "method", "options", "message"),
    [
        ([], "weighted_sum", {}, "there is no network to merge"),
        ([(A, 1)], "sum", {}, "the method 'sum' is unknown, the choices are weighted_sum, "),
        ([(A, 1), (B, float("nan"))], "weighted_sum", {}, "the weight of 'B' must be a number"),
        ([(A, "1")], "weighted_sum", {}, "the weight of 'A' must be a number"),
        ([(A, 1), (A, True)], "weighted_sum", {}, r"the weight of network 2 \('A'\) must be a number"),
        ([(A, 1e39)], "weighted_sum", {}, "the weight of 'A' must be a number up to 1000 in size, not 1e"),
        ([(A, 1), (B, 1)], "add_difference", {}, "add_difference needs exactly 3 networks, not 2"),
        ([(A, 0.5), (B, 1), (C, 1)], "add_difference", {}, r"A \+ m \(B - C\) the weight of 'B' is m"),
        ([(A, 1), (B, 0.3), (C, 0.4)], "add_difference", {}, "'C' 1 or the weight of 'B'"),
        ([(A, 1)], "svd", {}, "svd needs at least 2 networks, not 1"),
        ([(A, 0.5), (B, 1)], "ties", {}, "'A' is the base .* its weight must be 1"),
        ([(A, 1), (B, 1)], "svd", {"rank": 0}, "rank: must be a whole number"),
        ([(A, 1), (B, 1)], "svd", {"rank": True}, "rank: must be a whole number"),
        ([(A, 1), (B, 1)], "dare", {"density": 0}, "density: must be a number above 0"),
        ([(A, 1), (B, 1)], "dare", {"seed": -1}, "seed: must be a whole number"),
        ([(A, 1), (B, 1)], "weighted_sum", {"block_weights": {"9": (1, 1)}}, "block_weights: '9' is no block"),
        ([(A, 1), (B, 1)], "weighted_sum", {"block_weights": {"8": (1,)}}, "block_weights: 8 needs 2 numbers"),
        ([(A, 1), (B, 1)], "weighted_sum", {"block_weights": {"k": (1, "1")}}, "block_weights: k needs 2 numbers"),
    ],
)
def test_wrong_input_gives_one_sentence(networks, method, options, message):
    with pytest.raises(MergeError, match=message) as caught:
        merge(networks, method, Options(**options))
    assert "\n" not in str(caught.value)


def test_a_result_that_is_not_finite_is_refused():
    large = random_network(1)
    large.state_dict()["pairs.8.1.linear.0.bias"].fill_(3e38)
    with pytest.raises(MergeError, match=r"the weights of the result are not finite at 8\.v"):
        merge([(large, 2)])


def test_plans_say_for_every_method_what_it_would_do():
    planned = {entry.method: entry for entry in plans([(A, 1), (B, 1)])}
    assert tuple(planned) == method_names()
    possible = {name for name, entry in planned.items() if entry.possible}
    assert possible == {"weighted_sum", "svd", "dare", "ties"}
    assert "needs exactly 3" in planned["add_difference"].reason
    assert "'A' has LayerNorm" in planned["exact_parallel"].reason
    assert "layer_structure [1, 2, 1], activation relu" in planned["weighted_sum"].reason
    for name in possible:
        assert merge([(A, 1), (B, 1)], name).structure == planned[name].structure


@pytest.mark.parametrize("beyond", [0, 1, 100])
def test_a_rank_that_cuts_nothing_changes_no_bit(beyond):
    rank = max(min(tensor.shape) for tensor in A.state_dict().values() if tensor.dim() > 1) + beyond
    whole = merge([(A, 1), (B, 0.5)], "svd", Options(rank=rank)).state_dict()
    for name, tensor in A.state_dict().items():
        assert torch.equal(whole[name], tensor.clone().add_(B.state_dict()[name] - tensor, alpha=0.5))
