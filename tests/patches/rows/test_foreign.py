"""Infotexts of other ages and programs: their hypernetworks become rows, or are said to be missing."""

import json
import shutil
import types
from pathlib import Path

import numpy as np
import pytest

from tests.patches.model.test_library import write
from tests.patches.rows.test_rows import pasted
from tests.patches.test_on_host import generate, save_network

TEXT = "a red circle{}\nSteps: 3, Sampler: Euler a, CFG scale: 4, Seed: 5, Size: 64x64, {}, Version: v1.0"


@pytest.fixture
def networks(patched):
    save_network(patched, "night", seed=1)
    save_network(patched, "My Style_v2", seed=2)
    return patched


def read(host, values, tags=""):
    from hypernetwork_workbench.patches.rows import entries, infotext

    params = pasted(host, TEXT.format(tags, values))
    return [(row.name, row.strength) for row in entries.from_infotext(params)], params, infotext.told(params)


def civitai(**resource):
    return f"Civitai resources: {json.dumps([{'type': 'checkpoint', 'modelName': 'night'}, resource])}"


@pytest.mark.parametrize(
    ("values", "row"),
    [
        ("Hypernet: night, Hypernet strength: 0.6", ("night", 0.6)),
        ("Hypernet: night", ("night", 1.0)),
        ("Hypernet: night({old}), Hypernet strength: 0.75", ("night", 0.75)),
        ("Hypernet: renamed, Hypernet hash: {new}, Hypernet strength: 0.5", ("night", 0.5)),
        ("Hypernet: renamed({old})", ("night", 1.0)),
        (civitai(type="hypernet", weight=0.8, modelName="my style v2", modelVersionId=7), ("My Style_v2", 0.8)),
        (civitai(type="Hypernetwork", modelName="Nightly", hash="{new}FF"), ("night", 1.0)),
        ('Hashes: {{"model": "0123456789", "hypernet:night": "{new}"}}', ("night", 1.0)),
        ('Hashes: {{"HyperNetwork:renamed": "{new}"}}', ("night", 1.0)),
        ("hypernet: night, hypernet strength: 0.5", ("night", 0.5)),
        ("Hypernetwork: night, Hypernetwork strength: 0.5", ("night", 0.5)),
        ("Hypernetwork model: night, Hypernetwork Strength: 0.5", ("night", 0.5)),
        ('Hypernet: "night", Hypernet strength: ０．５', ("night", 0.5)),
        ("Hypernet: styles/night, Hypernet strength: 50%", ("night", 0.5)),
        ("Hypernet: styles\\night.pt, Hypernet strength: 0", ("night", 0.0)),
        (civitai(air="urn:air:sd1:hypernet:civitai:12@34", modelName="Night", weight=-0.4), ("night", -0.4)),
        (civitai(type="hypernet", modelName="A style", modelVersionName="night", strength=0.3), ("night", 0.3)),
    ],
)
def test_a_row_is_restored(networks, monkeypatch, values, row):
    from hypernetwork_workbench.patches.rows import foreign, infotext

    monkeypatch.setattr(foreign, "_OLD_START", 0)  # the files of the tests are small
    for place in ("{old}", "{new}"):
        digest = infotext.short_hash("night", 8 if place == "{old}" else 10)
        values = values.replace(place, digest)
    rows, params, told = read(networks, values.replace("{{", "{").replace("}}", "}"))
    assert rows == [row]
    assert params["Prompt"] == "a red circle"
    assert f"Put into the rows: {row[0]} ({row[1]:g})." in told
    assert "<li>" not in told


def test_the_tag_that_the_host_adds_is_taken_out(networks):
    rows, params, _ = read(networks, "Hypernet: night, Hypernet strength: 0.60", "<hypernet:night:0.60>")
    assert (rows, params["Prompt"]) == ([("night", 0.6)], "a red circle")


def test_networks_that_the_prompt_names_get_no_row(networks):
    rows, params, told = read(networks, 'Hashes: {"hypernet:night": "0123456789"}', "<hypernet:night:0.3>")
    assert (rows, params["Prompt"]) == ([], "a red circle<hypernet:night:0.3>")
    assert "The infotext has no hypernetwork for the rows." in told
    assert "Hypernetwork night is another file than the one this picture was made with" in told


@pytest.mark.parametrize(
    ("values", "tags"),
    [
        ("Hypernet: gone, Hypernet hash: 0123456789, Hypernet strength: 0.6", ""),
        ("Hypernet: gone(01234567)", ""),
        (civitai(type="hypernet", modelName="gone", modelVersionId=7), ""),
        (civitai(type="hypernet", modelName="gone", modelVersionName="v1"), ""),
        ("Hypernet: styles/gone", ""),
        ("Clip skip: 2", "<hypernet:gone:1>"),
    ],
)
def test_a_missing_file_is_told(networks, values, tags):
    _, _, told = read(networks, values, tags)
    assert told.count("<li>") == 1
    name = "styles/gone" if "styles" in values else "gone"
    assert f"Hypernetwork {name}, which this picture was made with, is not in your folder." in told


def test_a_missing_file_without_a_name_is_told_too(networks):
    _, _, told = read(networks, civitai(type="hypernet", weight=0.5, modelVersionId=77))
    assert "Hypernetwork 77 of Civitai, which this picture was made with, is not in your folder." in told
    _, _, told = read(networks, civitai(air="urn:air:sd1:hypernet:civitai:12@34", weight=0.5))
    assert "Hypernetwork urn:air:sd1:hypernet:civitai:12@34, which" in told


def test_what_has_no_room_in_the_rows_stays_in_the_prompt(networks):
    resources = [{"type": "hypernet", "modelName": f"n{number}", "weight": 0.5} for number in range(1, 11)]
    rows, params, _ = read(networks, f"Civitai resources: {json.dumps(resources)}")
    assert [name for name, _ in rows] == [f"n{number}" for number in range(1, 9)]
    assert params["Prompt"] == "a red circle<hypernet:n9:0.5><hypernet:n10:0.5>"


@pytest.mark.parametrize(
    ("values", "told"),
    [
        (
            "Hypernet: night, Hypernet strength: strong",
            "Hypernetwork night got no row: its strength in",
        ),
        ("Hypernet: night, Hypernet strength: 0.6.1", "Hypernetwork night got no row: its strength in"),
        (civitai(type="hypernet", weight="x", modelName="night"), "Hypernetwork night got no row: its strength in"),
        (
            'Hypernetwork 1: "night:0,5"',
            "Hypernetwork night was not used: write a point for the comma",
        ),
        ('Hypernetwork 1: "night:nan"', "Hypernetwork night was not used: its strength must be a number"),
    ],
)
def test_a_strength_that_cannot_be_read_is_told(networks, values, told):
    rows, _, sentences = read(networks, values)
    assert rows == []
    assert told in sentences


def test_another_file_of_the_name_is_told_by_the_hash_of_2022(networks):
    _, _, told = read(networks, "Hypernet: night(01234567)")
    assert "Hypernetwork night is another file than the one this picture was made with" in told


def test_the_same_name_goes_before_the_same_hash(networks):
    from hypernetwork_workbench.patches.rows import infotext

    digest = infotext.short_hash("My Style_v2")
    rows, _, told = read(networks, f"Hypernet: night, Hypernet hash: {digest}")
    assert rows == [("night", 1.0)]
    assert "Hypernetwork night is another file than the one this picture was made with" in told
    rows, _, told = read(networks, f"Hypernet: gone, Hypernet hash: {digest.upper()}")
    assert rows == [("My Style_v2", 1.0)]


def test_the_hash_of_2022_does_not_tell_small_files_apart(networks):
    rows, _, told = read(networks, "Hypernet: gone(e3b0c442)")
    assert rows == [("gone", 1.0)]
    assert "Hypernetwork gone, which this picture was made with, is not in your folder." in told


def test_words_of_a_prompt_are_no_values(networks):
    rows, _, _ = read(networks, 'Hashes: {"hypernet:night": "0123456789"}', " Hashes: [none], Civitai resources: []")
    assert rows == [("night", 1.0)]


@pytest.mark.parametrize(
    "values", [f"Hashes: {'[' * 100_000}", "Civitai resources: [{", 'Hashes: ["hypernet:night"]', "Hypernet: None"]
)
def test_what_is_broken_or_empty_gives_no_row(networks, values):
    assert read(networks, values)[0] == []


def test_names_of_2022_are_found_in_tags_and_compositions(networks):
    expected, _ = generate(networks, "a<hypernet:night:0.5>")
    picture, processed = generate(networks, "a<hypernet:night(01234567):0.5>")
    assert (np.array_equal(picture, expected), processed.comments) == (True, "")
    write(networks, "mix", '("night(01234567)", 0.5)')
    picture, processed = generate(networks, "a<hypernet:mix:1>")
    assert (np.array_equal(picture, expected), processed.comments) == (True, "")


def test_our_own_form_goes_before_others(networks):
    values = f'Hypernetwork 1: "night:0.5", {civitai(type="hypernet", modelName="My Style v2", weight=0.9)}'
    assert read(networks, values)[0] == [("night", 0.5)]


def test_the_first_of_two_strengths_of_a_network_counts(networks):
    values = f"Hypernet: night, Hypernet strength: 0.7, {civitai(type='hypernet', modelName='night', weight=0.3)}"
    assert read(networks, values)[0] == [("night", 0.7)]


def test_a_network_that_the_prompt_names_as_it_was_called_gets_no_row(networks):
    from hypernetwork_workbench.patches.rows import infotext

    values = f'Hashes: {{"hypernet:renamed": "{infotext.short_hash("night")}"}}'
    rows, params, _ = read(networks, values, "<hypernet:renamed:0.3>")
    assert (rows, params["Prompt"]) == ([], "a red circle<hypernet:renamed:0.3>")


def test_a_file_copied_before_an_infotext_is_read_is_not_missing(networks):
    source = Path(networks.module("shared").hypernetworks["night"])
    shutil.copy(source, source.with_name("come.pt"))
    assert "<li>" not in read(networks, "Clip skip: 2", "<hypernet:come:1>")[2]


def test_a_file_that_is_gone_has_no_hash(networks):
    from hypernetwork_workbench.patches.rows import infotext

    path = Path(networks.module("shared").hypernetworks["night"])
    path.unlink()
    assert infotext.short_hash("night") is None
    assert infotext.short_hash("night", 8) is None


@pytest.mark.parametrize("is_second", [True, False])
def test_the_second_pass_keeps_the_hashes_of_the_first(networks, is_second):
    from hypernetwork_workbench.patches.rows import infotext

    job = types.SimpleNamespace(
        extra_generation_params={"Hypernetwork hashes": "old: 0123456789"}, is_hr_pass=is_second
    )
    networks.module("shared").loaded_hypernetworks.clear()
    infotext.note_hashes(job)
    assert job.extra_generation_params == ({"Hypernetwork hashes": "old: 0123456789"} if is_second else {})
