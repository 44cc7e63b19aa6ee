"""Forge's VAE and text encoder: the numbers of the WebUI's way, and moves through the memory manager."""

from __future__ import annotations

import hashlib
from types import SimpleNamespace

import pytest
import torch

TEXTS = ["a red circle", "(b:1.2), c", ""]


@pytest.fixture
def expected(patched):
    """Return posterior and texts of the WebUI's way."""
    from hypernetwork_workbench.patches.model.encoders import HostEncoder

    encoder = HostEncoder()
    return encoder.encode_posterior(pictures()), encoder.encode_texts(TEXTS)


@pytest.fixture
def encoder(expected, forge):
    from hypernetwork_workbench.patches.forge.encoder import ForgeEncoder

    return ForgeEncoder()


def pictures():
    return torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0)) * 2 - 1


def test_the_numbers_are_those_of_the_webui_and_can_be_trained_on(encoder, expected):
    (mean, deviation), texts = expected
    found = encoder.encode_posterior(pictures())
    assert torch.allclose(found[0], mean, atol=1e-6)
    assert torch.allclose(found[1], deviation, atol=1e-6)
    encoded = encoder.encode_texts(TEXTS)
    assert all(torch.equal(one.text, other.text) for one, other in zip(encoded, texts, strict=True))
    assert not any(tensor.is_inference() for tensor in (*found, *(one.text for one in encoded)))


def test_both_parts_count_as_what_can_leave_the_gpu(encoder, forge, monkeypatch):
    from hypernetwork_workbench.patches.forge import encoder as forge_encoder

    checkpoint, _ = forge
    objects, seen = checkpoint.forge_objects, []
    monkeypatch.setattr(forge_encoder, "bytes_on_gpu", lambda *modules: seen.extend(modules) or 5)
    assert encoder.loaded_bytes() == 5
    assert seen == [objects.vae.first_stage_model, objects.clip.cond_stage_model]


def test_captions_are_encoded_with_the_clip_skip_of_pictures_and_without_their_loras(encoder, forge, host, monkeypatch):
    checkpoint, _ = forge
    with_lora = SimpleNamespace(name="the last picture's")
    checkpoint.forge_objects = checkpoint.forge_objects_after_applying_lora = with_lora
    monkeypatch.setitem(host.module("shared").opts.data, "CLIP_stop_at_last_layers", 2)
    seen = []
    encode = checkpoint.get_learned_conditioning
    checkpoint.get_learned_conditioning = lambda texts: (seen.append(checkpoint.forge_objects), encode(texts))[1]
    encoder.encode_texts(["a"])
    assert seen[0] == checkpoint.forge_objects_original
    assert checkpoint.clip_skip == 2
    assert checkpoint.forge_objects is checkpoint.forge_objects_after_applying_lora is with_lora


def test_the_memory_manager_brings_the_vae_and_takes_both_while_only_the_u_net_works(encoder, forge):
    checkpoint, manager = forge
    parts = checkpoint.forge_objects
    for part in (parts.vae.patcher, parts.clip.patcher):
        part.load_device = torch.device("meta")  # stands for a GPU
        manager.load_models_gpu([part])

    def loaded():
        return {id(one.model) for one in manager.current_loaded_models}

    def both():
        return {id(parts.vae.patcher), id(parts.clip.patcher)}

    with encoder.unloaded():
        assert not loaded()
        with encoder.text_encoder_loaded():
            encoder.encode_pictures(pictures())
            assert manager.asked[-1] == (parts.vae.patcher, 7 * 64)
            assert loaded() == {id(parts.vae.patcher)}
        assert not loaded()
    encoder.encode_pictures(pictures())
    manager.load_models_gpu([parts.clip.patcher])
    assert loaded() == both()


def test_a_lora_that_the_last_picture_left_in_the_text_encoder_is_not_in_its_fingerprint(encoder, forge, monkeypatch):
    checkpoint, manager = forge
    clip = checkpoint.forge_objects_original.clip
    before, weight = encoder.text_fingerprint(), next(clip.cond_stage_model.parameters())
    kept, load = weight.detach().clone(), manager.load_models_gpu

    def loading(models, memory_required=0):
        """Take the LoRA out of the weights, as the host does when a part is loaded that has none."""
        if models[0] is clip.patcher:
            weight.data.copy_(kept)
        load(models, memory_required)

    monkeypatch.setattr(manager, "load_models_gpu", loading)
    weight.data.add_(1)
    try:
        assert encoder.text_fingerprint() == before
    finally:
        weight.data.copy_(kept)


def test_fingerprints_tell_what_changes_the_numbers(encoder, forge, host, monkeypatch):
    checkpoint, _ = forge
    picture, text = encoder.picture_fingerprint(), encoder.text_fingerprint()
    assert (encoder.picture_fingerprint(), encoder.text_fingerprint()) == (picture, text)
    engine = SimpleNamespace(
        embeddings=SimpleNamespace(word_embeddings={"neon": SimpleNamespace(vec=torch.ones(2, 3))})
    )
    checkpoint.text_processing_engine = engine
    with_embedding = encoder.text_fingerprint()
    engine.embeddings.word_embeddings["neon"].vec = {"clip_l": torch.zeros(2, 3)}
    assert len({text, with_embedding, encoder.text_fingerprint()}) == 3
    process_in = checkpoint.forge_objects.vae.first_stage_model.process_in
    monkeypatch.setattr(
        checkpoint.forge_objects.vae.first_stage_model, "process_in", lambda latents: 2 * process_in(latents)
    )
    assert encoder.picture_fingerprint() != picture
    assert len(picture) == hashlib.sha256().digest_size * 2
