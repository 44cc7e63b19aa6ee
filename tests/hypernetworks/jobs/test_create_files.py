"""Settings of a network as TOML and as the original's JSON."""

from __future__ import annotations

import json

import pytest
from hypernetwork_workbench.hypernetworks.base.errors import SettingsError
from hypernetwork_workbench.hypernetworks.jobs import create_files
from hypernetwork_workbench.hypernetworks.network.settings import CreateSettings, NetworkSettings
from hypernetwork_workbench.hypernetworks.texts.toml import tomllib
from hypothesis import given
from hypothesis import strategies as st

FULL = {
    "name": "夜",
    "seed": 2**62,
    "optional_info": 'two "lines"\nof text',
    "widths": [768, 320],
    "layer_structure": [1.0, 1.5, 1.5, 1.0],
    "activation": "mish",
    "weight_init": "XavierNormal",
    "init_std": 0.02,
    "layer_norm": True,
    "activate_output": True,
    "dropout_structure": [0.0, 0.1, 0.3, 0.0],
    "zero_last_layer": False,
    "skip_connection": True,
    "upsample_linear": True,
}
ORIGINAL = {
    "save_file_name": "old one",
    "enable_sizes": ["768", "320", "640", "1280"],
    "overwrite_old": True,
    "layer_structure": "1, 2, 2, 1",
    "activation_func": "hardswish",
    "weight_init": "KaimingUniform",
    "add_layer_norm": True,
    "use_dropout": True,
    "dropout_structure": "0, 0.05, 0.15, 0",
    "optional_info": "by hand",
    "weight_init_seed": 12,
    "normal_std": 0.03,
    "skip_connection": True,
}


def original(**changes):
    return create_files.read(json.dumps({**ORIGINAL, **changes}).encode(), "x_hypernetwork_.json")


def toml(text):
    return create_files.read(text.encode(), "x.toml")


def fields(loaded):
    return [error.field for error in loaded.errors]


def test_what_is_saved_is_loaded_again():
    text = create_files.settings_text(CreateSettings.from_mapping(FULL))
    loaded = toml(text)
    assert loaded.values == FULL
    assert loaded.errors == []


@given(st.text(max_size=200))
def test_any_text_survives(info):
    made = CreateSettings(name="a", optional_info=info.encode("utf-8", "ignore").decode())
    assert toml(create_files.settings_text(made)).values["optional_info"] == made.optional_info


def test_the_network_table_is_one_that_jobs_take():
    table = tomllib.loads(create_files.settings_text(CreateSettings.from_mapping(FULL)))["network"]
    assert NetworkSettings.from_mapping(table).layer_structure == (1, 1.5, 1.5, 1)


def test_a_job_file_gives_only_what_it_names_of_its_network():
    loaded = toml('[network]\nlayer_structure = [1, 3, 1]\nfile = ""\n[train]\nmax_steps = 5\n')
    assert loaded.values == {"layer_structure": [1, 3, 1]}
    assert loaded.errors == []


@pytest.mark.parametrize(
    ("said", "filled"),
    [
        ('weight_init = "Normal"', {"weight_init": "Normal", "init_std": 0.01, "zero_last_layer": False}),
        ("init_std = 0.02", {"weight_init": "Normal", "init_std": 0.02, "zero_last_layer": False}),
        (
            "skip_connection = true",
            {"skip_connection": True, "weight_init": "Normal", "init_std": 0.01, "zero_last_layer": False},
        ),
        ('activation = "tanh"', {"activation": "tanh"}),
    ],
)
def test_first_weights_come_into_the_form_as_a_job_means_them(said, filled):
    loaded = toml(f"[network]\n{said}\n")
    assert loaded.values == filled
    assert loaded.errors == []


def test_the_original_means_its_small_weights_where_it_says_none():
    loaded = original(weight_init=None, normal_std=None, skip_connection=False)
    found = [loaded.values[name] for name in ("weight_init", "init_std", "zero_last_layer")]
    assert found == ["Normal", 0.01, False]


def test_the_original_file():
    loaded = original()
    assert loaded.errors == []
    assert loaded.values == {
        "name": "old one",
        "seed": 12,
        "optional_info": "by hand",
        "widths": [768, 320, 640, 1280],
        "layer_structure": [1, 2, 2, 1],
        "activation": "swish",
        "weight_init": "KaimingUniform",
        "init_std": 0.03,
        "layer_norm": True,
        "activate_output": False,
        "dropout_structure": [0, 0.05, 0.15, 0],
        "zero_last_layer": False,
        "skip_connection": True,
        "upsample_linear": False,
    }


def test_the_original_dropout():
    assert original(use_dropout=False).values["dropout_structure"] == []
    assert original(dropout_structure=None).values["dropout_structure"] == [0, 0.3, 0, 0]
    assert original(dropout_structure="").values["dropout_structure"] == [0, 0.3, 0, 0]


def test_empty_entries_of_the_original_leave_the_form_alone():
    loaded = original(weight_init_seed=None, save_file_name="", activation_func=None)
    assert loaded.errors == []
    assert "seed" not in loaded.values
    assert "name" not in loaded.values
    assert loaded.values["activation"] == "linear"


IMPOSSIBLE = {
    "save_file_name": ("a/b", "name"),
    "enable_sizes": (["wide"], "widths"),
    "layer_structure": ("1, 2", "layer_structure"),
    "activation_func": ("glu", "activation"),
    "weight_init": ("Best", "weight_init"),
    "add_layer_norm": ("perhaps", "layer_norm"),
    "dropout_structure": ("0, 0.05, 0.15", "dropout_structure"),
    "optional_info": ([5], "optional_info"),
    "weight_init_seed": (-1, "seed"),
    "normal_std": ("wide", "init_std"),
    "skip_connection": ([], "skip_connection"),
}


@pytest.mark.parametrize("key", IMPOSSIBLE)
def test_an_impossible_value_is_named_and_leaves_its_field(key):
    value, field = IMPOSSIBLE[key]
    loaded = original(**{key: value})
    assert fields(loaded) == [field]
    assert field not in loaded.values
    assert loaded.values["init_std" if field != "init_std" else "layer_norm"]


def test_dropout_is_not_loaded_without_its_layers():
    assert "dropout_structure" not in original(layer_structure="1, 2").values


def test_unknown_keys_are_named():
    assert fields(original(colour="red")) == ["colour"]
    assert fields(toml("[network]\nlayers = 3\n[create]\noverwrite = true\n")) == ["layers", "overwrite"]


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (b"\xff\xfe\x00", "a.toml"),
        (b"[network", "a.toml"),
        (b"x = 1", "a.toml"),
        (b"network = 1", "a.toml"),
        (b"[network]\n[[create]]", "a.toml"),
        (b"{", "a.json"),
        (b"[1]", "a.json"),
        (b"{}", "a.json"),
        (b"[" * 100_000, "a.json"),
        (b"x = " + b"[" * 50_000, "a.toml"),
        (b"#" * 2_000_000, "a.toml"),
    ],
)
def test_what_is_no_settings_file_is_named(content, name):
    with pytest.raises(SettingsError) as raised:
        create_files.read(content, name)
    assert raised.value.field == name


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("lora.json", {"LoRA_type": "Standard", "epoch": 1}, "is a preset of kohya's GUI.*load it in Train Gamma"),
        ("flow.json", {"nodes": [], "links": []}, "is a workflow of ComfyUI"),
        ("config.json", {"samples_save": True}, "holds the settings of the WebUI itself"),
    ],
)
def test_another_programs_file_is_named_as_what_it_is(name, content, sentence):
    with pytest.raises(SettingsError, match=sentence):
        create_files.read(json.dumps(content).encode(), name)
