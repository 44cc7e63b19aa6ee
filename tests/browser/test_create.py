"""The tab Create Beta Hypernetwork: drawing, problems, presets, settings files, and the file it makes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypernetwork_workbench.hypernetworks import files
from hypernetwork_workbench.hypernetworks.network.hypernetwork import Hypernetwork, Structure

from tests.browser.conftest import Server
from tests.browser.page import Page

pytestmark = pytest.mark.story

NAME = "made in a test"
HTML = "const one = document.querySelector('#' + arguments[0] + ' svg'); return one ? one.outerHTML : ''"

IN_SIGHT = "return document.getElementById(arguments[0])?.offsetHeight > 0"


@pytest.fixture(scope="module")
def tab(page: Page) -> Iterator[Page]:
    """Return the tab, as it was before once the tests are over."""
    page.tab("Train")
    page.tab("Create Beta Hypernetwork")
    page.fill("hnw_create_more_widths", "24, 32")
    page.until("a drawing", lambda: drawing(page))
    yield page
    page.leave()


def in_sight(page: Page, name: str) -> bool:
    return page.driver.execute_script(IN_SIGHT, f"hnw_create_{name}_problem")


def drawing(page: Page) -> str:
    return page.driver.execute_script(HTML, "hnw_create_drawing")


def problem(page: Page, name: str) -> str:
    return page.text(f"hnw_create_{name}_problem")


def upload(page: Page, path: Path) -> None:
    page.find("#hnw_create_load")
    field = "return document.querySelector('#hnw_create_load').previousElementSibling"
    page.driver.execute_script(field).send_keys(str(path))


def test_nothing_is_wrong_before_something_was_entered(page: Page, server: Server):
    """An entry makes its own problems seen, and a button all of them."""
    page.tab("Train")
    page.tab("Create Beta Hypernetwork")
    page.wait_for_text("hnw_create_summary", "Parameters")
    place = server.data / "models" / "hypernetworks" / f"{page.value('hnw_create_name')}.pt"
    files.save(Hypernetwork.create(Structure(), (24,), 0), place)
    page.tab("Train Gamma")
    page.press("hnw_train_refresh")
    page.anew()
    page.tab("Train")
    page.tab("Create Beta Hypernetwork")
    page.until("the problem of a name that is taken", lambda: problem(page, "name"))
    assert not in_sight(page, "name")
    page.fill("hnw_create_layer_structure", "1, 2")
    page.until("the problem of the layers", lambda: in_sight(page, "layer_structure"))
    assert not in_sight(page, "name")
    page.press("hnw_create_button")
    page.until("the problem of the name", lambda: in_sight(page, "name"))
    page.fill("hnw_create_layer_structure", "1, 2, 1")
    place.unlink()
    page.tab("Train Gamma")
    page.press("hnw_train_refresh")


def test_the_drawing_follows_the_layers(tab: Page):
    page = tab
    page.fill("hnw_create_layer_structure", "1, 2, 1")
    page.until("one hidden layer", lambda: drawing(page).count("hnw-layer") == 3)
    page.fill("hnw_create_layer_structure", "1, 2.5, 2, 1")
    page.until("two hidden layers", lambda: drawing(page).count("hnw-layer") == 4)
    assert "× 2.5" in drawing(page)
    page.check("hnw_create_layer_norm", True)
    page.until("LayerNorm", lambda: "LayerNorm" in drawing(page))
    page.check("hnw_create_layer_norm", False)
    page.choose("hnw_create_activation", "mish")
    page.until("mish", lambda: ">mish<" in drawing(page))
    page.wait_for_text("hnw_create_summary", "Parameters")


def test_a_problem_appears_beside_its_field_and_vanishes(tab: Page):
    page = tab
    page.fill("hnw_create_layer_structure", "1, 2, 1")
    page.fill("hnw_create_dropout_structure", "0, 0.1, 0.1, 0")
    page.until("the sentence", lambda: problem(page, "dropout_structure").startswith("must have 3 entries"))
    field, sentence = (page.find(f"#hnw_create_{name}") for name in ("dropout_structure", "dropout_structure_problem"))
    assert 0 <= sentence.rect["y"] - (field.rect["y"] + field.rect["height"]) < 40
    assert problem(page, "layer_structure") == ""
    page.fill("hnw_create_dropout_structure", "0, 0.1, 0")
    page.until("no sentence", lambda: problem(page, "dropout_structure") == "")
    page.press(page.find("#hnw_create_weights .label-wrap"))
    page.until("the open fold", lambda: page.find("#hnw_create_seed").is_displayed())
    page.fill("hnw_create_seed", "")
    page.until("the seed in the summary", lambda: "Seed" in page.text("hnw_create_summary"))
    page.fill("hnw_create_seed", "5")
    page.until("a good seed", lambda: "Seed" not in page.text("hnw_create_summary"))


def test_a_preset_fills_the_form(tab: Page):
    page = tab
    page.choose("hnw_create_preset", "Deep style")
    page.until("its layers", lambda: page.value("hnw_create_layer_structure") == "1, 1.5, 1.5, 1.5, 1")
    page.wait_for_value("hnw_create_activation", "mish")
    page.until("its drawing", lambda: "Dropout 30 %" in drawing(page))
    page.wait_for_text("hnw_create_advice", "5e-5:1500,5e-6:9000,5e-8")
    page.fill("hnw_create_layer_structure", "1, 1.5, 1.5, 1.4, 1")
    page.until("own settings", lambda: page.value("hnw_create_preset") == "Own settings")


def test_settings_are_saved_and_loaded(tab: Page, server: Server, tmp_path: Path):
    page = tab
    page.choose("hnw_create_preset", "Style")
    page.fill("hnw_create_name", NAME)
    page.until("its layers", lambda: page.value("hnw_create_layer_structure") == "1, 1.5, 1.5, 1")
    page.press("hnw_create_save")
    page.wait_for_text("hnw_create_status", "Saved as")
    page.choose("hnw_create_preset", "Standard")
    page.until("other layers", lambda: page.value("hnw_create_layer_structure") == "1, 2, 1")
    upload(page, next(server.data.rglob(f"{NAME}.toml")))
    page.until("the layers of the file", lambda: page.value("hnw_create_layer_structure") == "1, 1.5, 1.5, 1")
    other = tmp_path / "old_hypernetwork_.json"
    other.write_text(json.dumps({"layer_structure": "1, 2, 2, 1", "activation_func": "glu", "enable_sizes": ["40"]}))
    upload(page, other)
    page.wait_for_text("hnw_create_status", "Activation: glu cannot be used")
    page.wait_for_value("hnw_create_layer_structure", "1, 2, 2, 1")
    page.wait_for_value("hnw_create_activation", "relu")


def test_a_file_is_made_and_not_made_twice(tab: Page, server: Server):
    page = tab
    page.fill("hnw_create_name", NAME)
    page.choose("hnw_create_preset", "Character or new thing")
    page.until("its layers", lambda: page.value("hnw_create_layer_structure") == "1, 3, 1")
    page.fill("hnw_create_optional_info", "by a test")
    page.fill("hnw_create_more_widths", "24, 32")
    page.until("nothing to put right", lambda: "To be corrected" not in page.text("hnw_create_summary"))
    page.press("hnw_create_button")
    said = page.wait_for_text("hnw_create_status", f"Created {NAME}")
    assert "It is chosen in Train Gamma." in said
    page.tab("Train Gamma")
    page.wait_for_value("hnw_train_network_file", NAME)
    page.tab("Create Beta Hypernetwork")
    network = files.load(next(server.data.rglob(f"{NAME}.pt")))
    assert network.structure.layer_structure == (1, 3, 1)
    assert {24, 32} <= set(network.widths)
    assert network.metadata.optional_info == "by a test"
    page.press("hnw_create_button")
    page.wait_for_text("hnw_create_status", "exists already")
    page.fill("hnw_create_optional_info", "again")
    page.until("the sentence", lambda: "exists already" in problem(page, "name"))
    page.check("hnw_create_overwrite", True)
    page.press("hnw_create_button")
    page.wait_for_text("hnw_create_status", f"Created {NAME}")


def test_the_tab_made_no_error(tab: Page):
    assert tab.own_errors() == []
