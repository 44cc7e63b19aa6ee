"""The pictures in the tab Merge Hypernetworks on the embedded host: what they show, and what they leave as it was."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
import pytest
import torch
from hypernetwork_workbench.hypernetworks import files
from hypernetwork_workbench.hypernetworks.merge import check

from tests.patches.test_on_host import generate, save_network

PROMPT, SEED = "a red circle", 5
OWN = {
    "prompt": PROMPT,
    "steps": 3,
    "cfg_scale": 4.0,
    "width": 64,
    "height": 64,
    "seed": SEED,
}
#: Another value for each field.
OTHER = {
    "prompt": "a blue square",
    "negative_prompt": "text",
    "sampler": "Euler",
    "steps": 4,
    "cfg_scale": 5,
    "seed": -1,
    "width": 128,
    "height": 128,
}
PARALLEL = "Exact parallel (sum of the outputs)"
TIES = "TIES (differences from A that agree)"


@pytest.fixture
def page(patched: Any) -> Any:
    """Return a page with nothing in it yet."""
    return gr.Blocks()


@pytest.fixture
def tab(patched: Any, page: Any) -> Any:
    """Return the tab, built inside a page, with five networks to merge, d with dropout."""
    from hypernetwork_workbench.patches.tabs.merge.tab import make_tab

    for seed, name in enumerate("abc", 1):
        save_network(patched, name, seed=seed, activation="relu")
    save_network(patched, "d", seed=4, activation="relu", dropout_structure=(0, 0.3, 0))
    huge = files.load(path := save_network(patched, "huge", std=1.0, seed=5, activation="relu"))
    with torch.no_grad():
        for weight in huge.parameters():
            weight.mul_(1000)
    files.save(huge, path)
    patched.module("shared").state.begin()
    with page, gr.Tabs():
        return make_tab()


@pytest.fixture
def folder(patched: Any) -> Path:
    return Path(patched.module("shared").cmd_opts.hypernetwork_dir)


def values(form: Any, /, **given: Any) -> list[Any]:
    entered = [given.pop(field.address, field.component.value) for field in form.fields]
    assert not given, "no such field"
    return entered


@pytest.fixture
def show(tab: Any) -> Callable[..., list[Any]]:
    def shown(own: Any = None, **given: Any) -> list[Any]:
        entered = values(tab.merge.form, **{"network_1": "a", "network_2": "b", **given})
        return tab.pictures.show_merge("task(x)", *entered, *values(tab.pictures.form, **{**OWN, **(own or {})}))

    return shown


def judge(tab: Any, of: Any, own: Any = None, merge: Any = None, composition: Any = None) -> str:
    return tab.pictures.judge(
        *values(tab.merge.form, **(merge or {})),
        *values(tab.composition.form, **(composition or {})),
        *values(tab.pictures.form, **{**OWN, **(own or {})}),
        of,
    )


def arrays(pictures: Any) -> dict[str, Any]:
    return {caption: np.asarray(picture) for picture, caption in pictures}


def listed(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize(
    "given",
    [
        {"weight_1": 0.75, "weight_2": -0.5},
        {"method": TIES, "weight_2": 0.4, "dtype": "float16", "form": ".pt for every reader"},
        {"method": PARALLEL, "weight_2": 0.8, "network_2": "d", "dtype": "bfloat16", "form": ".safetensors"},
    ],
)
def test_the_pictures_are_those_of_txt2img_with_the_files(given, tab, show, patched, folder):
    before = listed(folder)
    pictures, _, _, status = show(**given)
    assert listed(folder) == before
    assert "Made 4 pictures with seed 5; nothing was written." in status
    shown = arrays(pictures)
    second, weights = given.get("network_2", "b"), (given.get("weight_1", 0.5), given["weight_2"])
    if given.get("method") == TIES:
        weights = (1, weights[1])
    captions = [f"A: a, strength {weights[0]:g}", f"B: {second}, strength {weights[1]:g}"]
    assert list(shown) == ["Without a network", *captions, "Merged"]
    status, *_ = tab.merge.merge(*values(tab.merge.form, **{"network_1": "a", "network_2": "b", "name": "m", **given}))
    assert "Wrote m." in status
    tags = ["", f"<hypernet:a:{weights[0]}>", f"<hypernet:{second}:{weights[1]}>", "<hypernet:m:1>"]
    for picture, tag in zip(shown.values(), tags, strict=True):
        assert np.array_equal(picture, generate(patched, PROMPT + tag, SEED)[0])
    assert len({picture.tobytes() for picture in shown.values()}) == 4


def test_the_pictures_carry_what_txt2img_writes_into_them(show, patched):
    pictures, *_ = show()
    infotext = generate(patched, PROMPT, SEED)[1].infotexts[0]
    assert [picture.info["parameters"] for picture, _ in pictures] == [infotext] * 4


def test_nothing_of_the_host_is_left_changed(show, patched):
    shared = patched.module("shared")
    loaded = object()
    shared.loaded_hypernetworks.append(loaded)
    generators = torch.get_rng_state(), np.random.get_state()[1].tobytes(), random.getstate()
    options, state = dict(shared.opts.data), dict(vars(shared.state))
    show(own={"seed": -1})
    assert shared.loaded_hypernetworks == [loaded]
    assert torch.equal(torch.get_rng_state(), generators[0])
    assert (np.random.get_state()[1].tobytes(), random.getstate()) == generators[1:]
    assert shared.opts.data == options
    told = {"job_count", "job_no", "textinfo"}
    after = {name: value for name, value in vars(shared.state).items() if name not in told}
    assert after == {name: value for name, value in state.items() if name not in told}


def test_what_differs_is_told_and_shown_in_the_table(tab, show):
    _, _, prediction, status = show()
    share = f"{check.overall(prediction[1]):.2%}"
    assert f"The result differs from the weighted sum of the networks&#39; outputs, by {share} on average." in status
    entered = values(tab.merge.form, network_1="a", network_2="b")
    assert f"approximate ({share})" in tab.merge.show_prediction(prediction, *entered)
    assert "The result does the same as the weighted sum" in show(method=PARALLEL)[3]


def test_a_random_seed_is_the_same_for_all_and_told(show, patched):
    pictures, _, _, status = show(own={"seed": -1})
    seed = int(status.partition("with seed ")[2].partition(";")[0])
    assert np.array_equal(np.asarray(pictures[0][0]), generate(patched, PROMPT, seed)[0])
    assert np.array_equal(np.asarray(pictures[1][0]), generate(patched, f"{PROMPT}<hypernet:a:0.5>", seed)[0])
    assert show(own={"seed": -1})[3] != status


@pytest.mark.parametrize(
    ("own", "given", "sentences"),
    [
        ({"width": 100}, {}, ["Width: must be a multiple of 8, not 100"]),
        ({"height": 32}, {}, ["Height: must be at least 64, not 32"]),
        ({"steps": None}, {}, ["Sampling steps: must be a number, not empty"]),
        ({"seed": 1.5}, {}, ["Picture seed: must be a whole number"]),
        ({"sampler": "Eulr"}, {}, ["Sampler: must be one of"]),
        ({}, {"network_1": None}, ["Network A: choose a network"]),
        ({}, {"block_weights": "32.q=1"}, ["Weights of single blocks: &#39;32.q&#39; is no block"]),
        (
            {},
            {"network_2": "huge", "weight_2": 1000, "dtype": "float16"},
            ["Weights as: a weight of the result is too"],
        ),
        ({"cfg_scale": 99}, {"weight_2": None}, ["Weight of B: must be a number", "CFG scale: must be at most 30"]),
    ],
)
def test_wrong_input_is_named_and_no_picture_is_made(own, given, sentences, show, monkeypatch):
    from hypernetwork_workbench.patches.model import previews

    monkeypatch.setattr(previews, "pictures_with", lambda *_: pytest.fail("a picture was made"))
    *kept, status = show(own=own, **given)
    assert kept == [gr.update()] * 3
    assert all(sentence in status for sentence in sentences)
    assert status.count("<li>") == len(sentences)


def test_wrong_fields_of_the_pictures_have_their_sentences(tab):
    def looked(**own: Any) -> list[str]:
        return [one["value"] for one in tab.pictures.look(*values(tab.pictures.form, **own)) if one["visible"]]

    assert looked() == []
    assert looked(width=100, height=8) == ["must be a multiple of 8, not 100", "must be at least 64, not 8"]
    assert looked(width=100, height=68) == ["must be a multiple of 8, not 100", "must be a multiple of 8, not 68"]
    assert looked(sampler="x")[0].startswith("must be one of ")


@pytest.mark.parametrize("stop", ["interrupted", "skipped"])
def test_an_interrupt_leaves_whole_pictures_alone(stop, show, patched, monkeypatch):
    from modules import sd_samplers

    state, calls = patched.module("shared").state, []
    whole = arrays(show()[0])
    decode = sd_samplers.decode_latents

    def stopping(latents: Any) -> Any:
        calls.append(latents)
        if len(calls) == 3:
            monkeypatch.setattr(state, stop, True, raising=False)
        return decode(latents)

    monkeypatch.setattr(sd_samplers, "decode_latents", stopping)
    pictures, of, _, status = show()
    assert "Interrupted after 2 of 4 pictures; only whole ones are shown." in status
    left = arrays(pictures)
    assert list(left) == list(whole)[:2]
    assert all(np.array_equal(left[caption], whole[caption]) for caption in left)
    assert of is not None
    assert len(calls) == 3


def test_an_interrupt_before_the_first_picture_leaves_those_of_before(show, patched, monkeypatch):
    from modules import sd_samplers

    state, decode = patched.module("shared").state, sd_samplers.decode_latents

    def stopping(latents: Any) -> Any:
        monkeypatch.setattr(state, "interrupted", True)
        return decode(latents)

    monkeypatch.setattr(sd_samplers, "decode_latents", stopping)
    pictures, of, _, status = show()
    assert "Interrupted after 0 of 4 pictures" in status
    assert pictures == of == gr.update()


def test_the_pictures_are_stale_once_the_merge_has_changed(tab, show):
    _, of, _, _ = show()

    def judged(own: Any = None, **given: Any) -> Any:
        return judge(tab, of, own=own, merge={"network_1": "a", "network_2": "b", **given})

    stale = "These pictures are of what stood in the fields before."
    assert judged() == ""
    assert judged(name="other", overwrite=True, weight_3=7, multiplier=2) == ""
    for change in (
        {"weight_1": 0.25},
        {"network_2": "c"},
        {"network_3": "c"},
        {"method": TIES},
        {"block_weights": "k=1"},
        {"dtype": "float16"},
        {"form": ".safetensors"},
    ):
        assert stale in judged(**change), change
    assert judge(tab, None) == ""


@pytest.mark.parametrize(("name", "other"), OTHER.items())
def test_the_pictures_are_stale_once_one_of_their_own_fields_has_changed(name, other, tab, show):
    _, of, _, _ = show()
    merge = {"network_1": "a", "network_2": "b"}
    assert judge(tab, of, merge=merge) == ""
    assert "before." in judge(tab, of, own={name: other}, merge=merge)


def test_every_field_of_the_pictures_is_judged(tab):
    assert {field.name for field in tab.pictures.form.fields} == set(OTHER)


def test_a_composition_is_shown_with_its_parts_once_each(tab, patched, folder):
    (folder / "saved.hns").write_text("b:0.5 > c", encoding="utf-8")
    patched.module("shared").reload_hypernetworks()
    text = "a:0.5 > saved:0.8 > a:0.5"
    entered = values(tab.composition.form, text=f" {text} ", name="mix")
    pictures, of, prediction, status = tab.pictures.show_composition(
        "task(x)", *entered, *values(tab.pictures.form, **OWN)
    )
    assert "Made 4 pictures with seed 5" in status
    assert prediction is None
    assert not (folder / "mix.hns").exists()
    shown = arrays(pictures)
    assert list(shown) == ["Without a network", "a, strength 0.5", "saved, strength 0.8", "Composition"]
    assert "Saved as mix.hns" in tab.composition.save(*entered)
    for picture, tag in zip(shown.values(), ["", "a:0.5", "saved:0.8", "mix:1"], strict=True):
        assert np.array_equal(picture, generate(patched, PROMPT + (tag and f"<hypernet:{tag}>"), SEED)[0])
    assert judge(tab, of, composition={"text": text, "name": "other"}, merge={"network_1": "a"}) == ""
    assert "before." in judge(tab, of, composition={"text": "a > b"})
    assert "before." in judge(tab, of, composition={"text": text}, own={"seed": SEED + 1})


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "Composition: line 1, column 1: the text is empty"),
        ("a > nobody", "there is no network named &#39;nobody&#39;"),
        ("a > broken", "Composition: its file cannot be used (broken.pt: "),
    ],
)
def test_a_composition_that_is_wrong_is_named(text, sentence, tab, patched, folder):
    (folder / "broken.pt").write_bytes(b"broken")
    patched.module("shared").reload_hypernetworks()
    entered = values(tab.composition.form, text=text)
    *kept, status = tab.pictures.show_composition("task(x)", *entered, *values(tab.pictures.form, **OWN))
    assert sentence in status
    assert kept == [gr.update()] * 3


@pytest.fixture
def run(patched: Any) -> Any:
    """Return the queue of a run that lends it to those who were let in; the run ends with the test."""
    from hypernetwork_workbench.patches.runs.turns import turns

    is_over, has_begun = threading.Event(), threading.Event()

    def go_on() -> None:
        with patched.module("call_queue").queue_lock, turns.kept():
            has_begun.set()
            while not is_over.is_set():
                turns.wait_until(lambda: turns.has_guests or is_over.is_set())
                with turns.lent(False):
                    turns.wait_until(lambda: not turns.has_guests)

    thread = threading.Thread(target=go_on, daemon=True)
    thread.start()
    assert has_begun.wait(10)
    yield turns
    is_over.set()
    turns.tell()
    thread.join(10)


@pytest.mark.parametrize(
    ("act", "outcome"), [("let_in", "Made 4 pictures"), ("give_up", "Taken back while it waited for a training run.")]
)
def test_pictures_wait_for_a_run_and_are_let_in_or_taken_back(act, outcome, tab, page, run):
    from hypernetwork_workbench.patches.runs import tasks

    (button,) = (one for one in page.blocks.values() if one.elem_id == "hnw_merge_pictures_show")
    pressed = [
        function.fn
        for function, dependency in zip(page.fns, page.dependencies, strict=True)
        if dependency["targets"] == [button._id] and function.fn is not None
    ]
    entered = [
        *values(tab.merge.form, network_1="a", network_2="b"),
        *values(tab.pictures.form, **{**OWN, "steps": 1}),
    ]
    answers: list[Any] = []
    thread = threading.Thread(target=lambda: answers.append(pressed[0]("task(pictures)", *entered)), daemon=True)
    thread.start()
    end = time.monotonic() + 10
    while run.waiting("task(pictures)") is None:
        assert thread.is_alive()
        assert time.monotonic() < end
        time.sleep(0.01)
    assert {"let_in": run.let_in, "give_up": tasks.interrupt}[act]("task(pictures)")
    thread.join(60)
    *shown, status = answers[0]
    assert outcome in status
    assert (shown == [gr.update()] * 3) == (act == "give_up")


def test_a_tag_in_the_prompt_is_told_to_change_nothing(show, patched):
    pictures, _, _, status = show(own={"prompt": f"{PROMPT}<hypernet:c:1>"})
    assert "hypernet:c:1 changes nothing here" in status.replace("&lt;", "").replace("&gt;", "")
    assert np.array_equal(np.asarray(pictures[0][0]), generate(patched, PROMPT, SEED)[0])


def test_the_fields_are_filled_in_from_txt2img(tab):
    form = tab.pictures.form
    names = [field.name for field in form.fields]
    updates = dict(zip(names, tab.pictures.fill("p", "n", 7, "Euler", 3.5, 9, 128, 192), strict=True))
    assert {name: one["value"] for name, one in updates.items()} == {
        "prompt": "p",
        "negative_prompt": "n",
        "steps": 7,
        "sampler": "Euler",
        "cfg_scale": 3.5,
        "seed": 9,
        "width": 128,
        "height": 192,
    }
    for drawn in (-1, "", "night", None):
        updates = dict(zip(names, tab.pictures.fill("p", "n", 7, "Euler", 3.5, drawn, 128, 192), strict=True))
        assert "value" not in updates["seed"]


def test_the_tab_is_built_where_the_seed_of_txt2img_is_a_text(patched):
    """As with the host's `--use-textbox-seed`, where it begins empty."""
    from hypernetwork_workbench.patches.tabs.merge.tab import make_tab

    with gr.Blocks(), gr.Tabs():
        fields = [gr.Textbox(value=value) for value in ("p", "n", "7", "Euler", "3.5", "", "128", "192")]
        form = make_tab(fields).pictures.form
    assert {field.name: field.component.value for field in form.fields}["seed"] == 1
