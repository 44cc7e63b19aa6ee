"""Settings of other programs given as a job: read where that can be done, else named as what they are."""

import json

import pytest
from hypernetwork_workbench.hypernetworks.base.errors import SettingsError
from hypernetwork_workbench.hypernetworks.jobs import train_files
from hypernetwork_workbench.hypernetworks.train.settings.job_file import read_tables

from tests.hypernetworks.jobs.test_train_files import ORIGINAL

KOHYA_CONFIG = """
[model_arguments]
pretrained_model_name_or_path = "/models/sd15.safetensors"
v2 = false
[dataset_arguments]
train_data_dir = "/pictures"
resolution = "512,768"
enable_bucket = true
bucket_no_upscale = false
shuffle_caption = true
keep_tokens = 1
color_aug = false
[training_arguments]
output_name = "night"
output_dir = "/out"
max_train_steps = 2000
train_batch_size = 2
learning_rate = 1e-4
lr_scheduler = "cosine"
lr_warmup_steps = 100
optimizer_type = "adamw"
optimizer_args = ["weight_decay=0.1", "betas=(0.9,0.99)"]
max_grad_norm = 1.0
mixed_precision = "bf16"
gradient_checkpointing = true
save_every_n_epochs = 2
sample_every_n_steps = 100
seed = 42
dataset_config = "/pictures/set.toml"
min_snr_gamma = 5
max_timestep = 1000
prior_loss_weight = 1.0
token_warmup_min = 1
[network_arguments]
network_module = "networks.lora"
network_dim = 32
network_train_unet_only = true
"""
KOHYA_GUI = {
    "LoRA_type": "Standard",
    "learning_rate": 0.0001,
    "train_batch_size": 2,
    "max_resolution": "512,768",
    "optimizer": "AdamW",
    "optimizer_args": "weight_decay=0.1 betas=(0.9,0.99)",
    "lr_scheduler": "cosine_with_restarts",
    "stop_text_encoder_training": 0,
    "pretrained_model_name_or_path": "",
    "output_name": "night",
    "train_data_dir": "/pictures",
    "reg_data_dir": "",
    "enable_bucket": False,
    "epoch": 10,
    "network_dim": 8,
    "flip_aug": True,
    "caption_dropout_rate": 0,
}
FILES = {
    "workflow.json": ({"last_node_id": 3, "nodes": [{"id": 1}], "links": []}, "is a workflow of ComfyUI"),
    "api.json": ({"3": {"class_type": "KSampler", "inputs": {}}}, "is a workflow of ComfyUI"),
    "onetrainer.json": (
        {"__version": 6, "training_method": "LORA", "base_model_name": "x", "batch_size": 1, "learning_rate": 1},
        "is a configuration of OneTrainer",
    ),
    "everydream.json": ({"resume_ckpt": "sd_v1-5", "max_epochs": 30, "lr": 1e-6}, "is a configuration of EveryDream"),
    "db_config.json": ({"concepts_list": [], "model_dir": "x"}, "is a configuration of the DreamBooth extension"),
    "model_index.json": ({"_class_name": "StableDiffusionPipeline"}, "belongs to a model in the form of diffusers"),
    "config.json": ({"samples_save": True, "sd_model_checkpoint": "x"}, "holds the settings of the WebUI itself"),
    "ui-config.json": ({"txt2img/Prompt/visible": True, "txt2img/Steps/value": 20}, "the values of the WebUI's forms"),
    "lora.json": ({"ss_network_module": "networks.lora", "ss_seed": "1"}, "what the file of a LoRA tells"),
    "meta_cap.json": ({"a": {"caption": "x"}, "b": {"tags": "y"}}, "is kohya's metadata of pictures"),
    "report.json": ({"seconds": 3, "loss_first": 0.1, "loss_last": 0.1}, "is the report of a run"),
    "dataset.toml": ("[general]\n[[datasets]]\nresolution = 512\n", "is a dataset file of kohya's trainer"),
}
ONLY_FOR_THE_PAGE = {
    "kohya.toml": (KOHYA_CONFIG, "is a configuration of kohya's trainer"),
    "lora.json": (KOHYA_GUI, "is a preset of kohya's GUI"),
    "x_train_.json": (ORIGINAL, "holds the settings of the original extension or the WebUI"),
    "create.toml": ("[create]\nseed = 1\n[network]\n", "holds the settings of a new network"),
}


def written(content):
    return (content if isinstance(content, str) else json.dumps(content)).encode()


@pytest.mark.parametrize(("name", "content", "sentence"), [(name, *rest) for name, rest in FILES.items()])
def test_what_is_no_job_is_named_as_what_it_is(tmp_path, name, content, sentence):
    with pytest.raises(SettingsError, match=sentence) as caught:
        train_files.read(written(content), name)
    assert caught.value.field == name
    (tmp_path / name).write_bytes(written(content))
    with pytest.raises(SettingsError, match=rf"{name}: this .*{sentence}"):
        read_tables(tmp_path / name)


@pytest.mark.parametrize(("name", "content", "sentence"), [(name, *rest) for name, rest in ONLY_FOR_THE_PAGE.items()])
def test_the_command_says_which_tab_reads_a_file(tmp_path, name, content, sentence):
    (tmp_path / name).write_bytes(written(content))
    with pytest.raises(SettingsError, match=rf"{name}: this {sentence}.*load it in"):
        read_tables(tmp_path / name)


@pytest.mark.parametrize(
    "text", ["[data]\nfolder = 'x'\n[datasets]\na = 1", "[train]\nlearning_rate = 1\nmax_steps = 3"]
)
def test_a_job_with_foreign_names_in_it_is_a_job(tmp_path, text):
    (tmp_path / "job.toml").write_text(text)
    assert read_tables(tmp_path / "job.toml")


def test_a_configuration_of_kohyas_trainer_is_read_and_the_rest_is_named():
    loaded = train_files.read(KOHYA_CONFIG.encode(), "kohya.toml")
    assert loaded.errors == []
    assert loaded.values == {
        "data.folder": "/pictures",
        "data.dataset_config": "/pictures/set.toml",
        "data.folder_repeats": True,
        "data.width": 512,
        "data.height": 768,
        "data.framing": "buckets",
        "data.upscale": True,
        "data.shuffle_tags": True,
        "data.keep_tags": 1,
        "data.batch_size": 2,
        "data.regularisation_weight": 1.0,
        "output.name": "night",
        "output.dir": "/out",
        "output.save_every": "2 epochs",
        "train.max_steps": 2000,
        "train.seed": 42,
        "train.precision": "bf16",
        "train.checkpointing": "all",
        "schedule.rate": "1e-4",
        "schedule.kind": "cosine",
        "schedule.warmup": 100,
        "optimizer.name": "AdamW",
        "optimizer.arguments": "weight_decay=0.1, betas=(0.9,0.99)",
        "optimizer.clip": "norm",
        "optimizer.clip_limit": "1.0",
        "preview.every": "100",
        "loss.min_snr_gamma": 5.0,
        "loss.max_timestep": 999,
    }
    assert loaded.left_out == [
        "pretrained_model_name_or_path = '/models/sd15.safetensors'",
        "network_module = 'networks.lora'",
        "network_dim = 32",
        "network_train_unet_only = True",
    ]


def test_the_length_in_epochs_of_kohyas_trainer_is_read():
    text = "\n".join(line for line in KOHYA_CONFIG.splitlines() if "max_train_steps" not in line)
    loaded = train_files.read(f"{text}\nmax_train_epochs = 12\n".encode(), "kohya.toml")
    assert loaded.values["train.max_steps"] == "12 epochs"


@pytest.mark.parametrize("is_epochs_first", [True, False])
def test_of_lengths_in_steps_and_epochs_the_epochs_count_as_for_kohyas_trainer(is_epochs_first):
    steps = ["max_train_steps = 1600", "sample_every_n_steps = 100", "save_every_n_steps = 50"]
    epochs = ["max_train_epochs = 10", "sample_every_n_epochs = 2", "save_every_n_epochs = 5"]
    lines = [*epochs, *steps] if is_epochs_first else [*steps, *epochs]
    text = "\n".join(['train_data_dir = "/pictures"', 'network_module = "networks.lora"', *lines])
    loaded = train_files.read(text.encode(), "kohya.toml")
    found = [loaded.values[address] for address in ("train.max_steps", "preview.every", "output.save_every")]
    assert found == ["10 epochs", "2 epochs", "5 epochs"]
    assert set(steps) <= set(loaded.left_out), "what is not used is named"


def test_a_preset_of_kohyas_gui_is_read_and_the_rest_is_named():
    loaded = train_files.read(json.dumps(KOHYA_GUI).encode(), "lora.json")
    assert loaded.errors == []
    assert loaded.values == {
        "schedule.rate": "0.0001",
        "data.batch_size": 2,
        "data.width": 512,
        "data.height": 768,
        "data.framing": "square",
        "data.folder": "/pictures",
        "data.folder_repeats": True,
        "data.flip": True,
        "optimizer.name": "AdamW",
        "optimizer.arguments": "weight_decay=0.1, betas=(0.9,0.99)",
        "schedule.kind": "cosine_with_restarts",
        "output.name": "night",
    }
    assert loaded.left_out == [
        "LoRA_type = 'Standard'",
        "epoch = 10",
        "network_dim = 8",
    ]


def test_a_job_as_json_is_read_like_one_in_toml():
    toml = train_files.read(b"[data]\nfolder = '/pictures'\nwidth = 640\n[train]\nmax_steps = 7\n", "a.toml")
    job = {"data": {"folder": "/pictures", "width": 640}, "train": {"max_steps": 7}}
    assert train_files.read(json.dumps(job).encode(), "a.json") == toml
    assert train_files.read(json.dumps(job).encode("utf-16"), "a.toml") == toml


@pytest.mark.parametrize(
    ("option", "off", "on"),
    [
        ("gradient_checkpointing", {}, {"train.checkpointing": "all"}),
        ("enable_bucket", {"data.framing": "square"}, {"data.framing": "buckets"}),
        ("bucket_no_upscale", {"data.upscale": True}, {"data.upscale": False}),
        ("random_crop", {}, {"data.crop": "random"}),
    ],
)
def test_switches_of_kohyas_trainer_are_read_as_texts_too(option, off, on):
    def loaded(value):
        text = json.dumps({"train_data_dir": "/x", "learning_rate": 1e-4, "network_module": "n", option: value})
        return train_files.read(text.encode(), "k.json")

    rest = loaded(None).values
    for value in ("false", "False", "off", "0", "０", False, 0):
        assert loaded(value).values == rest | off, value
    for value in ("true", "True", "on", "1", True, 1):
        assert loaded(value).values == rest | on, value
    wrong = loaded("perhaps")
    assert wrong.values == rest
    assert f"{option} = 'perhaps'" in wrong.left_out


def learnt(**options):
    text = json.dumps({"train_data_dir": "/x", "learning_rate": 1e-4, "network_module": "n", **options})
    loaded = train_files.read(text.encode(), "k.json")
    assert loaded.errors == []
    known = ("data.folder", "data.folder_repeats", "schedule.rate")
    return {address: value for address, value in loaded.values.items() if address not in known}, loaded.left_out[1:]


@pytest.mark.parametrize(
    ("options", "values"),
    [
        ({"optimizer_type": "DAdaptation"}, {"optimizer.name": "DAdaptAdamPreprint"}),
        ({"optimizer_type": "SGDNesterov8bit"}, {"optimizer.name": "SGDNesterov8bit"}),
        ({"optimizer_type": "RMSprop"}, {"optimizer.name": "RMSprop"}),
        ({"optimizer_type": "Adamax"}, {"optimizer.name": "Adamax"}),
        ({"optimizer_type": "PagedAdamW8bit"}, {"optimizer.name": "bitsandbytes.optim.PagedAdamW8bit"}),
        ({"optimizer_type": "bitsandbytes.optim.lamb.LAMB"}, {"optimizer.name": "bitsandbytes.optim.lamb.LAMB"}),
        ({"optimizer": "prodigyopt.Prodigy"}, {"optimizer.name": "prodigyopt.Prodigy"}),
        (
            {"optimizer_type": "AdaFactor"},
            {"optimizer.name": "AdaFactor", "optimizer.arguments": "relative_step=True, scale_parameter=True"},
        ),
        (
            {"optimizer_type": "adafactor", "optimizer_args": ["relative_step=False"]},
            {"optimizer.name": "AdaFactor", "optimizer.arguments": "scale_parameter=True, relative_step=False"},
        ),
        ({"use_8bit_adam": True}, {"optimizer.name": "AdamW8bit"}),
        ({"fp8_base": True}, {"train.unet_storage": "fp8"}),
        ({"torch_compile": True}, {"train.compile_unet": True}),
        (
            {"lr_scheduler": "cosine_with_restarts", "lr_scheduler_num_cycles": 3},
            {"schedule.kind": "cosine_with_restarts", "schedule.cycles": 3},
        ),
        (
            {"lr_scheduler": "polynomial", "lr_scheduler_power": 2},
            {"schedule.kind": "polynomial", "schedule.power": 2.0},
        ),
        (
            {"lr_scheduler": "piecewise_constant", "lr_scheduler_args": ["step_rules=1:10,0.1:20,0.01"]},
            {"schedule.kind": "piecewise", "schedule.step_rules": "1:10,0.1:20,0.01"},
        ),
        (
            {"lr_scheduler": "warmup_stable_decay", "lr_decay_steps": 0.2, "max_train_steps": 500},
            {"schedule.kind": "warmup_stable_decay", "schedule.decay_steps": 100, "train.max_steps": 500},
        ),
        (
            {"lr_scheduler": "cosine_with_min_lr", "lr_scheduler_min_lr_ratio": 0.1},
            {"schedule.kind": "cosine", "schedule.min_rate": 1e-5},
        ),
        (
            {"lr_scheduler_type": "CosineAnnealingLR", "lr_scheduler_args": "T_max=100", "lr_scheduler": ""},
            {"schedule.kind": "CosineAnnealingLR", "schedule.arguments": "T_max=100"},
        ),
        (
            {"save_precision": "fp16", "save_model_as": "safetensors"},
            {"output.precision": "fp16", "output.file_form": ".safetensors"},
        ),
        ({"save_precision": "float", "save_model_as": "ckpt"}, {"output.precision": "fp32", "output.file_form": ".pt"}),
        (
            {"log_with": "all", "log_prefix": "a-", "log_tracker_name": "inks", "wandb_run_name": "b"},
            {
                **{"output.tensorboard": True, "output.wandb": True, "output.log_prefix": "a-"},
                **{"output.log_project": "inks", "output.log_run": "b"},
            },
        ),
        ({"metadata_author": "me", "metadata_tags": "a, b"}, {"output.author": "me", "output.tags": "a, b"}),
        (
            {"huggingface_repo_id": "me/night", "huggingface_repo_visibility": "public"},
            {"output.huggingface_repo": "me/night", "output.huggingface_private": False},
        ),
        ({"save_state": True}, {"output.save_state": True}),
    ],
)
def test_optimizers_schedules_and_files_of_kohyas_trainer_are_read(options, values):
    found, left_out = learnt(**options)
    assert found == (
        values if "schedule.min_rate" not in values else values | {"schedule.min_rate": pytest.approx(1e-5)}
    )
    assert left_out == []


@pytest.mark.parametrize(
    "options",
    [
        {"optimizer_type": "my_file.MyOptimizer"},
        {"lr_scheduler_type": "my_file.MySchedule"},
        {"lr_scheduler": "adafactor:1e-4"},
        {"lr_warmup_steps": 0.1},
        {"save_model_as": "diffusers"},
        {"huggingface_path_in_repo": "hf_x"},
    ],
)
def test_what_has_no_counterpart_is_named(options):
    found, left_out = learnt(**options)
    assert found == {}
    assert left_out == [f"{name} = {value!r}" for name, value in options.items()]


@pytest.mark.parametrize("name", ["huggingface_token", "wandb_api_key", "Proxy_Password"])
def test_a_secret_is_named_without_its_value(name):
    assert learnt(**{name: "hf_x"}) == ({}, [name])
