"""The text model of the settings: in pictures and runs, named in their infotext, and gone to the bit afterwards."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from tests import sources
from tests.patches.parts.test_parts import _are, _weights, job
from tests.patches.test_on_host import generate

OPTION, FIELD = "hnw_text_model", "CLIP text model"
PROMPT = "a (red:1.4) circle"


@pytest.fixture
def opts(demo):
    """Return the settings, in which none is chosen before and after."""
    from hypernetwork_workbench.patches.parts import pictures as of_pictures
    from hypernetwork_workbench.patches.parts import text_files

    from hypernetwork_workbench import patches

    opts = demo.host.module("shared").opts
    patches.register_switches()
    before = _weights(demo.host.model)
    text_files._used.clear()
    yield opts
    opts.set(OPTION, "")
    patches.forget_switches()
    of_pictures.forget()
    assert _are(demo.host.model, before)


@pytest.fixture
def folder(demo):
    """Return the host's folder of text encoders, with the folder of one."""
    place = Path(demo.host.module("paths").models_path) / "text_encoder"
    shutil.copytree(demo.folder / "clip", place / "mine")
    yield place
    shutil.rmtree(place)


@pytest.fixture
def checkpoint(demo):
    """Return the name of a checkpoint that is the demo with the other text encoder."""
    sd_models = demo.host.module("sd_models")
    whole = load_file(sources.ROOT / "examples" / "demo.safetensors")
    whole |= {f"cond_stage_model.{name}": weight for name, weight in demo.text.items()}
    place = Path(demo.host.module("paths").models_path) / "Stable-diffusion"
    place.mkdir(exist_ok=True)
    save_file(whole, place / "whole.safetensors")
    shutil.copy(sources.ROOT / "examples" / "demo.yaml", place / "whole.yaml")
    sd_models.list_models()
    yield "whole.safetensors"
    (place / "whole.safetensors").unlink()
    sd_models.list_models()
    sd_models.reload_model_weights(sd_models.checkpoints_list["demo.safetensors"])


def picture(demo, **changes):
    image, processed = generate(demo.host, PROMPT, **changes)
    params = demo.host.module("infotext_utils").parse_generation_parameters(processed.infotexts[0])
    return image.tolist(), params.get(FIELD), processed.comments


def test_a_picture_is_that_of_a_checkpoint_with_this_text_encoder(demo, opts, checkpoint):
    sd_models = demo.host.module("sd_models")
    plain = picture(demo)
    opts.set(OPTION, str(demo.folder / "clip"))
    other, name, comments = picture(demo)
    assert not comments
    assert name.startswith("clip/model.safetensors [")
    opts.set(OPTION, "")
    assert picture(demo) == plain
    assert plain[1] is None
    assert plain[0] != other
    sd_models.reload_model_weights(sd_models.checkpoints_list[checkpoint])
    assert picture(demo)[0] == other


def test_the_model_is_its_own_between_pictures_and_after_an_error(demo, opts, monkeypatch):
    before, seen = _weights(demo.host.model.cond_stage_model), []
    opts.set(OPTION, str(demo.folder / "clip"))
    samplers = demo.host.module("sd_samplers")

    def broken(*_given):
        seen.append(_are(demo.host.model.cond_stage_model, demo.text))
        raise RuntimeError("no sampler")

    picture(demo)
    assert _are(demo.host.model.cond_stage_model, before)
    monkeypatch.setattr(samplers, "create_sampler", broken)
    with pytest.raises(RuntimeError, match="no sampler"):
        picture(demo)
    assert seen == [True]
    assert _are(demo.host.model.cond_stage_model, before)


def test_switched_off_it_keeps_no_weights_in_memory(demo, opts):
    from hypernetwork_workbench.patches.parts import pictures as of_pictures
    from hypernetwork_workbench.patches.patching import patch_set

    opts.set(OPTION, str(demo.folder / "clip"))
    picture(demo)
    assert of_pictures._kept is not None
    patch_set("text_model").uninstall()
    assert of_pictures._kept is None
    patch_set("text_model").install()


def test_another_checkpoint_gets_it_too_also_in_the_middle_of_a_job(demo, opts, checkpoint, monkeypatch):
    sd_models, seen = demo.host.module("sd_models"), []
    changed = {name: weight + 0.01 for name, weight in demo.text.items()}
    save_file(changed, demo.folder / "third.safetensors")
    opts.set(OPTION, str(demo.folder / "third.safetensors"))
    samplers = demo.host.module("sd_samplers")
    create = samplers.create_sampler

    def with_refiner(*given):
        before = demo.host.model
        sd_models.reload_model_weights(sd_models.checkpoints_list[checkpoint])
        now = demo.host.module("shared").sd_model
        seen.append((_are(before.cond_stage_model, original), _are(now.cond_stage_model, changed)))
        return create(*given)

    original = _weights(demo.host.model.cond_stage_model)
    monkeypatch.setattr(samplers, "create_sampler", with_refiner)
    _, name, _ = picture(demo)
    assert name.startswith("third.safetensors [")
    assert seen == [(True, True)]
    assert _are(demo.host.module("shared").sd_model.cond_stage_model, demo.text), "that of the second checkpoint"
    sd_models.reload_model_weights(sd_models.checkpoints_list["demo.safetensors"])
    assert _are(demo.host.module("shared").sd_model.cond_stage_model, original)


@pytest.mark.parametrize(
    ("file", "sentence"),
    [
        ("other.vae.pt", "has no text encoder of the shape of this model's"),
        ("nowhere.pt", "is not there"),
        ("pictures", "is a folder without"),
    ],
)
def test_one_that_does_not_fit_is_told_and_the_picture_is_made_with_the_models_own(demo, opts, file, sentence):
    plain = picture(demo)
    opts.set(OPTION, str(demo.folder / file))
    image, name, comments = picture(demo)
    assert (image, name) == plain[:2]
    assert comments.count("\n") == 1
    assert comments.startswith(f"{FIELD} was not used: ")
    assert sentence in comments


@pytest.mark.parametrize("value", ["mine", "mine/model.safetensors", "model.safetensors"])
def test_a_name_in_the_hosts_folder_is_enough(demo, opts, folder, value):
    opts.set(OPTION, value)
    _, name, comments = picture(demo)
    assert not comments
    assert name.split(" [")[0] in ("mine/model.safetensors", "model.safetensors")


def test_a_checkpoint_can_be_named_too(demo, opts, checkpoint):
    opts.set(OPTION, checkpoint)
    _, name, comments = picture(demo)
    assert not comments
    assert name.startswith("whole.safetensors [")


def test_a_request_for_a_picture_names_only_what_is_listed_or_was_chosen(demo, opts, folder):
    path = str(demo.folder / "clip")
    plain = picture(demo)
    image, name, comments = picture(demo, override_settings={OPTION: path})
    assert (image, name) == plain[:2]
    assert "is not in models/text_encoder, models/CLIP or the list of checkpoints" in comments
    assert picture(demo, override_settings={OPTION: "mine"})[0] != plain[0]
    opts.set(OPTION, path)
    opts.set(OPTION, "")
    assert picture(demo, override_settings={OPTION: path})[0] != plain[0]
    assert opts.data[OPTION] == ""


def _pasted(demo, params):
    host = demo.host
    host.module("script_callbacks").infotext_pasted_callback("", params)
    return host.module("infotext_utils").override_settings(params)["value"]


def test_an_infotext_brings_it_back_for_the_next_picture(demo, opts, folder):
    from hypernetwork_workbench.patches.rows import infotext

    utils = demo.host.module("infotext_utils")
    demo.host.module("script_callbacks").on_infotext_pasted(infotext.strip_tags)
    plain = picture(demo)
    opts.set(OPTION, "mine")
    image, label, _ = picture(demo)
    opts.set(OPTION, "")
    params = {"Steps": "3", FIELD: label}
    pairs = _pasted(demo, dict(params))
    assert pairs == [f"{FIELD}: {label}"]
    again = picture(demo, override_settings=utils.create_override_settings_dict(pairs))
    assert again == (image, label, "")
    opts.set(OPTION, "mine")
    assert _pasted(demo, dict(params)) == [], "it is chosen already"
    pairs = _pasted(demo, {"Steps": "3"})
    assert pairs == [f"{FIELD}: None"]
    assert picture(demo, override_settings=utils.create_override_settings_dict(pairs))[:2] == plain[:2]
    assert _pasted(demo, {"Prompt": "only words"}) == []


def test_what_is_no_longer_there_is_told_when_it_is_read(demo, opts, folder):
    from hypernetwork_workbench.patches.rows import infotext

    told = infotext.remarks({"Steps": "3", FIELD: "gone.pt [0123456789]"})
    assert "CLIP text model gone.pt [0123456789], which this picture was made with, is not in models/" in told
    (folder / "mine" / "model.safetensors").write_bytes(b"another")
    assert "is not in models/" in infotext.remarks({"Steps": "3", FIELD: "mine/model.safetensors [0123456789]"})
    assert not infotext.remarks({"Steps": "3"})


def test_a_run_has_it_too_and_its_own_comes_first(demo, opts, monkeypatch):
    from hypernetwork_workbench.hypernetworks import files
    from hypernetwork_workbench.hypernetworks.base.errors import SettingsError
    from hypernetwork_workbench.patches import parts
    from hypernetwork_workbench.patches.runs.training import check_job, run_job

    opts.set(OPTION, str(demo.folder / "clip"))
    pictures = demo.folder / "pictures"
    found = files.load(run_job(job(pictures)).network).metadata.training["parts"]
    assert found["text_model"].startswith("clip/model.safetensors [")
    own = files.load(run_job(job(pictures, text_model=str(demo.folder / "model.safetensors"))).network)
    assert own.metadata.training["parts"]["text_model"].startswith("model.safetensors [")
    with parts.chosen(job(pictures, text_model=str(demo.folder / "model.safetensors")).model):
        assert picture(demo)[1].startswith("model.safetensors ["), "a preview of the run"
        with parts.aside():
            assert picture(demo)[1].startswith("clip/model.safetensors ["), "a guest"
    opts.set(OPTION, "nowhere.pt")
    with pytest.raises(SettingsError, match=r"model\.text_model: that of Settings > Hypernetworks: .*is not there"):
        check_job(job(pictures))


def test_it_goes_with_its_switch_and_with_the_extension(demo, opts):
    from hypernetwork_workbench import patches

    plain = picture(demo)[0]
    opts.set(OPTION, str(demo.folder / "clip"))
    used = picture(demo)[0]
    opts.set("hnw_patch_text_model", False)
    assert picture(demo)[:2] == (plain, None)
    opts.set("hnw_patch_text_model", True)
    assert picture(demo)[0] == used
    opts.set("hnw_exact_shortcuts", False)
    assert picture(demo)[0] == used
    opts.set("hnw_exact_shortcuts", True)
    patches.uninstall_all()
    assert picture(demo)[:2] == (plain, None)
    patches.install_all()


def test_prompts_that_a_job_holds_are_encoded_again(demo, opts, monkeypatch):
    kind = SimpleNamespace(cached_c=["a", "b"], cached_uc=["a", "b"], cached_hr_c=["a", "b"], cached_hr_uc=["a", "b"])
    monkeypatch.setattr(demo.host.module("processing"), "StableDiffusionProcessing", kind, raising=False)
    held = list(vars(kind).values())
    opts.set(OPTION, str(demo.folder / "clip"))
    picture(demo)
    assert held == [[None, None]] * 4


def test_loras_are_taken_out_before_and_put_in_again_by_the_host(demo, opts, monkeypatch):
    import sys

    layer = next(m for m in demo.host.model.cond_stage_model.modules() if isinstance(m, torch.nn.Linear))
    own = layer.weight.detach().clone()
    told = []

    def restore(module):
        told.append(module)
        with torch.no_grad():
            module.weight.copy_(module.backup)

    networks = SimpleNamespace(
        network_restore_weights_from_backup=restore,
        network_reset_cached_weight=lambda module: setattr(module, "network_current_names", ()),
    )
    monkeypatch.setitem(sys.modules, "networks", networks)
    layer.network_current_names, layer.backup = ("lora",), own
    try:
        with torch.no_grad():
            layer.weight.add_(1)
        opts.set(OPTION, str(demo.folder / "clip"))
        picture(demo)
        assert set(told) == {layer}
        assert layer.network_current_names == ()
        assert torch.equal(layer.weight, own)
    finally:
        del layer.network_current_names, layer.backup


def test_a_shorter_prompt_is_filled_up_with_what_this_text_model_makes_of_none(demo, opts, monkeypatch):
    sd_models, model, seen = demo.host.module("sd_models"), demo.host.model, []
    samplers = demo.host.module("sd_samplers")
    create = samplers.create_sampler
    monkeypatch.setattr(model, "cond_stage_model_empty_prompt", "of the checkpoint", raising=False)
    monkeypatch.setattr(sd_models, "get_empty_cond", lambda m: _are(m.cond_stage_model, demo.text), raising=False)
    monkeypatch.setitem(opts.data, "pad_cond_uncond", True)

    def look(*given):
        seen.append(model.cond_stage_model_empty_prompt)
        return create(*given)

    monkeypatch.setattr(samplers, "create_sampler", look)
    picture(demo)
    opts.set(OPTION, str(demo.folder / "clip"))
    picture(demo)
    assert seen == ["of the checkpoint", True]
    assert model.cond_stage_model_empty_prompt == "of the checkpoint"


def test_a_file_written_anew_is_read_anew(demo, opts):
    file = demo.folder / "anew.safetensors"
    save_file(demo.text, file)
    opts.set(OPTION, str(file))
    first = picture(demo)
    save_file({name: weight + 0.05 for name, weight in demo.text.items()}, file)
    second = picture(demo)
    assert first[0] != second[0]
    assert first[1] != second[1]


def test_forge_says_where_it_is_chosen(demo, opts, monkeypatch):
    from hypernetwork_workbench.patches.patching import capabilities
    from hypernetwork_workbench.patches.rows import infotext

    from hypernetwork_workbench import patches

    monkeypatch.setattr(capabilities, "attention_has_hooks", lambda: True)
    patches.uninstall_all()
    patches.forget_switches()
    patches.install_all()
    patches.register_switches()
    assert OPTION not in opts.data_labels
    told = infotext.remarks({"Steps": "3", FIELD: "mine.pt [0123456789]"})
    assert "mine.pt [0123456789] is not used: this WebUI chooses text encoders in its own page" in told
    monkeypatch.undo()
    patches.install_all()
    patches.register_switches()
    assert np.asarray(picture(demo)[0]).any()
