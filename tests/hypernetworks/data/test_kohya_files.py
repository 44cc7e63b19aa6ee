"""Dataset files of kohya's trainer as people have them: options that change nothing, JSON, encodings, paths."""

import json
import logging
from pathlib import Path

import pytest
from hypernetwork_workbench.hypernetworks.base.errors import SettingsError
from hypernetwork_workbench.hypernetworks.data.kohya import named_paths
from hypernetwork_workbench.hypernetworks.data.kohya_unused import UNUSED
from hypernetwork_workbench.hypernetworks.data.scan import read_dataset
from hypernetwork_workbench.hypernetworks.train.settings.job import DataSettings

from tests.hypernetworks.data.test_kohya import SUBSET, folders, read

__all__ = ["folders"]

AT_REST = """
token_warmup_min = 1
token_warmup_step = 0
color_aug = 0
flip_aug = false
random_crop = false
cache_info = false
caption_dropout_rate = 0
caption_tag_dropout_rate = 0.0
caption_dropout_every_n_epochs = 0
custom_attributes = {}
resize_interpolation = "lanczos"
validation_split = 0.0
validation_seed = 7
network_multiplier = 1.0
prior_loss_weight = 1
debug_dataset = false
max_token_length = 225
"""


@pytest.mark.parametrize("place", ["[general]\n{}" + SUBSET, SUBSET + "{}", SUBSET.replace("\n", "\n{}\n", 1)])
def test_options_that_change_nothing_pass(folders, place):
    plain = read(folders, SUBSET)
    dataset = read(folders, place.format(AT_REST))
    assert dataset.samples == plain.samples
    assert dataset.items == plain.items


@pytest.mark.parametrize(
    ("option", "is_said"),
    [
        ("cache_info = true", True),
        ("validation_seed = 3", True),
        ("custom_attributes={}", False),
    ],
)
def test_what_is_not_used_is_named(folders, caplog, option, is_said):
    with caplog.at_level(logging.INFO):
        read(folders, SUBSET + option)
    name = option.partition("=")[0].strip()
    assert (f"[[datasets]] 1, subset 1: {name} is not used here" in caplog.text) == is_said


@pytest.mark.parametrize(
    ("option", "reason"),
    [
        ("custom_attributes = {prompt = 'x'}", "tells other models more"),
        ("resize_interpolation = 'cubic'", "cannot be chosen"),
        ("validation_split = 0.1", r"stands in the job, as train\.validation_share"),
        ("network_multiplier = 0.5", "trains at another strength"),
        ("prior_loss_weight = 0.5", r"stands in the job, as data\.regularisation_weight"),
        ("conditioning_data_dir = 'masks'", r"names masks, which lie beside the pictures here as NAME-mask\.png"),
        ("train_batch_size = 2", r"do you mean batch_size\?"),
        ("image_directory = 'x'", r"do you mean image_dir in \[\[datasets\.subsets\]\]\?"),
        ("dataset_repeats = 2", r"do you mean num_repeats\?"),
        ("shuffle_captions = true", r"do you mean shuffle_caption\?"),
    ],
)
def test_what_would_change_something_is_refused_with_the_truth(folders, option, reason):
    with pytest.raises(SettingsError, match=rf"\[general\]: {option.split(' ')[0]} .*{reason}"):
        read(folders, f"[general]\n{option}\n{SUBSET}")


def test_every_option_that_is_not_carried_out_has_a_reason_or_changes_nothing():
    for name, unused in UNUSED.items():
        assert unused.reason or all(unused.changes_nothing(value) for value in (True, 5, "x", [1])), name


def test_json_is_read_like_toml_and_null_is_not_there(folders):
    config = {
        "general": {"shuffle_caption": True, "face_crop_aug_range": None, "keep_tokens_separator": None},
        "datasets": [
            {
                "resolution": [16, 24],
                "subsets": [
                    {"image_dir": "hoge", "num_repeats": 3, "metadata_file": None, "class_tokens": "sks"},
                    {"image_dir": None, "metadata_file": "all.json"},
                ],
            }
        ],
    }
    (folders / "all.json").write_text('{"fuga/fuga1.png": {"caption": "x"}}')
    (folders / "dataset.json").write_text(json.dumps(config))
    dataset = read_dataset(DataSettings(dataset_config=str(folders / "dataset.json")), "n")
    toml = "[general]\nshuffle_caption = true\n[[datasets]]\nresolution = [16, 24]\n[[datasets.subsets]]\n"
    same = read(
        folders,
        toml
        + "image_dir = 'hoge'\nnum_repeats = 3\nclass_tokens = 'sks'\n[[datasets.subsets]]\nmetadata_file = 'all.json'",
    )
    assert (dataset.samples, dataset.items) == (same.samples, same.items)
    (folders / "dataset.json").write_text('{"general": {"flip_aug": true, "flip_aug": false}}')
    with pytest.raises(SettingsError, match=r"dataset\.json is no JSON: it has a key twice, 'flip_aug'"):
        read_dataset(DataSettings(dataset_config=str(folders / "dataset.json")), "n")


@pytest.mark.parametrize("codec", ["utf-8-sig", "utf-16", "utf-32"])
def test_dataset_files_are_read_as_editors_write_them(folders, codec):
    (folders / "hoge").rename(folders / "夜")
    (folders / "dataset.toml").write_bytes(SUBSET.replace("hoge", "夜").replace("\n", "\r\n").encode(codec))
    assert len(read_dataset(DataSettings(dataset_config=str(folders / "dataset.toml")), "n")) == 3
    (folders / "dataset.toml").write_bytes(SUBSET.replace("hoge", "夜の絵").encode("cp932"))
    with pytest.raises(SettingsError, match=r"dataset\.toml cannot be read: .* Japanese text in Shift-JIS"):
        read_dataset(DataSettings(dataset_config=str(folders / "dataset.toml")), "n")


@pytest.mark.parametrize("written", ["'\"hoge\"'", "'.\\hoge'", '"hoge/ "', '"\u202ahoge"', "'file://{}/hoge'"])
def test_folders_are_what_somebody_pasted(folders, written):
    text = SUBSET.replace("'hoge'", written.format(folders))
    assert len(read(folders, text)) == 3
    assert list(named_paths(folders / "dataset.toml")) == [folders / "hoge"]


def test_pictures_that_a_metadata_file_names_are_among_the_named_paths(folders):
    (folders / "all.json").write_text('{"/etc/secret.png": {"caption": "x"}}')
    text = "[[datasets]]\n[[datasets.subsets]]\nmetadata_file = 'all.json'\n"
    (folders / "dataset.toml").write_text(text)
    secret = Path("/etc/secret.png")
    assert list(named_paths(folders / "dataset.toml")) == [folders / "all.json", secret]
    (folders / "dataset.toml").write_text(text + "image_dir = 'hoge'")
    assert secret not in list(named_paths(folders / "dataset.toml"))  # only those in the folder are looked for


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ('"D:\\new\\train"', "has a line break and a tab in it"),
        ('"http://x.org/hoge"', "an address of a network"),
        ("'$PICTURES/hoge'", r"the variable \$PICTURES"),
        ("'\"hoge'", "a quote at one end alone"),
    ],
)
def test_what_is_no_folder_is_refused_by_its_place(folders, written, reason):
    with pytest.raises(SettingsError, match=rf"\[\[datasets\]\] 1, subset 1.* {reason}"):
        read(folders, SUBSET.replace("'hoge'", written))
    assert list(named_paths(folders / "dataset.toml")) == []


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[data]\nfolder = 'x'\n[output]\nname = 'n'", "is a job and no dataset file"),
        (
            "[model]\nnetwork_module = 'x'\n[steps]\nmax_train_steps = 5",
            "configuration of kohya's trainer",
        ),
        ('{"a": {"caption": "x"}}', "is kohya's metadata of pictures"),
        ('{"nodes": [], "links": []}', "a workflow of ComfyUI"),
    ],
)
def test_another_file_is_named_as_what_it_is(folders, text, sentence):
    with pytest.raises(SettingsError, match=rf"^data\.dataset_config: dataset\.toml .*{sentence}"):
        read(folders, text)


def test_a_dataset_file_with_a_table_of_a_job_in_it_is_one(folders):
    with pytest.raises(SettingsError, match="the file: data means nothing to the training"):
        read(folders, f"[data]\nfolder = 'x'\n{SUBSET}")


def test_a_dataset_file_that_cannot_be_read_names_no_paths(tmp_path):
    assert list(named_paths(tmp_path / "absent.toml")) == []
    (tmp_path / "broken.toml").write_text("[[datasets", encoding="utf-8")
    assert list(named_paths(tmp_path / "broken.toml")) == []
