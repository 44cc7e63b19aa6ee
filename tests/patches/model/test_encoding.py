"""Captions through the host's own text encoder: weights, any length, and what its settings change."""

from types import SimpleNamespace

import pytest
import torch
from hypernetwork_workbench.hypernetworks.base.errors import TrainingError


def encoder_of(host):
    """Return the port, which can be imported only once the host runs."""
    from hypernetwork_workbench.patches.model.encoders import HostEncoder

    assert host.model is not None
    return HostEncoder()


TEXTS = ["", "a red circle", "a (red:1.4) circle", "blue " * 80, "a star", "one BREAK two", "[a] house"]


class SharedMean(torch.nn.Module):
    """A text encoder that restores the mean of weighted texts over the whole batch, as the WebUI's does."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, texts):
        context = self.model(texts) + 0.5
        weight = torch.tensor([1.0 + text.count("(") + text.count("[") for text in texts])[:, None, None]
        return context * weight * (context.mean() / (context * weight).mean())


def test_each_text_is_encoded_as_if_it_were_alone(host, monkeypatch):
    encoder = encoder_of(host)
    monkeypatch.setitem(host.model._modules, "cond_stage_model", SharedMean(host.model.cond_stage_model))
    alone = [encoder.encode_texts([text])[0] for text in TEXTS]
    assert [len(each.text) // 77 for each in alone] == [1, 1, 1, 2, 1, 2, 1]
    for order in (TEXTS, TEXTS[::-1], TEXTS[:3] + TEXTS[4:5]):
        for text, found in zip(order, encoder.encode_texts(order), strict=True):
            assert torch.allclose(found.text, alone[TEXTS.index(text)].text, atol=1e-6), text
    calls = []
    original = host.model.get_learned_conditioning
    monkeypatch.setattr(host.model, "get_learned_conditioning", lambda texts: calls.append(texts) or original(texts))
    encoder.encode_texts(["", "a star", "a house", "a tree"])
    assert len(calls) == 1  # what asks for no company of its own goes together


def test_a_caption_that_the_encoder_cannot_take_is_named(host, monkeypatch):
    nan = torch.full((1, 77, 24), float("nan"))
    monkeypatch.setattr(host.model, "get_learned_conditioning", lambda texts: nan)
    with pytest.raises(TrainingError, match=r"no finite numbers for the caption 'a \(b\)'"):
        encoder_of(host).encode_texts(["a (b)"])


@pytest.mark.parametrize("name", ["CLIP_stop_at_last_layers", "emphasis", "use_old_emphasis_implementation"])
def test_settings_that_change_the_encoding_change_its_fingerprint(host, monkeypatch, name):
    shared = host.module("shared")
    fingerprints = set()
    for value in (1, 2):
        monkeypatch.setattr(shared, "opts", SimpleNamespace(**{name: value}))
        fingerprints.add(encoder_of(host).text_fingerprint())
    assert len(fingerprints) == 2
