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


def test_a_path_is_found_behind_settings_that_are_left_out(tmp_path):
    text = "[network]\nfile = 'n.pt'\n[data]\nmetadata_file = 'm.json'\n[preview]\nprompt_file = 'p.txt'\n"
    tables = read_tables(write(tmp_path, text))
    assert tables == {
        "network": {"file": str(tmp_path / "n.pt")},
        "data": {"metadata_file": str(tmp_path / "m.json")},
        "preview": {"prompt_file": str(tmp_path / "p.txt")},
    }


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


@pytest.mark.parametrize(
    ("codec", "ends"),
    [("utf-8", "\n"), ("utf-8-sig", "\r\n"), ("utf-16", "\r\n"), ("utf-16-be", "\r"), ("utf-32", "\n")],
)
def test_a_job_is_read_as_editors_and_shells_write_it(tmp_path, codec, ends):
    text = "[data]\nfolder = '夜'\nwidth ＝ ５１２\n".replace("\n", ends)
    mark = "\ufeff" if codec == "utf-16-be" else ""
    (tmp_path / "job.toml").write_bytes((mark + text).encode(codec))
    assert read_tables(tmp_path / "job.toml") == {"data": {"folder": str(tmp_path / "夜"), "width": 512}}


@pytest.mark.parametrize("name", ["job.json", "job.toml", "job.JSON"])
def test_a_job_may_be_json(tmp_path, name):
    path = tmp_path / name
    path.write_text('{"data": {"folder": "夜", "width": 512}}', encoding="utf-8")
    assert read_tables(path) == {"data": {"folder": str(tmp_path / "夜"), "width": 512}}
    path.write_text('{"data": {"width": 512, "width": 640}}', encoding="utf-8")
    with pytest.raises(SettingsError, match=r"the job file is no JSON: it has a key twice, 'width'"):
        read_tables(path)


def test_a_file_in_another_encoding_is_named(tmp_path):
    (tmp_path / "job.toml").write_bytes("[data]\nfolder = '夜の絵'\n".encode("cp932"))
    with pytest.raises(SettingsError, match=r"job\.toml: .* looks like Japanese text in Shift-JIS; save it as UTF-8"):
        read_tables(tmp_path / "job.toml")


@pytest.mark.parametrize(
    ("there", "named", "advice"),
    [
        ("job.toml.txt", "job.toml", r"there is job\.toml\.txt: Windows hides such an ending"),
        ("job.toml", "job", r"there is job\.toml"),
        ("job.toml", "Job.TOML", r"there is job\.toml"),
        ("nigth.toml", "night.toml", r"there is nigth\.toml"),
        ("other.toml", "job.toml", r"cannot be read: No such file or directory$"),
    ],
)
def test_a_name_that_is_nearly_there_is_told(tmp_path, there, named, advice):
    (tmp_path / there).write_text("[data]\n")
    with pytest.raises(SettingsError, match=advice):
        read_tables(tmp_path / named)


@pytest.mark.parametrize(
    ("written", "folder"),
    [
        ("'\"night pics\"'", "night pics"),
        ('"night/ "', "night"),
        (r"'night\pics'", "night/pics"),
        ('"\u202anight"', "night"),
        ("'night' # 夜", "night"),
    ],
)
def test_a_folder_is_what_somebody_pasted(tmp_path, written, folder):
    tables = read_tables(write(tmp_path, f"[data]\nfolder = {written}\n[preview]\nprompt_file = {written}\n"))
    assert tables["data"]["folder"] == tables["preview"]["prompt_file"] == str(tmp_path / folder)


def test_each_text_that_is_no_path_is_refused_by_its_field(tmp_path):
    text = (
        '[data]\nfolder = "D:\\new\\train"\nmore_folders = "https://x.org/a | num_repeats=2"\n'
        '[network]\nfile = "\\"night.pt"\n[preview]\nprompt_file = "$PROMPTS/a.txt"\n'
        '[output]\nname = "n"\ndir = "out\\u200bput"\n'
    )
    with pytest.raises(SettingsError) as caught:
        Job.from_mapping(read_tables(write(tmp_path, text)))
    said = {error.field: error.reason for error in caught.value.errors}
    assert list(said) == ["network.file", "data.folder", "data.more_folders", "preview.prompt_file", "output.dir"]
    assert said["data.folder"].startswith("has a line break and a tab in it")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("output.name=007", "007"),
        ("output.name=2024-05-01", "2024-05-01"),
        ("output.name=true", "true"),
        ("output.name=1_000", "1_000"),
        ('output.name="night"', "night"),
        ("output.name＝夜", "夜"),
        ("data.folder=12", "12"),
        ('data.folder="D:\\pics"', '"D:\\pics"'),
    ],
)
def test_an_override_of_a_text_stays_the_text(text, value):
    tables = {}
    apply_overrides(tables, [text])
    assert [one for table in tables.values() for one in table.values()] == [value]


@pytest.mark.parametrize(
    ("text", "field", "advice"),
    [
        ("[train]\nmax_step = 5", "train.max_step", "do you mean max_steps?"),
        ("[train]\nMax-Steps = 5", "train.Max-Steps", "do you mean max_steps?"),
        ("[train]\nbatch_size = 5", "train.batch_size", "do you mean data.batch_size?"),
        ("[train]\nlearning_rate = 5", "train.learning_rate", "do you mean schedule.rate?"),
        ("[data]\nfodler = 'x'", "data.fodler", "do you mean folder?"),
        ("[data]\ndataset = 'x'", "data.dataset", "do you mean data.folder?"),
        ("[data]\nimages = 'x'", "data.images", "do you mean data.folder?"),
        ("[data]\nenable_magic = 5", "data.enable_magic", "known are "),
        ("[Train]\nmax_steps = 5", "Train", "do you mean train?"),
        ("[training]\nmax_steps = 5", "training", "do you mean train?"),
        ("[optimiser]\nname = 'AdamW'", "optimiser", "do you mean optimizer?"),
        ("max_steps = 5", "max_steps", "belongs into [train], as max_steps"),
        ("learning_rate = 5", "learning_rate", "belongs into [schedule], as rate"),
        ("'train.max_steps' = 5", "train.max_steps", "belongs into [train], as max_steps"),
        ("[zebra]", "zebra", "known are network, data"),
    ],
)
def test_a_name_that_does_not_exist_is_told_with_the_nearest(tmp_path, text, field, advice):
    with pytest.raises(SettingsError) as caught:
        Job.from_mapping(read_tables(write(tmp_path, text)))
    assert advice in {error.field: error.reason for error in caught.value.errors}[field]


@pytest.mark.parametrize(
    ("text", "address", "value"),
    [
        ("[output]\nname = 1.10", "output.name", "1.10"),
        ("[output]\nname = 1e3", "output.name", "1e3"),
        ("[schedule]\nrate = 5e-3", "schedule.rate", "5e-3"),
        ("[network]\nwidths = 768", "network.widths", (768,)),
        ("[network]\nwidths = '768'", "network.widths", (768,)),
        ("[data]\ntemplate = ['a [filewords]', 'b']", "data.template", "a [filewords]\nb"),
        ("[data]\nmore_folders = ['/a', '\"/b c\" | weight=2']", "data.more_folders", "/a\n/b c | weight=2"),
    ],
)
def test_a_value_of_another_type_means_what_was_typed(tmp_path, text, address, value):
    tables = {"data": {"folder": "/x"}, "output": {"name": "n"}}
    for name, table in read_tables(write(tmp_path, text)).items():
        tables[name] = {**tables.get(name, {}), **table}
    section, _, name = address.partition(".")
    assert getattr(getattr(Job.from_mapping(tables), section), name) == value


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[output]\nname = 2024-05-01", "output.name: must be a text; put 2024-05-01 in quotes"),
        ("[output]\nname = 12:30:00", "output.name: must be a text; put 12:30:00 in quotes"),
        ("[network]\nwidths = true", "network.widths: must be a list of numbers"),
        ("[data]\nmore_folders = [1]", "data.more_folders: must be a text"),
        ('[data]\nmore_folders = ["D:\\new"]', "data.more_folders: must be a text"),
        ("[data]\nfolder = ['/a', '/b']", "data.folder: must be a text"),
    ],
)
def test_a_value_that_can_mean_nothing_is_refused(tmp_path, text, reason):
    with pytest.raises(SettingsError, match=reason):
        Job.from_mapping(read_tables(write(tmp_path, text)))


#: What people write for a whole number, with what it means, or why it means nothing.
WHOLE = [
    ("12", 12),
    ("12.0", 12),
    ("1.2e1", 12),
    ('"１２"', 12),
    ("1.5", "must be a whole number, not 1.5"),
    ('"2,5"', "write a point for the comma"),
    ("true", "must be a finite number, not True"),
    ("false", "must be a finite number, not False"),
    ("nan", "must be a finite number, not nan"),
    ("inf", "must be a finite number, not inf"),
    ("1" + 30 * "0", "must be a number that is not so large"),
    ('""', "must be a number, not empty"),
]


@pytest.mark.parametrize("address", ["train.seed", "data.batch_size", "train.max_steps", "train.gradient_accumulation"])
@pytest.mark.parametrize("way", ["file", "--set", "--set without quotes"])
@pytest.mark.parametrize(("written", "meant"), WHOLE)
def test_a_whole_number_is_whole_in_files_and_overrides_alike(tmp_path, address, way, written, meant):
    section, _, key = address.partition(".")
    path = tmp_path / "job.toml"
    path.write_text(f"[{section}]\n{key} = {written}\n" if way == "file" else "", encoding="utf-8")
    tables = read_tables(path)
    if way != "file":
        apply_overrides(tables, [f"{address}={written.strip(chr(34)) if 'without' in way else written}"])
    tables.setdefault("data", {})["folder"] = str(tmp_path)
    tables.setdefault("output", {})["name"] = "ink"
    if isinstance(meant, int):
        assert getattr(getattr(Job.from_mapping(tables), section), key) == meant
        return
    with pytest.raises(SettingsError) as refused:
        Job.from_mapping(tables)
    (error,) = (one for one in refused.value.errors if one.field == address)
    assert meant in error.reason
