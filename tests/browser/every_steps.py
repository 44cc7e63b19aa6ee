"""The way through the page on which every button is pressed and every control changed once, in either host."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests import sources
from tests.browser import every, layout
from tests.browser.page import Page, opened
from tests.browser.test_runs import NOTICE
from tests.browser.test_train import HTML

#: As many of the demo's pictures as take more than one page.
COPIES = 2
CAPTION = "a red triangle, night"
#: More than are taken before somebody presses Interrupt.
STEPS = 50_000
SIDE_PX = 64
PICTURE_STEPS = 4


@contextmanager
def walked(address: str, data: Path, reads: bool) -> Iterator[every.Toucher]:
    """Return the page of a host after everything was touched; see `walk`."""
    with opened(address) as page:
        one = every.Toucher(page, reads=reads)
        walk(one, data)
        yield one


def walk(one: every.Toucher, data: Path) -> None:
    """Touch everything.

    Args:
        data: the data folder of the host, with pictures in its folder `pictures`.
    """
    create(one, data)
    train(one, data)
    look_at_runs(one)
    tune(one)
    add_rows(one)
    look_at_pictures(one, data)
    queue(one)
    enter_small_pictures(one)
    sweep_tabs(one, layout.TABS)
    merge(one)
    open_settings(one)


def sweep_tabs(one: every.Toucher, names: Sequence[str]) -> None:
    """Touch what is left in tabs of ours, and keep what is wrong with their looks."""
    for name in names:
        one.open(f"hnw_{name}_tab")
        one.settle()
        one.sweep(f"hnw_{name}_tab")
        one.examine(name)


def untranslated(one: every.Toucher) -> list[str]:
    """Return the texts that were seen and are English, but for the captions of the pictures."""
    captions = {
        path.read_text(encoding="utf-8").strip() for path in (sources.ROOT / "examples" / "night").glob("*.txt")
    }
    return [text for text in one.texts - captions - {CAPTION, *CAPTION.split(", ")} if every.is_english(text)]


def create(one: every.Toucher, data: Path) -> None:
    """Make two networks; save the settings and load them."""
    make_networks(one, "one", "two")
    change_and_reset(one, "hnw_create_name")
    one.press("hnw_create_save")
    load(one, "create", data)


def make_networks(one: every.Toucher, *names: str) -> None:
    """Make networks."""
    page = one.page
    one.open("tab_train")
    one.open("hnw_create_tab")
    page.find("#hnw_create_widths input:checked")  # those of the checkpoint
    for name in names:
        page.fill("hnw_create_name", name)
        one.press("hnw_create_button")
        page.find("#hnw_create_status .hnw-done")


def change_and_reset(one: every.Toucher, id_: str) -> None:
    """Change a field and press the mark that puts it back."""
    one.page.fill(id_, "three")
    one.page.press(one.page.find(f"#{id_} .hnw-reset"))
    one.settle()


def load(one: every.Toucher, name: str, folder: Path) -> None:
    """Load the settings that were saved last."""
    saved = max(folder.glob("*-settings/*.toml"), key=lambda path: path.stat().st_mtime)
    one.page.driver.find_element("css selector", f"#hnw_{name}_panel input[type=file]").send_keys(str(saved))
    one.touched.add(f"hnw_{name}_load")
    one.settle()


def html(page: Page, selector: str) -> str:
    return page.driver.execute_script(HTML, selector)


def look_at_pictures(one: every.Toucher, data: Path) -> None:
    """Look at pictures, choose one, change captions and take that back."""
    page = one.page
    one.open("hnw_dataset_tab")
    choose_a_folder(one, "dataset")
    page.fill("hnw_dataset_data_folder", data / "pictures")
    one.press("hnw_dataset_look_button")
    for name in ("after", "before"):
        one.press(f"hnw_dataset_{name}_button")
    one.sweep("hnw_dataset_pictures")  # they are there only after a look
    page.press(page.find("#hnw_dataset_cards .hnw-cell > input"))
    page.press(page.find("#hnw_dataset_cards .hnw-card"))
    page.until("the picture", lambda: page.find("#hnw_dataset_caption").is_displayed())
    for name in ("next", "previous", "discard"):
        one.press(f"hnw_dataset_{name}_button")
    page.fill("hnw_dataset_caption", CAPTION)
    one.press("hnw_dataset_save_button")
    page.until("something to take back", lambda: page.find("#hnw_dataset_undo_button").is_enabled())
    one.press("hnw_dataset_undo_button")


def choose_a_folder(one: every.Toucher, name: str) -> None:
    """Open the browser of folders and leave it."""
    one.page.press(one.page.find(f"#hnw_{name}_data_folder .hnw-choose"))
    one.settle()
    one.page.press(one.page.find(f"#hnw_{name}_tab .hnw-browser[open] .hnw-leave"))


def train(one: every.Toucher, data: Path) -> None:
    """Check, look for a rate, train; save, look, pause, let in, take back, leave, interrupt and continue."""
    page = one.page
    enter_run(one, data)
    choose_a_folder(one, "train")
    one.press("hnw_train_check")
    page.press("hnw_train_find_rate")
    # Before the server has begun there is nothing to interrupt.
    page.until("the first rate", lambda: html(page, "#hnw_train_live"))
    page.press("hnw_train_interrupt")
    one.settle()
    page.press("hnw_train_button")
    page.until("a step", lambda: is_running(page))
    one.read()
    for name in ("save_now", "preview_now"):
        page.press(f"hnw_train_{name}")
        page.until("what came of it", lambda: html(page, "#hnw_train_status .hnw-done"))
        one.read()
    for name in ("notify", "board"):
        page.press(f"hnw_train_{name}")
    page.fill("hnw_train_now_prompt", "a blue circle")
    page.press("hnw_train_pause")
    page.until("the pause", lambda: page.find("#hnw_train_go_on").is_displayed())
    one.read()
    page.press("hnw_train_go_on")
    page.until("the run again", lambda: page.find("#hnw_train_pause").is_displayed())
    visit(one)
    one.reload()
    open_train(one)
    page.until("the same run", lambda: is_running(page))
    page.wait_for_value("hnw_train_network_file", "one")  # the form is that of the run
    stop(one)
    page.press("hnw_train_continue")
    stop(one)
    change_and_reset(one, "hnw_train_preview_prompt")
    one.press("hnw_train_save")
    load(one, "train", data)


def enter_run(one: every.Toucher, data: Path) -> None:
    """Fill in the form of Train Gamma."""
    page = one.page
    one.open("hnw_train_tab")
    one.press("hnw_train_refresh")
    page.choose("hnw_train_network_file", "one")
    page.fill("hnw_train_data_folder", data / "pictures")
    for name in ("width", "height"):
        page.fill(f"hnw_train_data_{name}", SIDE_PX)
    page.fill("hnw_train_preview_every", 0)
    page.fill("hnw_train_train_max_steps", STEPS)


def is_running(page: Page, name: str = "train") -> bool:
    """Tell whether one of our tabs shows a run that has taken a step."""
    return bool(html(page, f"#hnw_{name}_live .hnw-chart"))


def stop(one: every.Toucher) -> None:
    """Wait for a step of the run, and interrupt it."""
    one.page.until("a step", lambda: is_running(one.page))
    one.press("hnw_train_interrupt")
    one.page.until("the end of the run", lambda: not is_running(one.page))
    one.settle()


def visit(one: every.Toucher) -> None:
    """Generate while the run goes on: take one picture back while it waits, and let another in."""
    page = one.page
    one.open("tab_txt2img")
    ask_for_small_pictures(one, "txt2img")
    for button in ("#txt2img_interrupt", f"{NOTICE} button"):
        page.press("txt2img_generate")
        page.until("what it waits for", lambda: html(page, NOTICE))
        one.read()
        page.press(page.find(button))
        page.until("the end of the waiting", lambda: not html(page, NOTICE))
    page.until("a picture", lambda: page.pictures("txt2img_gallery"))


def open_train(one: every.Toucher) -> None:
    """Open the tab Train Gamma."""
    one.open("tab_train")
    one.open("hnw_train_tab")


def look_at_runs(one: every.Toucher) -> None:
    """Choose the run, look at its settings, compare it, and continue it with some settings of the form."""
    page = one.page
    page.fill("hnw_train_train_max_steps", STEPS + 1)
    one.open("hnw_runs_tab")
    one.press("hnw_runs_refresh")
    page.press(page.find("#hnw_runs_list .hnw-run-choice"))
    for name in ("compare", "show"):
        one.press(f"hnw_runs_{name}")
    page.press(page.find("#hnw_runs_taken input"))
    page.press("hnw_runs_continue")
    stop(one)
    one.open("hnw_runs_tab")
    one.press("hnw_runs_refresh")
    page.press(page.find("#hnw_runs_list .hnw-run-choice"))
    one.press("hnw_runs_fill")


def queue(one: every.Toucher) -> None:
    """Add jobs to a queue that is held, order them, look at one, and take them all back."""
    page = one.page
    one.open("hnw_queue_tab")
    one.press("hnw_queue_hold")
    one.open("hnw_create_tab")
    page.fill("hnw_create_name", "queued")
    one.press("hnw_create_queue")
    one.open("hnw_train_tab")
    for name in ("queue", "queue_continue"):
        one.press(f"hnw_train_{name}")
    one.open("hnw_tuning_tab")
    one.press("hnw_tuning_queue")
    one.open("hnw_merge_tab")
    one.press("hnw_merge_queue")
    one.open("hnw_queue_tab")
    one.press("hnw_queue_refresh")
    page.press(page.find("#hnw_queue_list .hnw-run-choice"))
    for name in ("down", "up", "first", "show", "pause", "go_on", "cancel", "retry"):
        one.press(f"hnw_queue_{name}")
    for box in page.driver.find_elements("css selector", "#hnw_queue_list .hnw-run-choice:not(:checked)"):
        page.press(box)
    for name in ("cancel", "remove"):
        one.press(f"hnw_queue_{name}")
    page.until("an empty list", lambda: not html(page, "#hnw_queue_list .hnw-run-card"))


def tune(one: every.Toucher) -> None:
    """Do a study of two short runs, look at its answer, and take over what is best; interrupt another."""
    page = one.page
    open_train(one)
    page.fill("hnw_train_train_max_steps", 1)
    page.fill("hnw_train_train_validation_share", 0.1)
    page.fill("hnw_train_preview_sampling_steps", PICTURE_STEPS)
    one.open("hnw_tuning_tab")
    page.choose("hnw_tuning_tune_method", "grid")
    page.choose("hnw_tuning_tune_objective", "validation loss")
    page.fill("hnw_tuning_tune_ranges", "schedule.rate = [0.001, 0.01]")
    one.press("hnw_tuning_button")
    page.until("the answer", lambda: html(page, "#hnw_tuning_answer .hnw-best"))
    one.settle()
    one.sweep("hnw_tuning_panel", "hnw_tuning")  # the list of trials is full only now
    for name in ("refresh", "take_network", "take_settings"):
        one.press(f"hnw_tuning_{name}")
    one.open("hnw_tuning_tab")
    page.fill("hnw_tuning_tune_ranges", "train.seed = [1, 2, 3]")
    page.fill("hnw_train_output_name", "another")
    page.fill("hnw_train_train_max_steps", STEPS)
    page.press("hnw_tuning_button")
    page.until("a step", lambda: is_running(page, "tuning"))
    one.press("hnw_tuning_interrupt")
    page.until("the end", lambda: not is_running(page, "tuning"))
    one.settle()


def add_rows(one: every.Toucher) -> None:
    """Use all rows of hypernetworks, in each tab of the host that has them."""
    one.open("tab_txt2img")
    ask_for_small_pictures(one, "txt2img")  # Merge fills its fields in from there
    for suffix in filter(lambda suffix: f"hnw_add{suffix}" in one.controls, ("", "_img2img")):
        one.open(f"tab{suffix or '_txt2img'}")
        for number in range(2, 9):
            one.page.press(f"hnw_add{suffix}")
            row = f"#hnw_row_{number}{suffix}"
            one.page.until(row, lambda row=row: one.page.find(row).is_displayed())
        one.sweep(f"hnw_generation{suffix}", "remove")
        for number in range(8, 1, -1):
            one.press(f"hnw_remove_{number}{suffix}")
        one.press(f"hnw_remove{suffix}")
    open_train(one)


def ask_for_small_pictures(one: every.Toucher, prefix: str) -> None:
    """Enter what is drawn in seconds."""
    for name, value in (("width", SIDE_PX), ("height", SIDE_PX), ("steps", PICTURE_STEPS)):
        one.page.fill(f"{prefix}_{name}", value)


def enter_small_pictures(one: every.Toucher) -> None:
    """Have Merge draw small pictures; it fills its fields in from txt2img."""
    one.open("tab_txt2img")
    ask_for_small_pictures(one, "txt2img")
    one.open("tab_train")
    one.open("hnw_merge_tab")
    ask_for_small_pictures(one, "hnw_merge_pictures")


def merge(one: every.Toucher) -> None:
    """Choose networks and each method."""
    page = one.page
    one.open("hnw_merge_tab")
    for number in range(1, 5):
        page.choose(f"hnw_merge_network_{number}", "one")
        one.settle()
    for method in one.choices("hnw_merge_method"):
        page.choose("hnw_merge_method", method)
        one.settle()
        one.sweep("hnw_merge_tab")


def open_settings(one: every.Toucher) -> None:
    """Open our section of the settings."""
    one.open("tab_settings")
    one.open("settings_hypernetworks")
    one.sweep("settings_hypernetworks")
