"""Training and generating with SDXL's structure on the embedded host, in the classes of `sgm`."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypernetwork_workbench.hypernetworks import files
from hypernetwork_workbench.hypernetworks.base.errors import TrainingError
from hypernetwork_workbench.hypernetworks.conditioning import Conditioning
from hypernetwork_workbench.hypernetworks.data.encoding import Cache, encode
from hypernetwork_workbench.hypernetworks.data.scan import read_dataset
from hypernetwork_workbench.hypernetworks.network.hypernetwork import Hypernetwork, Structure
from hypernetwork_workbench.hypernetworks.ports import Computing
from hypernetwork_workbench.hypernetworks.train.loss import diffusion_loss
from hypernetwork_workbench.hypernetworks.train.noise import NoisyBatch
from hypernetwork_workbench.hypernetworks.train.run import train
from hypernetwork_workbench.hypernetworks.train.settings.job import DataSettings
from hypernetwork_workbench.hypernetworks.train.settings.loss import LossSettings
from PIL import Image
from torch.nn import functional

from tests.patches.test_on_host import generate, save_network
from tests.support import tiny_xl
from tests.support.fake_ports import FakeProgress
from tests.support.runs import draw_pictures, make_job, same, weights

STRUCTURE = Structure(init_std=0.1, activation="mish")


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory):
    """Return a tiny SDXL checkpoint."""
    return tiny_xl.write(tmp_path_factory.mktemp("checkpoint"))


@pytest.fixture
def ports(patched):
    from hypernetwork_workbench.patches.model import host

    return host


def batch(size=2):
    generator = torch.Generator().manual_seed(0)
    noisy, target = torch.randn(2, size, 4, 8, 8, generator=generator)
    text = torch.randn(size, 77, tiny_xl.TEXT_WIDTH, generator=generator)
    vector = torch.randn(size, tiny_xl.POOLED_WIDTH, generator=generator)
    sizes = torch.tensor([[900, 640, 0, 12, 64, 64], [64, 64, 8, 0, 64, 64]])[:size]
    return NoisyBatch(noisy, torch.tensor([20, 900])[:size], Conditioning(text, vector, sizes), target)


def of_a_plain_loop(host, network, monkeypatch):
    """Gradients of a loop of the host's own forward: its plain attention, nothing frozen, nothing computed twice."""
    hypernetwork, embed = host.module("hypernetworks.hypernetwork"), host.module("sd_models_xl").openaimodel.Timestep(4)
    monkeypatch.setattr(hypernetwork, "apply_hypernetworks", lambda _, context, __: network.transform(context))
    host.module("sd_hijack").apply_optimizations("None")
    given = batch()
    sizes = torch.stack([embed(row).flatten() for row in given.conditioning.sizes])
    vector = torch.cat([given.conditioning.vector, sizes], 1)
    try:
        conditioning = {"crossattn": given.conditioning.text, "vector": vector}
        prediction = host.model.apply_model(given.noisy, given.timesteps, conditioning)
        functional.mse_loss(prediction, given.target).backward()
    finally:
        host.module("sd_hijack").apply_optimizations()
        host.model.model.zero_grad(set_to_none=True)
        monkeypatch.undo()
    return [parameter.grad for parameter in network.parameters()]


@pytest.mark.parametrize("checkpointing", ["none", "attention", "all"])
def test_gradients_are_those_of_a_plain_loop(ports, patched, monkeypatch, checkpointing):
    denoiser = ports.HostDenoiser()
    assert (denoiser.widths, denoiser.vector_width) == (tiny_xl.WIDTHS, tiny_xl.POOLED_WIDTH)
    theirs, ours = (Hypernetwork.create(STRUCTURE, denoiser.widths, 0).train() for _ in range(2))
    expected = of_a_plain_loop(patched, theirs, monkeypatch)
    with denoiser.training(ours, Computing(checkpointing=checkpointing)):
        diffusion_loss(denoiser, batch(), LossSettings()).backward()
    for one, other in zip(ours.parameters(), expected, strict=True):
        assert (one.grad - other).norm() <= 1e-5 * max(other.norm().item(), 1e-4)
        assert other.norm() > 0


def test_texts_are_the_hosts_without_its_sizes(ports, patched):
    one, two = ports.HostEncoder().encode_texts(["a cat", "a (dog:1.2)"])
    for text, found in (("a cat", one), ("a (dog:1.2)", two)):
        theirs = patched.model.get_learned_conditioning([text])
        assert torch.allclose(found.text, theirs["crossattn"][0], atol=1e-6)
        assert torch.allclose(found.vector, theirs["vector"][0, : tiny_xl.POOLED_WIDTH], atol=1e-6)
        assert found.sizes is None


def test_pictures_become_the_posterior_whatever_the_host_draws_from_it(ports, patched):
    pictures = torch.rand(2, 3, 64, 72) * 2 - 1
    with torch.no_grad():
        posterior = patched.model.first_stage_model.encode(pictures)
    torch.manual_seed(1)
    before = torch.random.get_rng_state()
    mean, std = ports.HostEncoder().encode_posterior(pictures)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert torch.equal(mean, patched.model.scale_factor * posterior.mean)
    assert torch.allclose(std, patched.model.scale_factor * posterior.std)
    assert not patched.model.first_stage_model.quant_conv._forward_hooks


@pytest.mark.parametrize(("prefers_bf16", "dtype"), [(False, torch.float32), (True, torch.bfloat16)])
def test_what_overflows_in_fp16_is_encoded_in_more_bits(ports, patched, monkeypatch, caplog, prefers_bf16, dtype):
    from hypernetwork_workbench.patches.model import encoders

    vae, used = patched.model.first_stage_model, []

    def overflow(_layer, _inputs, output):
        used.append((len(output), output.dtype))
        if output.dtype == torch.float16:
            return torch.cat([output[:1], output[1:] + float("inf")])
        return output

    pictures = torch.rand(2, 3, 64, 64) * 2 - 1
    before = {key: tensor.clone() for key, tensor in vae.state_dict().items()}
    monkeypatch.setattr(patched.module("devices"), "dtype_vae", torch.float16)
    monkeypatch.setattr(patched.module("shared").opts, "auto_vae_precision_bfloat16", prefers_bf16, raising=False)
    encoders._say.cache_clear()
    handle = vae.quant_conv.register_forward_hook(overflow)
    try:
        vae.half()
        with torch.no_grad():
            fine, spoilt = vae.encode(pictures).mean
        found, _ = (ports.HostEncoder().encode_posterior(pictures)[0] for _ in range(2))
        assert {tensor.dtype for tensor in vae.state_dict().values()} == {torch.float16}
    finally:
        handle.remove()
        vae.float()
    assert not spoilt.isfinite().all()
    assert torch.equal(found[0], (patched.model.scale_factor * fine).float())
    with torch.no_grad():
        plain = patched.model.scale_factor * vae.encode(pictures).mean
    assert torch.allclose(found, plain, atol=0.01)
    assert used[1:] == [(2, torch.float16), (1, dtype)] * 2
    assert [record.getMessage() for record in caplog.records if "fp16" in record.getMessage()] == [
        f"The VAE gives no finite numbers in fp16 here; such pictures are encoded in {str(dtype)[6:]}."
    ]
    assert all(torch.equal(tensor, before[key]) for key, tensor in vae.state_dict().items())


def test_settings_of_sdxl_change_the_fingerprint_of_texts(ports, patched, monkeypatch):
    found = set()
    for value in (False, True):
        monkeypatch.setattr(patched.module("shared").opts, "sdxl_clip_l_skip", value, raising=False)
        found.add(ports.HostEncoder().text_fingerprint())
    embedding = SimpleNamespace(vec={"clip_l": torch.ones(1, 16), "clip_g": torch.zeros(1, 24)})
    database = patched.model.conditioner.embedders[0].hijack.embedding_db
    monkeypatch.setitem(database.word_embeddings, "mine", embedding)
    found.add(ports.HostEncoder().text_fingerprint())
    embedding.vec["clip_g"][0, 5] = 1
    found.add(ports.HostEncoder().text_fingerprint())
    assert len(found) == 4


def test_a_batch_of_many_ratios_has_the_sizes_of_each(ports, patched, tmp_path):
    for number, size in enumerate([(96, 64), (64, 96), (192, 128), (64, 64)]):
        Image.new("RGB", size, (90 * number, 90, 0)).save(tmp_path / f"{number}.png")
    settings = {"width": 64, "height": 64, "framing": "buckets", "bucket_step": 8, "batch_size": 2, "min_side": 32}
    dataset = read_dataset(DataSettings(folder=str(tmp_path), **settings), "n")
    assert len(set(dataset.kinds)) == 3
    seen, denoiser = [], ports.HostDenoiser()
    unet = patched.model.model.diffusion_model
    handle = unet.register_forward_pre_hook(lambda _, inputs, named: seen.append(named["y"]), with_kwargs=True)
    cache = Cache(tmp_path / "kept", 10)
    embed = patched.module("sd_models_xl").openaimodel.Timestep(4)
    try:
        for _ in range(2):  # the second time from the cache
            widths = denoiser.widths[0], denoiser.vector_width
            data = encode(dataset, ports.HostEncoder(), FakeProgress(), cache, *widths)
            for items in ([0, 2], [1], [3]):
                given = data.batch(items, 0)
                with torch.no_grad():
                    denoiser.predict(given.latents, torch.tensor([7] * len(items)), given.conditioning)
    finally:
        handle.remove()
    first, second = seen[:3], seen[3:]
    assert all(torch.equal(*pair) for pair in zip(first, second, strict=True))
    numbers = torch.tensor([[64, 96, 0, 0, 48, 72], [128, 192, 0, 0, 48, 72]])
    assert torch.allclose(first[0][:, tiny_xl.POOLED_WIDTH :], torch.stack([embed(row).flatten() for row in numbers]))


def job(folder, tmp_path, **changes):
    return make_job(folder, output__dir=str(tmp_path / "out"), output__sheet=False, train__max_steps=4, **changes)


def test_a_run_continued_gives_the_bits_of_one_run(ports, patched, tmp_path):
    folder = draw_pictures(tmp_path / "pictures")
    settings = {
        "data__framing": "buckets",
        "data__upscale": True,
        "data__flip": True,
        "data__bucket_step": 8,
        "data__min_side": 16,
    }
    whole = train(job(folder, tmp_path, output__name="whole", **settings), ports.ports(FakeProgress()))
    assert np.isfinite(whole.loss_last)
    settings["output__name"] = "parts"
    halted = train(job(folder, tmp_path, **settings), ports.ports(FakeProgress(stop_after=2)))
    assert halted.interrupted
    parts = train(job(folder, tmp_path, **settings), ports.ports(FakeProgress()), resume=True)
    assert same(weights(whole.network), weights(parts.network))
    assert set(files.load(whole.network).widths) == set(tiny_xl.WIDTHS)


def test_the_model_is_as_it_was_after_a_run_with_previews(ports, patched, tmp_path):
    before = {key: tensor.clone() for key, tensor in patched.model.state_dict().items()}
    plain, _ = generate(patched, "a red circle")
    settings = {"preview__every": "2", "preview__prompt": "a cat", "preview__width": 64, "preview__height": 64}
    result = train(job(draw_pictures(tmp_path / "pictures"), tmp_path, **settings), ports.ports(FakeProgress()))
    assert len(result.previews) == 2
    after = patched.model.state_dict()
    assert all(torch.equal(tensor, after[key]) for key, tensor in before.items())
    assert np.array_equal(plain, generate(patched, "a red circle")[0])


def test_a_network_bends_the_picture_and_at_strength_0_does_nothing(patched):
    from hypernetwork_workbench.patches.model.shortcuts import shortcuts

    save_network(patched, "bend", std=0.1)
    before = {key: tensor.clone() for key, tensor in patched.model.state_dict().items()}
    plain, _ = generate(patched, "a red circle")
    still, _ = generate(patched, "a red circle<hypernet:bend:0>")
    assert np.array_equal(plain, still)
    folded, unet = [], patched.model.model.diffusion_model
    handle = unet.input_blocks[2].register_forward_pre_hook(lambda *_: folded.append(not shortcuts.folds.is_empty))
    try:
        full, _ = generate(patched, "a red circle<hypernet:bend:0.7>")
    finally:
        handle.remove()
    assert folded[-1], "linear networks are folded into the layers"
    from hypernetwork_workbench import patches

    patches.uninstall_all()
    theirs, _ = generate(patched, "a red circle<hypernet:bend:0.7>")
    patches.install_all()
    assert not np.array_equal(plain, full)
    assert np.abs(full.astype(int) - theirs.astype(int)).max() <= 1
    assert all(torch.equal(tensor, before[key]) for key, tensor in patched.model.state_dict().items())


def test_the_memory_of_a_step_is_counted(ports):
    network = Hypernetwork.create(STRUCTURE, tiny_xl.WIDTHS, 0)
    counted = ports.HostDenoiser().activations(network, (2, 128, 128))
    assert counted.none > counted.attention > counted.all > 0


@pytest.mark.parametrize(
    ("key", "reason"),
    [("aesthetic_score", "refiner only finishes pictures .* load the base"), ("cond_aug", "takes cond_aug besides")],
)
def test_other_models_of_sgm_are_refused(ports, patched, monkeypatch, key, reason):
    monkeypatch.setattr(patched.model.conditioner.embedders[-1], "input_key", key)
    with pytest.raises(TrainingError, match=reason):
        ports.ports(FakeProgress())


def test_a_model_of_a_later_kind_is_refused(ports, patched, monkeypatch):
    monkeypatch.setattr(patched.model, "is_sd3", True, raising=False)
    with pytest.raises(TrainingError, match="load an SD1, SD2 or SDXL checkpoint"):
        ports.ports(FakeProgress())
