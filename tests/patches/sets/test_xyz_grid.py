"""Axes of the host's X/Y/Z plot: there once, gone after, and what they change."""

from __future__ import annotations

import copy
import types

import pytest

from hypernetwork_workbench import patches
from tests.patches.rows.test_rows import job
from tests.patches.test_on_host import save_network

LABELS = [
    "Hypernetwork 1",
    "Hypernetwork 1 strength",
    "Hypernetwork 2",
    "Hypernetwork 2 strength",
    "Hypernetwork composition",
    "CLIP text model",
]


class AxisOption:
    """An axis as the host's script has it."""

    def __init__(self, label, kind, apply, **more):
        self.label, self.type, self.apply = label, kind, apply
        vars(self).update(more)


@pytest.fixture
def grid(host, monkeypatch):
    """Return the module of a grid's script, among the host's scripts."""
    module = types.SimpleNamespace(AxisOption=AxisOption, axis_options=[AxisOption("Seed", int, None)])
    data = types.SimpleNamespace(script_class=object, path="scripts/xyz_grid.py", module=module)
    monkeypatch.setattr(host.module("scripts"), "scripts_data", [data])
    return module


@pytest.fixture
def axes(grid, patched):
    """Our axes by label, with two networks to choose."""
    save_network(patched, "night", seed=1)
    save_network(patched, "day", seed=2)
    return {option.label: option for option in grid.axis_options[1:]}


def labels(grid):
    return [option.label for option in grid.axis_options]


def test_the_axes_are_there_once_and_gone_after(grid, host):
    from hypernetwork_workbench.patches.sets import xyz_grid

    for _ in range(2):
        patches.install_all()
        patches.install_on_top()
        assert labels(grid) == ["Seed", *LABELS]
        # "Reload UI" runs the grid's script again.
        grid.axis_options = [AxisOption("Seed", int, None)]
        assert not xyz_grid.patch_set.is_installed
        patches.install_on_top()
        assert labels(grid) == ["Seed", *LABELS]
    patches.uninstall_all()
    assert labels(grid) == ["Seed"]


@pytest.mark.parametrize("kept", [str, lambda label: (label, label)], ids=["gradio 3", "gradio 4"])
def test_pages_and_the_api_offer_the_present_axes_where_they_offer_axes(grid, host, monkeypatch, kept):
    from hypernetwork_workbench.patches.patching import page
    from hypernetwork_workbench.patches.sets import xyz_grid

    scripts, plain = host.module("scripts"), ["Seed"]
    axes, others = (types.SimpleNamespace(_id=-1, choices=[kept(name)]) for name in ("Seed", "other"))
    arguments = [types.SimpleNamespace(choices=list(plain)), types.SimpleNamespace(choices=["other"])]
    script = types.SimpleNamespace(
        current_axis_options=list(grid.axis_options),
        args_from=1,
        args_to=3,
        api_info=types.SimpleNamespace(args=arguments),
    )
    scripts.scripts_data[0].script_class = types.SimpleNamespace
    runner = types.SimpleNamespace(scripts=[script], inputs=[None, axes, others])
    monkeypatch.setattr(scripts, "scripts_txt2img", runner, raising=False)
    monkeypatch.setattr(page, "choices", lambda names: list(map(kept, names)))
    xyz_grid.patch_set.install()
    assert axes.choices == [kept(label) for label in ["Seed", *LABELS]]
    assert others.choices == [kept("other")]
    assert [argument.choices for argument in arguments] == [["Seed", *LABELS], ["other"]]
    assert script.current_axis_options == grid.axis_options
    xyz_grid.patch_set.uninstall()
    # A page that is open keeps the numbers of its axes.
    assert axes.choices == [kept(label) for label in ["Seed", *LABELS]]
    assert arguments[0].choices == plain


def test_a_host_without_a_grid_goes_without_a_word(host, caplog):
    from hypernetwork_workbench.patches.sets import xyz_grid

    assert not xyz_grid.patch_set.install()
    assert xyz_grid.patch_set.problem == "this WebUI has no X/Y/Z plot"
    assert caplog.records == []


def cell(axes, **values):
    """Return the prompt and remarks of one cell whose rows are: night at 0.5, nothing."""
    from hypernetwork_workbench.patches.rows.script import HypernetworkStrength

    p = copy.copy(job("a"))
    for label, value in values.items():
        axis = axes[label]
        axis.apply(p, axis.type(value), [value])
    HypernetworkStrength().process(p, "night", 0.5, True, "None", 1.0, True)
    return p.all_prompts[0], p.comments


def test_names_and_strengths_take_the_place_of_the_rows(axes):
    assert cell(axes) == ("a<hypernet:night:0.5>", [])
    assert cell(axes, **{"Hypernetwork 1": "day"}) == ("a<hypernet:day:0.5>", [])
    assert cell(axes, **{"Hypernetwork 1": "None"}) == ("a", [])
    assert cell(axes, **{"Hypernetwork 1 strength": "-1"}) == ("a<hypernet:night:-1>", [])
    both = {"Hypernetwork 2 strength": "0.25", "Hypernetwork 2": "day"}
    assert cell(axes, **both) == ("a<hypernet:night:0.5><hypernet:day:0.25>", [])


def test_a_strength_of_an_empty_row_is_reported(axes):
    prompt, remarks = cell(axes, **{"Hypernetwork 2 strength": 1})
    assert prompt == "a<hypernet:night:0.5>"
    assert remarks == ["Hypernetwork 2 strength changes nothing: Hypernetwork 2 is empty or off."]


def test_a_composition_is_written_out(axes):
    prompt, remarks = cell(axes, **{"Hypernetwork composition": "night:0.8 > day"})
    assert prompt.startswith("a<hypernet:mix-")
    assert remarks == []


def test_a_cell_leaves_the_others_alone(axes):
    p = job("a")
    first, second = copy.copy(p), copy.copy(p)
    axes["Hypernetwork 1 strength"].apply(first, 1.0, [])
    axes["Hypernetwork 1"].apply(first, "day", [])
    assert vars(second).keys() == vars(p).keys() == vars(job("a")).keys()


def test_values_are_checked_before_the_first_picture(axes):
    assert axes["Hypernetwork 1"].choices() == ["None", "day", "night"]
    axes["Hypernetwork 1"].confirm(None, ["None", "day"])
    with pytest.raises(RuntimeError, match="Unknown hypernetwork: nobody"):
        axes["Hypernetwork 1"].confirm(None, ["day", "nobody"])
    composition = axes["Hypernetwork composition"]
    composition.confirm(None, ["night", "None", "night:0.8 + day > night"])
    for check in (axes["Hypernetwork 1"].confirm, composition.confirm):
        check(None, ["night(9f86d081)", "day.pt"])
    composition.confirm(None, ["night(9f86d081):0.8 + day.pt", "{('night', 0.5), 'day.pt'}"])
    with pytest.raises(RuntimeError, match="there is no network named 'nobody'"):
        composition.confirm(None, ["night + nobody"])
    with pytest.raises(RuntimeError, match="the text ends where a name is expected"):
        composition.confirm(None, ["night +"])


@pytest.mark.parametrize("value", ["nan", "inf", "-1e400"])
def test_a_strength_that_is_not_finite_is_refused(axes, value):
    axis = axes["Hypernetwork 2 strength"]
    axis.confirm(None, [axis.type("0.5"), axis.type("-2")])
    with pytest.raises(RuntimeError, match="A strength must be a finite number, not "):
        axis.confirm(None, [axis.type("0.5"), axis.type(value)])


def test_text_models_have_an_axis_of_names_that_the_settings_know(axes, patched, monkeypatch):
    from hypernetwork_workbench.patches.patching import patch_set

    axis, key = axes["CLIP text model"], "hnw_text_model"
    p = types.SimpleNamespace(override_settings={"other": 1})
    cell = copy.copy(p)
    axis.apply(cell, "None", ["None"])
    assert cell.override_settings == {"other": 1, key: "None"}
    assert p.override_settings == {"other": 1}
    axis.confirm(p, ["None", next(iter(patched.module("sd_models").checkpoints_list))])
    with pytest.raises(RuntimeError, match=r"Unknown CLIP text model: nowhere\.pt"):
        axis.confirm(p, ["nowhere.pt"])
    patch_set("text_model").uninstall()
    with pytest.raises(RuntimeError, match="The CLIP text model is switched off"):
        axis.confirm(p, ["None"])
