"""The tab Merge Hypernetworks on the embedded host: every button with right and wrong input."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
import pytest
import torch
from hypernetwork_workbench.hypernetworks import compose, files
from hypernetwork_workbench.hypernetworks.merge import check
from hypernetwork_workbench.hypernetworks.network.hypernetwork import Hypernetwork, Structure

from tests.patches.test_on_host import generate
from tests.support import made_up

Press = Callable[..., Any]
PARALLEL, SEQUENCE = "Exact parallel (sum of the outputs)", "Exact sequence (one after the other)"
ADD = "Add difference A + m (B − C)"


@pytest.fixture
def folder(patched: Any) -> Path:
    return Path(patched.module("shared").cmd_opts.hypernetwork_dir)


@pytest.fixture
def save(folder: Path, patched: Any) -> Callable[..., Hypernetwork]:
    def saved(name: str, seed: int = 1, **structure: Any) -> Hypernetwork:
        from hypernetwork_workbench.patches.model import host as ports

        network = Hypernetwork.create(Structure(init_std=0.2, **structure), ports.model_widths(), seed)
        path = folder / (name if "." in name else f"{name}.pt")
        files.save(network, path)
        patched.module("shared").reload_hypernetworks()
        return network

    return saved


@pytest.fixture
def tab(patched: Any, save: Any) -> Any:
    """Return the tab, built inside a page, with four networks to merge: a and b alike, c affine, d with mish."""
    from hypernetwork_workbench.patches.tabs.merge.tab import make_tab

    save("a", 1, activation="relu")
    save("b", 2, activation="relu")
    save("c.safetensors", 3)
    save("d", 4, activation="mish", layer_structure=(1, 1.5, 1))
    with gr.Blocks(), gr.Tabs():
        return make_tab()


def values(form: Any, /, **given: Any) -> list[Any]:
    entered = [given.pop(field.address, field.component.value) for field in form.fields]
    assert not given, "no such field"
    return entered


@pytest.fixture
def merge(tab: Any) -> Press:
    return lambda **given: tab.merge.merge(*values(tab.merge.form, **{"network_1": "a", "network_2": "b", **given}))[:2]


@pytest.fixture
def look(tab: Any) -> Press:
    def looked(**given: Any) -> tuple[dict[str, str], dict[str, bool], str]:
        updates = tab.merge.look(None, *values(tab.merge.form, **given))
        assert len(updates) == len(tab.merge.shown)
        count = len(tab.merge.form.messages)
        names = [field.address for field in tab.merge.form.fields]
        status = {name: one["value"] for name, one in zip(names, updates[:count], strict=True) if one["visible"]}
        visible = {name: one["visible"] for name, one in zip(tab.merge._columns, updates[count:-4], strict=True)}
        return status, visible | {"rows": [one["visible"] for one in updates[-3:-1]]}, updates[-1]

    return looked


def listed(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def added(network: Any, width: int = 32) -> torch.Tensor:
    context = torch.randn(2, 5, width, generator=torch.Generator().manual_seed(3))
    return torch.stack(network.transform(context)) - context


def test_the_methods_are_judged_as_networks_are_chosen(look):
    status, visible, table = look()
    assert status == {}
    assert "Choose at least two networks" in table
    assert visible["rows"] == [False, False]
    status, visible, table = look(network_1="a", network_2="b")
    assert status == {}
    assert table.count(">yes<") == 5
    assert "it needs exactly 3 networks, not 2" in table
    assert "and only affine networks can be multiplied out" in table
    assert visible["rows"] == [True, False]
    _, visible, table = look(network_1="a", network_2="b", network_3="d")
    assert visible["rows"] == [True, True]
    assert table.count(">yes<") == 0
    assert "has the activation mish and" in table


def test_each_of_several_wrong_fields_has_its_sentence(look):
    status, _, table = look(network_1="a", network_2="b", weight_1=None, weight_2=1e9, name="a/b")
    assert set(status) == {"weight_1", "weight_2", "name"}
    assert "The table of the methods returns when the fields are right." in table


@pytest.mark.parametrize(
    ("method", "shown"),
    [
        ("Weighted sum", {"weight_1", "weight_2"}),
        (ADD, {"multiplier"}),
        ("SVD (differences from A, cut to a rank)", {"weight_2", "rank"}),
        ("DARE (differences from A, a random part)", {"weight_2", "density", "seed"}),
        ("TIES (differences from A that agree)", {"weight_2", "density"}),
        (PARALLEL, {"weight_1", "weight_2"}),
    ],
)
def test_options_are_shown_only_where_they_matter(method, shown, look):
    _, visible, _ = look(network_1="a", network_2="b", method=method)
    assert {name for name, is_shown in visible.items() if is_shown is True} == shown


def test_a_method_in_one_file_is_in_the_list_and_the_table_and_merges(tmp_path, monkeypatch, folder, request):
    made_up.merge_method(tmp_path, monkeypatch)
    merge, look = request.getfixturevalue("merge"), request.getfixturevalue("look")
    form = request.getfixturevalue("tab").merge.form
    (choices,) = (field.component.choices for field in form.fields if field.name == "method")
    label = "Middle (half the way)"
    assert choices.index(label) == choices.index("TIES (differences from A that agree)") - 1
    _, visible, table = look(network_1="a", network_2="b", method=label)
    assert {name for name, is_shown in visible.items() if is_shown is True} == {"weight_2", "density"}
    assert f"<b>{label}</b>" in table
    status, compared = merge(name="m", method=label, density=0.25)
    assert "Wrote m.pt" in status
    assert "what lies between them" in compared
    assert files.load(folder / "m.pt").metadata.training["merge"]["density"] == 0.25


def test_a_weighted_sum_carries_its_recipe_and_is_compared(merge, folder, patched):
    status, table = merge(name="sum", weight_1=0.75, weight_2=0.25)
    assert "Wrote sum.pt" in status
    assert "its name in prompts is sum" in status
    assert "The result differs from the weighted sum" in table
    result, a, b = (files.load(folder / f"{name}.pt") for name in ("sum", "a", "b"))
    for name, tensor in result.state_dict().items():
        torch.testing.assert_close(tensor, 0.75 * a.state_dict()[name] + 0.25 * b.state_dict()[name])
    recipe = result.metadata.training["merge"]
    assert [one["name"] for one in recipe["networks"]] == ["a", "b"]
    assert [one["hash"] for one in recipe["networks"]] == [files.short_hash(folder / f"{n}.pt") for n in "ab"]
    assert not np.array_equal(generate(patched, "x<hypernet:sum:1>")[0], generate(patched, "x")[0])


def test_an_exact_merge_does_what_the_networks_do_and_fits_every_form(merge, folder):
    effects = {"float32": "does the same as", "float16": "differs from", "bfloat16": "differs from"}
    for name, form, dtype, file in (
        ("p", ".pt", "float32", "p.pt"),
        ("q", ".pt for every reader", "float16", "q.pt"),
        ("r", ".safetensors", "bfloat16", "r.safetensors"),
    ):
        status, table = merge(name=name, form=form, dtype=dtype, method=PARALLEL, weight_1=2, weight_2=-0.5)
        assert f"Wrote {file}" in status
        assert f"The result {effects[dtype]} the weighted sum" in table
        assert {str(t.dtype) for t in files.read_document(folder / file).tensors()} == {f"torch.{dtype}"}
    wanted = 2 * added(files.load(folder / "a.pt")) - 0.5 * added(files.load(folder / "b.pt"))
    torch.testing.assert_close(added(files.load(folder / "p.pt")), wanted, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("method", ["Weighted sum", "TIES (differences from A that agree)", PARALLEL])
def test_the_figures_before_a_merge_are_those_after_it(method, dtype, tab, merge):
    given = {"network_1": "a", "network_2": "b", "method": method, "dtype": dtype, "name": "m"}
    entered = values(tab.merge.form, **given)
    status, prediction = tab.merge.predict(*entered)
    assert status == ""
    assert "Wrote m.pt" in merge(**given)[0]
    from hypernetwork_workbench.patches.tabs.merge.work import merge_files

    merged = merge_files({**tab.merge.form.values(entered), "overwrite": True})
    assert prediction[1] == merged.differences
    table = tab.merge.show_prediction(prediction, *values(tab.merge.form, **given | {"name": "n"}))
    assert table == gr.update(), "other fields than were measured"


def test_the_table_says_how_far_the_result_would_be(tab, look, folder):
    given = {"network_1": "a", "network_2": "b"}
    table = look(**given)[2]
    assert (table.count(">exact<"), table.count(">approximate<")) == (1, 4)
    before = listed(folder)
    entered = values(tab.merge.form, **given)
    _, prediction = tab.merge.predict(*entered)
    assert listed(folder) == before
    share = check.overall(prediction[1])
    shown = tab.merge.show_prediction(prediction, *entered)
    assert f">approximate ({share:.2%})<" in shown
    assert f", by {share:.2%} on average." in shown
    assert "approximate (" not in look(**given, weight_1=0.75)[2]
    assert ">exact<" not in look(**given, dtype="float16")[2]


def test_what_cannot_be_predicted_is_said_at_its_field(tab):
    status, prediction = tab.merge.predict(*values(tab.merge.form, network_1="a", network_2="b", weight_1=None))
    assert "Weight of A" in status
    assert prediction is None
    assert tab.merge.show_prediction(None, *values(tab.merge.form)) == gr.update()
    assert "Network A: choose a network" in tab.merge.predict(*values(tab.merge.form))[0]
    status, _ = tab.merge.predict(*values(tab.merge.form, network_1="a", network_2="d"))
    assert "Method: " in status
    status, _ = tab.merge.predict(*values(tab.merge.form, network_1="a", network_2="b", dtype="int8", form=".ckpt"))
    assert "Weights as: must be one of" in status
    assert "File form: must be one of" in status


def test_blocks_and_the_multiplier_reach_the_merge(merge, save, folder):
    save("e", 5, activation="relu")
    status, _ = merge(name="m", network_3="e", method=ADD, multiplier=0.5, block_weights="32.v=0, k=2")
    assert "Wrote m.pt" in status
    a, b, e, m = (files.load(folder / f"{n}.pt").state_dict() for n in "abem")
    for name, tensor in m.items():
        factor = 2 if ".0.linear" in name else 0 if name.startswith("pairs.32.") else 0.5
        torch.testing.assert_close(tensor, a[name] + factor * (b[name] - e[name]))


def test_an_existing_file_is_replaced_only_if_asked(merge, look, folder):
    before = (folder / "a.pt").read_bytes()
    status, table = merge(name="a")
    assert "Name of the result: the file a.pt exists already; choose another name, or tick “Replace an" in status
    assert table == gr.update()
    assert (folder / "a.pt").read_bytes() == before
    assert "the file a.pt exists already" in look(network_1="a", network_2="b", name="a")[0]["name"]
    assert "Wrote a.pt" in merge(name="a", overwrite=True)[0]
    assert (folder / "a.pt").read_bytes() != before


def test_the_name_of_a_file_just_made_is_no_fault_until_an_entry_changes_or_merge_is_pressed_again(tab):
    form, look = tab.merge.form, tab.merge.look
    at_name = [field.address for field in form.fields].index("name")
    entered = values(form, network_1="a", network_2="b", name="night")
    status, _, made = tab.merge.merge(*entered)
    assert "Wrote night.pt" in status
    assert not look(made, *entered)[at_name]["visible"]
    assert look(made, *values(form, network_1="a", network_2="c", name="night"))[at_name]["visible"]
    status, _, made = tab.merge.merge(*entered)
    assert "exists already" in status
    assert look(made, *entered)[at_name]["visible"]


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"network_1": None}, "Network A: choose a network"),
        ({"network_2": ""}, "Network B: choose a network"),
        ({"network_2": "../a"}, "Network B: there is no network ../a"),
        ({"weight_2": None}, "Weight of B: must be a number, not empty"),
        ({"weight_1": 5000}, "Weight of A: must be at most 1000"),
        ({"method": "magic"}, "Method: must be one of"),
        ({"method": ADD}, "Method: it needs exactly 3 networks, not 2"),
        ({"method": "DARE (differences from A, a random part)", "density": 0}, "Density: must be above 0"),
        ({"method": "SVD (differences from A, cut to a rank)", "rank": 0}, "Rank: must be at least 1"),
        ({"block_weights": "768.k=0.5"}, "has a width that none of the networks has"),
        ({"block_weights": "32.q=1"}, "&#39;32.q&#39; is no block"),
        ({"name": ""}, "Name of the result: give the network a name"),
        ({"name": "a/b"}, "Name of the result: must not contain /"),
        ({"network_3": "d"}, "Method: &#39;d&#39; has the layer_structure"),
    ],
)
def test_wrong_input_is_named_and_nothing_is_written(given, sentence, merge, folder):
    before = listed(folder)
    status, table = merge(**{"name": "new", **given})
    assert sentence in status.replace("layer structure", "layer_structure")
    assert status.count("<li>") == 1
    assert table == gr.update()
    assert listed(folder) == before


def test_a_broken_file_is_said_beside_its_field(look, merge, folder):
    (folder / "b.pt").write_bytes(b"broken")
    status, _, table = look(network_1="a", network_2="b")
    assert status["network_2"].startswith("its file cannot be used (b.pt: ")
    assert "returns when the fields are right" in table
    assert "Network B: its file cannot be used (b.pt: " in merge(name="new")[0]


@pytest.fixture
def composition(tab: Any) -> Any:
    return tab.composition


def test_a_composition_is_shown_in_both_forms_or_with_its_error(composition):
    def looked(text: str) -> list[Any]:
        return composition.look(*values(composition.form, text=text))

    *_, preview = looked("a:0.8 + b:0.2")
    assert "{&#39;a&#39;: 0.8, &#39;b&#39;: 0.2}" in preview
    assert "yes</span>: the one file has layer structure [1, 4, 1]" in preview
    *_, preview = looked("['a', 'c']")
    assert "a &gt; c" in preview
    assert "no</span>: &#39;a&#39; has the activation relu" in preview
    for text, sentence in (
        ("a + ", "line 1, column 5: the text ends where a name is expected"),
        ("a >\n nobody", "line 2, column 2: there is no network named &#39;nobody&#39;"),
    ):
        place, *_ = looked(text)
        assert place == gr.update(value=sentence, visible=True)


def test_a_composition_is_saved_never_over_another(composition, folder):
    def save(**given: Any) -> str:
        return composition.save(*values(composition.form, **given))

    assert "Saved as mix.hns." in save(text="a:0.8 + b:0.2 > c:0.5", name="mix")
    written = (folder / "mix.hns").read_text(encoding="utf-8")
    assert compose.parse(written) == compose.parse("a:0.8 + b:0.2 > c:0.5")
    assert "mix.hns exists already" in save(text="a > b", name="mix")
    assert (folder / "mix.hns").read_text(encoding="utf-8") == written
    assert "Saved as mix.hns." in save(text="a > b", name="mix", overwrite=True)
    assert "the composition names a itself" in save(text="a > b", name="a")
    assert "Composition: line 1, column 1: the text is empty" in save(text="", name="new")
    assert "give the network a name" in save(text="a > b")
    assert [name for name in listed(folder) if name.endswith(".hns")] == ["mix.hns"]


def test_a_composition_becomes_one_file_where_it_can(composition, folder):
    def save(**given: Any) -> str:
        return composition.save_one(*values(composition.form, **given))

    assert "Wrote one.pt" in save(text="a:0.8 + (b:0.5):0.4", name="one")
    one, a, b = (files.load(folder / f"{name}.pt") for name in ("one", "a", "b"))
    wanted = added(a) * 0.8 / 1.2 + added(b) * 0.5 * 0.4 / 1.2
    torch.testing.assert_close(added(one), wanted, atol=1e-5, rtol=1e-4)
    recipe = one.metadata.training["merge"]
    assert recipe["networks"][1]["hash"] == files.short_hash(folder / "b.pt")
    assert compose.parse(recipe["composition"]) == compose.parse("a:0.8 + (b:0.5):0.4")
    before = listed(folder)
    assert "Composition: it cannot be one file, as" in save(text="a > d", name="two")
    assert "one.pt exists already" in save(text="a + b", name="one")
    assert listed(folder) == before


@pytest.fixture
def baking(tab: Any, patched: Any) -> Iterator[Any]:
    """Return the part that bakes; checkpoints it made are gone afterwards, and the old one is loaded."""
    models, shared = patched.module("sd_models"), patched.module("shared")
    old = shared.sd_model.sd_checkpoint_info
    yield tab.bake
    for path in (Path(patched.module("paths").models_path) / "Stable-diffusion").glob("*"):
        path.unlink()
    models.list_models()
    models.reload_model_weights(info=old)


def test_a_baked_checkpoint_makes_the_networks_pictures(baking, save, folder, patched):
    network = save("n", 8)
    for tensor in network.state_dict().values():
        tensor.normal_(0, 0.5, generator=torch.Generator().manual_seed(1))  # biases too
    files.save(network, folder / "n.pt")
    models = patched.module("sd_models")
    title = models.checkpoint_tiles()[0]
    *_, note = baking.look(*values(baking.form, network="n", checkpoint=title))
    assert "attention layers change" in note
    plain, with_network = (generate(patched, f"a red circle{tag}")[0] for tag in ("", "<hypernet:n:0.8>"))
    status, tiles = baking.bake(*values(baking.form, network="n", checkpoint=title, strength=0.8, name="baked"))
    assert "Wrote baked.safetensors" in status
    baked_title = next(one for one in tiles["choices"] if one.startswith("baked"))
    models.reload_model_weights(info=models.checkpoints_list[baked_title])
    baked, _ = generate(patched, "a red circle")

    assert np.abs(plain.astype(int) - with_network.astype(int)).max() > 20
    assert np.abs(baked.astype(int) - with_network.astype(int)).max() <= 1
    status, _ = baking.bake(*values(baking.form, network="n", checkpoint=title, name="baked"))
    assert "baked.safetensors exists already; choose another name" in status


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"network": None}, "Network to bake: choose a network"),
        ({"name": ""}, "Name of the new checkpoint: give the new checkpoint a name"),
        ({"network": "a"}, "Network to bake: the network has the activation relu"),
        ({"checkpoint": ""}, "Checkpoint: choose a checkpoint"),
        ({"checkpoint": "/etc/passwd"}, "Checkpoint: there is no checkpoint /etc/passwd"),
        ({"strength": 0}, "Strength: must not be 0"),
        ({"strength": None}, "Strength: must be a number"),
        ({"name": "a:b"}, "Name of the new checkpoint: must not contain :"),
    ],
)
def test_what_cannot_be_baked_is_said(given, sentence, baking, patched):
    title = patched.module("sd_models").checkpoint_tiles()[0]
    status, _ = baking.bake(*values(baking.form, **{"network": "c", "checkpoint": title, "name": "baked", **given}))
    assert sentence in status
    assert status.count("<li>") == 1


def test_every_field_has_an_id_and_stays_out_of_the_hosts_defaults(tab):
    fields = [field for part in (tab.merge, tab.composition, tab.bake) for field in part.form.fields]
    ids = [field.component.elem_id for field in fields]
    assert len(set(ids)) == len(ids)
    for field in fields:
        assert field.component.elem_id.startswith("hnw_merge_")
        assert field.component.do_not_save_to_config


def test_weights_of_blocks_are_judged_for_the_chosen_method_alone(look):
    two = {"network_1": "a", "network_2": "b"}
    status, _, table = look(**two, block_weights="32.k=1/2")
    assert status == {}
    assert table.count(">yes<") == 5
    assert table.count("are written in another way for it") == 3
    status, _, table = look(**two, block_weights="32.k=1/2", method="TIES (differences from A that agree)")
    assert status["block_weights"].startswith("&#39;32.k=1/2&#39; needs one number")
    assert table.count(">yes<") == 5
    assert "in another way" not in table


@pytest.mark.parametrize(
    "text", ["a(9f86d081):0.8 + b.pt:0.2 > c", "[{'a(9f86d081)': 0.8, 'b.PT': 20%}, 'c']", "# mine\na.pt:8 + b:2 > c"]
)
def test_names_with_a_hash_or_an_ending_are_those_of_the_list(composition, folder, text):
    place, *_, preview = composition.look(*values(composition.form, text=text))
    assert "a:0.8 + b:0.2 &gt; c" in preview or "a:8 + b:2 &gt; c" in preview, place
    assert "Saved as mix.hns." in composition.save(*values(composition.form, text=text, name="mix"))
    assert set(compose.parse((folder / "mix.hns").read_text(encoding="utf-8")).names) == {"a", "b", "c"}


def test_a_saved_composition_can_be_named_where_the_host_lists_it(composition, folder, patched, monkeypatch):
    (folder / "mix.hns").write_text("{'a': 1, 'b': 3}", encoding="utf-8")
    (folder / "bad.hns").write_text("{'a': 1", encoding="utf-8")
    shared = patched.module("shared")
    listed_too = {name: str(folder / f"{name}.hns") for name in ("mix", "bad")}
    monkeypatch.setattr(shared, "hypernetworks", {**shared.hypernetworks, **listed_too})
    *_, preview = composition.look(*values(composition.form, text="mix:0.5"))
    assert "yes</span>: the one file has layer structure [1, 4, 1]" in preview
    place, *_ = composition.look(*values(composition.form, text="bad"))
    assert "the file bad.hns is wrong, line 1" in place["value"]
    status = composition.save(*values(composition.form, text="mix > c", name="mix", overwrite=True))
    assert "the composition names mix itself" in status
    assert (folder / "mix.hns").read_text(encoding="utf-8") == "{'a': 1, 'b': 3}"


def test_a_press_tells_all_that_is_wrong_at_once(baking, composition):
    status, _ = baking.bake(*values(baking.form, network=None, checkpoint="", name="", strength=0))
    for label in ("Network to bake", "Checkpoint", "Name of the new checkpoint", "Strength"):
        assert f"{label}: " in status
    for press in (composition.save, composition.save_one):
        status = press(*values(composition.form, text="nobody", name="a/b"))
        assert "there is no network named" in status
        assert "must not contain /" in status
