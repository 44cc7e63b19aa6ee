"""VAE and text encoder leave the GPU while only the U-Net works; on a stand-in that writes the moves down."""

from __future__ import annotations

import types

import pytest
import torch
from hypernetwork_workbench.hypernetworks.conditioning import Conditioning


@pytest.fixture
def moves(patched, monkeypatch):
    """Return the model's parts as if on a GPU: where each is, by name, and what moved."""
    from hypernetwork_workbench.patches.model import encoders

    model = patched.model
    places = {encoders.VAE: "cuda", encoders.TEXT: "cuda"}
    names = {id(getattr(model, name)): name for name in places}
    log = []

    def move(module, device):
        name = names[id(module)]
        places[name] = "cuda" if device == encoders.devices.device else "cpu"
        log.append((name, places[name]))

    monkeypatch.setattr(encoders, "move", move)
    monkeypatch.setattr(encoders.devices, "device", torch.device("cpu", 0))  # stands for the GPU, and computes here
    monkeypatch.setattr(
        encoders, "bytes_on_gpu", lambda *modules: sum(places[names[id(module)]] == "cuda" for module in modules)
    )
    return types.SimpleNamespace(log=log, places=places, vae=encoders.VAE, text=encoders.TEXT)


def test_both_leave_and_come_back_also_after_an_error(patched, moves):
    from hypernetwork_workbench.patches.model import encoders

    def fail():
        with encoders.unloaded():
            assert moves.places == {moves.vae: "cpu", moves.text: "cpu"}
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert moves.places == {moves.vae: "cuda", moves.text: "cuda"}


def test_what_both_would_free_is_counted(patched, moves, monkeypatch):
    from hypernetwork_workbench.patches.model.encoders import HostEncoder

    encoder = HostEncoder()
    assert encoder.loaded_bytes() == 2
    with encoder.unloaded():
        assert encoder.loaded_bytes() == 0
    monkeypatch.setattr(patched.model, "lowvram", True, raising=False)  # the host moves them by itself
    assert encoder.loaded_bytes() == 0


def test_only_weights_on_a_gpu_count_as_such():
    from hypernetwork_workbench.patches.model.encoders import bytes_on_gpu

    def part(*devices):
        weights = [types.SimpleNamespace(nbytes=7, device=torch.device(device)) for device in devices]
        return types.SimpleNamespace(parameters=lambda: weights)

    assert bytes_on_gpu(part("cuda", "cpu"), part("meta", "mps", "cpu")) == 14


def test_captions_bring_the_text_encoder_back_once_for_all_of_them(patched, moves):
    from hypernetwork_workbench.patches.model.encoders import HostEncoder

    encoder = HostEncoder()
    with encoder.unloaded():
        del moves.log[:]
        with encoder.text_encoder_loaded():
            for text in ("a", "b", "(c:1.2)"):
                encoder.encode_texts([text])
        assert moves.log == [(moves.text, "cuda"), (moves.text, "cpu")]
        encoder.encode_texts(["a", "(b:1.1)"])
        assert moves.log == [(moves.text, "cuda"), (moves.text, "cpu")] * 2
        encoder.encode_pictures(torch.zeros(1, 3, 64, 64))
        assert moves.log[4:] == [(moves.vae, "cuda"), (moves.vae, "cpu")]


def test_previews_bring_both_back_and_send_them_away_again(patched, moves):
    from hypernetwork_workbench.hypernetworks.ports import PictureRequest
    from hypernetwork_workbench.patches.model import encoders, previews

    seen = []
    whole = previews.processing.process_images
    patch = pytest.MonkeyPatch()
    patch.setattr(previews.processing, "process_images", lambda p: (seen.append(dict(moves.places)), whole(p))[1])
    with patch.context(), encoders.unloaded():
        previews.HostPreviewer().generate([PictureRequest("a", 1, 64, 64, steps=1)], None, 1.0)
        assert moves.places == {moves.vae: "cpu", moves.text: "cpu"}
    patch.undo()
    assert seen == [{moves.vae: "cuda", moves.text: "cuda"}]


def test_a_host_that_moves_its_parts_itself_is_left_alone(patched, moves, monkeypatch):
    from hypernetwork_workbench.patches.model import encoders

    monkeypatch.setattr(patched.model, "lowvram", True, raising=False)
    with encoders.unloaded():
        pass
    assert moves.log == []


def test_without_a_gpu_nothing_moves(patched, monkeypatch):
    from hypernetwork_workbench.patches.model import encoders

    monkeypatch.setattr(encoders, "move", lambda *_: pytest.fail("it moved"))
    with encoders.unloaded(), encoders.needed(encoders.VAE):
        pass


@pytest.fixture
def kept(patched):
    """Return a function that gives the bytes that autograd keeps of one step on two pictures, and the largest."""
    from hypernetwork_workbench.patches.model import host

    def measure(denoiser, network):
        seen = {}

        def pack(tensor):
            storage = tensor.untyped_storage()
            seen[storage.data_ptr()] = (storage.nbytes(), tensor)
            return tensor

        fixed = {weight.untyped_storage().data_ptr() for weight in (*network.parameters(), *host.unet().parameters())}
        noisy, text = torch.randn(2, 4, 16, 16), Conditioning(torch.randn(2, 77, denoiser.widths[0]))
        with denoiser.training(network), torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            out = denoiser.predict(noisy, torch.tensor([5, 9]), text)
        sizes = [size for place, (size, _) in seen.items() if place not in fixed]
        del out
        return sum(sizes), max(sizes)

    return measure


def test_the_estimate_counts_what_autograd_keeps(patched, kept):
    """For each choice of checkpointing the count on the meta device is near what is really kept."""
    from hypernetwork_workbench.hypernetworks.network.hypernetwork import Hypernetwork, Structure
    from hypernetwork_workbench.patches.model import activation_memory, host

    denoiser = host.HostDenoiser()
    network = Hypernetwork.create(Structure(init_std=0.1, activation="mish"), denoiser.widths, 0)
    counted = denoiser.activations(network, (2, 128, 128))
    assert counted.none > counted.attention > counted.all
    together, largest = kept(denoiser, network)
    assert counted.none == pytest.approx(together + activation_memory._ALIVE * largest, rel=0.15)


def test_the_estimate_knows_what_autocast_keeps(patched, kept, monkeypatch):
    from hypernetwork_workbench.hypernetworks.network.hypernetwork import Hypernetwork, Structure
    from hypernetwork_workbench.patches.model import activation_memory, host, lean_layers

    denoiser = host.HostDenoiser()
    network = Hypernetwork.create(Structure(layer_structure=(1, 2, 1)), denoiser.widths, 0)
    on_gpu = activation_memory.count(host.unet(), network, (2, 128, 128), "cpu", torch.bfloat16).none
    # On a CPU autocast leaves norms in the dtype they are in.
    monkeypatch.setattr(activation_memory, "_FULL", frozenset())
    on_cpu = activation_memory.count(host.unet(), network, (2, 128, 128), "cpu", torch.bfloat16).none
    assert on_cpu < on_gpu < activation_memory.count(host.unet(), network, (2, 128, 128), "cpu").none
    with torch.autocast("cpu", torch.bfloat16):
        together, largest = kept(denoiser, network)
    assert on_cpu == pytest.approx(together + activation_memory._ALIVE * largest, rel=0.01)
    # With norms in float32, as on a GPU.
    monkeypatch.setattr(lean_layers, "_NORM_DEVICES", ("cpu",))
    with_norms = activation_memory.count(host.unet(), network, (2, 128, 128), "cpu", torch.bfloat16).none
    with torch.autocast("cpu", torch.bfloat16):
        together, largest = kept(denoiser, network)
    assert with_norms == pytest.approx(together + activation_memory._ALIVE * largest, rel=0.01)
    assert with_norms < 0.95 * on_cpu


def test_what_of_the_unet_is_not_on_the_gpu_yet_is_counted(patched):
    from hypernetwork_workbench.patches.model import host

    denoiser = host.HostDenoiser()
    assert (denoiser.offloaded_bytes(), denoiser.dtype) == (0, torch.float32)
    denoiser.device = torch.device("cuda")
    assert denoiser.offloaded_bytes() == 4 * sum(weight.numel() for weight in host.unet().parameters())


def test_a_unet_that_needs_real_numbers_has_no_estimate(patched, monkeypatch):
    from hypernetwork_workbench.hypernetworks.network.hypernetwork import Hypernetwork, Structure
    from hypernetwork_workbench.patches.model import host

    denoiser = host.HostDenoiser()
    network = Hypernetwork.create(Structure(), denoiser.widths, 0)
    handle = host.unet().register_forward_pre_hook(lambda _module, inputs: inputs[0].sum().item() and None)
    try:
        assert denoiser.activations(network, (1, 64, 64)) is None
    finally:
        handle.remove()
