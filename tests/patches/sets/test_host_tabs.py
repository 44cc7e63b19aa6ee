"""The WebUI's own tabs Create hypernetwork and Train, and its routes, run our code with their settings."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from hypernetwork_workbench.hypernetworks import files
from hypernetwork_workbench.hypernetworks.base.errors import TrainingError
from hypernetwork_workbench.hypernetworks.jobs.webui_form import WebuiSettings, training_tables
from hypernetwork_workbench.hypernetworks.train.settings.job import Job
from hypernetwork_workbench.hypernetworks.train.settings.job_file import read_tables
from PIL import Image

from tests.patches.test_on_host import save_network

#: The form of the Train tab as the host hands it over, by the names of its arguments.
FORM = {
    "id_task": "task(x)",
    "hypernetwork_name": "ink",
    "learn_rate": "0.001",
    "batch_size": 2,
    "gradient_step": 1,
    "data_root": "",
    "log_directory": "",
    "training_width": 64,
    "training_height": 64,
    "varsize": False,
    "steps": 3,
    "clip_grad_mode": "disabled",
    "clip_grad_value": "0.1",
    "shuffle_tags": False,
    "tag_drop_out": 0,
    "latent_sampling_method": "once",
    "use_weight": False,
    "create_image_every": 0,
    "save_hypernetwork_every": 0,
    "template_filename": "filewords.txt",
    "preview_from_txt2img": False,
    "preview_prompt": "a star",
    "preview_negative_prompt": "blurry",
    "preview_steps": 2,
    "preview_sampler_name": "Euler",
    "preview_cfg_scale": 5.0,
    "preview_seed": -1,
    "preview_width": 64,
    "preview_height": 72,
}


@pytest.fixture
def form(patched, tmp_path):
    """Tell what was entered, for a network that is there and a folder of pictures."""
    save_network(patched, "ink", std=0.01)
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in range(3):
        Image.new("RGB", (64, 64), (80 * number, 30, 200)).save(folder / f"{number}.png")
        (folder / f"{number}.txt").write_text(f"picture {number}, round")
    return {**FORM, "data_root": str(folder), "log_directory": str(tmp_path / "logs")}


def press(host, form):
    return host.module("hypernetworks.ui").train_hypernetwork(*form.values())


def job_of(tmp_path):
    (path,) = (tmp_path / "logs").rglob("job.toml")
    return Job.from_mapping(read_tables(path)), path.parent


def test_the_train_button_trains_with_the_forms_settings_and_tells_the_end(patched, form, tmp_path):
    text, error = press(
        patched,
        {
            **form,
            "shuffle_tags": True,
            "tag_drop_out": 0.2,
            "use_weight": True,
            "clip_grad_mode": "norm",
            "create_image_every": 2,
            "save_hypernetwork_every": 2,
            "latent_sampling_method": "random",
        },
    )
    assert error == ""
    path = Path(patched.module("shared").hypernetworks["ink"])
    assert text.startswith(f"Training finished at 3 steps.\nHypernetwork saved to {path}\n")
    assert files.load(path).metadata.step == 3
    job, folder = job_of(tmp_path)
    assert folder.parents[1] == tmp_path / "logs"
    assert [one.name for one in folder.parent.iterdir()] == ["ink"], "latents are kept where every run finds them"
    assert {one.name for one in folder.iterdir()} >= {"log.csv", "previews", "ink-000002.pt"}
    assert (job.data.shuffle_tags, job.data.tag_dropout, job.data.masks, job.data.latents) == (
        True,
        0.2,
        "alpha",
        "random",
    )
    assert (job.optimizer.clip, job.optimizer.clip_limit, job.schedule.rate) == ("norm", "0.1", "0.001")
    assert (job.data.batch_size, job.data.framing, job.train.max_steps) == (2, "square", 3)
    assert Path(job.data.template_file).name == "filewords.txt"


def test_previews_are_those_of_txt2img_where_that_is_ticked(patched, form, tmp_path):
    press(patched, {**form, "create_image_every": 3, "preview_from_txt2img": True})
    job, folder = job_of(tmp_path)
    assert (job.preview.prompt, job.preview.sampler, job.preview.sampling_steps) == ("a star", "Euler", 2)
    with Image.open(folder / "previews" / "step-000003.png") as picture:
        assert picture.size == (64, 72)


def test_training_goes_on_where_the_file_is(patched, form, tmp_path):
    press(patched, form)
    text, error = press(
        patched,
        {
            **form,
            "steps": 5,
            "learn_rate": "0.01:2, 0.001:4, 0.0005",
            "log_directory": str(tmp_path / "logs" / "second"),
        },
    )
    assert error == ""
    assert text.startswith("Training finished at 5 steps.")
    (path,) = (tmp_path / "logs" / "second").rglob("job.toml")
    job = Job.from_mapping(read_tables(path))
    assert (job.train.max_steps, job.schedule.rate, job.train.seed) == (2, "0.001:1,0.0005:2", 3)
    text, _ = press(patched, {**form, "steps": 5})
    assert "Max steps: the network was trained for 5 steps already" in text


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"hypernetwork_name": "nobody"}, "Hypernetwork: there is no network nobody"),
        ({"hypernetwork_name": ""}, "Hypernetwork: choose a network"),
        ({"learn_rate": "fast"}, "Hypernetwork Learning rate: 'fast' is no learning rate"),
        ({"batch_size": 0}, "Batch size: must be at least 1, not 0"),
        ({"batch_size": None}, "Batch size: must be a number, not empty"),
        ({"data_root": ""}, "Dataset directory: name the folder that holds the pictures"),
        ({"data_root": "/no such folder"}, "Dataset directory: /no such folder is not a folder"),
        ({"template_filename": "none such.txt"}, "Prompt template: there is no prompt template"),
        ({"training_width": 100}, "Width: must be a multiple of 8, not 100"),
        ({"steps": None}, "Max steps: must be a whole number, not None"),
        ({"steps": 0}, "Max steps: must be at least 1, not 0"),
        ({"clip_grad_mode": "value", "clip_grad_value": "x"}, "Gradient clip value: must be a number"),
        ({"tag_drop_out": 2}, "Drop out tags when creating prompts: must be at most 1, not 2"),
        ({"latent_sampling_method": "twice"}, "Choose latent sampling method: must be one of"),
        ({"create_image_every": -1}, "Save an image to log directory every N steps: "),
    ],
)
def test_what_cannot_be_done_is_refused_with_the_label_of_the_form(patched, form, changes, sentence):
    before = Path(patched.module("shared").hypernetworks["ink"]).read_bytes()
    text, _ = press(patched, {**form, **changes})
    assert text.startswith("Nothing was trained.\n")
    assert sentence in text
    assert Path(patched.module("shared").hypernetworks["ink"]).read_bytes() == before


def test_lowvram_is_refused_with_a_sentence(patched, form, monkeypatch):
    monkeypatch.setattr(patched.module("shared").cmd_opts, "lowvram", True, raising=False)
    text, _ = press(patched, form)
    assert "training is not possible with --lowvram" in text


def test_fp8_weights_are_refused_where_the_backward_pass_would_find_them(patched, form, monkeypatch):
    from contextlib import contextmanager

    from hypernetwork_workbench.patches.model import host

    monkeypatch.setattr(host.devices, "fp8", True, raising=False)
    with monkeypatch.context() as casting:
        casting.setattr(host.devices, "autocast", contextmanager(lambda: iter([None])))
        assert "training is not possible with FP8 weights here" in press(patched, form)[0]
    assert "Nothing was trained" not in press(patched, form)[0]


def test_varying_sizes_are_kept_and_not_scaled():
    tables = training_tables({**FORM, "varsize": True}, WebuiSettings("t.txt"))
    assert (tables["data"]["framing"], tables["data"]["width"]) == ("keep every size", 2048)
    assert (tables["preview"]["width"], tables["preview"]["height"]) == (64, 64)


def test_other_callers_get_the_network_and_its_path_or_an_error_with_the_argument(patched, form):
    hypernetwork = patched.module("hypernetworks.hypernetwork")
    network, path = hypernetwork.train_hypernetwork(**form)
    assert (network.step, path) == (3, patched.module("shared").hypernetworks["ink"])
    with pytest.raises(TrainingError, match="learn_rate: 'fast' is no learning rate"):
        hypernetwork.train_hypernetwork(**{**form, "learn_rate": "fast", "steps": 9})


def test_the_route_trains_in_the_hosts_queue(patched, form):
    api, queue = patched.module("api.api"), patched.module("call_queue").queue_lock
    ended = threading.Event()

    def call():
        api.train_hypernetwork(**form)
        ended.set()

    with queue:
        thread = threading.Thread(target=call)
        thread.start()
        assert not ended.wait(0.3)
    thread.join(240)
    assert ended.is_set()


def test_the_optimized_attention_is_in_place_while_an_outside_caller_trains(patched, form, monkeypatch):
    sd_hijack = patched.module("sd_hijack")
    seen = []
    unet = patched.module("shared").sd_model.model.diffusion_model
    attention = next(type(layer) for layer in unet.modules() if hasattr(layer, "to_k"))
    sd_hijack.undo_optimizations()
    whole = patched.module("processing").process_images
    monkeypatch.setattr(
        patched.module("processing"),
        "process_images",
        lambda p: (seen.append(attention.forward), whole(p))[1],
    )
    patched.module("hypernetworks.hypernetwork").train_hypernetwork(**{**form, "create_image_every": 3})
    assert seen == [sd_hijack.scaled_dot_product_attention_forward]
    sd_hijack.apply_optimizations()


def create(host, name="made", sizes=("8", "32"), **changes):
    values = {
        "overwrite_old": False,
        "layer_structure": "1, 2, 1",
        "activation_func": "relu",
        "weight_init": "KaimingUniform",
        "add_layer_norm": True,
        "use_dropout": True,
        "dropout_structure": "0, 0.1, 0",
        **changes,
    }
    return host.module("hypernetworks.ui").create_hypernetwork(name, list(sizes), *values.values())


def test_the_create_button_makes_the_file_and_lists_it(patched):
    update, text, error = create(patched)
    path = Path(patched.module("shared").cmd_opts.hypernetwork_dir, "made.pt")
    assert (text, error) == (f"Created: {path}", "")
    assert "made" in update["choices"]
    network = files.load(path)
    assert network.widths == (8, 32)
    assert network.structure.layer_norm
    assert network.structure.dropout_structure == (0, 0.1, 0)
    assert not network.structure.zero_last_layer  # its form says a rule, which is meant for all layers
    create(patched, "plain", use_dropout=False)
    plain = files.load(path.with_name("plain.pt"))
    assert not any(plain.structure.dropout_structure)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"name": "a/b"}, "Name: must not contain /"),
        ({"name": ""}, "Name: give the network a name"),
        ({"sizes": ()}, "Modules: needs at least one"),
        ({"layer_structure": "1, 2"}, "Enter hypernetwork layer structure: "),
        ({"activation_func": "glu"}, "Select activation function of hypernetwork: "),
        ({"dropout_structure": "0, 0.05, 0.15"}, "Enter hypernetwork Dropout structure: "),
    ],
)
def test_what_cannot_be_made_is_refused_with_the_label_of_the_form(patched, changes, sentence):
    _, text, error = create(patched, **changes)
    assert text == ""
    assert sentence in error


def test_a_file_that_is_there_is_kept_and_the_route_reports_it_by_an_assertion(patched):
    create(patched)
    _, _, error = create(patched)
    assert "Name: made.pt exists already; choose another name, or tick “Overwrite Old Hypernetwork”" in error
    with pytest.raises(
        AssertionError, match=r"name: made\.pt exists already; choose another name, or set overwrite_old$"
    ):
        patched.module("api.api").create_hypernetwork("made", [8], False, "1, 2, 1", "linear", "Normal")


def test_another_extensions_function_of_that_name_is_left_alone(host, monkeypatch):
    from hypernetwork_workbench.patches.sets import host_training

    def theirs(task, name):
        """Of another extension."""

    module = host.module("hypernetworks.hypernetwork")
    monkeypatch.setattr(module, "train_hypernetwork", theirs)
    try:
        assert not host_training.patch_set.install()
        assert module.train_hypernetwork is theirs
        assert "takes no hypernetwork_name, learn_rate" in host_training.patch_set.problem
    finally:
        host_training.patch_set.uninstall()
        host_training.patch_set.problem = None


def test_a_host_whose_own_training_is_broken_keeps_it_and_is_told_so(host, monkeypatch):
    """As reForge: its button and its route ask for what it does not have any more."""
    from hypernetwork_workbench.patches.patching import UnsupportedHostError
    from hypernetwork_workbench.patches.sets import host_training

    monkeypatch.delattr(host.module("sd_hijack"), "undo_optimizations")
    for patch in host_training.patch_set.patches[:2]:
        with pytest.raises(UnsupportedHostError, match="own training is broken here"):
            patch._make(host.module("hypernetworks.hypernetwork").train_hypernetwork)
