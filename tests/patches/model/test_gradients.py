"""Gradients are those of a plain loop, whatever attention and checkpointing are chosen."""

from __future__ import annotations

import sys
import types

import pytest
import torch
from hypernetwork_workbench.hypernetworks.base.errors import SettingsError
from hypernetwork_workbench.hypernetworks.conditioning import Conditioning
from hypernetwork_workbench.hypernetworks.kernels import attention as attention_kernels
from hypernetwork_workbench.hypernetworks.kernels import frozen_layers, linear, onednn
from hypernetwork_workbench.hypernetworks.network.hypernetwork import Hypernetwork, Structure
from hypernetwork_workbench.hypernetworks.ports import Computing
from hypernetwork_workbench.hypernetworks.train.loss import diffusion_loss
from hypernetwork_workbench.hypernetworks.train.noise import NoisyBatch
from hypernetwork_workbench.hypernetworks.train.settings.loss import LossSettings
from torch.nn import functional

from benchmarks.reference import Reference
from tests.support import long
from tests.support.tiny_checkpoint import TEXT_WIDTH

CHECKPOINTING = ("none", "attention", "all")
STRUCTURE = Structure(init_std=0.1, activation="mish")


@pytest.fixture
def denoiser(patched):
    from hypernetwork_workbench.patches.model import host as ports

    return ports.HostDenoiser()


def batch(size=2):
    generator = torch.Generator().manual_seed(0)
    noisy, target = torch.randn(2, size, 4, 8, 8, generator=generator)
    conditioning = Conditioning(torch.randn(size, 77, TEXT_WIDTH, generator=generator))
    return NoisyBatch(noisy, torch.tensor([20, 900])[:size], conditioning, target)


def gradients(denoiser, computing, structure=STRUCTURE, sizes=(2, 1)):
    """Gradients of batches of these sizes added up, as with gradient accumulation."""
    network = Hypernetwork.create(structure, denoiser.widths, 0)
    with denoiser.training(network, computing):
        for size in sizes:
            torch.manual_seed(size)
            diffusion_loss(denoiser, batch(size), LossSettings()).backward()
    return [parameter.grad for parameter in network.parameters()]


@pytest.fixture
def reference(denoiser, patched):
    network = Hypernetwork.create(STRUCTURE, denoiser.widths, 0)
    loop = Reference(patched.model.model.diffusion_model, network)
    with loop.working():
        for size in (2, 1):
            loop.backward(batch(size))
        assert all(parameter.grad is not None for parameter in patched.model.model.parameters())
    assert all(parameter.grad is None for parameter in patched.model.model.parameters())
    return [parameter.grad for parameter in network.parameters()]


def assert_same(found, expected, limit=1e-5):
    for one, other in zip(found, expected, strict=True):
        # Relative to the weight's gradient as a whole: some of its numbers are zero but for rounding.
        assert (one - other).norm() <= limit * max(other.norm().item(), 1e-4)


@pytest.mark.parametrize("checkpointing", long.thinned(CHECKPOINTING))
@pytest.mark.parametrize("attention", ["auto", "SDPA", "host"])
def test_gradients_are_those_of_the_reference(denoiser, reference, attention, checkpointing):
    assert_same(gradients(denoiser, Computing(attention, checkpointing)), reference)


@pytest.mark.parametrize("checkpointing", CHECKPOINTING)
@pytest.mark.parametrize("laid_out", [1 << 19, 0])
def test_gradients_are_those_of_the_reference_on_faster_kernels(
    denoiser, reference, checkpointing, laid_out, monkeypatch
):
    """The layers of this model are too small for them otherwise."""
    monkeypatch.setattr(onednn, "MIN_WORK", 1)
    monkeypatch.setattr(frozen_layers, "MAX_LAID_OUT", laid_out)
    monkeypatch.setattr(frozen_layers, "WEIGHTS_PER_PIXEL", 0)
    used = []
    for function in (frozen_layers._Linear, frozen_layers._LaidOut, linear._Linear):
        monkeypatch.setattr(function, "apply", _counted(function, used))
    assert_same(gradients(denoiser, Computing("auto", checkpointing)), reference)
    assert set(used) == {frozen_layers._Linear, linear._Linear} | ({frozen_layers._LaidOut} if laid_out else set())


def _counted(function, used):
    apply = function.apply

    def counted(*inputs):
        used.append(function)
        return apply(*inputs)

    return counted


@pytest.mark.parametrize("checkpointing", CHECKPOINTING)
def test_gradients_are_those_of_the_reference_with_xformers(denoiser, reference, checkpointing, monkeypatch):
    """A stand-in with its layout; the library itself runs on a GPU only."""
    shapes = []

    def memory_efficient_attention(q, k, v):
        shapes.append(q.shape)
        q, k, v = (part.transpose(1, 2) for part in (q, k, v))
        return functional.scaled_dot_product_attention(q, k, v).transpose(1, 2)

    fake = types.SimpleNamespace(memory_efficient_attention=memory_efficient_attention)
    monkeypatch.setitem(sys.modules, "xformers.ops", fake)
    monkeypatch.setattr(attention_kernels, "_check_xformers", lambda device: None)
    assert_same(gradients(denoiser, Computing("xformers", checkpointing)), reference)
    assert {shape[:3] for shape in shapes} >= {(2, 64, 4), (1, 16, 4)}  # batch, tokens, heads


@pytest.mark.parametrize("checkpointing", ["attention", "all"])
def test_what_runs_again_drops_out_what_it_dropped_out_before(denoiser, checkpointing):
    structure = Structure(init_std=0.1, activation="mish", dropout_structure=(0, 0.4, 0))
    expected = gradients(denoiser, Computing("SDPA", "none"), structure)
    assert_same(gradients(denoiser, Computing("SDPA", checkpointing), structure), expected)


@pytest.mark.parametrize("checkpointing", CHECKPOINTING)
def test_networks_for_the_text_run_once(denoiser, checkpointing):
    network = Hypernetwork.create(STRUCTURE, denoiser.widths, 0)
    seen = []
    network.pair(TEXT_WIDTH)[0].register_forward_hook(lambda *_: seen.append(1))
    with denoiser.training(network, Computing("SDPA", checkpointing)):
        diffusion_loss(denoiser, batch(), LossSettings()).backward()
    assert len(seen) == 1


def test_checkpointing_keeps_less(denoiser):
    kept = [_saved_bytes(denoiser, checkpointing) for checkpointing in CHECKPOINTING]
    assert kept[0] > 1.5 * kept[1] > 2 * kept[2]


def _saved_bytes(denoiser, checkpointing):
    network = Hypernetwork.create(STRUCTURE, denoiser.widths, 0)
    sizes = {}

    def pack(tensor):
        storage = tensor.untyped_storage()
        sizes[storage.data_ptr()] = storage.nbytes()
        return tensor

    with denoiser.training(network, Computing("SDPA", checkpointing)):
        fixed = {p.untyped_storage().data_ptr() for p in network.parameters()}
        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            loss = diffusion_loss(denoiser, batch(), LossSettings())
        del loss
    return sum(size for place, size in sizes.items() if place not in fixed)


def test_no_graph_is_built_before_the_first_network(denoiser, patched):
    """The U-Net is frozen, so nothing upstream of the first attention is kept, or run backwards."""
    network = Hypernetwork.create(STRUCTURE, denoiser.widths, 0)
    unet = patched.model.model.diffusion_model
    wants = {}

    def note(name):
        return lambda _module, _inputs, output: wants.update({name: output.requires_grad})

    watched = {"convolution": unet.input_blocks[0], "residual": unet.input_blocks[1][0], "end": unet.out}
    hooks = [module.register_forward_hook(note(name)) for name, module in watched.items()]
    with denoiser.training(network, Computing()):
        diffusion_loss(denoiser, batch(), LossSettings())
    for hook in hooks:
        hook.remove()
    assert wants == {"convolution": False, "residual": False, "end": True}


@pytest.mark.parametrize(
    ("version", "device", "sentence"),
    [
        (None, "cuda", "xformers is not installed; choose auto"),
        ("0.0.15", "cuda", "xformers 0.0.15 gives wrong gradients"),
        ("0.0.16+cu118", "cuda", "xformers 0.0.16 gives wrong gradients"),
        ("0.0.16rc425", "cuda", "xformers 0.0.16rc425 gives wrong gradients"),
        ("0.0.22", "cpu", "xformers needs a GPU"),
        ("0.0.22", "cuda", ""),
    ],
)
def test_xformers_is_refused_with_a_sentence_where_it_cannot_be_trusted(monkeypatch, version, device, sentence):
    monkeypatch.setitem(sys.modules, "xformers", types.ModuleType("xformers"))
    monkeypatch.setitem(sys.modules, "xformers.ops", types.ModuleType("xformers.ops"))
    monkeypatch.setattr(attention_kernels.importlib.util, "find_spec", lambda _: version)
    monkeypatch.setattr(attention_kernels.importlib.metadata, "version", lambda _: version)
    if not sentence:
        assert attention_kernels.kernel("xformers", torch.device(device)) is not None
        return
    with pytest.raises(SettingsError, match=r"train\.attention: " + sentence):
        attention_kernels.kernel("xformers", torch.device(device))


def test_xformers_that_does_not_fit_this_torch_is_refused_with_a_sentence(monkeypatch):
    monkeypatch.setattr(attention_kernels.importlib.util, "find_spec", lambda _: "found")
    monkeypatch.setattr(attention_kernels.importlib.metadata, "version", lambda _: "0.0.22")
    monkeypatch.setitem(sys.modules, "xformers.ops", None)
    with pytest.raises(SettingsError, match=r"train\.attention: xformers 0\.0\.22 does not fit this PyTorch"):
        attention_kernels.kernel("xformers", torch.device("cuda"))


def test_xformers_without_a_kernel_for_the_model_ends_in_a_sentence(monkeypatch):
    """A stand-in that fails as the library does, which on a CPU has no kernel at all."""

    def memory_efficient_attention(*_parts):
        raise NotImplementedError("No operator found for `memory_efficient_attention_forward` with inputs:\n...")

    fake = types.SimpleNamespace(memory_efficient_attention=memory_efficient_attention)
    monkeypatch.setitem(sys.modules, "xformers.ops", fake)
    q = torch.zeros(1, 2, 8, 4)
    with pytest.raises(SettingsError, match=r"train\.attention: xformers has no kernel for this GPU and model"):
        attention_kernels._xformers(q, q, q, None)


def test_auto_takes_the_hosts_own_where_torch_has_no_fused_kernel():
    assert attention_kernels.kernel("auto", torch.device("mps")) is None
    assert attention_kernels.kernel("SDPA", torch.device("mps")) is not None
    assert attention_kernels.kernel("auto", torch.device("cpu")) is not None


@pytest.mark.parametrize("checkpointing", ["attention", "all"])
def test_checkpointing_changes_no_bit_so_that_continue_may_choose_anew(denoiser, checkpointing):
    expected = gradients(denoiser, Computing("SDPA", "none"))
    found = gradients(denoiser, Computing("SDPA", checkpointing))
    assert all(torch.equal(one, other) for one, other in zip(found, expected, strict=True))


def test_checkpointing_that_another_extension_left_on_the_blocks_is_passed_by(denoiser, reference, monkeypatch):
    from ldm.modules import attention
    from torch.utils.checkpoint import checkpoint

    def forward(self, x, context=None):
        return checkpoint(self._forward, x, context, use_reentrant=True)

    monkeypatch.setattr(attention.BasicTransformerBlock, "forward", forward)
    found = gradients(denoiser, Computing())
    assert_same(found, reference)
    assert attention.BasicTransformerBlock.forward is forward
