"""How pictures are dealt out, and how gradients are added up, without any other process."""

import pytest
import torch
from hypernetwork_workbench.hypernetworks.base.errors import RanksLostError, TrainingError
from hypernetwork_workbench.hypernetworks.ranks import ALONE, Ranks, several


def ranks(rank, size):
    made = Ranks()
    made.rank, made.size = rank, size
    return made


@pytest.mark.parametrize("size", [1, 2, 3, 5])
@pytest.mark.parametrize("batches", [[8], [1, 1, 1], [5, 4, 2], [3, 8, 1, 1, 7]])
def test_every_picture_of_a_step_is_dealt_to_one_process_as_evenly_as_can_be(size, batches):
    counts = [0] * size
    dealt = 0
    for count in batches:
        places = [list(range(count))[ranks(rank, size).share(dealt, count)] for rank in range(size)]
        assert sorted(place for own in places for place in own) == list(range(count))
        counts = [before + len(own) for before, own in zip(counts, places, strict=True)]
        dealt += count
    assert max(counts) - min(counts) <= 1
    assert counts == sorted(counts, reverse=True)


def test_a_process_alone_waits_for_nobody_and_changes_nothing():
    weight = torch.nn.Parameter(torch.ones(2))
    weight.grad = gradient = torch.ones(2)
    loss = torch.tensor(3.0)
    assert ALONE.add_up([weight], loss) is loss
    assert weight.grad is gradient
    assert (ALONE.agreed(True), ALONE.agreed(False)) == (True, False)
    assert ALONE.of_first("text") == "text"
    with ALONE.first_goes_ahead():
        pass
    assert (ALONE.is_first, ALONE.address) == (True, ())
    assert ranks(2, 3).address == ("rank", 2)


@pytest.fixture
def other(monkeypatch):
    """Return what another process adds to each sum, in order; it adds as much to all numbers of a tensor."""
    added = []

    def reduce(tensor, how):
        number = added.pop(0)
        tensor.copy_(
            tensor.maximum(torch.as_tensor(number, dtype=tensor.dtype))
            if tensor.dtype == torch.uint8
            else tensor + number
        )

    monkeypatch.setattr(several.dist, "all_reduce", reduce)
    return added


@pytest.mark.parametrize(
    "carriers", [("cpu",), ("cuda",)]
)  # those of a device that nothing travels from go over the CPU
def test_gradients_are_added_up_where_any_process_has_one(other, carriers):
    one, two, unused = (torch.nn.Parameter(torch.zeros(shape)) for shape in ((2, 3), (2,), (1,)))
    one.grad = torch.full((2, 3), 2.0)
    other += [torch.tensor([0, 1, 0]), 0.5]
    total = several.Several(0, 2, carriers).add_up(iter([one, two, unused]), torch.tensor(3.0))
    assert total.shape == ()
    assert total == 3.5
    assert torch.equal(one.grad, torch.full((2, 3), 2.5))
    assert torch.equal(two.grad, torch.full((2,), 0.5))
    assert unused.grad is None


def test_one_that_cannot_be_reached_is_lost(monkeypatch):
    def fail(*_):
        raise RuntimeError("Connection closed by peer")

    monkeypatch.setattr(several.dist, "all_reduce", fail)
    with pytest.raises(RanksLostError, match=r"^another process of the run has ended$"):
        several.Several(0, 2, ("cpu",)).agreed(False)


def test_processes_that_do_not_find_one_another_say_so(tmp_path):
    (tmp_path / "file").touch()
    found = several.joined(1, 2, f"nowhere://{tmp_path}")
    with pytest.raises(TrainingError, match="process 2 of 2 cannot find the others: "), found:
        pass
