"""Training on the demo models in SDXL's and SD2's shape, whose weights mean something."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from hypernetwork_workbench.hypernetworks.conditioning import Conditioning
from hypernetwork_workbench.hypernetworks.network.hypernetwork import Hypernetwork, Structure
from hypernetwork_workbench.hypernetworks.ports import Computing
from hypernetwork_workbench.hypernetworks.train.loss import diffusion_loss
from hypernetwork_workbench.hypernetworks.train.noise import NoiseProcess
from hypernetwork_workbench.hypernetworks.train.run import train
from hypernetwork_workbench.hypernetworks.train.settings.loss import LossSettings
from safetensors.torch import load_file, save_file
from torch.nn import functional

from standalone.evaluation import EvaluationSettings
from tests import sources
from tests.patches.test_on_host import generate
from tests.support.fake_ports import FakeProgress
from tests.support.runs import draw_pictures, make_job, same, weights

PREDICTIONS = {"demo-xl": "epsilon", "demo-sd2": "v"}
STEPS, STYLE_STEPS = 4, 50
TIMESTEPS = torch.tensor([20, 900])


@pytest.fixture(scope="module", params=sorted(PREDICTIONS))
def checkpoint(request):
    """Return one demo model after the other."""
    return sources.ROOT / "examples" / f"{request.param}.safetensors"


@pytest.fixture
def ports(patched):
    from hypernetwork_workbench.patches.model import host

    return host


def drawn():
    """Return what stands for the latents of two pictures, and noise."""
    generator = torch.Generator().manual_seed(0)
    return torch.randn(2, 2, 4, 8, 8, generator=generator).unbind()


def of_a_plain_loop(host, network, texts, monkeypatch):
    """Return the loss of the host's own forward and plain attention, nothing frozen, after its backward pass."""
    hypernetwork = host.module("hypernetworks.hypernetwork")
    monkeypatch.setattr(hypernetwork, "apply_hypernetworks", lambda _, context, __: network.transform(context))
    host.module("sd_hijack").apply_optimizations("None")
    clean, noise = drawn()
    signal = host.model.alphas_cumprod[TIMESTEPS].view(-1, 1, 1, 1)
    noisy = signal.sqrt() * clean + (1 - signal).sqrt() * noise
    is_v = host.model.sd_checkpoint_info.name_for_extra == "demo-sd2"
    target = signal.sqrt() * noise - (1 - signal).sqrt() * clean if is_v else noise
    sized = host.module("prompt_parser").SdConditioning(texts, width=64, height=64)
    try:
        with torch.no_grad():
            conditioning = host.model.get_learned_conditioning(sized)
        if not isinstance(conditioning, dict):
            conditioning = {"c_crossattn": [conditioning]}
        loss = functional.mse_loss(host.model.apply_model(noisy, TIMESTEPS, conditioning), target)
        loss.backward()
    finally:
        host.module("sd_hijack").apply_optimizations()
        host.model.zero_grad(set_to_none=True)
        monkeypatch.undo()
    return loss


def test_loss_and_gradients_are_those_of_a_plain_loop(ports, patched, checkpoint, monkeypatch):
    denoiser, texts = ports.HostDenoiser(), ["a red circle on a white background", "a blue star"]
    assert denoiser.prediction == PREDICTIONS[checkpoint.stem]
    structure = Structure(init_std=0.1, activation="mish")
    theirs, ours = (Hypernetwork.create(structure, denoiser.widths, 0).train() for _ in range(2))
    expected = of_a_plain_loop(patched, theirs, texts, monkeypatch)
    parts = ports.HostEncoder().encode_texts(texts)
    conditioning = Conditioning(torch.stack([part.text for part in parts]))
    if denoiser.vector_width:
        sizes = torch.tensor([[64, 64, 0, 0, 64, 64]] * 2)
        conditioning = Conditioning(conditioning.text, torch.stack([part.vector for part in parts]), sizes)
    process = NoiseProcess(denoiser.alphas_cumprod, denoiser.prediction, LossSettings())
    clean, noise = drawn()
    with denoiser.training(ours, Computing()):
        loss = diffusion_loss(denoiser, process.apply(clean, conditioning, TIMESTEPS, noise), LossSettings())
        loss.backward()
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)
    pairs = [(one.grad, other.grad) for one, other in zip(ours.parameters(), theirs.parameters(), strict=True)]
    # What shifts all keys alike leaves attention as it is: the gradients of those biases are nothing but rounding.
    nothing = 1e-6 * max(other.norm().item() for _, other in pairs)
    told = [(one, other) for one, other in pairs if max(one.norm(), other.norm()) > nothing]
    assert len(pairs) - len(told) == len(denoiser.widths)
    assert all((one - other).norm() <= 1e-5 * other.norm() for one, other in told)


def test_a_run_continued_is_the_whole_run_and_its_network_changes_pictures(ports, patched, tmp_path):
    settings = {"data__width": 64, "data__height": 64, "data__upscale": True, "train__max_steps": STEPS}
    settings |= {"output__dir": str(tmp_path / "out"), "output__sheet": False}
    folder = draw_pictures(tmp_path / "pictures")
    whole = train(make_job(folder, output__name="whole", **settings), ports.ports(FakeProgress()))
    job = make_job(folder, output__name="parts", **settings)
    assert train(job, ports.ports(FakeProgress(stop_after=STEPS // 2))).interrupted
    parts = train(job, ports.ports(FakeProgress()), resume=True)
    assert same(weights(whole.network), weights(parts.network))

    shutil.copy(parts.network, Path(patched.module("shared").cmd_opts.hypernetwork_dir) / "parts.pt")
    patched.module("shared").reload_hypernetworks()
    names = ("", "<hypernet:parts:0>", "<hypernet:parts:1>")
    plain, at_zero, changed = (generate(patched, f"a red circle{name}")[0] for name in names)
    assert np.array_equal(plain, at_zero)
    assert not np.array_equal(plain, changed)


@pytest.mark.long("test_a_run_continued_is_the_whole_run_and_its_network_changes_pictures")
def test_a_short_run_takes_the_style_distance_to_a_quarter(ports, patched, tmp_path):
    """With the settings of `examples/demo.toml`, in a tenth of its steps; the benchmarks have longer runs."""
    settings = {
        "train__max_steps": STYLE_STEPS,
        "train__seed": 1,
        "schedule__rate": "0.005",
        "schedule__kind": "cosine",
    }
    settings |= {"network__activation": "relu", "network__weight_init": "KaimingNormal"}
    settings |= {"network__zero_last_layer": True, "network__dropout_structure": ""}
    settings |= {"data__batch_size": 8, "data__width": 64, "data__height": 64, "data__caption_dropout": 0.2}
    settings |= {"preview__sampling_steps": 6, "preview__cfg_scale": 4.0}
    settings |= {"output__dir": str(tmp_path), "output__sheet": False}
    job = make_job(sources.ROOT / "examples" / "night", **settings)
    result = train(job, ports.ports(FakeProgress()))
    found = EvaluationSettings("shapes", pictures=8).measure(
        job, result.network, lambda: (ports.HostEncoder(), ports.HostPreviewer())
    )
    assert found["style_distance"]["after"] <= found["style_distance"]["before"] / 4
    assert found["captions_followed"]["after"] >= 0.75


def test_every_text_encoder_is_taken_from_a_checkpoint_whatever_names_its_library_has(patched, checkpoint, tmp_path):
    from hypernetwork_workbench.patches.parts import weights as parts

    source = load_file(checkpoint)
    moved = {name: one + 1 if "cond" in name and one.is_floating_point() else one for name, one in source.items()}
    save_file(moved, tmp_path / "moved.safetensors")
    own = parts._parts(parts.TEXT)
    found = parts.read(parts.TEXT, tmp_path / "moved.safetensors")
    assert [one.number for one in found] == list(range(len(own))) == ([0, 1] if "xl" in checkpoint.name else [0])
    for one in found:
        assert one.kept.keys() == own[one.number].keys()
        assert all(torch.allclose(kept, own[one.number][name] + 1, atol=1e-2) for name, kept in one.kept.items())
