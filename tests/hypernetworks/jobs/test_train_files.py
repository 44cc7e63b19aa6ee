"""Training settings as files: job files there and back, and the original extension's JSON."""

import json

import pytest
from hypernetwork_workbench.hypernetworks.base.errors import SettingsError
from hypernetwork_workbench.hypernetworks.jobs import path_limits, train_files
from hypernetwork_workbench.hypernetworks.jobs.original_form import KEYS
from hypernetwork_workbench.hypernetworks.train.settings.job import Job
from hypernetwork_workbench.hypernetworks.train.settings.job_file import read_tables

#: As the original writes it, all switches on.
ORIGINAL = {
    "save_file_name": "mine",
    "learn_rate": "0.0001",
    "batch_size": 2,
    "gradient_step": 8,
    "training_width": 640,
    "training_height": 448,
    "steps": 3000,
    "shuffle_tags": False,
    "tag_drop_out": 0,
    "latent_sampling_method": "deterministic",
    "template_file": "",
    "use_beta_scheduler": True,
    "beta_repeat_epoch": "64",
    "epoch_mult": "1.5",
    "warmup": "5",
    "min_lr": "6e-7",
    "gamma_rate": "0.998",
    "use_beta_adamW_checkbox": True,
    "save_when_converge": True,
    "create_when_converge": True,
    "adamw_weight_decay": "0.02",
    "adamw_beta_1": "0.9",
    "adamw_beta_2": "0.99",
    "adamw_eps": "1e-8",
    "show_gradient_clip_checkbox": True,
    "gradient_clip_opt": "norm",
    "optional_gradient_clip_value": "1e-1",
    "optional_gradient_norm_type": "2",
    "latent_sampling_std": -1,
    "noise_training_scheduler_enabled": True,
    "noise_training_scheduler_repeat": True,
    "noise_training_scheduler_cycle": 128,
    "loss_opt": "loss_simple",
    "use_dadaptation": False,
    "dadapt_growth_factor": -1,
    "use_weight": False,
}


def original(**changes):
    return train_files.read(json.dumps({**ORIGINAL, **changes}).encode(), "x_train_.json")


def toml(text):
    return train_files.read(text.encode(), "x.toml")


def tables(values):
    filled = {"data": {"folder": "/pictures"}, "output": {"name": "n"}}
    for address, value in values.items():
        section, _, name = address.partition(".")
        filled.setdefault(section, {})[name] = value
    return filled


def full_job(folder):
    return Job.from_mapping(
        {
            "network": {"file": str(folder / "n.pt")},
            "data": {"folder": str(folder), "width": 64, "template": "[name], [filewords]", "caption_dropout": 0.25},
            "optimizer": {
                "name": "Prodigy",
                "arguments": "weight_decay=0.01",
                "clip": "norm",
                "clip_limit": "1:50,0.5",
            },
            "schedule": {"rate": "1e-4", "kind": "cosine restarts", "cycle": "10 epochs", "warmup": 5, "decay": 0.9},
            "loss": {"kind": "huber", "min_snr_gamma": 5.0, "noise_cycle": "3 epochs", "noise_restarts": True},
            "train": {"max_steps": 77, "validation_share": 0.25, "ema_decay": 0.99, "seed": 2**60},
            "preview": {"every": "2 epochs", "prompt": "\"夜\" a <b> 'c'", "width": 128, "at_cycle_end": True},
            "output": {
                "name": "夜 of ink",
                "overwrite": True,
                "save_every": "1 epoch",
                "save_best": True,
                "dir": str(folder),
            },
        }
    )


def test_a_saved_job_comes_back_whole(tmp_path):
    job = full_job(tmp_path)
    path = train_files.save(job, tmp_path / "settings", is_named=True)
    assert path.name == "夜 of ink.toml"
    loaded = train_files.read(path.read_bytes(), path.name)
    assert (loaded.errors, loaded.left_out) == ([], [])
    assert Job.from_mapping(tables(loaded.values)) == job
    assert Job.from_mapping(read_tables(path)) == job


def test_saving_again_replaces_nothing(tmp_path):
    job = full_job(tmp_path)
    paths = [train_files.save(job, tmp_path, is_named=True) for _ in range(3)]
    assert [path.name for path in paths] == ["夜 of ink.toml", "夜 of ink 2.toml", "夜 of ink 3.toml"]


def test_a_name_that_nobody_gave_is_not_saved(tmp_path):
    path = train_files.save(full_job(tmp_path), tmp_path, is_named=False)
    assert "output.name" not in train_files.read(path.read_bytes(), path.name).values


def test_relative_folders_are_saved_whole(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    job = Job.from_mapping({"data": {"folder": "pictures"}, "output": {"name": "n"}})
    saved = train_files.save(job, tmp_path, is_named=True)
    assert read_tables(saved)["data"]["folder"] == str(tmp_path / "pictures")


def test_a_job_file_gives_only_what_it_names():
    loaded = toml('[schedule]\nrate = 0.005\n[evaluation]\nmeasures = "shapes"\n')
    assert loaded.errors == []
    assert loaded.values == {"schedule.rate": "0.005"}


def test_what_a_form_cannot_hold_is_named_and_the_rest_is_taken():
    loaded = toml(
        '[data]\nfolder = "night"\nbatch_size = 0\ncolour = 3\n[schedule]\nkind = "zigzag"\nwarmup = 7\n'
        "[network]\nlayer_structure = [1, 3, 1]\n[magic]\nx = 1\n[create]\nseed = 1\n"
    )
    said = {error.field: error.reason for error in loaded.errors}
    assert set(said) == {
        "data.folder",
        "data.batch_size",
        "data.colour",
        "schedule.kind",
        "network.layer_structure",
        "magic",
        "create",
    }
    assert "relative to the place of the file" in said["data.folder"]
    assert "Create Beta Hypernetwork" in said["network.layer_structure"]
    assert loaded.values["schedule.warmup"] == 7
    assert not {"data.folder", "data.batch_size", "schedule.kind"} & loaded.values.keys()


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ('weight_init = "Normal"\nzero_last_layer = false', []),  # as forms of earlier versions saved it
        ('weight_init = "KaimingNormal"\nzero_last_layer = true', []),
        ('weight_init = "XavierNormal"', ["network.weight_init"]),
    ],
)
def test_first_weights_that_nobody_chose_are_no_shape_of_a_new_network(said, told):
    loaded = toml(f"[network]\n{said}\n")
    assert [error.field for error in loaded.errors] == told


@pytest.mark.parametrize(
    ("content", "name", "reason"),
    [
        (b"\x89PNG\xff\0", "a.toml", "is no text"),
        (b"[data", "a.toml", "is no TOML"),
        (b"{", "a.json", "is no JSON"),
        (b"[1]", "a.json", "has no settings in it"),
        (b"{}", "a.json", "none of the settings of a training"),
        (b"x = 1", "a.toml", "none of the tables of a job"),
        (b"#" * 1_000_001, "a.toml", "too large"),
        (b"[" * 100_000, "a.json", "nested too deeply"),
    ],
)
def test_files_without_settings_are_refused_by_name(content, name, reason):
    with pytest.raises(SettingsError, match=reason) as caught:
        train_files.read(content, name)
    assert caught.value.field == name


def test_the_originals_file_is_taken_whole():
    loaded = original()
    assert (loaded.errors, loaded.left_out) == ([], [])
    assert loaded.values == {
        "schedule.rate": "0.0001",
        "schedule.kind": "cosine restarts",
        "schedule.cycle": "64",
        "schedule.multiplier": 1.5,
        "schedule.warmup": 5,
        "schedule.min_rate": 6e-7,
        "schedule.decay": 0.998,
        "data.batch_size": 2,
        "data.width": 640,
        "data.height": 448,
        "data.latents": "deterministic",
        "data.shuffle_tags": False,
        "data.tag_dropout": 0.0,
        "data.masks": "off",
        "train.gradient_accumulation": 8,
        "train.max_steps": 3000,
        "optimizer.name": "AdamW",
        "optimizer.arguments": "weight_decay=0.02, betas=(0.9, 0.99), eps=1e-8",
        "optimizer.clip": "norm",
        "optimizer.clip_limit": "1e-1",
        "loss.noise_cycle": "128",
        "loss.noise_restarts": True,
        "preview.at_cycle_end": True,
        "output.save_at_cycle_end": True,
    }
    Job.from_mapping(tables(loaded.values))


def test_switches_that_are_off_switch_off():
    loaded = original(
        use_beta_scheduler=False,
        use_beta_adamW_checkbox=False,
        show_gradient_clip_checkbox=False,
        noise_training_scheduler_enabled=False,
        learn_rate="4e-05:2000,4e-06:4000",
    )
    values = loaded.values
    assert (values["schedule.kind"], values["optimizer.arguments"]) == ("steps", "")
    assert (values["optimizer.clip"], values["loss.noise_cycle"]) == ("none", "0")
    assert Job.from_mapping(tables(values)).schedule.rate == "4e-05:2000,4e-06:4000"


def test_captions_latents_and_masks_are_taken():
    values = original(shuffle_tags=True, tag_drop_out=0.3, latent_sampling_method="once", use_weight=True).values
    assert (values["data.shuffle_tags"], values["data.tag_dropout"]) == (True, 0.3)
    assert (values["data.latents"], values["data.masks"]) == ("once", "alpha")


def test_d_adaptation_and_clipping_by_value():
    loaded = original(
        use_dadaptation=True,
        dadapt_growth_factor=1.02,
        learn_rate="1.0",
        gradient_clip_opt="limit",
        use_beta_adamW_checkbox=False,
    )
    assert loaded.values["optimizer.name"] == "DAdaptAdam"
    assert loaded.values["optimizer.arguments"] == "weight_decouple=True, growth_rate=1.02"
    assert loaded.values["optimizer.clip"] == "value"
    Job.from_mapping(tables(loaded.values))


@pytest.mark.parametrize(
    "changes",
    [
        {"latent_sampling_std": 0.5},
        {"template_file": "style_filewords.txt"},
        {"loss_opt": "loss_vlb"},
        {"optional_gradient_norm_type": "1"},
    ],
)
def test_what_has_no_counterpart_is_named(changes):
    ((key, value),) = changes.items()
    assert original(**changes).left_out == [f"{key} = {value}"]


def test_every_key_of_the_original_is_known_and_others_are_named():
    assert ORIGINAL.keys() == KEYS
    loaded = original(colour="red", steps="many", use_beta_scheduler="perhaps")
    assert {error.field for error in loaded.errors} == {"colour", "train.max_steps", "use_beta_scheduler"}
    assert "train.max_steps" not in loaded.values
    assert loaded.values["data.batch_size"] == 2


@pytest.mark.parametrize("address", ["output.log_dir", "output.dir"])
def test_a_request_writes_to_the_folders_for_results_alone(tmp_path, address):
    section, _, name = address.partition(".")
    outputs, roots = [tmp_path / "results"], [tmp_path / "pictures"]
    inside = path_limits.confined({section: {name: str(outputs[0] / "a")}}, roots, outputs)
    assert inside == {section: {name: str(outputs[0] / "a")}}
    with pytest.raises(SettingsError, match="must lie in") as caught:
        path_limits.confined({section: {name: str(roots[0] / "a")}}, roots, outputs)
    assert caught.value.field == address
