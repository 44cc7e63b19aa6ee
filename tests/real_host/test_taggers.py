"""The WebUI's own deepbooru and BLIP with random weights: they caption a dataset as they caption single pictures."""

from __future__ import annotations

import base64
import shutil
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.browser import page as browser
from tests.browser.test_dataset import look, unfold
from tests.real_host.webui import WebUI

THRESHOLD = "interrogate_deepbooru_score_threshold"


@pytest.fixture(scope="module")
def page(browsed: browser.Page) -> browser.Page:
    """Return the WebUI in Chromium, with our tab Dataset open."""
    browsed.until(
        "our tabs", lambda: browsed.driver.execute_script("return !!document.querySelector('#hnw_dataset_tab')")
    )
    browsed.tab("Train")
    browsed.tab("Dataset")
    return browsed


@pytest.fixture
def uncaptioned(pictures: Path, tmp_path: Path) -> Path:
    """Return a folder with two pictures."""
    for picture in sorted(pictures.glob("*.png"))[:2]:
        shutil.copy(picture, tmp_path)
    return tmp_path


def captioned(page: browser.Page, folder: Path, tagger: str) -> dict[str, str]:
    """Caption a folder in the page; return the captions by the names of their pictures."""
    page.fill("hnw_dataset_data_folder", str(folder))
    look(page)
    unfold(page, "taggers")
    page.choose("hnw_dataset_taggers_tagger", tagger)
    page.press("hnw_dataset_taggers_button")
    page.wait_for_text("hnw_dataset_taggers_status", f"Done: captions by {tagger} (2 caption files)", seconds=240)
    return {path.stem: path.read_text(encoding="utf-8").strip() for path in folder.glob("*.txt")}


def test_deepbooru_tags_a_dataset_as_it_tags_a_picture(host: WebUI, page: browser.Page, uncaptioned: Path) -> None:
    host.call("/probe/deepbooru", {})
    host.call("/sdapi/v1/options", {THRESHOLD: 0.5})
    found = captioned(page, uncaptioned, "deepbooru (tags)")
    for name, caption in found.items():
        data = base64.b64encode((uncaptioned / f"{name}.png").read_bytes()).decode()
        own = host.call("/sdapi/v1/interrogate", {"image": data, "model": "deepdanbooru"})["caption"]
        assert caption == own
        assert "tag" in caption


def test_blip_describes_a_dataset_as_it_describes_a_picture(host: WebUI, page: browser.Page, uncaptioned: Path) -> None:
    host.call("/probe/blip", {})
    host.call("/sdapi/v1/options", {"interrogate_clip_min_length": 3, "interrogate_clip_max_length": 8})
    found = captioned(page, uncaptioned, "BLIP (a sentence)")
    for name, caption in found.items():
        own = host.call(f"/probe/described?path={quote(str(uncaptioned / f'{name}.png'))}")
        assert caption == " ".join(own.split()) != ""
