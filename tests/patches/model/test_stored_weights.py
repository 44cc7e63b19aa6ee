"""A U-Net whose weights rest in eight bits during a run: its gradients, its previews, and what it is afterwards."""

from __future__ import annotations

import copy
import sys
import types

import numpy as np
import pytest
import torch
from hypernetwork_workbench.hypernetworks.base.errors import SettingsError
from hypernetwork_workbench.hypernetworks.kernels import stored_layers
from hypernetwork_workbench.hypernetworks.network.hypernetwork import Hypernetwork, Structure
from hypernetwork_workbench.hypernetworks.ports import Computing, PictureRequest
from hypernetwork_workbench.hypernetworks.train.settings.job import Job

from tests.patches.model.test_gradients import CHECKPOINTING, STRUCTURE, assert_same, gradients
from tests.support import long, pictures

STORED = "fp8"


@pytest.fixture
def denoiser(patched, monkeypatch):
    """Return the port on a host that takes its CPU for a GPU when it comes to storing."""
    from hypernetwork_workbench.patches.model import host as ports

    monkeypatch.setattr(stored_layers, "_DEVICES", ("cpu", "cuda"))
    return ports.HostDenoiser()


@pytest.fixture
def unet(patched):
    return patched.model.model.diffusion_model


def bits(unet):
    return {name: tensor.clone() for name, tensor in unet.state_dict().items()}


def assert_is_as_before(unet, before):
    after = unet.state_dict()
    assert all(torch.equal(after[name], tensor) for name, tensor in before.items())
    assert not any("forward" in vars(module) for module in unet.modules())


@pytest.mark.parametrize("checkpointing", long.thinned(CHECKPOINTING))
def test_gradients_are_those_of_the_rounded_weights(denoiser, unet, checkpointing):
    from hypernetwork_workbench.patches.model import lean_layers

    before = bits(unet)
    layers = lean_layers.storable(unet)
    found = gradients(denoiser, Computing("SDPA", checkpointing, STORED))
    assert_is_as_before(unet, before)

    plain = gradients(denoiser, Computing("SDPA", "none"))
    try:
        for layer in layers:
            twin = copy.deepcopy(layer)
            rounded = stored_layers.StoredLayer(twin)
            layer.weight.data.copy_(stored_layers.widened(twin.weight, rounded._scale, torch.float32))
        expected = gradients(denoiser, Computing("SDPA", "none"))
    finally:
        unet.load_state_dict(before)
    assert_same(found, expected)
    with pytest.raises(AssertionError):
        assert_same(found, plain)


def test_all_but_the_outermost_layers_rest_in_eight_bits(denoiser, unet):
    whole = sum(tensor.numel() for tensor in unet.parameters())
    freed = denoiser.storable_bytes()
    with denoiser.training(Hypernetwork.create(STRUCTURE, denoiser.widths, 0), Computing(storage=STORED)):
        dtypes = {name: tensor.dtype for name, tensor in unet.named_parameters() if tensor.dim() > 1}
        stored_bytes = sum(tensor.nbytes for tensor in unet.parameters())
    left = {name for name, dtype in dtypes.items() if dtype != torch.float8_e4m3fn}
    assert left == {"input_blocks.0.0.weight", "out.2.weight"}
    scales = 4 * sum(unet.get_parameter(name).shape[0] for name in dtypes.keys() - left)
    assert freed == 4 * whole - stored_bytes - scales > 0.7 * 4 * whole


def test_without_a_gpu_nothing_is_stored(patched, unet):
    from hypernetwork_workbench.patches.model import host as ports

    denoiser = ports.HostDenoiser()
    with denoiser.training(Hypernetwork.create(STRUCTURE, denoiser.widths, 0), Computing(storage=STORED)):
        assert {tensor.dtype for tensor in unet.parameters()} == {torch.float32}


def test_a_lora_at_work_keeps_it_from_being_done(denoiser, unet, monkeypatch):
    monkeypatch.setitem(sys.modules, "networks", types.SimpleNamespace(loaded_networks=[object()]))
    before = bits(unet)
    network = Hypernetwork.create(STRUCTURE, denoiser.widths, 0)
    with (
        pytest.raises(SettingsError, match=r"train\.unet_storage: fp8 is not possible while a LoRA is loaded"),
        denoiser.training(network, Computing(storage=STORED)),
    ):
        pass
    assert_is_as_before(unet, before)


def test_check_tells_of_a_lora_at_work(denoiser, tmp_path, monkeypatch):
    from hypernetwork_workbench.patches.runs.training import check_job

    monkeypatch.setitem(sys.modules, "networks", types.SimpleNamespace(loaded_networks=[object()]))
    data = {"folder": str(pictures.captioned(tmp_path / "pictures")), "width": 64, "height": 64}
    tables = {"data": data, "output": {"name": "stored"}}
    check_job(Job.from_mapping(tables))
    with pytest.raises(SettingsError, match=r"train\.unet_storage: fp8 is not possible while a LoRA is loaded"):
        check_job(Job.from_mapping({**tables, "train": {"unet_storage": STORED}}))


def test_a_preview_of_a_network_that_would_be_folded_is_that_of_the_network(denoiser, unet, monkeypatch):
    from hypernetwork_workbench.patches.model.previews import HostPreviewer
    from hypernetwork_workbench.patches.patching import switches

    network = Hypernetwork.create(Structure(activation="linear", init_std=0.1), denoiser.widths, 0)
    request = PictureRequest("a", 5, 64, 64, steps=2)
    shown, before = [], bits(unet)
    for is_fast in (True, False):
        monkeypatch.setattr(switches, "shortcuts_are_on", lambda is_fast=is_fast: is_fast)
        with denoiser.training(network, Computing(storage=STORED)):
            shown.append(np.asarray(HostPreviewer().generate([request], network, 1.0)[0]).astype(int))
    assert abs(shown[0] - shown[1]).max() <= 1
    assert_is_as_before(unet, before)


def test_a_run_with_previews_learns_and_leaves_the_model_as_it_was(denoiser, unet, tmp_path):
    from hypernetwork_workbench.patches.model.previews import HostPreviewer
    from hypernetwork_workbench.patches.runs.training import run_job

    def picture():
        return np.asarray(HostPreviewer().generate([PictureRequest("a", 5, 64, 64, steps=2)], None, 1.0)[0])

    def learnt(storage):
        return run_job(Job.from_mapping({**tables, "train": {"max_steps": 4, "unet_storage": storage}}))

    folder = pictures.captioned(tmp_path / "pictures")
    tables = {
        "data": {"folder": str(folder), "width": 64, "height": 64, "batch_size": 2},
        "schedule": {"rate": "0.001"},
        "preview": {"every": 2, "sampling_steps": 2},
        "output": {"name": "stored", "dir": str(tmp_path / "out"), "overwrite": True, "sheet": False},
    }
    before, shown = bits(unet), picture()
    stored = learnt(STORED)
    assert_is_as_before(unet, before)
    assert np.array_equal(picture(), shown)
    losses = [stored.loss_first, stored.loss_last]
    plain = learnt("as loaded")
    assert losses != [plain.loss_first, plain.loss_last]
    np.testing.assert_allclose(losses, [plain.loss_first, plain.loss_last], rtol=0.05)
