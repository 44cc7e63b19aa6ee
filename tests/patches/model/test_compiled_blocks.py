"""A U-Net whose blocks are compiled during a run: which, its gradients, and what it is afterwards."""

from __future__ import annotations

import logging
import sys
import types

import numpy as np
import pytest
import torch
from hypernetwork_workbench.hypernetworks.kernels import compiled
from hypernetwork_workbench.hypernetworks.network.hypernetwork import Hypernetwork
from hypernetwork_workbench.hypernetworks.ports import Computing
from hypernetwork_workbench.hypernetworks.train.settings.job import Job
from torch import nn

from tests.patches.model.test_gradients import CHECKPOINTING, STRUCTURE, assert_same, gradients
from tests.support import long, pictures

pytestmark = [  # of torch's own compiler
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings(r"ignore:The \.grad attribute of a Tensor:UserWarning"),
]


@pytest.fixture
def as_gpu(monkeypatch):
    """Let the host take its CPU for a GPU when it comes to compiling, and the code run on torch's own kernels."""
    monkeypatch.setattr(compiled, "_DEVICES", ("cpu", "cuda"))
    monkeypatch.setattr(compiled, "obstacle", lambda device: "")
    monkeypatch.setattr(compiled, "BACKEND", "eager")
    monkeypatch.setattr(compiled, "_MADE", {})


@pytest.fixture
def denoiser(patched, as_gpu):
    from hypernetwork_workbench.patches.model import host as ports

    return ports.HostDenoiser()


@pytest.fixture
def unet(patched):
    return patched.model.model.diffusion_model


def forwards(unet, denoiser):
    """Return the names of the compiled blocks while a network trains."""
    with denoiser.training(Hypernetwork.create(STRUCTURE, denoiser.widths, 0), Computing(compiles=True)):
        found = [name for name, one in unet.named_modules() if isinstance(_own(one), compiled.CompiledBlock)]
    assert not any("forward" in vars(module) for module in unet.modules())
    return found


def _own(module):
    return vars(module).get("forward")


@pytest.mark.parametrize("checkpointing", long.thinned(reversed(CHECKPOINTING)))
def test_gradients_are_those_of_plain_blocks(denoiser, checkpointing):
    found = gradients(denoiser, Computing("SDPA", checkpointing, compiles=True), sizes=(2,))
    made = denoiser._compiler.compiled
    assert made > 6
    assert_same(found, gradients(denoiser, Computing("SDPA", "none"), sizes=(2,)))
    gradients(denoiser, Computing("SDPA", checkpointing, compiles=True), sizes=(2,))
    assert denoiser._compiler.compiled == made, "the code is kept where training is broken off for a picture"


def test_residual_and_feed_forward_blocks_are_compiled(denoiser, unet, caplog):
    caplog.set_level(logging.INFO)
    expected = {name for name, one in unet.named_modules() if type(one).__name__ in ("ResBlock", "FeedForward")}
    assert set(forwards(unet, denoiser)) == expected
    assert len(expected) > 6
    assert f"The first step on pictures of each size compiles {len(expected)} blocks of the U-Net." in caplog.messages


def _other_activation(block):
    block.out_layers[1] = nn.ReLU()


def _with_dropout(block):
    block.out_layers[2] = nn.Dropout(0.5).train()


def _scales(block):
    block.use_scale_shift_norm = True


def _strided(block):
    block.in_layers[2].stride = (2, 2)


def _tiling(block):
    block.in_layers[2].padding_mode = "circular"


def _learning(block):
    block.in_layers[2].weight.requires_grad_(True)


def _hooked(block):
    block.in_layers[2]._forward_hooks = {0: lambda layer, inputs, output: 2 * output}


def _hooked_before(block):
    block.emb_layers._forward_pre_hooks = {0: lambda layer, inputs: None}


def _of_its_own(block):
    block._forward = lambda x, embedding: x


def _other_forward_of_a_layer(block):
    block.in_layers[1].forward = torch.sigmoid


CHANGES = [
    *(_other_activation, _with_dropout, _scales, _strided, _tiling, _learning),
    *(_hooked, _hooked_before, _of_its_own, _other_forward_of_a_layer),
]


@pytest.mark.parametrize("change", CHANGES)
def test_a_block_that_is_another_function_stays_as_it_is(patched, as_gpu, change):
    from hypernetwork_workbench.patches.model import compiled_blocks

    unet = patched.model.model.diffusion_model.requires_grad_(False)
    name, block = next((name, one) for name, one in unet.named_modules() if type(one).__name__ == "ResBlock")
    parts = [block.emb_layers, *(layer for part in (block.in_layers, block.out_layers) for layer in part)]
    before, stored = [dict(vars(part)) for part in (block, *parts)], (list(block.in_layers), list(block.out_layers))
    try:
        assert compiled_blocks._compilable(block) is not None
        change(block)
        assert compiled_blocks._compilable(block) is None, name
    finally:
        for part, kept in zip((block, *parts), before, strict=True):
            vars(part).clear()
            vars(part).update(kept)
        for part, layers in zip((block.in_layers, block.out_layers), stored, strict=True):
            for number, layer in enumerate(layers):
                part[number] = layer
        block.requires_grad_(False)
        assert compiled_blocks._compilable(block) is not None


def test_a_class_that_others_changed_stays_as_it_is(denoiser, unet, monkeypatch):
    kind = next(type(one) for one in unet.modules() if type(one).__name__ == "ResBlock")
    monkeypatch.setattr(kind, "_forward", lambda block, x, embedding: x)
    names = forwards(unet, denoiser)
    modules = dict(unet.named_modules())
    assert names
    assert {type(modules[name]).__name__ for name in names} == {"FeedForward"}


def test_a_lora_at_work_keeps_it_from_being_done(denoiser, unet, monkeypatch, caplog):
    monkeypatch.setitem(sys.modules, "networks", types.SimpleNamespace(loaded_networks=[object()]))
    assert forwards(unet, denoiser) == []
    assert "Nothing of this U-Net can be compiled." in caplog.messages


def test_without_a_compiler_nothing_is_compiled(denoiser, unet, monkeypatch):
    monkeypatch.setattr(compiled, "obstacle", lambda device: "there is none")
    assert forwards(unet, denoiser) == []


def test_without_a_gpu_nothing_is_compiled(patched, unet):
    from hypernetwork_workbench.patches.model import host as ports

    assert forwards(unet, ports.HostDenoiser()) == []


@pytest.mark.long("test_gradients_are_those_of_plain_blocks")
def test_a_run_learns_the_same_and_leaves_the_model_as_it_was(denoiser, unet, tmp_path, caplog):
    from hypernetwork_workbench.patches.runs.training import run_job

    caplog.set_level(logging.INFO)
    tables = {
        "data": {"folder": str(pictures.captioned(tmp_path / "pictures")), "width": 64, "height": 64, "batch_size": 2},
        "schedule": {"rate": "0.001"},
        "preview": {"every": 2, "sampling_steps": 2},
        "output": {"name": "compiled", "dir": str(tmp_path / "out"), "overwrite": True, "sheet": False},
    }
    before = {name: tensor.clone() for name, tensor in unet.state_dict().items()}
    losses = []
    for compiles in (True, False):
        result = run_job(Job.from_mapping({**tables, "train": {"max_steps": 4, "compile_unet": compiles}}))
        losses.append([result.loss_first, result.loss_last])
    np.testing.assert_allclose(*losses, rtol=1e-4)
    assert sum(message.startswith("Compiled a block of the U-Net for") for message in caplog.messages) > 6
    assert caplog.messages.count("The first step compiles the U-Net, which takes minutes.") == 1
    after = unet.state_dict()
    assert all(torch.equal(after[name], tensor) for name, tensor in before.items())
    assert not any("forward" in vars(module) for module in unet.modules())
