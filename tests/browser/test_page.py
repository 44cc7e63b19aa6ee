"""From two buttons to a changed picture: create, train, generate, in the order a newcomer takes."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from tests.browser.conftest import Server, serving
from tests.browser.page import Page
from tests.support import forks

pytestmark = pytest.mark.story

#: The start of the page takes less than so many times what its libraries alone take.
TIMES_THE_LIBRARIES = 4
STEPS = 12
SEED = 7
PROMPT = "a red circle on a white background"
SCREENSHOT_PROMPT = "a yellow star on a blue background"


@pytest.fixture
def train_tab(page: Page) -> Page:
    """Return the page with the tab Train open."""
    page.tab("Train")
    return page


@pytest.fixture
def create_tab(train_tab: Page) -> Page:
    """Return the page with the tab Create Beta Hypernetwork open."""
    train_tab.tab("Create Beta Hypernetwork")
    return train_tab


@pytest.fixture
def gamma_tab(train_tab: Page) -> Page:
    """Return the page with the tab Train Gamma open."""
    train_tab.tab("Train Gamma")
    return train_tab


@pytest.fixture(scope="module")
def made(page: Page, server: Server, screenshots: Path | None) -> str:
    """Presses Create in the form as it stands, and returns the name of the new network."""
    page.tab("Train")
    page.tab("Create Beta Hypernetwork")
    name = page.value("hnw_create_name")
    assert name, "the form is not filled in for the demo"
    # What tests of other files have made on the same server.
    (server.data / "models" / "hypernetworks" / f"{name}.pt").unlink(missing_ok=True)
    shutil.rmtree(server.data / "outputs" / "training" / name, ignore_errors=True)
    page.wait_for_text("hnw_create_summary", "Parameters")  # until the checkpoint is loaded, no width is known
    page.press("hnw_create_button")
    page.wait_for_text("hnw_create_status", f"Created {name}")
    if screenshots:
        page.screenshots(screenshots / "create.png")
    return name


@pytest.fixture(scope="module")
def trained(page: Page, made: str, server: Server, screenshots: Path | None) -> str:
    """Trains the new network for some steps, watches it, and returns its name."""
    page.tab("Train")
    page.tab("Train Gamma")
    page.wait_for_value("hnw_train_network_file", made)
    if not screenshots:
        page.fill("hnw_train_train_max_steps", STEPS)
        page.fill("hnw_train_preview_every", STEPS // 2)
    page.press("hnw_train_button")
    tab = page.find("#hnw_train_tab")
    page.until("step and loss of the run", lambda: re.search(r"step \d+ of \d+,.* loss \d\.\d+", tab.text))
    said = page.wait_for_text("hnw_train_status", "Trained", "Error", seconds=400)
    assert re.match(r"Trained \d+ steps in \d+ s; loss \d+\.\d+ at first, \d+\.\d+ at last", said), said
    return made


def test_the_page_answers_soon(
    chromium: None, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
):
    before = os.times()
    subprocess.run([sys.executable, "-c", "import torch, gradio"], check=True)
    after = os.times()
    libraries_s = after.children_user + after.children_system - before.children_user - before.children_system
    monkeypatch.delenv(forks.ADDRESS, raising=False)  # as a user starts it, from the beginning
    with serving(tmp_path_factory) as cold:
        spent = psutil.Process(cold.process.pid).cpu_times()  # a clock would also count what else the machine is doing
    assert spent.user + spent.system < TIMES_THE_LIBRARIES * libraries_s


def test_create_makes_a_file(made: str, server: Server):
    assert [path.stem for path in server.data.rglob("*.pt")].count(made) == 1


def test_training_shows_its_pictures(trained: str, gamma_tab: Page, server: Server, screenshots: Path | None):
    sources = gamma_tab.until("pictures of the run", lambda: gamma_tab.pictures("hnw_train_preview"))
    first = gamma_tab.pixels(sources[0])
    assert first.std() > 1, "the picture is one even colour"
    if screenshots:
        gamma_tab.screenshot(screenshots / "train.png")
        sheet = max(server.data.rglob("*sheet*.png"), key=lambda path: path.stat().st_mtime)
        shutil.copy(sheet, screenshots / "sheet.png")
        show_runs(gamma_tab, screenshots)


def show_runs(page: Page, screenshots: Path) -> None:
    """Save pictures of the tab Runs, and open Train Gamma again."""
    page.tab("Runs")
    page.press(page.find("#hnw_runs_list .hnw-run-choice"))
    page.press("hnw_runs_show")
    page.find("#hnw_runs_details details")
    page.screenshots(screenshots / "runs.png")
    page.tab("Train Gamma")


def generate(page: Page, name: str, strength: float) -> np.ndarray:
    """Generate one picture with the fixed seed; [height, width, 3]."""
    page.choose("hnw_picker", name)
    page.fill("hnw_strength", f"{strength:g}")
    before = page.pictures("txt2img_gallery")
    page.press("txt2img_generate")
    page.until("a new picture", lambda: (now := page.pictures("txt2img_gallery")) and now != before)
    time.sleep(0.3)
    return page.pixels(page.pictures("txt2img_gallery")[0])


def test_strength_changes_the_picture_and_zero_does_not(trained: str, page: Page, screenshots: Path | None):
    page.tab("txt2img")
    page.fill("txt2img_prompt", SCREENSHOT_PROMPT if screenshots else PROMPT)
    page.fill("txt2img_seed", SEED)
    page.press("hnw_picker_refresh")
    none = generate(page, "None", 1)
    zero = generate(page, trained, 0)
    full = generate(page, trained, 1)
    if screenshots:
        page.screenshot(screenshots / "txt2img.png")
    assert none.std() > 1, "the picture is one even colour"
    assert np.array_equal(none, zero), "strength 0 is not the picture without a network"
    assert not np.array_equal(none, full), "strength 1 changes nothing"
    assert f"<hypernet:{trained}:1>" in page.body()


WRONG_IN_CREATE = {
    "name": ("a/b", "Name"),
    "more_widths": ("wide", "Other widths"),
    "layer_structure": ("1, 2", "Layer structure"),
    "dropout_structure": ("0, 2, 0", "Dropout"),
    "init_std": ("-1", "Standard deviation"),
    "seed": ("-5", "Seed"),
}


@pytest.mark.parametrize("name", WRONG_IN_CREATE)
def test_a_wrong_field_of_create_is_named(name: str, create_tab: Page, server: Server):
    wrong, label = WRONG_IN_CREATE[name]
    create_tab.check("hnw_create_overwrite", True)  # the demo's network may be there already
    refused(create_tab, server, "hnw_create", name, wrong, label)


WRONG_IN_TRAIN = {
    "data_folder": ("no such folder", "Dataset folder"),
    "data_width": ("63", "Picture width"),
    "data_height": ("0", "Picture height"),
    "data_batch_size": ("0", "Batch size"),
    "schedule_rate": ("fast", "Learning rate"),
    "schedule_warmup": ("-1", "Warm-up steps"),
    "train_max_steps": ("0", "Steps"),
    "preview_every": ("-1", "Preview every"),
    "data_caption_dropout": ("2", "Caption dropout"),
    "output_name": ("a/b", "Save as"),
}


@pytest.mark.parametrize("name", WRONG_IN_TRAIN)
def test_a_wrong_field_of_train_is_named(name: str, made: str, gamma_tab: Page, server: Server):
    wrong, label = WRONG_IN_TRAIN[name]
    refused(gamma_tab, server, "hnw_train", name, wrong, label)


def test_a_network_that_is_not_there_is_named(made: str, gamma_tab: Page):
    gamma_tab.enter("hnw_train_network_file", "nobody")
    gamma_tab.press("hnw_train_button")
    try:
        said = gamma_tab.wait_for_text("hnw_train_status", "nobody")
    finally:
        gamma_tab.enter("hnw_train_network_file", made)
    assert said.startswith("Network to train: ")


def refused(page: Page, server: Server, form: str, name: str, wrong: str, label: str) -> None:
    """Enters something wrong, sees one sentence with the field's label and no new file, and puts it right again."""
    field = f"{form}_{name}"
    right, files = page.value(field), sorted(server.data.rglob("*.pt*"))
    page.fill(field, wrong)
    page.press(f"{form}_button")
    try:
        page.until(
            f"one sentence about {label!r} in {form}_status, and no other",
            lambda: (said := page.sentences(f"{form}_status")) and said[0].startswith(f"{label}:") and len(said) == 1,
        )
    finally:
        page.fill(field, right)
    assert sorted(server.data.rglob("*.pt*")) == files


def test_our_scripts_made_no_error(trained: str, page: Page):
    assert page.own_errors() == []
