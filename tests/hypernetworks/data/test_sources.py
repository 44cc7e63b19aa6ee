"""A source of pictures is one file, and so is what tells about them: settings, limits and runs know it by itself."""

from __future__ import annotations

import ast
import json

from hypernetwork_workbench.hypernetworks.data.source import DESCRIPTIONS, SOURCES

from tests import sources
from tests.support import made_up, rooms

RUN = """
import json, pathlib
from hypernetwork_workbench.hypernetworks import files
from hypernetwork_workbench.hypernetworks.data.scan import read_dataset
from hypernetwork_workbench.hypernetworks.data.settings import DataSettings
from hypernetwork_workbench.hypernetworks.data.source import FOLDERS
from hypernetwork_workbench.hypernetworks.jobs import json_schema
from hypernetwork_workbench.hypernetworks.jobs.path_limits import confined
from hypernetwork_workbench.hypernetworks.train.run import train
from hypernetwork_workbench.hypernetworks.train.settings.job import SECTIONS
from PIL import Image
from tests.support.fake_ports import fake_ports
from tests.support.runs import make_job

here = pathlib.Path.cwd()
(here / "pictures").mkdir()
for shade in (20, 200):
    Image.new("RGB", (32, 32), (shade, 0, 0)).save(here / "pictures" / f"{shade}.png")
listed = here / "some.list"
listed.write_text("pictures/20.png\\npictures/200.png\\n")
def refusal(make):
    try:
        make()
    except ValueError as error:
        return str(error)
job = make_job("", data__list_file=str(listed), output__sheet=False, train__max_steps=1)
result = train(job, fake_ports(here / "host"))
body = {"data": {"list_file": "some.list"}}
(here / "others.list").write_text("/elsewhere/1.png\\n")
(here / "captions.csv").write_text("20,dark\\n")
data = {"list_file": str(listed), "list_repeats": 3, "caption_table": str(here / "captions.csv")}
dataset = read_dataset(DataSettings(**data, width=32, height=32), "n")
print(json.dumps([
    [sample.caption for sample in dataset.samples],
    [sample.path.name for sample in dataset.samples], [sample.subset.repeats for sample in dataset.samples],
    files.load(result.network).metadata.training["dataset"],
    json_schema.of_job()["properties"]["data"]["properties"]["list_file"]["title"],
    SECTIONS["data"].rows(FOLDERS),
    confined(body, [here], [here])["data"]["list_file"] == str(listed),
    refusal(lambda: confined({"data": {"list_file": "others.list"}}, [here], [here])),
    refusal(lambda: confined({"data": {"list_file": "/elsewhere/some.list"}}, [here], [here])),
    refusal(lambda: DataSettings(list_repeats=3)), refusal(lambda: DataSettings(list_file="a", list_repeats=0)),
    refusal(lambda: read_dataset(DataSettings(list_file="/no such.list"), "n")),
]))
"""


def test_one_file_is_a_source_or_a_description_with_its_settings(tmp_path):
    room = "hypernetworks/data/sources"
    more = {f"{room}/list_file.py": made_up.SOURCE, f"{room}/caption_table.py": made_up.DESCRIPTION}
    captions, names, repeats, dataset, title, form, is_inside, *refused = json.loads(rooms.answer(more, RUN, tmp_path))
    assert captions == ["dark", ""]
    assert names == ["20.png", "200.png"]
    assert repeats == [3, 3]
    assert dataset["name"] == "some.list"
    assert title == "List of pictures"
    assert form == [
        ["repeats", "folder_repeats", "weight", "list_file", "list_repeats"],
        ["more_folders", "dataset_config"],
        ["validation_folder"],
        ["regularisation_folder", "regularisation_weight"],
    ]
    assert is_inside
    assert refused[0].startswith("data.list_file: must lie in ")
    assert refused[1].startswith("data.list_file: must lie in ")
    assert refused[2:4] == [
        "folder: name the folder that holds the pictures",
        "list_repeats: must be at least 1, not 0",
    ]
    assert refused[4].startswith("data.list_file: /no such.list cannot be read")


def test_no_other_source_file_names_a_source():
    names = {name for kind in (SOURCES, DESCRIPTIONS) for one in kind.values() for name in one.options}
    files = [
        path for path in sources.paths() if path.relative_to(sources.ROOT).parts[0] in ("hypernetworks", "patches")
    ]
    wrong = [
        f"{path.relative_to(sources.ROOT)}:{node.lineno}"
        for path in files
        if path.parent.name != "sources" and path.name != "kohya.py"
        for node in ast.walk(sources.tree(path))
        if (isinstance(node, ast.Attribute) and node.attr in names)
        or (isinstance(node, ast.Constant) and node.value in names)
    ]
    assert wrong == []
