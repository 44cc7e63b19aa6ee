"""A gradio page in Chromium: fields by their id, set and read as a person would."""

from __future__ import annotations

import base64
import io
import itertools
import shutil
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from PIL import Image
from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement

from tests.browser import layout

T = TypeVar("T")

TALLEST_PX = 2600
#: How long the page may take for anything, also where the machine has much else to do.
PATIENCE_S = 120.0
#: What the page asks while the server is built anew ("Reload UI").
_ASKED_AWAY = "/internal/progress"
_AWAY = ("ERR_CONNECTION_REFUSED", "ERR_CONNECTION_RESET", "ERR_EMPTY_RESPONSE")
NOT_OURS = ("/assets/", "/webui-assets/", "/favicon", "/manifest.json")
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--hide-scrollbars",
    "--window-size=1280,1000",
)
# Svelte listens to input events; gradio's numbers take over on change and on blur.
SET_VALUE = """
const [field, value] = arguments;
field.focus();
const kind = field.tagName === "TEXTAREA" ? HTMLTextAreaElement : HTMLInputElement;
Object.getOwnPropertyDescriptor(kind.prototype, "value").set.call(field, value);
for (const event of ["input", "change"]) field.dispatchEvent(new Event(event, {bubbles: true}));
field.blur();
"""
FIELD = """
const kinds = ["textarea", "input[type=number]", "input[type=text]", "input:not([type])", "input"];
return kinds.map((kind) => arguments[0].querySelector(kind)).find((field) => field);
"""
READ_TEXT = """
const notes = [...arguments[0].querySelectorAll(".wrap:not(.hide)")];
return notes.some((note) => note.innerText.trim()) ? "" : arguments[0].innerText;
"""
PRESS_OPTION = """
for (const event of ["mousedown", "mouseup", "click"])
  arguments[0].dispatchEvent(new MouseEvent(event, {bubbles: true, cancelable: true}));
"""


def missing() -> str:
    """Tell what this machine lacks to run the browser, as a sentence; empty if it lacks nothing."""
    if not any(map(shutil.which, BROWSERS)):
        return "there is no Chromium on this machine"
    return "" if shutil.which("chromedriver") else "there is no chromedriver on this machine"


def open_browser(names: Sequence[str] = ()) -> webdriver.Chrome:
    """Start a headless Chromium of this machine.

    Args:
        names: of machines, each of which it takes for this one; there are no others, the page must do without.
    """
    options = webdriver.ChromeOptions()
    options.binary_location = next(filter(None, map(shutil.which, BROWSERS)))
    rules = [*(f"MAP {name} 127.0.0.1" for name in names), "MAP * ~NOTFOUND", "EXCLUDE 127.0.0.1"]
    for flag in (*FLAGS, f"--host-resolver-rules={', '.join(rules)}"):
        options.add_argument(flag)
    # What was asked and answered is kept where there is more than one server to ask.
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", **({"performance": "ALL"} if names else {})})
    options.page_load_strategy = "eager"
    driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
    driver.set_script_timeout(PATIENCE_S)
    return driver


@contextmanager
def opened(address: str) -> Iterator[Page]:
    """Return a page in a browser of its own."""
    driver = open_browser()
    try:
        yield Page(driver, address)
    finally:
        driver.quit()


class Page:
    """One open page.

    Args:
        address: where the server answers, such as http://127.0.0.1:7860.
    """

    def __init__(self, driver: webdriver.Chrome, address: str) -> None:
        self._driver = driver
        self._is_left = False
        self.address = address
        self.errors: list[str] = []
        self.anew()

    @property
    def driver(self) -> webdriver.Chrome:
        """The browser; a page that was left is opened anew."""
        if self._is_left:
            self.anew()
        return self._driver

    def anew(self) -> None:
        """Open the page anew, whatever was done in it."""
        self._is_left = False
        self._driver.get(self.address)
        self.find(".gradio-container button")

    def leave(self) -> None:
        """Leave the page: it is anew for who needs it next. To open it takes seconds, so nobody does before."""
        self._driver.get("about:blank")
        self._is_left = True

    def until(self, what: str, check: Callable[[], T], seconds: float = PATIENCE_S) -> T:
        """Wait until `check` gives something true, and returns it. Raises TimeoutError that names `what`."""
        start = time.monotonic()
        while True:
            try:
                found = check()
            except StaleElementReferenceException:
                found = None  # gradio has just drawn it anew
            if found:
                return found
            waited = time.monotonic() - start
            if waited > seconds:
                raise TimeoutError(f"waited {seconds:g} s for {what}; the page says: {self.body()[-600:]!r}")
            # Each look takes the page from its work, so the longer the wait, the fewer there are.
            time.sleep(min(max(0.05, waited / 5), 0.25))

    def body(self) -> str:
        """All text in sight."""
        return self.driver.find_element(By.TAG_NAME, "body").text

    def find(self, selector: str) -> WebElement:
        """Return the first element of a CSS selector, waited for."""
        return self.until(selector, lambda: self.driver.find_elements(By.CSS_SELECTOR, selector))[0]

    def tab(self, name: str) -> None:
        """Open the tab with this label."""

        def button() -> WebElement | None:
            found = self.driver.find_elements(By.CSS_SELECTOR, ".tab-nav button")
            return next((one for one in found if one.is_displayed() and one.text.strip() == name), None)

        self.press(self.until(f"the tab {name}", button))

    def press(self, target: str | WebElement) -> None:
        """Presses a button, given itself or by its id."""
        element = self.find(f"#{target}") if isinstance(target, str) else target
        self.driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", element)
        self.until("a button that can be pressed", lambda: element.is_displayed() and element.is_enabled())
        self.driver.execute_script("arguments[0].click()", element)

    def fill(self, id_: str, value: Any) -> None:
        """Enters text or a number in a textbox, number field or slider."""
        field = self._field(id_)
        self.driver.execute_script(SET_VALUE, field, str(value))
        self.until(f"{id_} to hold {value!r}", lambda: self.value(id_) == str(value))

    def enter(self, id_: str, text: str) -> None:
        """Types a value of one's own into a dropdown that allows it."""
        field = self._field(id_)
        self.driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", field)

        def is_taken() -> bool:
            # A list that is read anew meanwhile takes away what was typed.
            field.send_keys(Keys.CONTROL, "a")
            field.send_keys(text, Keys.ENTER)
            time.sleep(0.3)
            return self.value(id_) == text

        self.until(f"{id_} to hold {text!r}", is_taken)
        self.driver.execute_script("arguments[0].blur()", field)

    def value(self, id_: str) -> str:
        """Tell what a textbox, number field, slider or dropdown holds."""
        return self._field(id_).get_property("value")

    def wait_for_value(self, id_: str, value: str) -> None:
        """Wait until a textbox, number field, slider or dropdown holds this."""
        self.until(f"{id_} to hold {value!r}", lambda: self.value(id_) == value)

    def check(self, id_: str, wanted: bool) -> None:
        """Ticks a box, or clears it."""
        box = self.find(f"#{id_} input[type=checkbox]")
        if box.is_selected() != wanted:
            self.driver.execute_script("arguments[0].click()", box)
        self.until(id_, lambda: box.is_selected() == wanted)

    def choose(self, id_: str, option: str) -> None:
        """Pick an option of a dropdown."""
        field = self._field(id_)
        self.driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", field)

        polls = itertools.count()

        def listed() -> WebElement | None:
            found = self.driver.find_elements(By.CSS_SELECTOR, f"#{id_} ul li")
            for one in found:
                names = (one.get_attribute("data-value"), one.get_attribute("textContent").replace("✓", "").strip())
                if option in names:
                    return one
            # A list that was opened before its options were read anew keeps the old ones until it is opened again.
            if not found or next(polls) % 10 == 0:
                self.driver.execute_script("arguments[0].blur(); arguments[0].focus()", field)
            return None

        self.driver.execute_script(PRESS_OPTION, self.until(f"{option} in the list of {id_}", listed))
        self.until(f"{id_} to show {option}", lambda: self.value(id_) == option)
        self.driver.execute_script("arguments[0].blur()", field)

    def text(self, id_: str) -> str:
        """Return the text of an element, without gradio's own note that it is being drawn anew."""
        return self.driver.execute_script(READ_TEXT, self.find(f"#{id_}")).strip()

    def wait_for_text(self, id_: str, *words: str, seconds: float = PATIENCE_S) -> str:
        """Wait until an element says one of the words; returns all it says."""
        return self.until(f"{' or '.join(words)} in {id_}", lambda: self._saying(id_, words), seconds)

    def sentences(self, id_: str) -> list[str]:
        """Return the lines of an element's text, but for the host's note on the time."""
        return [line for line in self.text(id_).splitlines() if line and not line.startswith("Time taken")]

    def pictures(self, id_: str) -> list[str]:
        """Addresses of the pictures of a gallery, in order, each once; not what a job that goes on shows before it."""
        found = self.driver.find_elements(By.CSS_SELECTOR, f"#{id_} img:not(.livePreview img)")
        return list(dict.fromkeys(one.get_attribute("src") for one in found))

    def pixels(self, source: str) -> np.ndarray:
        """Return a picture of the page, [height, width, 3], bytes as the server sends them."""
        with urllib.request.urlopen(source, timeout=30) as answer, Image.open(io.BytesIO(answer.read())) as picture:
            return np.asarray(picture.convert("RGB"))

    def screenshot(self, path: Path) -> None:
        """Save a picture of the whole page."""
        self.driver.execute_script("document.activeElement.blur(); window.scrollTo(0, 0)")
        time.sleep(0.5)  # fades end
        size = self.driver.execute_cdp_cmd("Page.getLayoutMetrics", {})["cssContentSize"]
        clip = {**size, "height": min(size["height"], TALLEST_PX), "scale": 1}
        shot = self.driver.execute_cdp_cmd("Page.captureScreenshot", {"captureBeyondViewport": True, "clip": clip})
        path.parent.mkdir(parents=True, exist_ok=True)
        with Image.open(io.BytesIO(base64.b64decode(shot["data"]))) as picture:
            # 256 colours are enough for a page, in a third of the bytes.
            picture.convert("RGB").quantize(256).save(path, optimize=True)

    def screenshots(self, path: Path) -> None:
        """Save a picture of the whole page, and one for each width as PATH-WIDTH."""
        self.screenshot(path)
        for width_px in layout.WIDTHS_PX:
            with layout.wide(self.driver, width_px):
                self.screenshot(path.with_stem(f"{path.stem}-{width_px}"))

    def own_errors(self) -> list[str]:
        """Errors in the console that come from the server's own scripts and files, not from gradio's bundle."""
        entries = self.driver.get_log("browser")
        severe = [
            one["message"]
            for one in entries
            if one["level"] == "SEVERE"
            and not (_ASKED_AWAY in one["message"] and any(reason in one["message"] for reason in _AWAY))
        ]
        self.errors += [
            one for one in severe if one.startswith(self.address) and not any(name in one for name in NOT_OURS)
        ]
        return self.errors

    def _field(self, id_: str) -> WebElement:
        field = self.driver.execute_script(FIELD, self.find(f"#{id_}"))
        if field is None:
            raise LookupError(f"{id_} holds no field")
        return field

    def _saying(self, id_: str, words: tuple[str, ...]) -> str:
        said = self.text(id_)
        return said if any(word in said for word in words) else ""
