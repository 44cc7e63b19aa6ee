"""The cache: when it knows a context again, and when it must not."""

import pytest
import torch
from hypernetwork_workbench.hypernetworks.inference.text_cache import TextCache, is_random, key_of, weights_of

from tests.support.networks import random_network


class Counted:
    """A network in a cache, its runs counted."""

    def __init__(self, network, **flags):
        self.network, self.cache, self.runs = network, TextCache(**flags), 0

    def __call__(self, context):
        def compute():
            self.runs += 1
            return self.network.transform(context)

        got = self.cache.get(key_of((self.network,), 8), context, compute, weights_of((self.network,), 8))
        for one, other in zip(got, self.network.transform(context), strict=True):
            assert torch.equal(one, other)
        return got


@pytest.fixture
def counted():
    return Counted(random_network(1, activation="mish").requires_grad_(False))


def context(seed=0, batch=2):
    return torch.randn(batch, 5, 8, generator=torch.Generator().manual_seed(seed))


def test_one_run_for_the_same_tensor_and_for_the_same_content(counted):
    x = context()
    counted(x)
    counted(x)
    counted(x.clone())
    assert counted.runs == 1


def test_a_tensor_written_into_is_another_context(counted):
    x = context()
    counted(x)
    x[0, 0, 0] += 1
    counted(x)
    assert counted.runs == 2


def test_halves_of_a_batch_and_several_prompts_stay_side_by_side(counted):
    x, y = context(0), context(1)
    for _ in range(3):
        for part in (x[:1], x[1:], y, x):
            counted(part)
    assert counted.runs == 4


def test_another_dtype_is_another_context(counted):
    counted(torch.ones(1, 2, 8))
    counted(torch.ones(1, 2, 8, dtype=torch.float64))
    assert counted.runs == 2


@pytest.mark.parametrize("change", ["write", "replace", "data", "move"])
def test_changed_weights_are_run_again(counted, change):
    x = context()
    counted(x)
    weight = next(counted.network.parameters())
    if change == "write":
        weight.mul_(2)
    elif change == "replace":
        linear = counted.network.pair(8)[0].linear[0]
        linear.weight = torch.nn.Parameter(weight * 2, requires_grad=False)
    elif change == "data":
        weight.data = weight.data * 2
    else:
        counted.network.double()
    counted(x)
    assert counted.runs == 2


def test_new_weights_in_the_place_of_old_ones_are_run_again(counted):
    x = context()
    linear = counted.network.pair(8)[0].linear[0]
    for number in range(6):
        linear.weight = torch.nn.Parameter(torch.full((16, 8), float(number)), requires_grad=False)
        counted(x)
    assert counted.runs == 6


def test_a_result_that_was_written_into_is_not_given_again(counted):
    x = context()
    counted(x)[0].zero_()
    counted(x)
    assert counted.runs == 2


def test_its_memory_is_bounded(counted):
    for seed in range(20):
        counted(context(seed))
    assert len(counted.cache) == counted.cache.limit
    small = Counted(counted.network, limit_bytes=1)
    for seed in range(5):
        small(context(seed))
    assert len(small.cache) == 1
    small(context(4))
    assert small.runs == 5


def test_not_a_number_is_never_known_again_by_content(counted):
    x = torch.full((1, 2, 8), torch.nan)
    counted.cache.get("key", x, lambda: (x, x))
    runs = []
    counted.cache.get("key", x.clone(), lambda: runs.append(1) or (x, x))
    assert runs == [1]


def test_inference_mode_has_results_of_its_own(counted):
    x = context()
    counted(x)
    with torch.inference_mode():
        counted(x)
        inside = context(5)
        counted(inside)
        counted(inside)
    counted(x)
    assert counted.runs == 3


def test_within_one_forward_of_training_gradients_are_exact():
    network = random_network(1, activation="mish").train()
    x = context()
    cache = TextCache(compares=False)
    results = []
    for once in (True, False):
        network.zero_grad()
        total = torch.zeros(())
        for layer in range(4):
            run = cache.get(key_of((network,), 8), x, lambda: network.transform(x)) if once else network.transform(x)
            total = total + (run[0] * run[1]).pow(2).mean() * (layer + 1)
        total.backward()
        results.append([parameter.grad.clone() for parameter in network.parameters()])
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(one, other)


def test_what_is_random_in_training():
    assert not is_random(random_network(1, activation="mish").train())
    dropping = random_network(1, dropout_structure=(0, 0.5, 0))
    assert not is_random(dropping)
    assert is_random(dropping.train())
    assert is_random(random_network(1, activation="rrelu").train())


def test_what_is_kept_can_be_looked_up_without_computing():
    cache, x, y = TextCache(limit=2), context(0), context(1)
    assert cache.find("key", x) is None
    assert len(cache) == 0
    kept = cache.get("key", x, lambda: (x, x))
    cache.get("key", y, lambda: (y, y))
    assert cache.find("key", x) is kept
    assert cache.find("other", x) is None
    assert len(cache) == 2
    cache.get("key", context(2), lambda: (y, y))
    assert cache.find("key", x) is kept  # looked up last, so it stays longest
    assert cache.find("key", y) is None
    cache.clear()
    assert len(cache) == 0


def test_the_memory_of_what_is_kept_is_that_of_results_and_copies():
    x = context()
    for compares, tensors in ((True, 3), (False, 2)):
        room_for_two = 2 * tensors * x.numel() * 4
        for limit_bytes, kept in ((room_for_two, 2), (room_for_two - 1, 1)):
            cache = TextCache(limit_bytes=limit_bytes, compares=compares)
            for other in (context(1), context(2), x):
                cache.get("key", other, lambda other=other: (other.clone(), other.clone()))
            assert len(cache) == kept
    assert (TextCache().limit, TextCache().limit_bytes) == (8, 64 * 1024**2)


@pytest.mark.parametrize("device", ["cpu"])
def test_autocast_has_results_of_its_own(device, counted):
    before = key_of((counted.network,), 8)
    with torch.autocast(device, torch.bfloat16):
        assert key_of((counted.network,), 8) != before
    assert key_of((counted.network,), 8) == before


@pytest.mark.parametrize(("compares", "size"), [(True, 3 * 2 * 5 * 8 * 4), (False, 2 * 2 * 5 * 8 * 4)])
def test_its_memory_is_that_of_results_and_copies(counted, compares, size):
    """A context of [2, 5, 8] float32 has two results of its size, and a copy where contents are compared."""
    for limit_bytes, kept in ((3 * size, 3), (3 * size - 1, 2), (2 * size, 2), (2 * size - 1, 1), (1, 1)):
        some = Counted(counted.network, limit_bytes=limit_bytes, compares=compares)
        contexts = [context(seed) for seed in range(5)]
        for x in contexts:
            some(x)
        assert len(some.cache) == kept
        for x in contexts[-kept:]:
            some(x)
        assert some.runs == 5  # the last ones are kept


def test_eight_contexts_are_kept_in_64_mb_where_nobody_said():
    assert (TextCache().limit, TextCache().limit_bytes, TextCache().compares) == (8, 64 << 20, True)
