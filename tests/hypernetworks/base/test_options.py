"""Settings: conversion, limits, and errors that name the field."""

from dataclasses import dataclass

import pytest
from hypernetwork_workbench.hypernetworks.base.errors import SettingsError
from hypernetwork_workbench.hypernetworks.base.options import Group, Settings, groups, setting
from hypernetwork_workbench.hypernetworks.train.optim.schedule import SCHEDULES
from hypernetwork_workbench.hypernetworks.train.settings.job import (
    SECTIONS,
    CreateSettings,
    DataSettings,
    Job,
    TrainSettings,
)


def job_tables(**changes):
    tables = {"data": {"folder": "pictures"}, "output": {"name": "night"}}
    for address, value in changes.items():
        section, key = address.split("__")
        tables.setdefault(section, {})[key] = value
    return tables


def test_texts_and_plain_values_give_the_same_settings():
    assert CreateSettings.from_mapping({"name": "a", "widths": "768, 320", "layer_structure": "1, 1.5, 1"}) == (
        CreateSettings.from_mapping({"name": "a", "widths": [768, 320], "layer_structure": (1, 1.5, 1)})
    )


@pytest.mark.parametrize(
    ("address", "value", "reason"),
    [
        ("train__max_steps", "abc", "must be a number"),
        ("train__max_steps", "21.5", "must be a whole number"),
        ("train__max_steps", 0, "at least 1"),
        ("train__max_steps", None, "empty"),
        ("train__seed", -1, "at least 0"),
        ("train__gradient_accumulation", True, "finite number"),
        ("data__width", 100, "multiple of 8"),
        ("data__folder", "", "folder that holds the pictures"),
        ("data__template", " ", "must not be empty"),
        ("data__caption_dropout", 1.5, "at most 1"),
        ("data__caption_dropout", "nan", "finite number"),
        ("network__layer_structure", "1, x, 1", "must be a number"),
        ("network__layer_structure", "2, 1", "1"),
        ("network__activation", "glu", "must be one of"),
        ("network__dropout_structure", "0, 0.1, 0.1", "0"),
        ("network__widths", "0", "at least 1"),
        ("optimizer__name", "Magic", "must be one of"),
        ("schedule__rate", "fast", "no learning rate"),
        ("schedule__kind", "sine", "must be one of"),
        ("output__name", "a/b", "must not contain /"),
        ("output__name", "night.pt", "must be without the ending .pt"),
        ("output__name", "夜.SafeTensors", "must be without the ending .safetensors"),
        ("output__name", "mix.hns", "must be without the ending .hns"),
        ("output__name", "", "name"),
        ("output__overwrite", "perhaps", "true or false"),
        ("output__size", 3, "no such setting"),
    ],
)
def test_a_wrong_value_is_named_with_its_section(address, value, reason):
    with pytest.raises(SettingsError, match=reason) as caught:
        Job.from_mapping(job_tables(**{address: value}))
    assert caught.value.field == address.replace("__", ".")
    assert "\n" not in str(caught.value)


def test_all_wrong_values_are_reported_at_once():
    with pytest.raises(SettingsError) as caught:
        Job.from_mapping(job_tables(train__max_steps="x", data__width=7, output__name="?"))
    assert {error.field for error in caught.value.errors} == {"train.max_steps", "data.width", "output.name"}
    assert str(caught.value).count("\n") == 2


def test_an_unknown_section_and_one_that_is_no_table_are_named():
    with pytest.raises(SettingsError, match=r"^sounds: there is no such section"):
        Job.from_mapping({**job_tables(), "sounds": {}})
    with pytest.raises(SettingsError, match=r"^train: must be a table"):
        Job.from_mapping({**job_tables(), "train": 3})


def test_a_cosine_schedule_needs_one_rate_and_a_cycle_longer_than_its_warmup():
    with pytest.raises(SettingsError, match=r"schedule\.rate: must be one number"):
        Job.from_mapping(job_tables(schedule__kind="cosine", schedule__rate="1e-4:10,1e-5"))
    with pytest.raises(SettingsError, match=r"^schedule\.warmup: must be shorter than the cycle of 5 steps, not 5$"):
        Job.from_mapping(job_tables(schedule__kind="cosine restarts", schedule__warmup=5, schedule__cycle="5"))
    with pytest.raises(SettingsError, match=r"^schedule\.multiplier: 0\.5 leaves the second cycle no step after"):
        Job.from_mapping(
            job_tables(
                schedule__kind="cosine restarts", schedule__warmup=4, schedule__cycle="8", schedule__multiplier=0.5
            )
        )


def test_a_job_survives_its_own_mapping():
    job = Job.from_mapping(job_tables(train__seed=2**62 + 1, network__widths="16, 24"))
    assert Job.from_mapping(job.to_mapping()) == job
    assert job.train.seed == 2**62 + 1


def test_every_field_of_every_section_tells_a_person_what_it_is():
    labels = set()
    for kind in SECTIONS.values():
        for name, _, option in kind.options():
            assert option.label
            assert option.help.endswith("."), name
            labels.add((kind, option.label))
    assert len(labels) == sum(len(kind.options()) for kind in SECTIONS.values())


def test_settings_cannot_be_changed():
    with pytest.raises(AttributeError):
        TrainSettings().max_steps = 5  # type: ignore[misc]
    assert DataSettings(folder=" a ").folder == "a"


def test_rows_and_folds_are_those_of_the_declaration():
    near, far = Group("near", "Near"), Group("far", "Far")

    @dataclass(frozen=True)
    class Made(Settings):
        a: int = setting(1, "A", "One.")
        b: int = setting(2, "B", "Two.", group=far)
        c: int = setting(3, "C", "Three.")
        d: int = setting(4, "D", "Four.", starts_row=True)
        e: int = setting(5, "E", "Five.", group=near, starts_row=True)
        f: int = setting(6, "F", "Six.", group=far)

    assert Made.rows(None) == [["a", "c"], ["d"]]
    assert Made.rows(far) == [["b", "f"]]
    assert Made.rows(near) == [["e"]]
    assert groups([Made, DataSettings, Made])[:2] == [far, near]


def test_folds_of_one_id_are_one_fold():
    kinds = dict.fromkeys(groups([*SECTIONS.values(), CreateSettings]))
    assert len(kinds) == len({group.id for group in kinds}) == len({group.title for group in kinds})


@pytest.mark.parametrize(
    ("address", "value", "read"),
    [
        ("train__max_steps", "１００", 100),
        ("data__caption_dropout", "５％", 0.05),
        ("network__layer_structure", "１、２．５、１", (1.0, 2.5, 1.0)),
        ("network__widths", "７６８　３２０", (768, 320)),
        ("output__overwrite", "ｔｒｕｅ", True),
        ("output__overwrite", "ｏｆｆ", False),
        ("loss__noise_offset", "０。０５", 0.05),
        ("train__seed", "９００７１９９２５４７４０９９３", 2**53 + 1),
    ],
)
def test_full_width_texts_are_read(address, value, read):
    section, name = address.split("__")
    job = Job.from_mapping(job_tables(**{address: value}))
    assert getattr(getattr(job, section), name) == read


@pytest.mark.parametrize(
    ("address", "value", "told"),
    [
        ("train__max_steps", "1,000", ", as in 1000"),
        ("data__caption_dropout", "0,1", ", as in 0.1"),
        ("loss__noise_offset", "５，０ｅ-2", ", as in 5.0e-2"),
        ("network__dropout_structure", "0, 0,1, 0", ", as in 0.1"),
        ("network__layer_structure", ["1", "1,5", "1"], ", as in 1.5"),
        ("schedule__rate", "0,005", ", as in 0.005"),
        ("optimizer__clip_limit", "0,5", ", as in 0.5"),
        ("optimizer__arguments", "weight_decay=0,01", ", as in 0.01"),
        ("optimizer__arguments", "betas=(0,9, 0,999)", ", as in 0.9"),
        ("output__save_every", "2,5 epochs", ", as in 2.5"),
    ],
)
def test_a_decimal_comma_is_told(address, value, told):
    with pytest.raises(SettingsError) as caught:
        Job.from_mapping(job_tables(**{address: value}))
    assert caught.value.field == address.replace("__", ".")
    assert told in caught.value.reason


@pytest.mark.parametrize("kind", SCHEDULES)
def test_no_schedule_takes_a_piece_that_is_never_reached(kind):
    for rate in ("0,005", "1e-3,1e-4", "1e-3:100,1e-4:50"):
        with pytest.raises(SettingsError, match=r"^schedule\.rate: "):
            Job.from_mapping(job_tables(schedule__rate=rate, schedule__kind=kind, schedule__cycle="10"))


@dataclass(frozen=True)
class Places(Settings):
    """Settings that name places."""

    folder: str = setting("", "Folder", "A folder.", is_path=True)
    folders: str = setting("", "Folders", "A folder a line.", starts_with_paths=True, lines=2)


@pytest.mark.parametrize(
    ("given", "folder", "folders"),
    [
        ('"/my pics"', "/my pics", "/my pics"),
        ("\u202a/pics\u3000", "/pics", "/pics"),
        ("file:///a%20b", "/a b", "/a b"),
        (12, "12", "12"),
        ("", "", ""),
    ],
)
def test_a_place_in_a_form_is_read_as_a_path(given, folder, folders):
    found = Places(folder=given, folders=given)
    assert (found.folder, found.folders) == (folder, folders)
    assert Places(folder=found.folder, folders=found.folders) == found


def test_lines_of_places_may_be_a_list_and_have_options():
    assert Places(folders=['"a b" | weight=2', "c"]).folders == "a b | weight=2\nc"
    with pytest.raises(SettingsError, match="folders: has a tab in it"):
        Places(folders="a\nb\tc | weight=2")
    with pytest.raises(SettingsError, match="folder: has a line break in it"):
        Places(folder="a\nb")
