"""The tab Train Gamma: rates plotted, recipes, settings files; a run watched, left, found again, ended, continued."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from hypernetwork_workbench.hypernetworks import files

from tests.browser import layout
from tests.browser.conftest import Server
from tests.browser.page import Page

pytestmark = [pytest.mark.story, pytest.mark.slow]

NAME = "watched"
HTML = "const one = document.querySelector(arguments[0]); return one ? one.innerHTML : ''"
#: Width and height of the strip in sight while a run goes on.
STRIP = """
const one = document.querySelector('#hnw_train_preview .livePreview img');
return one ? [one.naturalWidth, one.naturalHeight] : null;
"""
CHOICE = """
const cards = [...document.querySelectorAll('.hnw-run-card')];
return cards.find((one) => one.querySelector('b').textContent === arguments[0])?.querySelector('input');
"""
TICK = """
const labels = [...document.querySelectorAll('#hnw_runs_taken label')];
return labels.find((one) => one.textContent.includes(arguments[0]))?.querySelector('input:not(:checked)');
"""
OUTLINE = """
return [...document.querySelectorAll('#hnw_train_panel [id^=hnw_train], #hnw_train_fields [id^=hnw_train]')]
    .map((one) => one.id).filter((id) => !/^hnw_train_(live|use_rate)$|_problem$/.test(id)).sort().join();
"""


@pytest.fixture(scope="module")
def tab(page: Page) -> Iterator[Page]:
    """Return the tab with a network of its own, and the page anew afterwards."""
    page.tab("Train")
    page.tab("Create Beta Hypernetwork")
    page.wait_for_text("hnw_create_summary", "Parameters")  # until then the widths are not ticked
    page.fill("hnw_create_name", NAME)
    page.press("hnw_create_button")
    page.wait_for_text("hnw_create_status", f"Created {NAME}")
    open_tab(page)
    yield page
    page.leave()


def open_tab(page: Page) -> None:
    page.tab("Train")
    page.tab("Train Gamma")
    page.press("hnw_train_refresh")
    page.enter("hnw_train_network_file", NAME)
    page.fill("hnw_train_preview_every", 20)
    page.fill("hnw_train_train_max_steps", 2000)
    page.until("the plot of 2000 steps", lambda: "2000 steps" in html(page, "#hnw_train_plot"))


def html(page: Page, selector: str) -> str:
    return page.driver.execute_script(HTML, selector)


def live_step(page: Page) -> int:
    found = re.search(r"step (\d+) of", html(page, "#hnw_train_live"))
    return int(found[1]) if found else 0


def strip_size(server: Server) -> tuple[int, int]:
    """Height and width of the strip of the previews there are: lines of 8, of a long run 24 pictures at most.

    An Interrupt that comes in the middle of a preview throws that one away, so they are counted, not calculated.
    """
    moments = min(len(list(server.data.rglob(f"{NAME}/previews/step-*.png"))), 24)
    return -(-moments // 8) * 212, min(moments, 8) * 192


def test_the_rates_are_plotted_as_one_types(tab: Page):
    before, right = html(tab, "#hnw_train_plot"), tab.value("hnw_train_schedule_rate")
    assert "<svg" in before
    tab.fill("hnw_train_schedule_rate", "fast")
    tab.until(
        "a sentence beside the rate", lambda: "is no learning rate" in tab.text("hnw_train_schedule_rate_problem")
    )
    tab.until("no plot", lambda: "<svg" not in html(tab, "#hnw_train_plot"))
    tab.fill("hnw_train_schedule_rate", right)
    tab.until("the plot again", lambda: html(tab, "#hnw_train_plot") == before)
    tab.fill("hnw_train_train_max_steps", "")
    tab.until("a sentence beside the steps", lambda: tab.text("hnw_train_train_max_steps_problem"))
    tab.fill("hnw_train_train_max_steps", 2000)
    tab.until("the plot again", lambda: html(tab, "#hnw_train_plot") == before)


def test_settings_are_saved_changed_by_a_recipe_and_loaded(tab: Page, server: Server):
    tab.press("hnw_train_save")
    tab.wait_for_text("hnw_train_status", f"{NAME}.toml")
    (path,) = (server.data / "training-settings").glob(f"{NAME}*.toml")
    rate = tab.value("hnw_train_schedule_rate")
    tab.choose("hnw_train_preset", "Three rates")
    tab.wait_for_value("hnw_train_schedule_rate", "4e-05:2000,4e-06:4000,4e-07:6000")
    tab.wait_for_text("hnw_train_advice", "Learns fast")
    tab.until("the plot of the recipe", lambda: "6000 steps" in html(tab, "#hnw_train_plot"))
    tab.driver.find_element("css selector", "#hnw_train_panel input[type=file]").send_keys(str(path))
    tab.wait_for_text("hnw_train_status", "Loaded")
    for name, value in (("schedule_rate", rate), ("preset", "Own settings"), ("network_file", NAME)):
        tab.wait_for_value(f"hnw_train_{name}", value)


def test_check_says_what_a_run_would_do(tab: Page):
    tab.press("hnw_train_check")
    said = tab.wait_for_text("hnw_train_status", "steps per epoch")
    assert "16 pictures" in said


def test_a_rate_that_is_found_is_entered_and_plotted_at_a_press(tab: Page):
    steps, rate = tab.value("hnw_train_train_max_steps"), tab.value("hnw_train_schedule_rate")
    tab.fill("hnw_train_train_max_steps", 4)
    tab.press("hnw_train_find_rate")
    said = tab.wait_for_text("hnw_train_status", "suits this run of 4 steps", seconds=240)
    found = re.search(r"A learning rate of (\S+) suits", said)[1]
    assert "<svg" in html(tab, "#hnw_train_status")
    with layout.wide(tab.driver, min(layout.WIDTHS_PX)):
        assert tab.driver.execute_script(layout.BESIDE_CHART, "hnw_train_tab") == []
    assert tab.value("hnw_train_schedule_rate") == rate
    tab.press("hnw_train_use_rate")
    tab.wait_for_value("hnw_train_schedule_rate", found)
    tab.until("its plot", lambda: f"learning rate {found}" in html(tab, "#hnw_train_plot"))
    tab.fill("hnw_train_schedule_rate", rate)
    tab.fill("hnw_train_train_max_steps", steps)
    tab.until("the plot from before", lambda: f"{steps} steps" in html(tab, "#hnw_train_plot"))


def test_interrupt_right_after_train_ends_the_run_before_it_begins(tab: Page):
    press = "for (const id of ['button', 'interrupt']) document.querySelector(`#hnw_train_${id}`).click()"
    tab.driver.execute_script(press)
    tab.wait_for_text("hnw_train_status", "Interrupted before it began.")
    tab.until("the end of the progress bar", lambda: not html(tab, "#hnw_train_panel .progressDiv"))
    tab.until("the answer", lambda: tab.sentences("hnw_train_status") == ["Interrupted before it began."])
    assert not live_step(tab)
    tab.press("hnw_train_interrupt")  # nothing goes on, and nothing is promised
    tab.until("no other", lambda: tab.sentences("hnw_train_status") == ["Interrupted before it began."])


def test_interrupt_after_two_presses_of_train_is_for_both(tab: Page):
    press = "for (const id of ['button', 'button', 'interrupt']) document.querySelector(`#hnw_train_${id}`).click()"
    tab.driver.execute_script(press)
    tab.until("the end of the progress bars", lambda: not html(tab, "#hnw_train_panel .progressDiv"))
    tab.until("the answer", lambda: tab.sentences("hnw_train_status") == ["Interrupted before it began."])
    assert not live_step(tab)


@pytest.fixture(scope="module")
def stopped(tab: Page, server: Server) -> int:
    """Start a run, watches it, leaves the page, finds the run again and interrupts it; returns its last step."""
    outline = tab.driver.execute_script(OUTLINE)
    tab.press("hnw_train_button")
    tab.until("the live chart", lambda: "<svg" in html(tab, "#hnw_train_live") and live_step(tab))
    first = tab.until("the strip", lambda: tab.driver.execute_script(STRIP))
    tab.until("a longer strip", lambda: tab.driver.execute_script(STRIP) > first)
    assert tab.driver.execute_script(OUTLINE) == outline
    step = live_step(tab)

    tab.driver.get(tab.address)
    tab.find(".gradio-container button")
    open_tab(tab)
    tab.until("the same run again", lambda: live_step(tab) > step)
    tab.until("its strip", lambda: tab.driver.execute_script(STRIP))
    tab.press("hnw_train_interrupt")
    said = tab.wait_for_text("hnw_train_status", "Stopped by hand")
    tab.until("the end of the live chart", lambda: html(tab, "#hnw_train_live") == "")
    last = int(re.search(r"Stopped by hand after (\d+) steps", said)[1])
    assert last > step
    (path,) = server.data.rglob(f"{NAME}.pt")
    assert files.load(path).metadata.step == last
    return last


def test_an_interrupted_run_shows_its_strip(stopped: int, tab: Page, server: Server):
    sources = tab.until("pictures of the run", lambda: tab.pictures("hnw_train_preview"))
    strip = tab.pixels(sources[0])
    assert strip.shape[:2] == strip_size(server)
    assert len(list(server.data.rglob(f"{NAME}/previews/step-*.png"))) in (stopped // 20, (stopped - 1) // 20)
    assert strip.std() > 1


@pytest.fixture(scope="module")
def continued(stopped: int, tab: Page) -> int:
    """Continue the run with another number of steps in the form, which it does not take; return its last step."""
    tab.fill("hnw_train_train_max_steps", stopped + 1)
    told = tab.wait_for_text("hnw_train_continues", f"(the form: {stopped + 1})")
    assert f"Continue goes on with the run {NAME}, from step {stopped} of 2000." in told
    tab.press("hnw_train_continue")
    said = tab.wait_for_text("hnw_train_status", "with its own settings")
    assert f"Steps: 2000 (the form: {stopped + 1})" in said
    tab.until("steps beyond those of the form", lambda: live_step(tab) > stopped + 3)
    tab.press("hnw_train_interrupt")
    said = tab.wait_for_text("hnw_train_status", "Stopped by hand")
    found = re.search(r"Stopped by hand after (\d+) steps in \d+ s \((\d+) in all\)", said)
    assert int(found[1]) == int(found[2]) - stopped
    return int(found[2])


def test_what_is_ticked_in_runs_is_taken_from_the_form(continued: int, tab: Page, server: Server):
    tab.fill("hnw_train_train_max_steps", continued + 25)
    tab.check("hnw_train_output_sheet", False)
    before, size_before = tab.pictures("hnw_train_preview"), strip_size(server)
    tab.tab("Runs")
    tab.press("hnw_runs_refresh")
    box = tab.until("the run in the list", lambda: tab.driver.execute_script(CHOICE, NAME))
    tab.press("hnw_runs_continue")  # nothing is chosen, and here it is said
    tab.wait_for_text("hnw_runs_status", "choose a run first")
    assert tab.find("#hnw_runs_continue").is_displayed()
    tab.press(box)
    tab.press("hnw_runs_show")
    tab.wait_for_text("hnw_runs_details", "The form")
    for label in (f"Steps: {continued + 25}", "false"):
        tab.press(tab.until(label, lambda label=label: tab.driver.execute_script(TICK, label)))
    tab.press("hnw_runs_continue")
    tab.until("a step after the interrupt", lambda: live_step(tab) > continued)
    tab.until("the tab Train Gamma", lambda: tab.find("#hnw_train_button").is_displayed())
    said = tab.wait_for_text("hnw_train_status", "Trained")
    assert re.match(rf"Trained 25 steps in \d+ s \({continued + 25} in all\)", said)
    (path,) = server.data.rglob(f"{NAME}.pt")
    assert files.load(path).metadata.step == continued + 25
    pictures = tab.until("the new strip", lambda: (now := tab.pictures("hnw_train_preview")) != before and now)
    assert strip_size(server) == tab.pixels(pictures[0]).shape[:2] != size_before
    bar = "#hnw_train_panel .progressDiv"
    tab.until("the end of the progress bar", lambda: not tab.driver.find_elements("css selector", bar))


def test_a_page_that_is_opened_again_shows_the_last_run(continued: int, tab: Page, server: Server):
    tab.press("hnw_train_check")  # which is no run
    tab.wait_for_text("hnw_train_status", "steps per epoch")
    strip = tab.pixels(tab.until("pictures", lambda: tab.pictures("hnw_train_preview"))[0])
    tab.driver.get(tab.address)
    tab.find(".gradio-container button")
    tab.tab("Train")
    tab.tab("Train Gamma")
    said = tab.wait_for_text("hnw_train_status", "Trained")
    assert re.match(rf"Trained 25 steps in \d+ s \({continued + 25} in all\)", said)
    assert "<svg" in html(tab, "#hnw_train_status")
    shown = tab.until("its pictures", lambda: tab.pictures("hnw_train_preview"))
    assert (tab.pixels(shown[0]) == strip).all()


def test_a_run_that_is_over_is_not_continued_and_that_is_shown_again_too(continued: int, tab: Page):
    tab.press("hnw_train_refresh")
    tab.enter("hnw_train_network_file", NAME)
    tab.fill("hnw_train_train_max_steps", continued + 25)
    tab.press("hnw_train_continue")
    said = tab.wait_for_text("hnw_train_status", "ended at step")
    assert f"ended at step {continued + 25} already; raise “Steps”" in said
    tab.driver.get(tab.address)
    tab.find(".gradio-container button")
    tab.tab("Train")
    tab.tab("Train Gamma")
    assert said.splitlines()[0] in tab.wait_for_text("hnw_train_status", "ended at step")


def test_runs_are_compared_by_curve_and_slider(continued: int, tab: Page):
    tab.tab("Runs")
    tab.press("hnw_runs_refresh")
    tab.press(tab.until("the run in the list", lambda: tab.driver.execute_script(CHOICE, NAME)))
    tab.press("hnw_runs_compare")
    tab.wait_for_text("hnw_runs_comparison", "Before and after")
    assert tab.find("#hnw_runs_comparison svg polyline").get_attribute("points")
    split = "const one = document.querySelector('.hnw-wipes'); return one.style.getPropertyValue('--hnw-split')"
    slider = tab.find("#hnw_runs_comparison input[type=range]")
    move = "arguments[0].value = 20; arguments[0].dispatchEvent(new Event('input', {bubbles: true}))"
    tab.driver.execute_script(move, slider)
    assert tab.driver.execute_script(split) == "20%"


def test_the_scripts_made_no_error(tab: Page):
    assert tab.own_errors() == []
