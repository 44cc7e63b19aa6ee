"""An activation is one row: what it says of itself is known everywhere."""

from __future__ import annotations

import pytest
import torch
from hypernetwork_workbench.hypernetworks import files, report
from hypernetwork_workbench.hypernetworks.base.errors import HypernetworkFileError, SettingsError
from hypernetwork_workbench.hypernetworks.inference.text_cache import has_dropout
from hypernetwork_workbench.hypernetworks.jobs import json_schema
from hypernetwork_workbench.hypernetworks.merge import merge
from hypernetwork_workbench.hypernetworks.network.activations import ACTIVATIONS, Activation
from hypernetwork_workbench.hypernetworks.network.settings import CreateSettings
from hypernetwork_workbench.hypernetworks.network.structure import Structure

from tests.support import comfyui_reader, rooms
from tests.support.networks import random_network


class Halved(torch.nn.Module):
    """Halves what is above 0."""

    def forward(self, x):
        return torch.where(x > 0, x / 2, x)


@pytest.fixture
def add(monkeypatch):
    """Return what adds the activation `halved` for one test."""
    rooms.keep(ACTIVATIONS, monkeypatch)
    return lambda **known: ACTIVATIONS.add("halved", Activation(Halved, **known))


def test_a_row_is_an_activation_in_settings_networks_and_merges(add, tmp_path):
    add()
    assert CreateSettings(name="a", activation="halved").structure().activation == "halved"
    assert json_schema.of_settings(CreateSettings)["properties"]["activation"]["enum"][-1] == "halved"
    with pytest.raises(SettingsError, match=r"the choices are .*, tanhshrink, halved"):
        Structure(activation="doubled")
    network = random_network(1, activation="halved")
    assert any(isinstance(module, Halved) for module in network.modules())
    files.save(network, tmp_path / "n.pt")
    loaded = files.load(tmp_path / "n.pt")
    context = torch.randn(1, 2, 8)
    assert torch.equal(torch.stack(loaded.transform(context)), torch.stack(network.transform(context)))
    joined = merge([(network, 0.5), (network, 0.5)], "exact_parallel")
    torch.testing.assert_close(torch.stack(joined.transform(context)), torch.stack(network.transform(context)))


@pytest.mark.parametrize("is_common", [True, False])
def test_a_row_says_whether_every_reader_knows_it(is_common, add, tmp_path):
    add(is_common=is_common)
    network, path = random_network(1, activation="halved"), tmp_path / "n.pt"
    files.save(network, path)
    reader = report.describe(path).readers["ComfyUI"]
    assert bool(reader) is is_common
    assert ("does not know the activation halved" in reader.reason) is not is_common
    if is_common:
        files.save(network, path, portable=True)
    else:
        with pytest.raises(HypernetworkFileError, match="ComfyUI does not know the activation halved"):
            files.save(network, path, portable=True)


@pytest.mark.parametrize("is_torchs", [True, False])
def test_a_row_says_whether_any_other_program_knows_it(is_torchs, add, tmp_path):
    add(is_torchs=is_torchs)
    files.save(random_network(1, activation="halved"), tmp_path / "n.pt")
    readers = report.describe(tmp_path / "n.pt").readers
    assert bool(readers["WebUI"]) is bool(readers["sdkit"]) is is_torchs
    assert readers["WebUI"].reason == ("reads it correctly" if is_torchs else "does not know the activation halved")


@pytest.mark.parametrize("passes_zero", [True, False])
def test_a_row_says_whether_a_silent_start_can_learn(passes_zero, add):
    add(passes_zero=passes_zero)
    values = {"activation": "halved", "activate_output": True, "zero_last_layer": True}
    if passes_zero:
        assert Structure(**values).zero_last_layer
    else:
        with pytest.raises(SettingsError, match="cannot be used with activate_output and halved"):
            Structure(**values)


@pytest.mark.parametrize("is_random", [True, False])
def test_a_row_says_whether_it_draws_random_numbers(is_random, add, tmp_path):
    add(is_random=is_random)
    network, path = random_network(1, activation="halved"), tmp_path / "n.pt"
    assert has_dropout(network) is is_random
    files.save(network, path)
    reason = report.describe(path).readers["sdkit"].reason
    assert ("random slopes of halved" in reason) is is_random


def test_what_rows_say_is_so():
    """A silent start that learns is 0 at 0 with a slope there; random ones give two answers in training."""
    assert {name for name, one in ACTIVATIONS.items() if one.is_common} == set(comfyui_reader.ACTIVATIONS)
    for name, one in ACTIVATIONS.items():
        module = one.make()
        x = torch.zeros(3, 4, 5, requires_grad=True)
        y = module(x)
        (slope,) = torch.autograd.grad(y.sum(), x)
        assert one.passes_zero is bool((y == 0).all() and (slope != 0).all()), name
        module.train()
        torch.manual_seed(0)
        sample = -torch.rand(3, 4, 5)
        assert one.is_random is not torch.equal(module(sample), module(sample)), name
