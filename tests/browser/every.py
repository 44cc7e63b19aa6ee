"""Every control of our tabs: which there are by gradio's config, pressed and changed as a person does, and counted."""

from __future__ import annotations

import json
import re
import time
import urllib.request
from collections.abc import Sequence
from typing import Any

from tests.browser import accessibility, layout
from tests.browser.page import Page

#: The kinds of components that a person changes or presses.
CONTROLS = (
    "accordion",
    "button",
    "checkbox",
    "checkboxgroup",
    "dropdown",
    "number",
    "radio",
    "slider",
    "tabitem",
    "textbox",
    "uploadbutton",
)
_OURS = re.compile(r"(setting_)?hnw_")
#: What stays as it is in every language: quotes, paths, English names of choices in brackets, TOML names, tensors.
_KEPT = re.compile(
    r"「[^」]*」|“[^”]*”|‘[^’]*’|\([^()]*(?:\([^()]*\))?[^()]*\)|/\S+|\w+\.\w[\w.]*|\d+ [kv] layer .*|--\w"
    r"|Stable Diffusion|Train Gamma|Prompts from file|keep every size|scheduled huber|Huber delta"
    r"|Hypernetwork Workbench|-m pip install tensorboard"
)
_ENGLISH = re.compile(r"[A-Za-z][a-z']*(?:[ ,]+[a-z][a-z']*){2,}|^[A-Za-z]{3,} [a-z]{3,}|\d of \d")
#: The page may ask whether it may show notifications, as it may where nobody has answered yet.
MAY_ASK = {"permission": {"name": "notifications"}, "setting": "prompt"}
#: Runs before the page's own scripts: notes which of our controls are pressed or changed, by scripts of ours too, and
#: counts what the page is waiting for.
RECORD = """
const seen = new Set(JSON.parse(sessionStorage.hnwSeen || "[]"));
const note = (id) => { if (id) { seen.add(id); sessionStorage.hnwSeen = JSON.stringify([...seen]); } };
for (const kind of ["click", "input", "change", "mousedown"]) document.addEventListener(kind, (event) => {
    const target = event.target;
    const own = target.closest?.("[id^=hnw_], [id^=setting_hnw_]");
    const isChange = kind === "input" || kind === "change" || target.closest?.("ul li, input[type=checkbox]");
    if (own && (isChange ? !target.closest(".label-wrap") : kind === "click")) note(own.id);
}, true);
window.hnwSeen = () => { const ids = [...seen]; seen.clear(); return ids; };
window.hnwNote = note;
window.hnwWaits = 0;
// What the page does a moment after it was touched: it looks at a form, for one.
const [later, never, moments] = [window.setTimeout, window.clearTimeout, new Set()];
const isOver = (timer) => { if (moments.delete(timer)) window.hnwWaits -= 1; };
window.setTimeout = (what, ms, ...all) => {
    const timer = later((...given) => {
        try { typeof what === "function" ? what(...given) : eval(what); } finally { isOver(timer); }
    }, ms, ...all);
    if (ms >= 100 && ms <= 300) { moments.add(timer); window.hnwWaits += 1; }
    return timer;
};
window.clearTimeout = (timer) => { isOver(timer); never(timer); };
const Socket = window.WebSocket;
window.WebSocket = class extends Socket {
    constructor(...all) {
        super(...all);
        window.hnwWaits += 1;
        this.addEventListener("close", () => { window.hnwWaits -= 1; });
    }
};
const ask = window.fetch;
window.fetch = (...all) => {
    window.hnwWaits += 1;
    return ask(...all).finally(() => { window.hnwWaits -= 1; });
};
"""
#: Changes each of these controls that is in sight and changes it back.
TOUCH = """
const [controls, done] = arguments;
const sleep = (ms) => new Promise((go) => setTimeout(go, ms));
const enter = async (field, value) => {
    field.focus();
    const kind = field.tagName === "TEXTAREA" ? HTMLTextAreaElement : HTMLInputElement;
    Object.getOwnPropertyDescriptor(kind.prototype, "value").set.call(field, value);
    for (const event of ["input", "change"]) field.dispatchEvent(new Event(event, {bubbles: true}));
    field.blur();
    await sleep(15);
};
const change = async (field) => {
    const before = field.value;
    await enter(field, ["number", "range"].includes(field.type) ? String(Number(before) + 1) : `${before}1`);
    await enter(field, before);
};
const choose = async (root, take) => {
    const field = root.querySelector("input");
    field.focus();
    await sleep(15);
    const option = take([...root.querySelectorAll("ul li")]);
    for (const event of ["mousedown", "mouseup", "click"])
        option?.dispatchEvent(new MouseEvent(event, {bubbles: true, cancelable: true}));
    await sleep(15);
    field.blur();
};
const pick = async (root) => {
    const before = root.querySelector("input").value;
    const said = (one) => one.textContent.replace("✓", "").trim();
    await choose(root, (all) => all.find((one) => said(one) !== before) ?? all[0]);
    await choose(root, (all) => all.find((one) => said(one) === before));
};
const twice = async (box) => { box.click(); await sleep(15); box.click(); };
const touch = {
    checkbox: (root) => twice(root.querySelector("input")),
    checkboxgroup: (root) => twice(root.querySelector("input")),
    radio: (root) => twice(root.querySelector("input")),
    dropdown: pick,
    number: (root) => change(root.querySelector("input")),
    slider: (root) => change(root.querySelector("input")),
    textbox: (root) => change(root.querySelector("textarea, input")),
};
(async () => {
    for (const [id, kind] of controls) {
        const root = document.getElementById(id);
        if (root?.offsetParent && touch[kind] && !root.querySelector(":disabled")) await touch[kind](root);
    }
    done();
})();
"""
PRESS_FOLDS = """
for (const fold of document.querySelectorAll(`#${arguments[0]} .label-wrap`)) { fold.click(); fold.click(); }
"""
#: Every text of our part of the page, whether in sight or folded, but not what a person typed or the files say.
TEXTS = """
const place = "[id^=hnw_], [id^=setting_hnw_], #train_tabs > .tab-nav";
const own = "script, style, textarea, code, ul.options, .progress, .performance, .time, .wrap.hide";
// Names, tags and captions are in two parts with an empty comment between them, so that no translation takes them.
const isOfUser = (text) => [text.previousSibling, text.nextSibling].some(
    (one) => one?.nodeType === Node.COMMENT_NODE && !one.data);
const texts = new Set();
for (const root of document.querySelectorAll(place)) {
    const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
    for (let text = walker.nextNode(); text; text = walker.nextNode())
        if (!text.parentElement.closest(own) && !isOfUser(text)) texts.add(text.textContent.trim());
    for (const name of ["title", "placeholder", "aria-label", "alt"])
        for (const one of root.querySelectorAll(`[${name}]`))
            if (!one.closest(own)) texts.add(one.getAttribute(name).trim());
}
return [...texts];
"""


def controls(config: dict[str, Any], inside: Sequence[str] = (), outside: Sequence[str] = ()) -> dict[str, str]:
    """Return our controls of a page by its config: their ids, each with its kind and in the page's order.

    A field that is hidden and has no label holds a value between the page's scripts and the server;
    nobody sees it.

    Args:
        inside: ids of places, to return only the controls in them; none for all.
        outside: ids of places whose controls are left out.
    """
    components = {one["id"]: one for one in config["components"]}
    found: dict[str, str] = {}

    def collect(node: dict[str, Any], is_inside: bool, is_there: bool) -> None:
        for child in node.get("children", ()):
            kind, props = components[child["id"]]["type"], components[child["id"]]["props"]
            id_ = props.get("elem_id") or f"component-{child['id']}"
            if id_ in outside:
                continue
            is_in_place = is_there or id_ in inside
            is_ours = is_inside or bool(_OURS.match(id_))
            is_hidden = props.get("visible") is False or "hnw-hidden" in (props.get("elem_classes") or ())
            is_held = kind != "button" and is_hidden and not props.get("label")
            if is_ours and is_in_place and kind in CONTROLS and not is_held:
                found[id_] = kind
            collect(child, is_ours, is_in_place)

    collect(config["layout"], is_inside=False, is_there=not inside)
    return found


def is_english(text: str) -> bool:
    """Tell whether a text of a page in another language holds English words that are no names, quotes or paths."""
    return bool(_ENGLISH.search(_KEPT.sub("", text)))


class Toucher:
    """Touches the controls of a page and keeps which were touched, and every text that was seen meanwhile.

    Args:
        inside, outside: the places whose controls are to be touched; see `controls`.
        reads: whether the texts are kept. That takes as long as what it is done after.

    Attributes:
        widths_px: the widths of the page at which its looks are examined.
    """

    def __init__(self, page: Page, inside: Sequence[str] = (), outside: Sequence[str] = (), reads: bool = True) -> None:
        page.driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": RECORD})
        page.driver.execute_cdp_cmd("Browser.setPermission", MAY_ASK)
        self.page = page
        self.touched: set[str] = set()
        self.texts: set[str] = set()
        self.problems: dict[str, Any] = {}
        self.widths_px: Sequence[int] = layout.WIDTHS_PX
        self.reload()
        with urllib.request.urlopen(f"{page.address}/config", timeout=120) as answer:
            self._config = json.load(answer)
        self.controls = controls(self._config, inside, outside)
        self._reads = reads

    @property
    def left(self) -> dict[str, str]:
        """The controls that nobody has touched yet, with their kinds."""
        self.touched.update(self.page.driver.execute_script("return window.hnwSeen()"))
        return {id_: kind for id_, kind in self.controls.items() if id_ not in self.touched}

    def choices(self, id_: str) -> list[str]:
        """Return the choices that a list has at first."""
        return next(one["props"]["choices"] for one in self._config["components"] if one["props"].get("elem_id") == id_)

    def reload(self) -> None:
        """Load the page anew."""
        self.page.driver.get(self.page.address)
        self.page.find(".gradio-container button")

    def open(self, tab: str) -> None:
        """Open one of our tabs, or the host's, by its id."""
        self.page.find(f"#{tab}")
        self.page.driver.execute_script(layout.OPEN, tab)
        self.page.until(f"the tab {tab}", lambda: self.page.find(f"#{tab}").is_displayed())
        self.touched.add(tab)

    def press(self, id_: str) -> None:
        """Press a button, wait for what it does, and read the page."""
        self.page.press(id_)
        self.settle()

    def settle(self) -> None:
        """Wait until the page waits for nothing any more, and read it."""
        waits = "return window.hnwWaits"
        time.sleep(0.05)
        self.page.until("an end of the waiting", lambda: not self.page.driver.execute_script(waits))
        self.read()

    def read(self) -> None:
        """Keep the texts that the page shows now."""
        if self._reads:
            self.texts.update(self.page.driver.execute_script(TEXTS))

    def sweep(self, pane: str, but: str = "nothing") -> None:
        """Touch what is left in a part of the page: change each field and press each button that is in sight.

        Args:
            pane: the id of the part.
            but: buttons with this in their id are not pressed.
        """
        script = self.page.driver.execute_script
        script(PRESS_FOLDS, pane)
        script(layout.UNFOLD, pane, True)
        self.read()
        for few in _in_groups(list(self._inside(pane).items())):
            self.page.driver.execute_async_script(TOUCH, few)
            self.settle()
        for id_, kind in self._inside(pane).items():
            button = self.page.find(f"#{id_}")
            if kind == "button" and but not in id_ and button.is_displayed() and button.is_enabled():
                self.press(id_)

    def examine(self, name: str) -> None:
        """Keep what is wrong with the looks of one of our tabs as it is now, and with its accessibility."""
        for width_px in self.widths_px:
            with layout.wide(self.page.driver, width_px):
                found = layout.problems(self.page.driver, name)
                if width_px in (1440, 420):
                    found += accessibility.problems(self.page.driver, f"#hnw_{name}_tab")
            if found:
                self.problems[f"{name} at {width_px} px"] = found

    def _inside(self, pane: str) -> dict[str, str]:
        is_inside = "return arguments[0].filter((id) => document.querySelector(`#${arguments[1]} #${id}`))"
        left = self.left
        return {id_: left[id_] for id_ in self.page.driver.execute_script(is_inside, list(left), pane)}


def _in_groups(controls: list[tuple[str, str]]) -> list[list[tuple[str, str]]]:
    """Return the controls in groups; a browser waits only so long for the end of a script."""
    return [controls[start : start + 20] for start in range(0, len(controls), 20)]
