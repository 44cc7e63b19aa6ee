"""What the steps are expected to take, and what is said of it, on numbers that were worked out by hand."""

from types import SimpleNamespace

import pytest
import torch
from hypernetwork_workbench.hypernetworks.data.batches import BatchKind
from hypernetwork_workbench.hypernetworks.kernels.memory import MB, Activations
from hypernetwork_workbench.hypernetworks.ports import Computing
from hypernetwork_workbench.hypernetworks.train import memory_plan
from hypernetwork_workbench.hypernetworks.train.memory_plan import MemoryPlan, plan_memory
from hypernetwork_workbench.hypernetworks.train.settings.training import TrainSettings

WEIGHTS = 1 << 20
ONE = (BatchKind(64, 64, 1),)


class Model:
    """A model of which each of three ways to compute takes so many MiB for the batch that it was asked about."""

    dtype = torch.float32

    def __init__(self, device="cpu", sizes=(30, 20, 10), storable_mb=0):
        self.device = torch.device(device)
        self.sizes = sizes
        self.storable_mb = storable_mb
        self.asked = []

    def offloaded_bytes(self):
        return 0

    def storable_bytes(self):
        return self.storable_mb * MB

    def activations(self, _network, batch):
        self.asked.append(batch)
        return Activations(*(size * MB for size in self.sizes))


def planned(model, monkeypatch, free_mb=1000, kinds=ONE, ranks=1, encoders_mb=0, **settings):
    monkeypatch.setattr(memory_plan, "free_bytes", lambda _: free_mb * MB)
    network = SimpleNamespace(parameters=lambda: [torch.empty(WEIGHTS // 4), torch.empty(3 * WEIGHTS // 4)])
    return plan_memory(TrainSettings(**settings), network, model, kinds, ranks, encoders_mb * MB)


@pytest.mark.parametrize(
    ("device", "on_cpu", "copies"),
    [
        ("cuda", False, 3),  # gradients and two moments
        ("cuda", True, 1),  # gradients
        ("cpu", False, 6),  # the same, and weights and two moments to roll back to
        ("cpu", True, 6),
    ],
)
def test_the_copies_of_the_weights_are_counted_where_they_are(device, on_cpu, copies, monkeypatch):
    found = planned(Model(device), monkeypatch, optimizer_on_cpu=on_cpu)
    assert found.state_bytes == copies * 4 * WEIGHTS
    assert found.estimated_mb == 30 + 4 * copies
    assert found.is_exact == (device == "cuda")


@pytest.mark.parametrize(("device", "free_mb"), [("cpu", 250), ("cuda", 1000)])
def test_each_process_computes_its_share_of_a_batch_and_those_on_the_cpu_share_its_memory(device, free_mb, monkeypatch):
    model = Model(device)
    found = planned(model, monkeypatch, kinds=[BatchKind(64, 64, 9)], ranks=4)
    assert model.asked == [(3, 64, 64)]
    assert found.free == free_mb * MB


def test_the_largest_batch_is_asked_about(monkeypatch):
    model = Model()
    planned(model, monkeypatch, kinds=[BatchKind(64, 64, 3), BatchKind(32, 64, 7), BatchKind(128, 64, 1)])
    assert model.asked == [(7, 32, 64)]


@pytest.mark.parametrize(
    ("free_mb", "kind"),
    [
        (65, "none"),  # 0.85 of 65 MiB less 24 for the state leaves 31.25
        (63, "attention"),  # 29.55
        (52, "attention"),  # 20.2
        (51, "all"),  # 19.35
        (1, "all"),
    ],
)
def test_what_fits_into_most_of_the_free_memory_is_chosen(free_mb, kind, monkeypatch):
    assert planned(Model(), monkeypatch, free_mb).computing.checkpointing == kind
    assert planned(Model(), monkeypatch, free_mb, checkpointing="attention").computing.checkpointing == "attention"


@pytest.mark.parametrize(
    ("estimated", "free", "is_exact", "said"),
    [
        (255, 4000, False, "take less than 512 MB in addition to model and network"),
        (256, 4000, False, "take about 256 MB in addition to model and network, of 4000 MB that are free"),
        (255, 512, False, "take about 255 MB"),
        (255, 513, False, "take less than 512 MB"),
        (255, 4000, True, "take about 255 MB"),
        (300, 300, True, "take about 300 MB"),
        (301, 300, True, "is more than is free"),
    ],
)
def test_an_estimate_is_said_where_it_is_worth_something(estimated, free, is_exact, said):
    line = MemoryPlan(Computing(), Activations(estimated * MB, 0, 0), 0, free * MB, is_exact).line()
    assert said in line
    assert ("more than is free" in line) == (estimated > free)


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("none", "nothing is computed twice"),
        ("attention", "transformer blocks are computed again in the backward pass"),
        ("all", "all blocks are computed again in the backward pass"),
    ],
)
def test_what_is_computed_again_is_said(kind, said):
    for activations in (None, Activations(MB, MB, MB)):
        assert f"; {said}." in MemoryPlan(Computing("auto", kind), activations, 0, MB).line()


def test_what_the_encoders_leave_is_free_where_they_are_unloaded(monkeypatch):
    for is_unloaded, free in ((True, 107), (False, 100)):
        found = planned(Model("cuda"), monkeypatch, 100, encoders_mb=7, unload_encoders=is_unloaded)
        assert found.free == free * MB


@pytest.mark.parametrize(
    ("free_mb", "settings", "said"),
    [
        # 30, 20 or 10 MiB for activations and 12 for the state, of which 8 may leave the GPU.
        (42, {"checkpointing": "none"}, ""),
        (41, {"checkpointing": "none"}, "; it fits with train.checkpointing=all."),
        (22, {"checkpointing": "none"}, "; it fits with train.checkpointing=all."),
        (21, {"checkpointing": "none"}, "; it fits with train.checkpointing=all, train.optimizer_on_cpu=true."),
        (14, {}, "; it fits with train.optimizer_on_cpu=true."),
        (13, {}, ": take smaller pictures or batches."),
        (13, {"unload_encoders": False}, "; it fits with train.unload_encoders=true, train.optimizer_on_cpu=true."),
        (12, {"unload_encoders": False, "optimizer_on_cpu": True}, "; it fits with train.unload_encoders=true."),
        (13, {"optimizer_on_cpu": True}, ": take smaller pictures or batches."),
    ],
)
def test_what_would_fit_is_named(free_mb, settings, said, monkeypatch):
    encoders = 5 if settings.get("unload_encoders") is False else 0
    line = planned(Model("cuda"), monkeypatch, free_mb, encoders_mb=encoders, **settings).line()
    assert line.partition(" That is more than is free")[2] == said


def test_on_a_cpu_the_optimizer_is_there_already(monkeypatch):
    assert planned(Model("cpu"), monkeypatch, 20).remedies == ()


@pytest.mark.parametrize(("storage", "freed_mb"), [("as loaded", 0), ("fp8", 500)])
def test_weights_in_eight_bits_leave_more_memory_free(storage, freed_mb, monkeypatch):
    found = planned(Model("cuda", storable_mb=500), monkeypatch, free_mb=100, unet_storage=storage)
    assert (found.free, found.computing.storage) == ((100 + freed_mb) * MB, storage)
    on_cpu = planned(Model(storable_mb=500), monkeypatch, free_mb=100, unet_storage=storage)
    assert on_cpu.free == 100 * MB


def test_weights_in_eight_bits_are_the_last_thing_that_is_advised(monkeypatch):
    model = Model("cuda", (700, 700, 700), storable_mb=500)
    found = planned(model, monkeypatch, free_mb=300)
    assert found.remedies == ("train.optimizer_on_cpu=true", "train.unet_storage=fp8")
    assert planned(model, monkeypatch, free_mb=200, unet_storage="fp8").remedies == ()


def test_weights_in_eight_bits_are_not_advised_where_they_are_refused(monkeypatch):
    found = planned(Model("mps", (700, 700, 700), storable_mb=5000), monkeypatch, free_mb=300)
    assert found.remedies == ()
