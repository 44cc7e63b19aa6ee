"""A run goes on with the checkpoint it began with, whatever is chosen in Forge's page meanwhile."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from hypernetwork_workbench.hypernetworks.base.errors import TrainingError
from hypernetwork_workbench.hypernetworks.ports import PictureRequest

FIRST, SECOND = {"checkpoint_info": "first"}, {"checkpoint_info": "second"}


@pytest.fixture
def choice(forge, host, monkeypatch):
    """Return what Forge notes when a checkpoint is chosen; it loads it at the next picture."""
    sd_models = host.module("sd_models")
    data = SimpleNamespace(forge_loading_parameters=FIRST, forge_hash="", sd_model=forge[0], loads=[])

    def reload():
        if data.forge_hash != str(data.forge_loading_parameters):
            data.forge_hash = str(data.forge_loading_parameters)
            data.loads.append(data.forge_loading_parameters)
            if data.forge_loading_parameters is None:
                raise ValueError("You do not have any model!")
        return data.sd_model, True

    monkeypatch.setattr(sd_models, "model_data", data, raising=False)
    monkeypatch.setattr(sd_models, "forge_model_reload", reload, raising=False)
    return data


def test_ports_load_what_is_chosen_once(choice):
    from hypernetwork_workbench.patches.forge import ports

    assert ports().checkpoint.name == "forged"
    assert ports().denoiser.prediction == "epsilon"
    assert choice.loads == [FIRST]


def test_the_checkpoint_that_is_being_left_is_not_judged(choice, forge):
    from hypernetwork_workbench.patches.forge import ports
    from hypernetwork_workbench.patches.runs import training

    ports()
    model = forge[0].forge_objects.unet.model
    model.predictor.prediction_type = "const"
    with pytest.raises(TrainingError, match="neither noise nor velocity"):
        training.require_training()
    choice.forge_loading_parameters = SECOND
    training.require_training()
    with pytest.raises(TrainingError, match="neither noise nor velocity"):  # what is chosen is judged once loaded
        ports()


def test_a_checkpoint_that_cannot_be_loaded_ends_the_run_with_a_sentence(choice):
    from hypernetwork_workbench.patches.forge import ports

    choice.forge_loading_parameters = None
    with pytest.raises(TrainingError, match="could not be loaded: You do not have any model"):
        ports()


def test_previews_are_of_the_runs_checkpoint_as_it_is(choice, forge, host, monkeypatch):
    from hypernetwork_workbench.patches.forge import ports
    from hypernetwork_workbench.patches.model import previews

    previewer = ports().previewer
    checkpoint, _ = forge
    with_lora = SimpleNamespace(name="the last picture's")
    checkpoint.forge_objects_after_applying_lora = with_lora
    choice.forge_loading_parameters = SECOND
    seen = []

    def process(p):
        seen.append((choice.forge_loading_parameters, checkpoint.forge_objects_after_applying_lora, p.scripts))
        return SimpleNamespace(images=[np.zeros((8, 8))], index_of_first_image=0, infotexts=[])

    monkeypatch.setattr(previews.processing, "process_images", process)
    monkeypatch.setitem(host.module("shared").opts.data, "enable_pnginfo", False)
    previewer.generate([PictureRequest("a", 1, 64, 64)], None, 0.0)
    (chosen, objects, scripts) = seen[0]
    assert chosen is FIRST
    assert objects == checkpoint.forge_objects_original
    assert type(scripts).__name__ == "ScriptRunner"
    assert choice.forge_loading_parameters is SECOND
    assert checkpoint.forge_objects_after_applying_lora is with_lora


def test_a_guest_leaves_the_run_its_checkpoint_and_keeps_the_own_choice(choice, host, monkeypatch):
    from hypernetwork_workbench.patches.forge import ports
    from hypernetwork_workbench.patches.model import lending

    progress = host.module("progress")
    monkeypatch.setattr(progress, "start_task", lambda _task: None)
    ports()
    with lending.lent():
        choice.forge_loading_parameters = SECOND
        host.module("sd_models").forge_model_reload()
    assert choice.loads == [FIRST, SECOND, FIRST]
    assert choice.forge_loading_parameters is SECOND
