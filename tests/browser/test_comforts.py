"""Ctrl+Enter, the signs of a run's end, and TensorBoard."""

from __future__ import annotations

import urllib.request
import wave
from collections.abc import Iterator

import pytest
from selenium.webdriver import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from tests.browser import page as browser
from tests.browser.conftest import serving
from tests.browser.page import Page
from tests.browser.test_train import CHOICE, live_step

NAME = "comforts"
#: Notes the notifications and the sounds of the page, which nobody looks at meanwhile, instead of making them.
RECORD = """
Object.assign(window, {shown: [], rung: 0, asked: 0});
window.Notification = class {
    static permission = "default";
    static async requestPermission() { asked++; return (Notification.permission = "granted"); }
    constructor(title, options) { shown.push([title, options.body]); }
};
window.AudioContext = class {
    constructor() { rung++; }
    createGain() { return {gain: {}, connect() {}}; }
    createOscillator() { return {frequency: {}, connect() {}, start() {}, stop() {}}; }
    close() {}
};
document.hasFocus = () => false;

"""
#: As a slow network, holds back what says that a run goes on, until its end is told: `held` and `late` count that.
HOLD = """
window.held = window.late = 0;
const ask = window.fetch;
window.fetch = async (address, ...rest) => {
    const answer = await ask(address, ...rest);
    if (!String(address).endsWith("internal/progress")) return answer;
    const state = await answer.clone().json();
    if (!state.active) return answer;
    held++;
    while (!rung) await new Promise((resolve) => setTimeout(resolve, 50));
    late++;
    return answer;
};
"""
#: Notes which of the buttons are pressed, and lets nothing come of it.
NOTE = """
window.presses = [];
window.addEventListener("click", (event) => {
    if (!/_(button|generate|continue|look|save)$/.test(event.target.id)) return;
    presses.push(event.target.id);
    event.stopImmediatePropagation();
}, true);
"""
BAR = "#hnw_train_panel .progressDiv"
MAIN = {
    "Create Beta Hypernetwork": "hnw_create_button",
    "Train Gamma": "hnw_train_button",
    "Train Tuning": "hnw_tuning_button",
    "Runs": "hnw_runs_continue",
    "Merge Hypernetworks": "hnw_merge_button",
    "Dataset": "hnw_dataset_look_button",
}


@pytest.fixture
def tab(page: Page) -> Iterator[Page]:
    """Return the page anew, and leave it anew."""
    _open(page)
    yield page
    page.leave()


def _open(page: Page) -> None:
    page.anew()
    page.until(
        "the options", lambda: page.driver.execute_script("return typeof opts !== 'undefined' && opts.hnw_end_sound")
    )


def press_keys(page: Page) -> list[str]:
    page.driver.execute_script("presses.length = 0")
    ActionChains(page.driver).key_down(Keys.CONTROL).send_keys(Keys.ENTER).key_up(Keys.CONTROL).perform()
    return page.driver.execute_script("return presses")


def test_ctrl_enter_presses_the_main_button_of_the_tab_that_is_open_and_no_other(tab: Page):
    tab.driver.execute_script(NOTE)
    tab.tab("txt2img")
    assert press_keys(tab) == ["txt2img_generate"]
    tab.tab("Train")
    for name, button in MAIN.items():
        tab.tab(name)
        assert press_keys(tab) == [button], name
        assert "Ctrl+Enter" in tab.find(f"#{button}").get_attribute("title")
    tab.tab("txt2img")
    assert press_keys(tab) == ["txt2img_generate"]


def test_ctrl_enter_presses_the_button_of_the_part_where_the_focus_is(tab: Page):
    tab.driver.execute_script(NOTE)
    tab.tab("Train")
    tab.tab("Inspect Hypernetwork")
    assert press_keys(tab) == []  # it has no main button but those in its folds
    for part, field, button in (
        ("Inspect Hypernetwork", "hnw_inspect_convert", "hnw_inspect_convert_button"),
        ("Merge Hypernetworks", "hnw_merge_bake", "hnw_merge_bake_button"),
    ):
        tab.tab(part)
        tab.press(tab.find(f"#{field} > .label-wrap"))
        box = f"#{field} input[type=text], #{field} textarea"
        inner = tab.until(
            "a field",
            lambda box=box: [one for one in tab.driver.find_elements(By.CSS_SELECTOR, box) if one.is_displayed()],
        )
        tab.driver.execute_script("arguments[0].focus()", inner[-1])
        assert press_keys(tab) == [button]


def start(page: Page, steps: int) -> None:
    page.tab("Train")
    page.tab("Create Beta Hypernetwork")
    page.wait_for_text("hnw_create_summary", "Parameters")  # until then the widths are not ticked
    page.fill("hnw_create_name", NAME)
    page.press("hnw_create_button")
    page.wait_for_text("hnw_create_status", f"Created {NAME}")
    page.tab("Train Gamma")
    page.choose("hnw_train_network_file", NAME)
    page.fill("hnw_train_preview_every", 0)
    page.fill("hnw_train_train_max_steps", steps)
    page.check("hnw_train_output_tensorboard", wanted=True)
    page.check("hnw_train_output_overwrite", wanted=True)
    page.press("hnw_train_button")
    page.until("a step", lambda: live_step(page) > 2)


def signs(page: Page) -> list:
    return page.driver.execute_script("return [shown, rung]")


def test_the_end_of_each_run_rings_and_is_notified_once_and_tensorboard_shows_it(tab: Page):
    tab.driver.execute_script(RECORD)
    start(tab, 5000)
    assert tab.driver.execute_script("return asked") == 0  # before a press
    tab.press("hnw_train_notify")
    tab.wait_for_text("hnw_train_status", "A notification tells the end of the run.")
    tab.until("the end of the button", lambda: not tab.find("#hnw_train_notify").is_displayed())
    tab.driver.execute_script(HOLD)
    tab.until("an answer that is held back", lambda: tab.driver.execute_script("return held"))
    tab.press("hnw_train_interrupt")
    tab.wait_for_text("hnw_train_status", "Stopped by hand")
    tell = ["Hypernetwork Workbench", f"The training of {NAME} was stopped, and is saved."]
    tab.until("a late answer", lambda: tab.driver.execute_script("return late"))
    tab.until("the end of the progress bar", lambda: not tab.driver.find_elements("css selector", BAR))
    assert signs(tab) == [[tell], 1]
    tab.press("hnw_train_button")
    tab.until("a step of another run, below the end of the first", lambda: live_step(tab) > 2)
    assert signs(tab) == [[tell], 1]
    tab.press("hnw_train_interrupt")
    tab.until("the sign of its end", lambda: signs(tab)[1] > 1)
    tab.press("hnw_train_check")
    tab.wait_for_text("hnw_train_status", "steps per epoch")
    assert signs(tab) == [[tell, tell], 2]

    tab.tab("Runs")
    box = tab.until("the run", lambda: tab.driver.execute_script(CHOICE, NAME))
    tab.driver.execute_script("arguments[0].click()", box)
    tab.press("hnw_runs_board")
    tab.wait_for_text("hnw_runs_status", "http://127.0.0.1")
    address = tab.find("#hnw_runs_status a").get_attribute("href")
    with urllib.request.urlopen(f"{address}data/plugin/scalars/tags", timeout=30) as answer:
        assert b"loss/train" in answer.read()


#: Notes the host's sound and ours, then shows the end of a run as the server's answer does.
END_RUN = """
Object.assign(window, {rung: 0, played: 0});
window.AudioContext = class {
    constructor() { rung++; }
    createGain() { return {gain: {}, connect() {}}; }
    createOscillator() { return {frequency: {}, connect() {}, start() {}, stop() {}}; }
    close() {}
};
const audio = document.querySelector("#audio_notification audio");
audio.addEventListener("playing", () => { played++; });
if (arguments[1]) audio.src = arguments[1];
hnwRunGoesOn(arguments[0]);
document.querySelector("#hnw_train_status .prose").innerHTML = `<p data-task="${arguments[0]}" data-ended="ended"></p>`;
"""


@pytest.mark.long("test_the_end_of_each_run_rings_and_is_notified_once_and_tensorboard_shows_it")
def test_the_hosts_own_sound_is_played_where_it_has_one(chromium: None, tmp_path_factory: pytest.TempPathFactory):
    data = tmp_path_factory.mktemp("sound")
    with wave.open(str(data / "notification.mp3"), "wb") as sound:
        sound.setparams((1, 2, 8000, 0, "NONE", ""))
        sound.writeframes(bytes(8000))
    with serving(tmp_path_factory, "--data-dir", str(data)) as server, browser.opened(server.address) as page:
        _open(page)
        driver, heard = page.driver, "return (played || rung) && [played, rung]"
        ActionChains(driver).click(page.find("#tabs > .tab-nav button")).perform()  # sounds need a press before
        driver.execute_script(END_RUN, "first", "")
        assert page.until("the host's sound", lambda: driver.execute_script(heard)) == [1, 0]
        driver.execute_script(END_RUN, "second", "data:audio/mpeg,broken")
        assert page.until("our own", lambda: driver.execute_script(heard)) == [0, 1]
