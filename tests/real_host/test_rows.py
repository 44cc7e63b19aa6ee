"""Rows of hypernetworks, their infotext, cards and axes in the real WebUI."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypernetwork_workbench.hypernetworks import files
from hypernetwork_workbench.hypernetworks.network.hypernetwork import Hypernetwork, Structure

from tests.real_host.webui import PICTURE, ApiError, WebUI

WIDTHS = (96, 64, 128)
NIGHT, DAY, MIX = "rows night", "rows, day", "rows mix"
ROWS = {"Hypernetwork": {"args": [NIGHT, 0.8, True, DAY, -1]}}
OFF, GRID_ON = [0, "", []], [True, True, *[False] * 5, 0, True]
"""An axis without values, and the grid's own settings, text for all values."""


@pytest.fixture(scope="module", autouse=True)
def networks(host: WebUI, folder: Path) -> None:
    """Return a `.pt`, a `.safetensors` below a folder, and a composition of both."""
    place = folder / "models" / "hypernetworks"
    (place / "below").mkdir(parents=True, exist_ok=True)
    for seed, path in enumerate((place / f"{NIGHT}.pt", place / "below" / f"{DAY}.safetensors")):
        files.save(Hypernetwork.create(Structure(init_std=0.15), WIDTHS, seed), path)
    (place / f"{MIX}.hns").write_text(f'["{NIGHT}", ("{DAY}", 0.5)]', encoding="utf-8")
    infotext(host, alwayson_scripts={"Hypernetwork": {"args": [MIX]}})  # a name that is new makes the list anew


def infotext(host: WebUI, **changes: Any) -> str:
    """Return the infotext of a picture."""
    answer = host.call("/sdapi/v1/txt2img", {**PICTURE, **changes})
    return json.loads(answer["info"])["infotexts"][0]


def axes(host: WebUI) -> list[str]:
    """Labels of the axes of the X/Y/Z plot in txt2img."""
    scripts = host.call("/sdapi/v1/script-info")
    (grid,) = [script for script in scripts if script["name"] == "x/y/z plot" and not script["is_img2img"]]
    return grid["args"][0]["choices"]


def grid(host: WebUI, label: str, values: str) -> list[str]:
    """Return the infotexts of a grid over one axis: of the grid and of its pictures."""
    x = [axes(host).index(label), values, []]
    body = {"script_name": "X/Y/Z plot", "script_args": [*x, *OFF, *OFF, *GRID_ON], "alwayson_scripts": ROWS}
    return json.loads(host.call("/sdapi/v1/txt2img", {**PICTURE, **body})["info"])["infotexts"]


def test_rows_reach_the_picture_and_its_infotext(host: WebUI) -> None:
    said = infotext(host, alwayson_scripts=ROWS)
    assert f"a red circle<hypernet:{NIGHT}:0.8><hypernet:{DAY}:-1>\n" in said
    assert f'Hypernetwork 1: "{NIGHT}:0.8", Hypernetwork 2: "{DAY}:-1"' in said
    place = host.folder / "models" / "hypernetworks"
    hashes = files.short_hash(place / f"{NIGHT}.pt"), files.short_hash(place / "below" / f"{DAY}.safetensors")
    assert f'Hypernetwork hashes: "{NIGHT}: {hashes[0]}, {DAY}: {hashes[1]}"' in said


@pytest.mark.parametrize("wrong", ["0,6", "1.1.", "nan", "strong"])
def test_a_wrong_tag_leaves_the_others_in_use_and_nothing_of_the_picture_before(host: WebUI, wrong: str) -> None:
    infotext(host, prompt=f"a red circle<hypernet:{NIGHT}:2>")
    said = infotext(host, prompt=f"a red circle<hypernet:{NIGHT}:{wrong}><hypernet:{DAY}:０．５>")
    place = host.folder / "models" / "hypernetworks"
    assert f'Hypernetwork hashes: "{DAY}: {files.short_hash(place / "below" / f"{DAY}.safetensors")}"' in said


def test_the_second_pass_has_the_rows_too(host: WebUI) -> None:
    second = {"enable_hr": True, "hr_scale": 2, "hr_upscaler": "Latent", "denoising_strength": 0.7}
    said = infotext(host, alwayson_scripts=ROWS, **second)
    assert "Hires prompt" not in said  # it is the first pass's, tags included


def test_both_tabs_name_their_arguments(host: WebUI) -> None:
    found = [script for script in host.call("/sdapi/v1/script-info") if script["name"] == "hypernetwork"]
    assert sorted(script["is_img2img"] for script in found) == [False, True]
    for script in found:
        assert [each["label"] for each in script["args"][:4]] == ["Hypernetwork 1", "Strength", "On", "Hypernetwork 2"]


def test_the_lists_and_the_setting_know_compositions(host: WebUI) -> None:
    listed = {each["name"]: each["path"] for each in host.call("/sdapi/v1/hypernetworks")}
    assert {NIGHT, DAY, MIX} <= listed.keys()
    host.call("/sdapi/v1/options", {"sd_hypernetwork": MIX})
    said = infotext(host)
    host.call("/sdapi/v1/options", {"sd_hypernetwork": "None"})
    assert f"<hypernet:{MIX}:1.0>" in said
    assert all(f"{name}: " in said.split("Hypernetwork hashes: ")[1] for name in (NIGHT, DAY, MIX))


@pytest.mark.parametrize("name", [NIGHT, DAY, MIX])
def test_cards_insert_the_name(host: WebUI, name: str) -> None:
    page = f"/sd_extra_networks/get-single-card?page=hypernetworks&tabname=txt2img&name={name.replace(' ', '%20')}"
    assert f"&lt;hypernet:{name}:" in host.call(page)["html"]


def test_axes_change_the_rows(host: WebUI) -> None:
    whole, *cells = grid(host, "Hypernetwork 2 strength", "0.25,2")
    assert "X Type: Hypernetwork 2 strength" in whole
    for value, cell in zip(("0.25", "2"), cells, strict=True):
        assert f'Hypernetwork 2: "{DAY}:{value}"' in cell
    text = f'"{DAY}":0.8 > {NIGHT}'.replace('"', '""')
    _, *cells = grid(host, "Hypernetwork composition", f'"{text}",{MIX}')
    assert f"{DAY}" in cells[0]
    assert f'Hypernetwork 1: "{MIX}:0.8"' in cells[1]
    with pytest.raises(ApiError, match="Unknown hypernetwork: nobody"):
        grid(host, "Hypernetwork 1", "nobody")


def test_reloading_the_page_leaves_one_of_each_axis(host: WebUI) -> None:
    before = axes(host)
    host.reload()
    assert axes(host) == before
    assert before.count("Hypernetwork composition") == 1
