"""The rows of hypernetworks: into prompts and infotexts, and back."""

from __future__ import annotations

import types

import numpy as np
import pytest

from tests.patches.model.test_library import write
from tests.patches.test_on_host import generate, save_network

INFOTEXT = "a red circle\nSteps: 3, Sampler: Euler a, CFG scale: 4, Seed: 5, Size: 64x64, {}Version: embedded"


@pytest.fixture
def networks(patched):
    save_network(patched, "night", seed=1, activation="mish")
    save_network(patched, "day, late", seed=2)
    return patched


@pytest.fixture
def script(networks):
    from hypernetwork_workbench.patches.rows.script import HypernetworkStrength

    return HypernetworkStrength()


def job(*prompts, **more):
    p = types.SimpleNamespace(all_prompts=list(prompts), extra_generation_params={}, comments=[], **more)
    p.comment = p.comments.append
    return p


def with_rows(host, script, prompt, *values):
    """Return a picture made with rows, and its infotext."""
    script.args_from, script.args_to = 0, len(values)

    def call(method, p, *_, **__):
        if method == "process":
            script.process(p, *values)

    processing = host.module("processing")
    before = processing.StableDiffusionProcessingTxt2Img.call_scripts
    processing.StableDiffusionProcessingTxt2Img.call_scripts = lambda p, method, *a, **k: call(method, p)
    try:
        picture, processed = generate(host, prompt)
    finally:
        processing.StableDiffusionProcessingTxt2Img.call_scripts = before
    return picture, processed


def pasted(host, text):
    from hypernetwork_workbench.patches.rows import infotext

    params = host.module("infotext_utils").parse_generation_parameters(text)
    infotext.strip_tags(text, params)
    return params


def test_rows_stand_at_the_end_of_each_prompt_that_does_not_name_them(script):
    p = job("a red circle", "a <hypernet:night:0.3> star", "a <hypernet:nights:1> star", all_hr_prompts=["b"])
    script.process(p, "night", 0.8, True, "None", 1, True, "day, late", -0.5, True)
    assert p.all_prompts == [
        "a red circle<hypernet:night:0.8><hypernet:day, late:-0.5>",
        "a <hypernet:night:0.3> star<hypernet:day, late:-0.5>",
        "a <hypernet:nights:1> star<hypernet:night:0.8><hypernet:day, late:-0.5>",
    ]
    assert p.all_hr_prompts == ["b<hypernet:night:0.8><hypernet:day, late:-0.5>"]
    assert p.extra_generation_params == {"Hypernetwork 1": "night:0.8", "Hypernetwork 2": "day, late:-0.5"}
    assert p.comments == []


def test_a_row_whose_network_every_prompt_names_says_that_it_was_not_used(script):
    p = job("a <hypernet:night:0.3> star", "b <hypernet:night:1>")
    script.process(p, "night", 0.8, True, "day, late", 0.5, True)
    assert p.comments == ["The row of night was not used: the prompt names it itself."]


@pytest.mark.parametrize(
    ("values", "tags"),
    [
        ((), ""),
        (("None", 0.8), ""),
        ((None, None, None), ""),
        (("night",), "<hypernet:night:1>"),
        (("night", 0.8), "<hypernet:night:0.8>"),
        (("night", "0.8"), "<hypernet:night:0.8>"),
        (("night", 0.8, False), ""),
        (("night", -3, True, "night", 2.5), "<hypernet:night:-3><hypernet:night:2.5>"),
    ],
)
def test_a_request_may_leave_values_out(script, values, tags):
    p = job("a")
    script.process(p, *values)
    assert p.all_prompts == ["a" + tags]
    is_off = False in values
    assert p.comments == (["Hypernetwork night was not used: its row is off."] if is_off else [])


@pytest.mark.parametrize("off", [False, "false", "False", 0, "0", "off"])
def test_a_request_may_say_off_in_its_own_words(script, off):
    p = job("a")
    script.process(p, "night", 0.5, off, "night", 0.25, "true", "night", 0.75, None)
    assert p.all_prompts == ["a<hypernet:night:0.25><hypernet:night:0.75>"]
    assert p.comments == []


@pytest.mark.parametrize("wrong", ["maybe", 2, [True]])
def test_a_switch_that_is_neither_on_nor_off_is_reported(script, wrong):
    p = job("a")
    script.process(p, "night", 0.5, wrong, "night", 0.25, True)
    assert p.all_prompts == ["a<hypernet:night:0.25>"]
    assert p.comments == [f"Hypernetwork 1 was not used: its switch must be true or false, not {wrong!r}."]


@pytest.mark.parametrize("wrong", ["strong", float("nan"), True, [1], {}])
def test_a_strength_that_is_no_number_is_reported_and_the_other_rows_are_used(script, wrong):
    p = job("a")
    script.process(p, "night", wrong, True, "day, late", 0.5, True)
    assert p.all_prompts == ["a<hypernet:day, late:0.5>"]
    assert p.comments == [f"Hypernetwork 1 was not used: its strength must be a number, not {wrong!r}."]


def test_a_later_job_does_not_carry_rows_of_an_earlier_one(script):
    p = job("a")
    script.process(p, "night", 1, True, "day, late", 1, True)
    p.all_prompts = ["a"]
    script.process(p, "day, late", 1, True)
    assert p.extra_generation_params == {"Hypernetwork 1": "day, late:1"}


def test_a_network_in_the_prompt_and_in_a_row_is_applied_once(networks, script):
    alone, _ = generate(networks, "a red circle<hypernet:night:0.3>")
    both, processed = with_rows(networks, script, "a red circle<hypernet:night:0.3>", "night", 1.0, True)
    assert np.array_equal(alone, both)
    assert "Hypernetwork 1:" not in processed.info
    assert "Hypernetwork hashes: " in processed.info


def test_order_and_strength_of_rows_change_the_picture(networks, script):
    rows = ("night", 1.0, True, "day, late", 0.8, True)
    first, _ = with_rows(networks, script, "a red circle", *rows)
    turned, _ = with_rows(networks, script, "a red circle", *rows[3:], *rows[:3])
    weaker, _ = with_rows(networks, script, "a red circle", *rows[:4], 0.2, True)
    assert not np.array_equal(first, turned)
    assert not np.array_equal(first, weaker)


def test_an_infotext_gives_rows_prompt_and_order_back(networks, script):
    from hypernetwork_workbench.patches.rows import entries, infotext

    write(networks, 'mix "A": 1, b\\', '{"night": 0.5, "day, late": 0.5}')
    values = ('mix "A": 1, b\\', -0.25, True, "night", 3.0, True, "day, late", 0.1, False, "day, late", 1e-7, True)
    picture, processed = with_rows(networks, script, "a red circle", *values)
    assert processed.comments == ""
    params = pasted(networks, processed.info)
    assert params["Prompt"] == "a red circle"
    found = entries.from_infotext(params)
    assert [(row.name, row.strength) for row in found] == [(values[0], -0.25), ("night", 3.0), ("day, late", 1e-7)]
    assert infotext.remarks(params) == ""
    again = [value for row in found for value in (row.name, row.strength, row.is_on)]
    assert np.array_equal(with_rows(networks, script, params["Prompt"], *again)[0], picture)


def test_a_composition_typed_into_a_row_is_used_and_read_back(networks, script):
    from hypernetwork_workbench.patches.rows import entries, infotext

    text = '"day, late":0.8 > night'
    picture, processed = with_rows(networks, script, "a red circle", text, 0.5, True)
    assert processed.comments == ""
    write(networks, "same", text)
    same, _ = generate(networks, "a red circle<hypernet:same:0.5>")
    assert np.array_equal(picture, same)
    params = pasted(networks, processed.info)
    assert [row.name for row in entries.from_infotext(params)] == [text]
    assert params["Prompt"] == "a red circle"
    assert set(infotext._ONE_HASH.findall(params["Hypernetwork hashes"])) == {
        (name, infotext.short_hash(name)) for name in ("day, late", "night")
    }


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("nobody", "Hypernetwork nobody was not used: there is no hypernetwork of this name."),
        ("night:0.5 + nobody", "there is no network named 'nobody'"),
        ("night:0.5 +", "line 1, column 12: the text ends where a name is expected"),
    ],
)
def test_what_a_row_cannot_use_is_reported_under_the_picture(networks, script, name, reason):
    plain, _ = generate(networks, "a red circle")
    picture, processed = with_rows(networks, script, "a red circle", name, 1.0, True)
    assert np.array_equal(plain, picture)
    assert reason in processed.comments
    assert name in processed.comments


def test_a_missing_and_a_different_file_are_reported_when_an_infotext_is_read(networks):
    from hypernetwork_workbench.patches.rows import infotext

    right = infotext.short_hash("night")
    assert len(right) == 10
    values = 'Hypernetwork 1: "night:1", Hypernetwork 2: "gone <b:1", '
    shown = infotext.remarks(pasted(networks, INFOTEXT.format(values)))
    assert shown.count("<li>") == 1
    assert "Hypernetwork gone &lt;b, which this picture was made with, is not in your folder." in shown
    hashes = 'Hypernetwork hashes: "night: 0123456789, day, late: ' + infotext.short_hash("day, late") + '", '
    shown = infotext.remarks(pasted(networks, INFOTEXT.format(hashes)))
    assert shown.count("<li>") == 1
    assert f"Hypernetwork night is another file than the one this picture was made with: its hash is {right}" in shown


def test_without_hashing_nothing_is_said_about_hashes(networks, monkeypatch):
    from hypernetwork_workbench.patches.rows import infotext

    monkeypatch.setattr(networks.module("hashes"), "sha256", lambda *_: None)
    _, processed = generate(networks, "a red circle<hypernet:night:1>")
    assert "Hypernetwork hashes" not in processed.info
    hashes = 'Hypernetwork hashes: "night: 0123456789", '
    assert infotext.remarks(pasted(networks, INFOTEXT.format(hashes))) == ""


def test_a_mere_text_leaves_the_rows_and_a_picture_without_networks_empties_them(networks):
    from hypernetwork_workbench.patches.rows import entries

    assert entries.from_infotext(pasted(networks, "a red circle")) is None
    assert entries.from_infotext(pasted(networks, INFOTEXT.format(""))) == []


def press(act, shown, *lines):
    """Tell what the rows in sight hold after a press."""
    from hypernetwork_workbench.patches.rows import view
    from hypernetwork_workbench.patches.rows.entries import ROWS

    values = [value for line in [*lines, *[EMPTY] * (ROWS - len(lines))] for value in line]
    after, *updates, add = view._edit(act)(shown, *values)
    held = [update.get("value", value) for update, value in zip(updates[: 3 * ROWS], values, strict=True)]
    assert [update["visible"] for update in updates[3 * ROWS :]] == [index < after for index in range(ROWS)]
    assert add["interactive"] == (after < ROWS)
    return [tuple(held[start : start + 3]) for start in range(0, 3 * after, 3)]


EMPTY, ONE, TWO, THREE = ("None", 1.0, True), ("one", 0.1, True), ("two", 0.2, False), ("three", 3.0, True)


def test_the_buttons_add_order_and_remove_rows(patched):
    from hypernetwork_workbench.patches.rows.view import _added, _moved, _removed

    assert press(_added, 1, ONE) == [ONE, EMPTY]
    assert press(_added, 8, *[ONE] * 8) == [ONE] * 8
    assert press(_moved(0, 1), 3, ONE, TWO, THREE) == [TWO, ONE, THREE]
    assert press(_moved(2, -1), 3, ONE, TWO, THREE) == [ONE, THREE, TWO]
    assert press(_moved(0, -1), 2, ONE, TWO) == press(_moved(1, 1), 2, ONE, TWO) == [ONE, TWO]
    assert press(_removed(1), 3, ONE, TWO, THREE) == [ONE, THREE]
    assert press(_removed(0), 1, ONE) == [EMPTY]
    # Rows that something else has filled count as shown.
    assert press(_added, 1, ONE, TWO) == [ONE, TWO, EMPTY]


def test_a_press_leaves_what_it_does_not_change_to_whoever_enters_something_meanwhile(patched):
    from hypernetwork_workbench.patches.rows import view
    from hypernetwork_workbench.patches.rows.entries import ROWS

    values = [value for line in [ONE, TWO, *[EMPTY] * (ROWS - 2)] for value in line]
    _, *updates = view._edit(view._added)(2, *values)
    assert not any("value" in update for update in updates)
    _, *updates = view._edit(view._removed(1))(2, *values)
    assert ["value" in update for update in updates[:9]] == [False] * 3 + [True] * 3 + [False] * 3


def test_the_page_offers_what_the_host_needs_to_fill_and_send_rows(networks):
    import gradio as gr
    from hypernetwork_workbench.patches.rows.entries import ROWS
    from hypernetwork_workbench.patches.rows.script import HypernetworkStrength

    script = HypernetworkStrength()
    with gr.Blocks():
        inputs = script.ui(False)
    assert [component.value for component in inputs] == ["None", 1.0, True] * ROWS
    keys = dict(script.infotext_fields)
    assert len({str(keys[component]) for component in inputs}) == len(inputs)
    assert script.paste_field_names == [str(keys[component]) for component in inputs]
    params = pasted(networks, INFOTEXT.format('Hypernetwork 1: "night:0.5", Hypernetwork 2: "day, late:-1", '))
    filled = [keys[component](params)["value"] for component in inputs]
    assert filled == ["night", 0.5, True, "day, late", -1.0, True, *["None", 1.0, True] * (ROWS - 2)]
    assert all(keys[component](pasted(networks, "a red circle")) is None for component in inputs)


@pytest.fixture
def switched_off(networks):
    options = networks.module("shared").opts.data
    options["hnw_enabled"] = False
    yield
    del options["hnw_enabled"]


def test_rows_that_are_off_change_nothing_and_say_so(script, switched_off):
    p = job("a red circle", all_hr_prompts=["b"])
    script.process(p, "night", 0.8, True)
    assert (p.all_prompts, p.all_hr_prompts, p.extra_generation_params) == (["a red circle"], ["b"], {})
    assert p.comments == ["These rows do nothing: Hypernetwork Workbench is switched off in Settings > Hypernetworks."]


def test_empty_rows_that_are_off_say_nothing(script, switched_off):
    p = job("a red circle")
    script.process(p, "None", 0.8, True)
    assert (p.all_prompts, p.comments) == (["a red circle"], [])


def test_a_pasted_prompt_keeps_its_tags_while_the_rows_are_off(networks, switched_off):
    text = INFOTEXT.replace("circle", "circle<hypernet:night:0.8>").format('Hypernetwork 1: "night:0.8", ')
    assert pasted(networks, text)["Prompt"] == "a red circle<hypernet:night:0.8>"


@pytest.mark.parametrize("name", ["mix", "night > night", "safe: night"])
def test_rows_leave_out_what_the_hosts_own_code_cannot_load(networks, script, name):
    from hypernetwork_workbench.patches.patching import patch_set

    write(networks, "mix", '["night"]')
    patch_set("loading").uninstall()
    networks.module("shared").reload_hypernetworks()
    p = job("a red circle")
    script.process(p, name, 0.5, True, "night", 0.8, True)
    assert p.all_prompts == ["a red circle<hypernet:night:0.8>"]
    assert p.extra_generation_params == {"Hypernetwork 1": "night:0.8"}
    reason = "the WebUI's own code, which lists networks now, leaves it out"
    assert p.comments == [f"Hypernetwork {name} was not used: {reason}."]


@pytest.mark.parametrize("is_api", [True, False])
def test_a_request_is_told_of_a_strength_without_a_network(script, is_api):
    p = job("a", is_api=is_api)
    script.process(p, "None", 0.5, True, "None", 1.0, True, "", 2, False)
    assert p.comments == ["Hypernetwork 1 was not used: it has a strength, but no network."] * is_api
