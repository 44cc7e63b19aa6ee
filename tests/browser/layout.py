"""How our tabs stand on a page: fields wide enough, nothing beside the page or over another, buttons in sight."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from selenium import webdriver

WIDTHS_PX = (1440, 1920, 1024, 420)
HEIGHT_PX = 1000
#: From this width on the panel stands beside the form.
BESIDE_PX = 1100
TABS = ("create", "train", "tuning", "runs", "queue", "inspect", "merge", "dataset")
#: Those with buttons that stay in sight.
WITH_CONTROLS = ("create", "train", "tuning", "runs", "queue", "merge", "dataset")
LEAST_FIELD_PX = 240

OPEN = """
const pane = document.getElementById(arguments[0]);
const panes = [...pane.parentElement.children].filter((one) => one.classList.contains("tabitem"));
pane.parentElement.querySelectorAll(":scope > .tab-nav > button")[panes.indexOf(pane)].click();
"""
UNFOLD = """
for (const fold of document.querySelectorAll(`#${arguments[0]} .label-wrap`))
    if (fold.classList.contains("open") !== arguments[1]) fold.click();
"""
#: The fields whose room for an entry is too narrow, each with that width.
NARROW = """
const kinds = "textarea, input[type=number], input[type=text], .wrap-inner, .wrap:has(> input[role=listbox])";
return [...document.querySelectorAll(`#${arguments[0]} :is(${kinds})`)]
    .filter((one) => one.offsetParent && !one.closest(".wrap-inner") | one.matches(".wrap-inner"))
    .map((one) => [one.closest("[id^=hnw_]").id, (one.closest(".wrap") || one).getBoundingClientRect().width])
    .filter(([_id, width]) => width < arguments[1]);
"""
#: What reaches beyond the page to the right, and sentences that reach beyond their box.
SIDEWAYS = """
const page = document.documentElement;
const inside = [...document.querySelectorAll(`#${arguments[0]}, #${arguments[0]} *`)]
    .filter((one) => one.offsetParent)
    .filter((one) => !one.closest(".gradio-gallery *, .hnw-scroll, .hnw-wide-table, .hnw-drawing-box"));
const told = ".hnw-done, .hnw-errors, .hnw-unsure, .hnw-note";
const out = inside.filter((one) => one.getBoundingClientRect().right > page.clientWidth + 1
    || one.matches(told) && one.scrollWidth > one.clientWidth + 1);
return (page.scrollWidth > page.clientWidth ? ["the page"] : []).concat(out.map((one) => one.id || one.className));
"""
#: Boxes that are ticked and look as if they were not: white on white.
UNSEEN_TICKS = """
const ticked = [...document.querySelectorAll(`#${arguments[0]} input[type=checkbox]:checked`)];
const looks = (one) => getComputedStyle(one);
return ticked.filter((one) => one.offsetParent && looks(one).appearance === "none")
    .filter((one) => looks(one).backgroundColor === "rgb(255, 255, 255)")
    .map((one) => "a tick in " + (one.closest("[id]").id));
"""
#: Marks beside a label whose picture is not in their middle.
OFF_CENTRE = """
const box = (one) => one.getBoundingClientRect();
const middle = (one) => box(one).left + box(one).width / 2;
return [...document.querySelectorAll(`#${arguments[0]} .hnw-mark svg`)].filter((one) => box(one).width)
    .filter((one) => Math.abs(middle(one) - middle(one.parentElement)) > 1)
    .map((one) => "the mark of " + one.closest("[id^=hnw_]").id);
"""
#: Words that reach beyond their chart to a side.
BESIDE_CHART = """
const box = (one) => one.getBoundingClientRect(), chart = (one) => box(one.closest("svg"));
return [...document.querySelectorAll(`#${arguments[0]} .hnw-chart text`)].filter((one) => box(one).width)
    .filter((one) => box(one).left < chart(one).left - 1 || box(one).right > chart(one).right + 1)
    .map((one) => one.textContent.trim());
"""
#: Pairs of our elements of which one lies over the other; what a box scrolls away is cut off by it.
OVER = """
const ours = [...document.querySelectorAll(`#${arguments[0]} :is(.block[id], button, .progressDiv, .hnw-chart)`)]
    .filter((one) => one.offsetParent && one.offsetHeight !== 0)
    .filter((one) => !one.closest("ul, .gradio-gallery *, .hnw-scroll *"));
const boxes = ours.map((one) => one.getBoundingClientRect());
const name = (one) => one.id || one.closest("[id^=hnw_]").id + " " + one.className;
const pairs = [];
for (let a = 0; a < ours.length; a++) for (let b = a + 1; b < ours.length; b++) {
    const wide = Math.min(boxes[a].right, boxes[b].right) - Math.max(boxes[a].left, boxes[b].left);
    const high = Math.min(boxes[a].bottom, boxes[b].bottom) - Math.max(boxes[a].top, boxes[b].top);
    if (wide > 1 && high > 1 && !ours[a].contains(ours[b]) && !ours[b].contains(ours[a]))
        pairs.push([name(ours[a]), name(ours[b])]);
}
return pairs;
"""
#: The buttons and the progress bar of a panel that are not fully in sight, or that something else covers.
UNSEEN = """
return [...document.querySelectorAll(`#${arguments[0]}_controls :is(button, .progressDiv)`)].filter((one) => {
    if (!one.offsetParent) return false;
    const box = one.getBoundingClientRect();
    if (box.top < 0 || box.bottom > window.innerHeight || box.left < 0 || box.right > window.innerWidth) return true;
    return [[0.5, 0.5], [0.1, 0.2], [0.9, 0.8]].some(([across, down]) => {
        const found = document.elementFromPoint(box.left + across * box.width, box.top + down * box.height);
        return !one.contains(found);
    });
}).map((one) => one.id || one.className);
"""
#: How far the lowest part of a panel that sticks reaches below the screen.
BELOW = """
const parts = [...document.querySelectorAll(`#${arguments[0]}_panel.hnw-sticky > *`)].filter((one) => one.offsetParent);
return Math.max(0, ...parts.map((one) => one.getBoundingClientRect().bottom)) - window.innerHeight;
"""
#: Waits until the page has looked the same for some frames, as long as they take on a busy machine.
CALM = """
const done = arguments[0], page = document.documentElement;
const parts = [...document.querySelectorAll("[id^=hnw_][id$=_tab], [id^=hnw_][id$=_panel], .hnw-controls")];
let last = "", frames = 0;
const look = () => {
    const boxes = parts.map((one) => one.getBoundingClientRect());
    const sizes = boxes.map(({top, right, bottom}) => [top, right, bottom]);
    const now = [page.scrollWidth, page.scrollHeight, window.innerWidth, window.innerHeight, sizes].join();
    frames = now === last ? frames + 1 : 0;
    last = now;
    if (frames < 8) requestAnimationFrame(look); else done();
};
requestAnimationFrame(look);
"""
#: Goes so far through the frame of a panel; what follows a frame has buttons of its own.
SCROLL_FRAME = """
const frame = document.querySelector(`#${arguments[0]}_controls`).closest(".hnw-frame");
const below = frame.nextElementSibling ? frame.getBoundingClientRect().bottom + window.scrollY : Infinity;
const end = Math.min(below, document.documentElement.scrollHeight);
window.scrollTo(0, arguments[1] * Math.max(0, end - window.innerHeight));
"""
#: Also what is scrolled inside of a panel goes back: there its buttons lie over what they cut off.
SCROLL = """
for (const panel of document.querySelectorAll(".hnw-sticky")) panel.scrollTop = 0;
window.scrollTo(0, arguments[0] * (document.documentElement.scrollHeight - window.innerHeight));
"""


@contextmanager
def wide(driver: webdriver.Chrome, width_px: int) -> Iterator[None]:
    """Give the page this width, with no bar for scrolling beside it."""
    metrics = {"width": width_px, "height": HEIGHT_PX, "deviceScaleFactor": 1, "mobile": False}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    try:
        driver.execute_async_script(CALM)
        yield
    finally:
        driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def problems(driver: webdriver.Chrome, name: str) -> list[Any]:
    """Open one of our tabs and return what breaks the rules in it, with its folds closed and open."""
    tab, found = f"hnw_{name}_tab", []
    driver.execute_script(OPEN, tab)
    for is_open in (True, False):
        driver.execute_script(UNFOLD, tab, is_open)
        driver.execute_script(SCROLL, 0)
        driver.execute_async_script(CALM)
        found += driver.execute_script(NARROW, tab, LEAST_FIELD_PX)
        found += driver.execute_script(SIDEWAYS, tab)
        found += driver.execute_script(OVER, tab)
        found += driver.execute_script(UNSEEN_TICKS, tab)
        found += driver.execute_script(OFF_CENTRE, tab)
        found += driver.execute_script(BESIDE_CHART, tab)
    return found


def unseen(driver: webdriver.Chrome, is_beside: bool, name: str = "train") -> list[Any]:
    """Scroll through a tab; return its buttons out of sight, and the panel's part below, if it `is_beside`."""
    id_ = f"hnw_{name}"
    driver.execute_script(OPEN, f"{id_}_tab")
    found: list[Any] = []
    for is_open in (True, False):
        driver.execute_script(UNFOLD, f"{id_}_tab", is_open)
        driver.execute_async_script(CALM)
        for share in (0, 0.1, 0.35, 0.7, 1):
            driver.execute_script(SCROLL_FRAME, id_, share)
            driver.execute_async_script(CALM)
            found += [(share, one) for one in driver.execute_script(UNSEEN, id_)]
            if is_beside and (below := driver.execute_script(BELOW, id_)) > 1:
                found.append((share, below))
    return found
