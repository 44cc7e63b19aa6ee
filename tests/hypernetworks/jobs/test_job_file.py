"""Job files: TOML in, TOML out, and changes from the command line."""

from pathlib import Path

import pytest
from hypernetwork_workbench.hypernetworks.base.errors import SettingsError
from hypernetwork_workbench.hypernetworks.train.settings.job import Job
from hypernetwork_workbench.hypernetworks.train.settings.job_file import apply_overrides, job_text, read_tables
from hypothesis import given
from hypothesis import strategies as st


def write(tmp_path, text):
    path = tmp_path / "job.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_relative_paths_start_at_the_job_file(tmp_path):
    tables = read_tables(write(tmp_path, '[data]\nfolder = "pictures"\n[output]\nname = "n"\ndir = ""\n'))
    assert tables["data"]["folder"] == str(tmp_path / "pictures")
    assert tables["output"] == {"name": "n", "dir": ""}


@pytest.mark.parametrize("content", ["[data", "a = ", "\x01"])
def test_text_that_is_no_toml_is_refused_by_name(tmp_path, content):
    with pytest.raises(SettingsError, match=r"job\.toml: the job file is no TOML"):
        read_tables(write(tmp_path, content))


def test_a_missing_or_binary_file_is_refused_by_name(tmp_path):
    with pytest.raises(SettingsError, match=r"none\.toml: the job file cannot be read: No such file"):
        read_tables(tmp_path / "none.toml")
    (tmp_path / "job.toml").write_bytes(b"a\xff")
    with pytest.raises(SettingsError, match="not UTF-8"):
        read_tables(tmp_path / "job.toml")


def test_overrides_are_read_as_toml_else_as_text():
    tables = {"train": {"max_steps": 5}}
    apply_overrides(
        tables,
        [
            "train.max_steps=7",
            "data.folder=C:\\pictures",
            "network.widths=[1, 2]",
            "output.name = night = day",
            "output.overwrite=true",
        ],
    )
    assert tables == {
        "train": {"max_steps": 7},
        "data": {"folder": "C:\\pictures"},
        "network": {"widths": [1, 2]},
        "output": {"name": "night = day", "overwrite": True},
    }


@pytest.mark.parametrize("text", ["max_steps=5", "train.max_steps", ".x=1", "train.=1", ""])
def test_overrides_of_another_form_are_refused(text):
    with pytest.raises(SettingsError, match=r"^--set: .* must have the form section\.key=value"):
        apply_overrides({}, [text])


@given(prompt=st.text(max_size=40).filter(lambda t: t.strip() == t and not any("\ud800" <= c <= "\udfff" for c in t)))
def test_any_job_survives_its_file(tmp_path_factory, prompt):
    job = Job.from_mapping(
        {
            "data": {"folder": str(tmp_path_factory.getbasetemp())},
            "output": {"name": "夜"},
            "preview": {"prompt": prompt},
            "network": {"layer_structure": "1, 1.5, 1", "widths": "16"},
        }
    )
    path = tmp_path_factory.mktemp("job") / "job.toml"
    path.write_text(job_text(job), encoding="utf-8", newline="")
    assert Job.from_mapping(read_tables(path)) == job


def test_every_line_of_more_folders_is_taken_from_the_folder_of_the_job(tmp_path):
    folders = """cats | num_repeats=2\n\n/else/dogs|flip_aug=true"""
    tables = read_tables(write(tmp_path, f"[data]\nmore_folders = '''{folders}'''\n"))
    assert tables["data"]["more_folders"].splitlines() == [
        f"{tmp_path / 'cats'} | num_repeats=2",
        "",
        f"{Path('/else/dogs').resolve()} |flip_aug=true",
    ]


def test_an_override_brings_no_other_settings_along():
    tables = {}
    apply_overrides(tables, ["train.max_steps=4\n[evil]\nx=1"])
    assert tables == {"train": {"max_steps": "4\n[evil]\nx=1"}}
