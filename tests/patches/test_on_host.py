"""The patch sets on the embedded host: what they change, what they leave, what they give back."""

from __future__ import annotations

import importlib
import inspect
import random
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypernetwork_workbench.hypernetworks import files
from hypernetwork_workbench.hypernetworks.base.errors import SettingsError
from hypernetwork_workbench.hypernetworks.network.hypernetwork import Hypernetwork, Structure
from hypernetwork_workbench.hypernetworks.ports import PictureRequest
from hypernetwork_workbench.patches.patching import Patch
from hypernetwork_workbench.patches.sets import forge_attention

from hypernetwork_workbench import patches

#: Those of this host; another one has its own test.
PATCHES = [
    patch
    for patch_set in patches.PATCH_SETS
    for patch in patch_set.patches
    if isinstance(patch, Patch) and patch is not forge_attention.patch
]


def raw(target):
    module, _, path = target.partition(":")
    *owners, name = path.split(".")
    owner = importlib.import_module(module)
    for part in owners:
        owner = getattr(owner, part)
    return inspect.getattr_static(owner, name)


def generate(host, prompt, seed=5, **changes):
    processing = host.module("processing")
    settings = {"steps": 3, "cfg_scale": 4.0, "width": 64, "height": 64, "sampler_name": "Euler a", **changes}
    p = processing.StableDiffusionProcessingTxt2Img(
        sd_model=host.model, prompt=prompt, seed=seed, do_not_save_samples=True, do_not_save_grid=True, **settings
    )
    processed = processing.process_images(p)
    return np.asarray(processed.images[0]), processed


def save_network(host, name, std=0.2, seed=1, **structure):
    from hypernetwork_workbench.patches.model import host as ports

    network = Hypernetwork.create(Structure(init_std=std, **structure), ports.model_widths(), seed)
    path = Path(host.module("shared").cmd_opts.hypernetwork_dir) / f"{name}.pt"
    files.save(network, path)
    host.module("shared").reload_hypernetworks()
    return path


@pytest.mark.parametrize("patch", PATCHES, ids=lambda patch: patch.target)
def test_installing_and_uninstalling_give_the_host_its_own_function_back(host, patch):
    target = patch.target
    before = raw(target)
    for _ in range(2):
        patches.install_all()
        assert raw(target) is not before
        patches.uninstall_all()
        assert raw(target) is before


def test_the_widths_are_those_of_the_model(host):
    from hypernetwork_workbench.patches.model import host as ports

    unet = host.model.model.diffusion_model
    found = {m.to_k.in_features for m in unet.modules() if hasattr(m, "to_k")}
    assert set(ports.model_widths()) == found
    text = {b.attn2.to_k.in_features for b in unet.modules() if hasattr(b, "attn2")}
    assert {ports.model_widths()[0]} == text


def test_without_networks_pictures_are_those_of_the_host(host):
    plain, _ = generate(host, "a red circle")
    patches.install_all()
    try:
        patched, _ = generate(host, "a red circle")
    finally:
        patches.uninstall_all()
    assert np.array_equal(plain, patched)


def test_a_network_changes_the_picture_and_at_strength_0_does_nothing(patched):
    save_network(patched, "bend")
    plain, _ = generate(patched, "a red circle")
    still, _ = generate(patched, "a red circle<hypernet:bend:0>")
    half, _ = generate(patched, "a red circle<hypernet:bend:0.5>")
    full, _ = generate(patched, "a red circle<hypernet:bend:1>")
    assert np.array_equal(plain, still)
    assert not np.array_equal(plain, half)
    assert not np.array_equal(half, full)


@pytest.mark.parametrize("activation", ["linear", "mish"])
def test_our_path_gives_the_picture_that_the_hosts_own_path_gives(patched, activation):
    save_network(patched, "same", activation=activation, dropout_structure=(0, 0.3, 0))
    ours, _ = generate(patched, "a red circle<hypernet:same:0.7>")
    patches.uninstall_all()
    theirs, _ = generate(patched, "a red circle<hypernet:same:0.7>")
    patches.install_all()
    assert np.abs(ours.astype(int) - theirs.astype(int)).max() <= 1


def test_a_broken_file_is_reported_under_the_picture_and_generation_goes_on(patched):
    path = save_network(patched, "broken")
    path.write_bytes(path.read_bytes()[:1000])
    plain, _ = generate(patched, "a red circle")
    picture, processed = generate(patched, "a red circle<hypernet:broken:1><hypernet:absent:1>")
    assert np.array_equal(plain, picture)
    assert "Hypernetwork broken was not used: broken.pt" in processed.comments
    assert "Hypernetwork absent was not used: there is no hypernetwork of this name" in processed.comments


def test_a_file_written_anew_is_read_anew(patched):
    save_network(patched, "fresh", seed=1)
    first, _ = generate(patched, "a red circle<hypernet:fresh:1>")
    save_network(patched, "fresh", seed=2)
    second, _ = generate(patched, "a red circle<hypernet:fresh:1>")
    assert not np.array_equal(first, second)


def test_a_chain_runs_in_order_beside_anothers_kind_of_network(patched):
    from hypernetwork_workbench.patches.model.loaded import LoadedNetwork

    hypernetwork = patched.module("hypernetworks.hypernetwork")
    one = Hypernetwork.create(Structure(init_std=0.3), (8,), 1)
    two = Hypernetwork.create(Structure(init_std=0.3), (8,), 2)

    class Doubling:
        def __init__(self):
            self.layers = {8: (lambda x: 2 * x, lambda x: 3 * x)}

    context = torch.randn(2, 5, 8)
    chain = [LoadedNetwork(one, "one"), Doubling(), LoadedNetwork(two, "two")]
    chain[2].set_multiplier(0.5)
    k, v = hypernetwork.apply_hypernetworks(chain, context)
    assert torch.allclose(k, two.pair(8)[0](2 * one.pair(8)[0](context), 0.5))
    assert torch.allclose(v, two.pair(8)[1](3 * one.pair(8)[1](context), 0.5))


def test_training_state_is_given_back_also_after_an_error(patched):
    from hypernetwork_workbench.patches.model import host as ports

    unet = patched.model.model.diffusion_model
    shared = patched.module("shared")
    for number, parameter in enumerate(unet.parameters()):
        parameter.requires_grad_(number % 3 > 0)
    flagged = next(module for module in unet.modules() if hasattr(module, "checkpoint"))
    flagged.checkpoint = True
    marker = object()
    shared.loaded_hypernetworks[:] = [marker]
    before = snapshot(unet, shared)
    network = Hypernetwork.create(Structure(), ports.model_widths(), 0)

    def fail_in_training():
        with ports.HostDenoiser().training(network):
            assert not any(parameter.requires_grad for parameter in unet.parameters())
            assert not flagged.checkpoint
            assert [loaded.network for loaded in shared.loaded_hypernetworks] == [network]
            assert network.training
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_in_training()
    assert snapshot(unet, shared) == before
    assert not network.training
    unet.requires_grad_(True)
    flagged.checkpoint = False


def snapshot(unet, shared):
    return (
        [parameter.requires_grad for parameter in unet.parameters()],
        [(module.training, vars(module).get("checkpoint")) for module in unet.modules()],
        list(shared.loaded_hypernetworks),
    )


def test_every_weight_of_every_width_gets_a_gradient(patched):
    from hypernetwork_workbench.patches.model import host as ports

    denoiser = ports.HostDenoiser()
    network = Hypernetwork.create(Structure(init_std=0.1), denoiser.widths, 0)
    with denoiser.training(network):
        conditioning = ports.HostEncoder().encode_texts(["a red circle"])[0].map(lambda part: part[None])
        out = denoiser.predict(torch.randn(1, 4, 8, 8), torch.tensor([300]), conditioning)
        out.square().mean().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        # A constant added to every key moves all scores of a query alike, which a softmax does not see.
        if not name.endswith("bias") or ".0." not in name:
            assert parameter.grad.abs().sum() > 0, name
    assert all(parameter.grad is None for parameter in patched.model.parameters())


def test_the_vae_gives_mean_and_spread_and_encoders_are_told_apart(host, monkeypatch):
    from hypernetwork_workbench.patches.model import host as ports

    encoder, shared = ports.HostEncoder(), host.module("shared")
    pictures = torch.rand(2, 3, 16, 24) * 2 - 1
    mean, std = encoder.encode_posterior(pictures)
    assert mean.shape == std.shape == (2, 4, 2, 3)
    assert (std > 0).all()
    assert torch.equal(encoder.encode_pictures(pictures), mean)

    before = encoder.picture_fingerprint(), encoder.text_fingerprint()
    assert before == (encoder.picture_fingerprint(), encoder.text_fingerprint())
    weight = next(host.model.first_stage_model.parameters())
    with torch.no_grad():
        kept = weight.clone()
        weight.add_(1)
        assert encoder.picture_fingerprint() != before[0]
        assert encoder.text_fingerprint() == before[1]
        weight.copy_(kept)
    assert encoder.picture_fingerprint() == before[0]
    monkeypatch.setattr(shared, "opts", SimpleNamespace(CLIP_stop_at_last_layers=2))
    assert encoder.text_fingerprint() != before[1]


def test_training_needs_the_attention_patch(host):
    from hypernetwork_workbench.hypernetworks.base.errors import TrainingError
    from hypernetwork_workbench.patches.model import host as ports

    network = Hypernetwork.create(Structure(), (8,), 0)
    with pytest.raises(TrainingError, match="switched off"), ports.HostDenoiser().training(network):
        pytest.fail("it trains")


def test_previews_leave_generators_networks_and_progress_as_they_were(patched):
    from hypernetwork_workbench.patches.model.previews import HostPreviewer

    shared = patched.module("shared")
    network = Hypernetwork.create(Structure(init_std=0.2), (8,), 0).train()
    marker = object()
    shared.loaded_hypernetworks[:] = [marker]
    shared.state.job, shared.state.job_no, shared.state.job_count = "training", 3, 9
    before = (random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist())
    requests = [PictureRequest(f"a {word} circle", 7 + i, 64, 64, steps=2) for i, word in enumerate(("red", "blue"))]
    together = HostPreviewer().generate(requests, network, 1.0)
    assert before == (random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist())
    assert shared.loaded_hypernetworks == [marker]
    assert (shared.state.job, shared.state.job_no, shared.state.job_count) == ("training", 3, 9)
    assert network.training
    alone = HostPreviewer().generate(requests[1:], network, 1.0)
    assert np.abs(np.asarray(together[1], dtype=int) - np.asarray(alone[0], dtype=int)).max() <= 1
    shared.loaded_hypernetworks.clear()


def test_an_unknown_sampler_is_named(patched):
    from hypernetwork_workbench.hypernetworks.base.errors import SettingsError
    from hypernetwork_workbench.patches.model.previews import HostPreviewer

    with pytest.raises(SettingsError, match=r"preview\.sampler: must be one of .*Euler a.*, not 'Magic'"):
        HostPreviewer().generate([PictureRequest("a", 1, 64, 64, sampler="Magic")], None, 1.0)


def test_reloading_the_page_twice_leaves_one_of_each(host):
    from standalone import host as embedded

    callbacks = host.module("script_callbacks")
    targets = [patch.target for patch in PATCHES]
    before = {target: raw(target) for target in targets}
    extensions = host.module("extensions")
    used = list(extensions.extensions)
    extensions.use([str(Path(patches.__file__).parents[1])])
    try:
        for _ in range(2):
            embedded.reload(host)
            wrappers = [raw(target) for target in targets]
            assert all(wrapper is not before[target] for wrapper, target in zip(wrappers, targets, strict=True))
            assert all(_below(raw(target), targets.count(target)) is before[target] for target in targets)
            tabs = [registered.callback for registered in callbacks.callback_map["callbacks_ui_train_tabs"]]
            assert len(tabs) == len(set(tabs)) >= 3
    finally:
        host.unload()
        extensions.use([extension.path for extension in used])
        embedded.reload(host)
    assert {target: raw(target) for target in targets} == before


def _below(wrapper, layers):
    for _ in range(layers):
        wrapper = wrapper.__wrapped__
    return wrapper


def test_a_list_that_another_extension_makes_itself_is_whole_again(host, monkeypatch):
    shared = host.module("shared")
    folder = Path(shared.cmd_opts.hypernetwork_dir)

    def theirs():
        shared.hypernetworks = {}

    monkeypatch.setattr(shared, "reload_hypernetworks", theirs)
    files.save(Hypernetwork.create(Structure(), (32,), 0), folder / "whole.safetensors")
    patches.install_all()
    try:
        shared.reload_hypernetworks()
        assert "whole" in shared.hypernetworks
    finally:
        patches.uninstall_all()
        (folder / "whole.safetensors").unlink()
    assert shared.reload_hypernetworks is theirs


@pytest.mark.parametrize("name", ["Euler a", "EULER A", "k_euler_a"])
def test_a_sampler_may_have_another_case_or_a_short_name(host, monkeypatch, name):
    from hypernetwork_workbench.patches.model import previews

    sampler = SimpleNamespace(name="Euler a", aliases=["k_euler_a"])
    monkeypatch.setattr(previews.sd_samplers, "all_samplers", [SimpleNamespace(name="DDIM", aliases=None), sampler])
    assert previews.find_sampler(name) == "Euler a"


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("DPM++ 2M Karras", "DPM++ 2M Karras"),
        ("dpm++ 2m sde exponential", "DPM++ 2M SDE Exponential"),
        ("DPM++ 2M Automatic", "DPM++ 2M Automatic"),
        ("DPM++ 2M", "DPM++ 2M"),
        ("PNDM", "PLMS"),
        ("dpm++ Karras", "DPM++ 2M Karras"),
        ("k_dpmpp_2m_sde", "DPM++ 2M SDE"),
        ("DPMSolverMultistepScheduler", "DPM++ 2M"),
    ],
)
def test_a_sampler_may_have_a_schedule_behind_it(host, name, found):
    from hypernetwork_workbench.patches.model import previews

    assert previews.find_sampler(name) == found
    with pytest.raises(SettingsError, match="DPM"):
        previews.find_sampler(f"{name} Magic")


def test_a_host_without_schedules_of_its_own_gets_none(host, monkeypatch):
    from hypernetwork_workbench.patches.model import previews

    monkeypatch.setattr(previews, "_schedules", lambda: ())
    with pytest.raises(SettingsError, match="DPM"):
        previews.find_sampler("DPM++ 2M Karras")


def test_previews_name_sampler_and_schedule_as_the_host_does(host, monkeypatch):
    from hypernetwork_workbench.patches.model import previews
    from modules import processing

    asked = []

    def ask(**settings):
        asked.append((settings["sampler_name"], settings["scheduler"]))
        raise InterruptedError

    monkeypatch.setattr(processing, "StableDiffusionProcessingTxt2Img", ask)
    for sampler in ("Euler a", "DPM++ 2M Karras"):
        request = PictureRequest("a", 1, 64, 64, sampler=sampler)
        with pytest.raises(InterruptedError):
            previews.HostPreviewer().generate([request], None, 1.0)
    assert asked == [("Euler a", "Automatic"), ("DPM++ 2M", "Karras")]
