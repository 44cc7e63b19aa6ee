"""Tags in prompts as people write them: a wrong one costs itself alone, and nothing stays from the picture before."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from hypernetwork_workbench.hypernetworks import files
from hypernetwork_workbench.hypernetworks.network.hypernetwork import Hypernetwork, Structure

from tests.patches.model.test_library import write
from tests.patches.test_on_host import generate, save_network


@pytest.fixture
def networks(patched):
    save_network(patched, "night", seed=1, activation="mish")
    save_network(patched, "day", seed=2)
    return patched


def in_use(host):
    return [(each.name, each.multiplier) for each in host.module("shared").loaded_hypernetworks]


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ("0,6", "write a point for the comma in '0,6', as in 0.6"),
        ("０，６", "write a point for the comma in '０，６', as in 0.6"),
        ("1.1.", "its strength must be a number, not '1.1.'"),
        ("strong", "its strength must be a number, not 'strong'"),
        ("nan", "its strength must be a number, not 'nan'"),
        ("1e400", "its strength must be a number, not '1e400'"),
        ("-inf", "its strength must be a number, not '-inf'"),
        ("", "its strength must be a number, not ''"),
        ("0.5 day", "its strength must be a number, not '0.5 day'"),
    ],
)
def test_a_wrong_tag_costs_itself_alone(networks, wrong, reason):
    expected, _ = generate(networks, "a red circle<hypernet:day:0.5>")
    generate(networks, "a red circle<hypernet:night:2>")
    picture, processed = generate(networks, f"a red circle<hypernet:night:{wrong}><hypernet:day:0.5>")
    assert np.array_equal(picture, expected)
    assert in_use(networks) == [("day", 0.5)]
    assert processed.comments == f"Hypernetwork night was not used: {reason}.\n"
    assert "Hypernetwork hashes: " in processed.info
    assert "night: " not in processed.info.partition("Hypernetwork hashes: ")[2]


@pytest.mark.parametrize(
    ("tag", "strength"),
    [
        ("<hypernet:night:０．６>", 0.6),
        ("<hypernet:night:60%>", 0.6),
        ("<hypernet:night：0.6>", 0.6),
        ("<hypernet:night：ー０．５>", -0.5),
        ("<hypernet:night: 0.6 >", 0.6),
        ("<hypernet:night:\u22120.25>", -0.25),
    ],
)
def test_what_keyboards_type_is_read(networks, tag, strength):
    _, processed = generate(networks, f"a red circle{tag}")
    assert in_use(networks) == [("night", strength)]
    assert processed.comments == ""


def test_a_full_width_colon_in_a_name_or_a_composition_stays(networks):
    save_network(networks, "Re：2", seed=3)
    generate(networks, "a<hypernet:Re：2>")
    assert in_use(networks) == [("Re：2", 1.0)]
    generate(networks, "a<hypernet:night：0.25 + day：0.75>")
    [loaded] = networks.module("shared").loaded_hypernetworks
    assert loaded.multiplier == 1.0
    assert loaded.composition.as_text() == "night:0.25 + day:0.75"


def test_nothing_stays_where_the_activation_fails(networks, monkeypatch):
    generate(networks, "a<hypernet:night:1>")
    assert in_use(networks) == [("night", 1.0)]
    module = networks.module("hypernetworks.hypernetwork")
    monkeypatch.setattr(module, "load_hypernetworks", lambda *_: 1 / 0)
    _, processed = generate(networks, "a<hypernet:day:1>")
    assert in_use(networks) == []
    assert "hashes" not in processed.info


def test_a_file_copied_meanwhile_is_found(networks, tmp_path):
    shared = networks.module("shared")
    source = shared.hypernetworks["night"]
    for name in ("new", "inner"):
        shutil.copy(source, source.replace("night.pt", f"{name}.pt"))
    assert "new" not in shared.hypernetworks
    _, processed = generate(networks, "a<hypernet:new:0.5>")
    assert (in_use(networks), processed.comments) == ([("new", 0.5)], "")

    write(networks, "mix", "['day', 'later']")
    shutil.copy(source, source.replace("night.pt", "later.pt"))
    _, processed = generate(networks, "a<hypernet:mix:1>")
    assert (in_use(networks), processed.comments) == ([("mix", 1.0)], "")
    _, processed = generate(networks, "a<hypernet:gone:1>")
    assert processed.comments == "Hypernetwork gone was not used: there is no hypernetwork of this name.\n"


@pytest.mark.parametrize(
    "tag",
    [
        "＜hypernet：night：0.6＞",
        "<Hypernet:night:0.6>",
        "《hypernet：night：０．６》",
        "< hypernetwork : night : 60% >",
        "&lt;hypernet:night:0.6&gt;",
        "<hypernet:night.pt:+0.6>",
    ],
)
def test_a_tag_in_another_form_makes_the_same_picture(networks, tag):
    expected, _ = generate(networks, "a red circle, solo<hypernet:night:0.6><hypernet:day:0.5>")
    picture, processed = generate(networks, f"a red circle{tag}, solo<hypernet:day:0.5>")
    assert np.array_equal(picture, expected)
    assert processed.comments == ""


@pytest.mark.parametrize(
    ("broken", "words", "told"),
    [
        ("<hypernet:night:0.6", "", "'<hypernet:night:0.6' was not used: it has no end, a >."),
        ("<hypernet:night a", " a", "'<hypernet:night' was not used: it has no end, a >."),
        ("<hypernet:>", "", "'<hypernet:>' was not used: it has no name in it."),
        ("<hypernet night:1>", "", "'<hypernet night:1>' was not used: a tag has the form <hypernet:NAME:STRENGTH>."),
        ("(hypernet:night)", "(hypernet:night)", "'(hypernet:night)' was not used: a tag has the form <hypernet:"),
    ],
)
def test_a_broken_tag_costs_itself_alone(networks, broken, words, told):
    expected, _ = generate(networks, f"a red circle{words}")
    generate(networks, "a<hypernet:night:2>")
    picture, processed = generate(networks, f"a red circle{broken}<hypernet:day:0>")
    assert np.array_equal(picture, expected)
    assert in_use(networks) == [("day", 0.0)]
    assert processed.comments.startswith(f"The hypernetwork tag {told}")


def test_a_tag_behind_another_one_without_an_end_is_used(networks):
    generate(networks, "a <lora:style:0.8, b<hypernet:night:0.6>")
    assert in_use(networks) == [("night", 0.6)]


@pytest.mark.parametrize("tag", ["<hypernet:night:0.6>", "＜hypernet：night：1＞", "<hypernet:night"])
def test_a_tag_in_the_negative_prompt_is_told_of(networks, tag):
    _, processed = generate(networks, "a", negative_prompt=f"worst, {tag}")
    assert in_use(networks) == []
    assert processed.comments == f"The hypernetwork tag {tag!r} was not used: it is in the negative prompt.\n"


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("gone", ""),
        ("Night", " (there is night)"),
        ("night(9f86d081)", " (there is night)"),
        ("None", None),
        ("", None),
    ],
)
def test_a_network_of_the_settings_that_is_not_there_is_told_of(networks, monkeypatch, name, reason):
    monkeypatch.setitem(networks.module("shared").opts.data, "sd_hypernetwork", name)
    _, processed = generate(networks, "a<hypernet:day:0.5>")
    assert in_use(networks) == [("day", 0.5)]
    told = f"Hypernetwork {name}, which Settings add to every prompt, was not used: there is no hypernetwork of this"
    assert processed.comments == ("" if reason is None else f"{told} name{reason}.\n")


def test_other_tags_within_a_batch_are_told_of(networks):
    told = "The hypernetworks of a batch are those of its first prompt: for others, set the batch size to 1.\n"
    prompts = ["a<hypernet:night:0.6>", "b<hypernet:day:0.5>"]
    _, processed = generate(networks, prompts, seed=[1, 2], batch_size=2)
    assert (in_use(networks), processed.comments) == ([("night", 0.6)], told)
    _, processed = generate(networks, prompts, seed=[1, 2], batch_size=1, n_iter=2)
    assert (in_use(networks), processed.comments) == ([("day", 0.5)], "")
    _, processed = generate(networks, [prompts[0], "b" + prompts[0][1:]], seed=[1, 2], batch_size=2)
    assert (in_use(networks), processed.comments) == ([("night", 0.6)], "")


@pytest.mark.parametrize("name", ["Night", "ｎｉｇｈｔ", "NIGHT"])
def test_a_name_that_is_much_like_another_is_told(networks, name):
    _, processed = generate(networks, f"a<hypernet:{name}:0.6>")
    assert in_use(networks) == []
    reason = "there is no hypernetwork of this name (there is night)"
    assert processed.comments == f"Hypernetwork {name} was not used: {reason}.\n"


def test_what_stands_behind_the_strength_is_told(networks):
    _, processed = generate(networks, "a<hypernet:night:0.6:0.8><hypernet:day:0.5:unet=1>")
    assert in_use(networks) == [("night", 0.6), ("day", 0.5)]
    assert processed.comments == (
        "Hypernetwork night has one strength, and '0.8' behind it in its tag was not used.\n"
        "Hypernetwork day has one strength, and 'unet=1' behind it in its tag was not used.\n"
    )


@pytest.mark.parametrize("tag", ["＜hypernet：night：0.6＞", "<hypernet:night：0.6>", "< Hypernet: night :0.6>"])
def test_a_row_knows_its_tag_in_every_form(networks, tag):
    from hypernetwork_workbench.patches.rows import infotext
    from hypernetwork_workbench.patches.rows.entries import Row

    assert Row("night").is_named_in(f"a, {tag}")
    assert not Row("nigh").is_named_in(f"a, {tag}")
    assert infotext.remarks({"Prompt": f"a, {tag}"}) == ""
    assert "Hypernetwork gone, which" in infotext.remarks({"Prompt": f"a, {tag.replace('night', 'gone')}"})


def test_a_row_whose_name_no_tag_can_hold_has_an_alias(networks):
    from hypernetwork_workbench.patches.rows.entries import Row

    save_network(networks, "a<b", seed=4)
    tag = Row("a<b", 0.5).tag
    assert "a<b" not in tag
    _, processed = generate(networks, f"a{tag}")
    assert [network.multiplier for network in networks.module("shared").loaded_hypernetworks] == [0.5]
    assert processed.comments == ""


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("＜hypernet：night：0.6＞ 3 > 2", "<hypernet:night：0.6> 3 > 2"),
        ("<hypernet:A＞B:1> a", "<hypernet:A＞B:1> a"),
        ("a <hypernet:《夜》:1>", "<hypernet:《夜》:1>a "),
        ("<hypernetic> <lora:hypernet:1> hypernetwork: x", "<hypernetic> <lora:hypernet:1> hypernetwork: x"),
    ],
)
def test_brackets_belong_to_what_they_enclose(patched, prompt, expected):
    from hypernetwork_workbench.patches.rows import tag_text

    assert tag_text.canonical(prompt) == (expected, [])


def test_a_strength_of_0_is_told(networks):
    plain, _ = generate(networks, "a red circle")
    picture, processed = generate(networks, "a red circle<hypernet:night:0><hypernet:day:0.5>")
    assert not np.array_equal(picture, plain)
    assert processed.comments == "Hypernetwork night was not used: its strength is 0.\n"


@pytest.mark.parametrize(
    ("fits", "how"), [(False, "was not used"), (True, "was used in part")], ids=["nowhere", "in part"]
)
def test_a_network_of_other_widths_than_the_checkpoint_is_told(networks, fits, how):
    from hypernetwork_workbench.patches.model import host as ports

    here = ports.model_widths()
    structure = Structure(init_std=0.2)
    path = Path(networks.module("shared").cmd_opts.hypernetwork_dir) / "strange.pt"
    files.save(Hypernetwork.create(structure, (7, *(here[:1] if fits else (9,))), 0), path)
    plain, _ = generate(networks, "a red circle")
    picture, processed = generate(networks, "a red circle<hypernet:strange:1>")
    assert np.array_equal(picture, plain) is not fits
    told, strange = ", ".join(map(str, here)), "7" if fits else "7, 9"
    reason = f"it is made for layers of width {strange}, and this checkpoint has {told}"
    assert processed.comments == f"Hypernetwork strange {how}: {reason}.\n"
