"""What is wrong with a field is told of what stands in it: text in one piece, a slow server, late answers."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.browser.page import Page

LATENCY_MS = 300
#: Title of the tab, a field, and what is right and wrong in it.
TABS = {
    "hnw_create": ("Create Beta Hypernetwork", "hnw_create_layer_structure", "1, 2, 1", "1, 夜"),
    "hnw_train": ("Train Gamma", "hnw_train_schedule_rate", "0.005", "夜の道"),
    "hnw_merge": ("Merge Hypernetworks", "hnw_merge_name", "night", "a/b"),
}
PROBLEM = """
const message = document.getElementById(arguments[0]);
return message?.offsetHeight ? message.innerText.trim() : "";
"""
FOCUS = """
const field = document.querySelector(`#${arguments[0]} textarea, #${arguments[0]} input`);
field.scrollIntoView({block: "center"});
field.focus();
field.select();
"""
INSERT = "document.execCommand('insertText', false, arguments[0])"


@pytest.fixture(params=[pytest.param(0, marks=pytest.mark.long), LATENCY_MS], ids=["quick", "slow"])
def slow(page: Page, request: pytest.FixtureRequest) -> Iterator[Page]:
    """Return the page behind a network of some latency, opened anew."""
    page.anew()
    page.tab("Train")
    send = page.driver.execute_cdp_cmd
    send("Network.enable", {})
    conditions = {"offline": False, "downloadThroughput": -1, "uploadThroughput": -1}
    send("Network.emulateNetworkConditions", conditions | {"latency": request.param})
    yield page
    send("Network.emulateNetworkConditions", conditions | {"latency": 0})
    page.leave()


def by_script(page: Page, text: str) -> None:
    page.driver.execute_script(INSERT, text)


def by_paste(page: Page, text: str) -> None:
    page.driver.execute_cdp_cmd("Input.insertText", {"text": text})


def by_input_method(page: Page, text: str) -> None:
    page.driver.execute_cdp_cmd(
        "Input.imeSetComposition", {"text": text, "selectionStart": len(text), "selectionEnd": len(text)}
    )
    page.driver.execute_cdp_cmd("Input.insertText", {"text": text})


def by_hand(page: Page, text: str) -> None:
    for sign in text:
        page.driver.execute_cdp_cmd("Input.insertText", {"text": sign})
        time.sleep(0.12)


def enter(page: Page, field: str, text: str, way=by_script) -> None:
    page.driver.execute_script(FOCUS, field)
    way(page, text)


def problem(page: Page, field: str) -> str:
    """Return the error in sight at a field."""
    return page.driver.execute_script(PROBLEM, f"{field}_problem")


@pytest.mark.parametrize("form", ["hnw_create", "hnw_train", "hnw_merge"])
def test_an_error_comes_and_goes_with_what_is_entered(slow: Page, form: str):
    title, field, right, wrong = TABS[form]
    slow.tab(title)
    for way in (by_script, by_paste, by_input_method, by_hand):
        enter(slow, field, wrong, way)
        slow.until(f"the error after {way.__name__}", lambda: problem(slow, field))
        enter(slow, field, right, way)
        slow.until(f"no error after {way.__name__}", lambda: not problem(slow, field))


def test_what_is_entered_while_an_answer_is_awaited_is_judged_after_it(slow: Page):
    slow.tab("Create Beta Hypernetwork")
    field = "hnw_create_layer_structure"
    for text in ("1, 夜", "1, 2, 1", "1, 犬", "1, 2, 1", "1, 猫"):
        enter(slow, field, text)
        time.sleep(0.35)
    slow.until("the last error", lambda: "猫" in problem(slow, field))


def test_a_whole_number_with_a_part_is_refused_and_stays_as_typed(slow: Page):
    for title, field, reason in (
        ("Train Gamma", "hnw_train_data_batch_size", "must be a whole number, not 2.5"),
        ("Train Gamma", "hnw_train_train_max_steps", "must be a whole number, not '2.5'"),
    ):
        slow.tab(title)
        enter(slow, field, "2.5")
        slow.until(f"the error at {field}", lambda field=field, reason=reason: reason in problem(slow, field))
        assert slow.value(field) == "2.5"
