"""The tab Merge Hypernetworks: two networks made in Create are merged, put together, and one is baked."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from hypernetwork_workbench.hypernetworks import compose, files

from tests.browser.conftest import Server
from tests.browser.page import Page

pytestmark = pytest.mark.story

FIRST, SECOND, MERGED = "merge one", "merge two", "merge both"
GALLERY = "hnw_merge_pictures_gallery"
#: The fields of the pictures, which have the same names in txt2img.
PICTURE = {"prompt": "a red circle", "steps": 2, "seed": 7, "width": 64, "height": 64}
SHOWN = "return !!arguments[0] && arguments[0].offsetParent !== null"


@pytest.fixture(scope="module")
def tab(page: Page, server: Server) -> Iterator[Page]:
    """Return the tab with two networks made in Create; the page as it was before once the tests are over."""
    page.tab("Train")
    page.tab("Create Beta Hypernetwork")
    page.wait_for_text("hnw_create_summary", "Parameters")  # until then the widths are not ticked
    page.fill("hnw_create_more_widths", "24, 32, 64")
    page.check("hnw_create_zero_last_layer", wanted=False)  # else they change nothing before they are trained
    for name in (FIRST, SECOND):
        page.fill("hnw_create_name", name)
        page.until("a form without problems", lambda: "To be corrected" not in page.text("hnw_create_summary"))
        page.press("hnw_create_button")
        page.wait_for_text("hnw_create_status", f"Created {name}")
    page.tab("Merge Hypernetworks")
    yield page
    page.leave()


@pytest.fixture(scope="module")
def chosen(tab: Page) -> Page:
    """Return the tab with both networks chosen, and its folds open."""
    tab.choose("hnw_merge_network_1", FIRST)
    tab.choose("hnw_merge_network_2", SECOND)
    tab.wait_for_text("hnw_merge_methods", "it needs exactly 3 networks, not 2")
    for fold in ("composition", "bake"):
        tab.press(tab.find(f"#hnw_merge_{fold} > .label-wrap"))
    return tab


def path_of(server: Server, name: str) -> Path:
    return next(server.data.rglob(name))


def is_shown(page: Page, id_: str) -> bool:
    script = SHOWN.replace("arguments[0]", f"document.getElementById('{id_}')")
    return page.driver.execute_script(script)


def shown(page: Page, *names: str) -> list[str]:
    """Return which of these fields are in sight."""
    return [name for name in names if is_shown(page, f"hnw_merge_{name}")]


def test_only_the_options_of_the_method_are_shown(chosen: Page):
    page = chosen
    page.choose("hnw_merge_method", "DARE (differences from A, a random part)")
    page.until("the options of DARE", lambda: shown(page, "density", "seed", "rank", "weight_1") == ["density", "seed"])
    page.choose("hnw_merge_method", "Exact parallel (sum of the outputs)")
    fields = ("density", "weight_1", "network_3", "network_4")
    page.until("its own", lambda: shown(page, *fields) == ["weight_1", "network_3"])


def test_wrong_input_is_said_beside_its_field_and_nothing_is_written(chosen: Page, server: Server):
    page = chosen
    before = sorted(server.data.rglob("*.*"))
    page.fill("hnw_merge_name", MERGED)
    page.fill("hnw_merge_block_weights", "24.q=1")
    page.wait_for_text("hnw_merge_block_weights_problem", "'24.q' is no block")
    page.press("hnw_merge_button")
    page.wait_for_text("hnw_merge_status", "Weights of single blocks: '24.q' is no block")
    assert page.value("hnw_merge_name") == MERGED
    page.fill("hnw_merge_block_weights", "24.k=0.25")
    page.until("no problem", lambda: not is_shown(page, "hnw_merge_block_weights_problem"))
    assert sorted(server.data.rglob("*.*")) == before


def test_two_networks_become_one_that_the_picker_offers(chosen: Page, server: Server, screenshots: Path | None):
    page = chosen
    page.fill("hnw_merge_weight_1", "0.75")
    page.press("hnw_merge_button")
    page.wait_for_text("hnw_merge_status", f"Wrote {MERGED}.pt", "Weight", "Name")
    assert "does the same as the weighted sum" in page.wait_for_text("hnw_merge_check", "largest difference")
    merged, first, second = (files.load(path_of(server, f"{name}.pt")) for name in (MERGED, FIRST, SECOND))
    context = torch.randn(1, 4, 24)
    (k, v), (k_1, v_1), (k_2, v_2) = (network.transform(context) for network in (merged, first, second))
    torch.testing.assert_close(k - context, 0.75 * (k_1 - context) + 0.25 * (k_2 - context), atol=1e-6, rtol=1e-4)
    torch.testing.assert_close(v - context, 0.75 * (v_1 - context) + 0.5 * (v_2 - context), atol=1e-6, rtol=1e-4)
    if screenshots:
        page.screenshots(screenshots / "merge.png")
    page.choose("hnw_merge_network_1", MERGED)
    page.tab("txt2img")
    page.press("hnw_picker_refresh")
    page.choose("hnw_picker", MERGED)
    page.choose("hnw_picker", "None")
    page.tab("Train")


def test_the_picture_of_a_merge_is_that_of_its_file(chosen: Page, server: Server, screenshots: Path | None):
    page = chosen
    page.choose("hnw_merge_network_1", FIRST)
    page.press(page.find("#hnw_merge_pictures > .label-wrap"))
    before = sorted(server.data.rglob("*.pt"))
    for name, value in PICTURE.items():
        page.fill(f"hnw_merge_pictures_{name}", value)
    page.press("hnw_merge_pictures_show")
    page.wait_for_text("hnw_merge_pictures_status", "Made 4 pictures with seed 7; nothing was written.", seconds=60)
    assert sorted(server.data.rglob("*.pt")) == before
    captions = [one.text for one in page.driver.find_elements("css selector", f"#{GALLERY} .caption-label")]
    assert captions == ["Without a network", f"A: {FIRST}, strength 0.75", f"B: {SECOND}, strength 0.5", "Merged"]
    shown = [page.pixels(source) for source in page.pictures(GALLERY)]
    if screenshots:
        page.screenshots(screenshots / "merge-pictures.png")
    page.tab("txt2img")
    for name, value in (PICTURE | {"prompt": f"{PICTURE['prompt']}<hypernet:{MERGED}:1>"}).items():
        page.fill(f"txt2img_{name}", value)
    page.press("txt2img_generate")
    page.until("a picture", lambda: page.pictures("txt2img_gallery"), 60)
    assert np.array_equal(page.pixels(page.pictures("txt2img_gallery")[0]), shown[3])
    assert len({one.tobytes() for one in shown}) == 4
    page.tab("Train")


def test_pictures_are_stale_until_the_fields_are_as_they_were(chosen: Page):
    page = chosen
    page.fill("hnw_merge_weight_1", "0.25")
    page.wait_for_text("hnw_merge_pictures_stale", "These pictures are of what stood in the fields before.")
    page.fill("hnw_merge_weight_1", "0.75")
    page.until("no such sentence", lambda: not page.text("hnw_merge_pictures_stale"))
    page.fill("hnw_merge_pictures_seed", 8)
    page.wait_for_text("hnw_merge_pictures_stale", "These pictures are of what stood in the fields before.")
    page.fill("hnw_merge_pictures_seed", PICTURE["seed"])
    page.until("no such sentence", lambda: not page.text("hnw_merge_pictures_stale"))
    page.fill("hnw_merge_pictures_width", 100)
    page.wait_for_text("hnw_merge_pictures_width_problem", "must be a multiple of 8, not 100")
    page.press("hnw_merge_pictures_fill")
    page.until("the width of txt2img", lambda: page.value("hnw_merge_pictures_width") == str(PICTURE["width"]))
    page.until("no problem", lambda: not is_shown(page, "hnw_merge_pictures_width_problem"))


def test_the_difference_is_predicted_until_a_field_changes(chosen: Page):
    page = chosen
    page.choose("hnw_merge_network_1", FIRST)
    page.choose("hnw_merge_method", "Weighted sum")
    page.until("the fields of the sum", lambda: not page.text("hnw_merge_methods").count("approximate ("))
    page.press("hnw_merge_predict")
    page.wait_for_text("hnw_merge_methods", "exact", "approximate (")
    page.fill("hnw_merge_weight_1", "0.5")
    page.until("no old figure", lambda: "approximate (" not in page.text("hnw_merge_methods"))


def test_a_composition_is_read_as_it_is_written_and_saved(chosen: Page, server: Server):
    page = chosen
    page.fill("hnw_merge_composition_text", f"{FIRST}:0.8 + {SECOND}:")
    page.wait_for_text("hnw_merge_composition_text_problem", "a number is expected here")
    page.fill("hnw_merge_composition_text", f"{FIRST}:0.8 + {SECOND}:0.2")
    preview = page.wait_for_text("hnw_merge_composition_preview", ".hns form")
    assert f"{{'{FIRST}': 0.8, '{SECOND}': 0.2}}" in preview
    assert "yes: the one file has" in preview
    page.fill("hnw_merge_composition_name", "merge mix")
    page.press("hnw_merge_composition_save")
    page.wait_for_text("hnw_merge_composition_status", "Saved as merge mix.hns")
    text = path_of(server, "merge mix.hns").read_text(encoding="utf-8")
    assert compose.parse(text) == compose.parse(f"{FIRST}:0.8 + {SECOND}:0.2")
    page.press("hnw_merge_composition_save")
    page.wait_for_text("hnw_merge_composition_status", "merge mix.hns exists already")
    page.press("hnw_merge_composition_save_one")
    page.wait_for_text("hnw_merge_composition_status", "Wrote merge mix.pt")
    recipe = files.load(path_of(server, "merge mix.pt")).metadata.training["merge"]
    assert recipe["networks"][0]["hash"] == files.short_hash(path_of(server, f"{FIRST}.pt"))


def test_what_cannot_be_baked_is_said(chosen: Page, server: Server):
    page = chosen
    page.choose("hnw_merge_bake_network", FIRST)
    page.press("hnw_merge_bake_button")
    page.wait_for_text("hnw_merge_bake_status", "Name of the new checkpoint: give the new checkpoint a name")
    page.fill("hnw_merge_bake_name", "baked")
    page.press("hnw_merge_bake_button")
    page.wait_for_text("hnw_merge_bake_status", "Checkpoint: choose a checkpoint")
    assert not list(server.data.rglob("baked*"))


def test_the_tab_made_no_error(chosen: Page):
    assert chosen.own_errors() == []
