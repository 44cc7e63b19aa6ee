"""VAE, text encoder and settings of texts of a run: in place of the host's, named in the file, gone afterwards."""

from __future__ import annotations

import json
from contextlib import nullcontext
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from tests.support.fake_ports import fake_ports

PROMPT = "a (red:1.6) circle"


def job(folder, **changes):
    from hypernetwork_workbench.hypernetworks.train.settings.job import Job

    tables = {
        "data": {"folder": str(folder), "width": 64, "height": 64},
        "train": {"max_steps": 2},
        "preview": {"every": 2, "sampling_steps": 2, "prompt": PROMPT},
        "output": {"name": "parts", "sheet": False, "overwrite": True},
        "model": changes,
    }
    return Job.from_mapping(tables)


def settings(**changes):
    from hypernetwork_workbench.hypernetworks.train.settings.model import ModelSettings

    return replace(ModelSettings(), **changes)


def _weights(module):
    return {name: weight.detach().clone() for name, weight in module.named_parameters()}


def _are(module, expected):
    return all(torch.equal(weight, expected[name]) for name, weight in module.named_parameters())


@pytest.mark.parametrize(
    ("setting", "file"),
    [
        ("vae", "other.vae.safetensors"),
        ("vae", "other.vae.pt"),
        ("vae", "model.safetensors"),
        ("text_model", "clip"),
        ("text_model", "clip/model.safetensors"),
        ("text_model", "model.safetensors"),
    ],
)
def test_the_weights_of_a_file_are_in_the_model_and_its_own_bits_come_back(demo, setting, file):
    from hypernetwork_workbench.patches import parts

    model = demo.host.model
    module = model.first_stage_model if setting == "vae" else model.cond_stage_model
    before, new = _weights(module), demo.vae if setting == "vae" else demo.text
    with parts.chosen(settings(**{setting: str(demo.folder / file)})):
        assert _are(module, new)
        assert list(parts.in_place()) == [setting]
        with parts.aside():
            assert _are(module, before)
        assert _are(module, new)
    assert _are(module, before)
    assert not parts.in_place()


def test_a_run_has_them_and_its_file_names_them(demo):
    from hypernetwork_workbench.hypernetworks import files
    from hypernetwork_workbench.patches.model.encoders import HostEncoder
    from hypernetwork_workbench.patches.runs.training import check_job, run_job

    vae, clip = demo.folder / "other.vae.safetensors", demo.folder / "clip"
    before = HostEncoder().picture_fingerprint(), HostEncoder().text_fingerprint()
    plain = files.load(run_job(job(demo.folder / "pictures")).network)
    assert not plain.metadata.training["parts"]
    wanted = job(demo.folder / "pictures", vae=str(vae), text_model=str(clip), clip_skip=2, emphasis="ignore")
    said = check_job(wanted)
    own = files.load(run_job(wanted).network)
    hashes = files.short_hash(vae), files.short_hash(clip / "model.safetensors")
    names = {"vae": f"other.vae.safetensors [{hashes[0]}]", "text_model": f"clip/model.safetensors [{hashes[1]}]"}
    assert own.metadata.training["parts"] == names
    assert f"The VAE is that of {names['vae']}." in said
    assert f"The text encoder is that of {names['text_model']}." in said
    assert any(
        not torch.equal(a, b) for a, b in zip(plain.state_dict().values(), own.state_dict().values(), strict=True)
    )
    assert (HostEncoder().picture_fingerprint(), HostEncoder().text_fingerprint()) == before


@pytest.mark.parametrize(
    ("changes", "option", "value"),
    [
        ({"clip_skip": 2}, "CLIP_stop_at_last_layers", 2),
        ({"emphasis": "ignore"}, "emphasis", "Ignore"),
        ({"emphasis": "none"}, "emphasis", "None"),
    ],
)
def test_texts_are_what_the_settings_of_the_host_would_give_and_nobody_can_save_them(demo, changes, option, value):
    from hypernetwork_workbench.patches import parts
    from hypernetwork_workbench.patches.model.encoders import HostEncoder

    opts, encoder = demo.host.module("shared").opts, HostEncoder()
    plain, usual = encoder.encode_texts([PROMPT])[0].text, opts.data[option]
    fingerprint = encoder.text_fingerprint()
    opts.data[option] = value
    wanted, wanted_fingerprint = encoder.encode_texts([PROMPT])[0].text, encoder.text_fingerprint()
    opts.data[option] = usual
    with parts.chosen(settings(**changes)):
        assert torch.equal(encoder.encode_texts([PROMPT])[0].text, wanted)
        assert encoder.text_fingerprint() == wanted_fingerprint != fingerprint
        assert opts.data[option] == usual
    assert not torch.equal(plain, wanted)
    assert torch.equal(encoder.encode_texts([PROMPT])[0].text, plain)


def test_no_norm_weighs_and_does_not_scale_back(demo, monkeypatch):
    from hypernetwork_workbench.patches import parts

    encoder = demo.host.model.cond_stage_model
    tokens, weights = encoder.tokenize([PROMPT])
    monkeypatch.setattr(encoder, "encode", lambda tokens: torch.ones(1, tokens.shape[-1], 2))
    assert encoder([PROMPT]).mean() == pytest.approx(1)
    with parts.chosen(settings(emphasis="no norm")), parts.applied():
        assert torch.equal(encoder([PROMPT]), weights.expand(1, 1, -1)[0][..., None].expand(1, -1, 2))
    assert weights.max() == pytest.approx(1.6)
    assert tokens.shape == weights.shape


def test_previews_have_them_too(demo):
    from hypernetwork_workbench.hypernetworks.ports import PictureRequest
    from hypernetwork_workbench.patches import parts
    from hypernetwork_workbench.patches.model.previews import HostPreviewer

    def drawn():
        request = PictureRequest(PROMPT, 5, 64, 64, steps=2)
        return np.asarray(HostPreviewer().generate([request], None, 1.0)[0]).tolist()

    plain, found = drawn(), []
    for changes in (
        {"clip_skip": 2},
        {"vae": str(demo.folder / "other.vae.pt")},
        {"text_model": str(demo.folder / "clip")},
    ):
        with parts.chosen(settings(**changes)):
            found.append(drawn())
    assert all(one != plain for one in found)
    assert drawn() == plain


def test_prompts_that_the_host_keeps_by_their_text_are_forgotten(demo, monkeypatch):
    from hypernetwork_workbench.patches import parts

    kind = SimpleNamespace(cached_c=["a", "b"], cached_uc=["a", "b"])
    monkeypatch.setattr(demo.host.module("processing"), "StableDiffusionProcessing", kind, raising=False)
    with parts.chosen(settings(text_model=str(demo.folder / "clip"))):
        assert kind.cached_c == kind.cached_uc == [None, None]
        kind.cached_c = ["c", "d"]
    assert kind.cached_c == [None, None]


@pytest.mark.parametrize(
    ("setting", "content", "sentence"),
    [
        ("vae", None, "is not there"),
        ("vae", "folder", "is a folder without"),
        ("vae", "x.txt", "must end in"),
        ("vae", "clip/model.safetensors", "has no VAE of the shape of this model's"),
        ("text_model", "other.vae.pt", "has no text encoder of the shape of this model's"),
        ("text_model", "narrow.safetensors", r"text_model\.final_layer_norm\.weight is \[3\], not"),
        ("vae", "broken.safetensors", "cannot be read"),
        ("vae", "broken.pt", "broken.pt"),
    ],
)
def test_what_does_not_fit_is_named_and_nothing_is_changed(demo, setting, content, sentence, tmp_path):
    from hypernetwork_workbench.hypernetworks.base.errors import SettingsError
    from hypernetwork_workbench.patches.runs.training import check_job

    (demo.folder / "folder").mkdir(exist_ok=True)
    (demo.folder / "x.txt").write_text("x")
    for name in ("broken.safetensors", "broken.pt"):
        (demo.folder / name).write_bytes(b"PK" + bytes(100))
    narrow = {name.removeprefix("transformer."): weight for name, weight in demo.text.items()}
    narrow["text_model.final_layer_norm.weight"] = torch.zeros(3)
    save_file(narrow, demo.folder / "narrow.safetensors")
    before = _weights(demo.host.model)
    path = demo.folder / (content or "nowhere.safetensors")
    with pytest.raises(SettingsError, match=sentence) as caught:
        check_job(job(demo.folder / "pictures", **{setting: str(path)}))
    assert caught.value.field == f"model.{setting}"
    assert _are(demo.host.model, before)


@pytest.mark.parametrize(
    ("setting", "value"), [("vae", "x.pt"), ("text_model", "x.pt"), ("clip_skip", 2), ("emphasis", "none")]
)
def test_what_has_no_such_parts_refuses_them_instead_of_training_with_others(demo, tmp_path, setting, value):
    from hypernetwork_workbench.hypernetworks.base.errors import SettingsError
    from hypernetwork_workbench.hypernetworks.train.plan import make_plan

    with pytest.raises(SettingsError, match=rf"model\.{setting}: is not taken here"):
        make_plan(job(demo.folder / "pictures", **{setting: value}), fake_ports(tmp_path))


@pytest.mark.parametrize("function", ["check_job", "run_job", "find_rate_for"])
def test_check_and_start_tell_them_with_all_else_that_does_not_fit(demo, function):
    from hypernetwork_workbench.hypernetworks.base.errors import SettingsError
    from hypernetwork_workbench.patches.runs import training

    wrong = job(demo.folder / "nowhere", vae="nowhere.pt")
    with pytest.raises(SettingsError) as caught:
        getattr(training, function)(wrong)
    assert [error.field for error in caught.value.errors] == ["model.vae", "data.folder"]


def test_a_study_tells_them_with_all_else_that_does_not_fit_and_is_not_begun(demo, tmp_path):
    from hypernetwork_workbench.hypernetworks.base.errors import SettingsError
    from hypernetwork_workbench.hypernetworks.tuning import TuneSettings
    from hypernetwork_workbench.patches.runs import tuning

    tables = job(demo.folder / "nowhere", vae="nowhere.pt").to_mapping()
    tables["output"]["dir"] = str(tmp_path / "out")
    with pytest.raises(SettingsError) as caught:
        tuning.tune_job(tables, TuneSettings(ranges="embedding.rate = [1, 2]", objective="style distance"))
    assert [error.field for error in caught.value.errors] == ["model.vae", "embedding.rate", "data.folder"]
    assert not (tmp_path / "out").exists()


def test_a_host_without_the_setting_says_so(demo, monkeypatch):
    from hypernetwork_workbench.hypernetworks.base.errors import SettingsError
    from hypernetwork_workbench.patches import parts

    monkeypatch.delitem(demo.host.module("shared").opts.data_labels, "emphasis")
    with (
        pytest.raises(SettingsError, match=r"model\.emphasis: .*no such setting"),
        parts.chosen(settings(emphasis="none")),
    ):
        pass


def test_forge_chooses_them_in_its_own_page(demo, monkeypatch):
    from hypernetwork_workbench.hypernetworks.base.errors import SettingsError
    from hypernetwork_workbench.patches import backend, parts

    monkeypatch.setattr(backend, "is_here", lambda: True)
    path = str(demo.folder / "clip")
    with (
        pytest.raises(SettingsError, match=r"model\.text_model: can be chosen"),
        parts.chosen(settings(text_model=path)),
    ):
        pass


def test_the_page_of_the_embedded_host_chooses_a_vae_and_gives_the_own_one_back(demo):
    shared, sd_vae = demo.host.module("shared"), demo.host.module("sd_vae")
    place = demo.host.module("paths").models_path
    module, before = demo.host.model.first_stage_model, _weights(demo.host.model.first_stage_model)
    save_file(demo.vae, f"{place}/VAE/one.safetensors")
    save_file(demo.text, f"{place}/VAE/wrong.safetensors")
    save_file({name: weight + 1 for name, weight in demo.vae.items()}, f"{place}/VAE/two.safetensors")
    shared.refresh_vaes()
    assert set(sd_vae.vae_dict) == {"one.safetensors", "two.safetensors", "wrong.safetensors"}
    assert shared.opts.set("sd_vae", "one.safetensors")
    assert _are(module, demo.vae)
    assert not shared.opts.set("sd_vae", "wrong.safetensors")
    assert _are(module, demo.vae)
    assert shared.opts.set("sd_vae", "two.safetensors")
    assert shared.opts.set("sd_vae", "None")
    assert _are(module, before)
    assert not demo.host.model.base_vae, "no second VAE stays in memory"
    json.dumps(shared.opts.data)


def test_find_a_rate_tries_with_them_and_a_pause_gives_the_model_back(demo, monkeypatch):
    from hypernetwork_workbench.patches import parts
    from hypernetwork_workbench.patches.runs import desk, training

    found, wanted = [], job(demo.folder / "pictures", vae=str(demo.folder / "other.vae.pt"))

    def look(*_given):
        found.append((_are(demo.host.model.first_stage_model, demo.vae), dict(parts.in_place())))

    monkeypatch.setattr(training, "find_rate", look)
    training.find_rate_for(wanted)
    assert found[0][0]
    monkeypatch.setattr(desk.turns, "wait_until", lambda _ready: look())
    run = SimpleNamespace(is_paused=True, is_cancelled=False, wishes=[], state="")
    with parts.chosen(wanted.model):
        desk.RunDesk(run)._stand_aside(SimpleNamespace(aside=nullcontext))
        look()
    assert [one[0] for one in found[1:]] == [False, True]
