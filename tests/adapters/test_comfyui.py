"""The nodes for ComfyUI give what the definition says, leave the model as it is, and tell the manager of networks."""

from __future__ import annotations

import gc
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from hypernetwork_workbench.adapters.comfyui import nodes, program
from hypernetwork_workbench.hypernetworks import files
from hypernetwork_workbench.hypernetworks.base.errors import (
    AdapterError,
    CompositionError,
    HypernetworkFileError,
    SettingsError,
)
from hypernetwork_workbench.hypernetworks.network.hypernetwork import Hypernetwork, Structure
from torch import Tensor, nn

from tests import sources
from tests.support import comfyui_program

WIDTHS = (16, 24)
SAME = 1e-5


def _save(folder: Path, name: str, seed: int, activation: str = "relu", widths: tuple[int, ...] = WIDTHS) -> None:
    structure = Structure((1, 2, 1), activation, init_std=0.2, dropout_structure=(0, 0.5, 0))
    files.save(Hypernetwork.create(structure, widths, seed), folder / name)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return ComfyUI's folder of networks, of which there is a second one."""
    folders = [tmp_path / "first", tmp_path / "second"]
    for place in folders:
        place.mkdir()
    for name, module in comfyui_program.made_up([str(place) for place in folders]).items():
        monkeypatch.setitem(sys.modules, name, module)
    program._kind.cache_clear()
    _save(folders[0], "a.pt", 1, "linear")
    _save(folders[0], "b.safetensors", 2)
    _save(folders[1], "c.pt", 3)
    _save(folders[1], "a.pt", 4)
    return folders[0]


@pytest.fixture
def model(folder: Path) -> Any:
    return comfyui_program.ModelPatcher(comfyui_program.Model(), torch.device("cpu"), torch.device("cpu"))


def _rows(*pairs: tuple[str, float]) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for row, (name, strength) in enumerate([*pairs, *[("None", 1.0)] * nodes.ROWS][: nodes.ROWS], 1):
        fields |= {f"network_{row}": name, f"strength_{row}": strength}
    return fields


def _load(model: Any, *pairs: tuple[str, float]) -> Any:
    return nodes.LoadHypernetworks().apply(model, **_rows(*pairs))[0]


def _run(patcher: Any) -> Tensor:
    return patcher.model.run(patcher)


def _by_hand(model: Any, *rows: tuple[Hypernetwork, float]) -> Tensor:
    """Return what hooks on `to_k` and `to_v` make of the bare weights of the files."""

    def hook(side: int) -> Any:
        def change(_module: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor]:
            x = inputs[0]
            for network, strength in rows:
                layers = [layer for layer in network.pair(x.shape[-1])[side].linear if isinstance(layer, nn.Linear)]
                hidden = x @ layers[0].weight.T + layers[0].bias
                hidden = hidden.relu() if network.structure.activation == "relu" else hidden
                x = x + strength * (hidden @ layers[1].weight.T + layers[1].bias)
            return (x,)

        return change

    hooks = [
        getattr(module, name).register_forward_pre_hook(hook(side))
        for module in model.model.modules()
        if isinstance(module, comfyui_program.Attention)
        for side, name in enumerate(("to_k", "to_v"))
    ]
    with torch.no_grad():
        result = _run(model)
    for each in hooks:
        each.remove()
    return result


def test_networks_a_chain_nodes_in_a_row_and_compositions_are_what_the_definition_says(model: Any, folder: Path):
    a, b, c = (files.load(path) for path in (folder / "a.pt", folder / "b.safetensors", folder.parent / "second/c.pt"))
    (folder / "both.hns").write_text('[("b", 0.3), "c"]', encoding="utf-8")
    compose = nodes.HypernetworkComposition().apply
    plain = _run(model)
    first = _load(model, ("b", 0.7))
    wanted = (
        (first, ((b, 0.7),)),
        (_load(model, ("a", 0.5), ("b", 0.7), ("c", -0.6)), ((a, 0.5), (b, 0.7), (c, -0.6))),
        (_load(first, ("c", 0.4)), ((b, 0.7), (c, 0.4))),
        (compose(model, "a:0.5 > b:0.7", "None", 1.0)[0], ((a, 0.5), (b, 0.7))),
        (compose(model, "", "both", 1.0)[0], ((b, 0.3), (c, 1.0))),
    )
    for changed, rows in wanted:
        found = _run(changed)
        assert (found - plain).abs().max() > 0.01
        assert torch.allclose(found, _by_hand(model, *rows), atol=SAME)
    assert torch.equal(_run(model), plain)
    assert model.patches() == []


def test_strength_zero_and_no_network_are_the_model_itself(model: Any):
    plain = _run(model)
    for changed in (_load(model, ("a", 0.0), ("b", 0.0)), _load(model)):
        assert torch.equal(_run(changed), plain)
    assert torch.equal(_run(nodes.HypernetworkComposition().apply(model, "a + b", "None", 0.0)[0]), plain)


def test_the_manager_is_told_of_each_network_once_and_moves_it_as_a_whole(model: Any):
    one, other = _load(model, ("b", 0.7)), _load(model, ("b", 0.2), ("c", 1.0))
    held = [{id(each) for patch in changed.patches() for each in patch.models()} for changed in (one, other)]
    assert [len(each) for each in held] == [1, 2]
    assert held[0] < held[1], "the same network is one model"
    patcher = one.patches()[0].models()[0]
    assert patcher.partially_unload(torch.device("cpu"), 1) == 0
    assert patcher.model.network in program.in_use()
    clone = one.clone()
    assert {id(patch) for patch in clone.patches()} == {id(patch) for patch in one.patches()}
    del one, other, clone, patcher
    gc.collect()
    assert program.in_use() == []


def test_networks_that_no_model_has_any_more_are_forgotten_beyond_a_few(model: Any, folder: Path, monkeypatch):
    library = nodes.Library()
    monkeypatch.setattr(nodes, "_library", library)
    held = _load(model, ("b", 1.0))
    network = held.patches()[0].models()[0].model.network
    for number in range(nodes._KEPT + 2):
        _save(folder, f"n{number}.pt", number)
        _load(model, (f"n{number}", 1.0))
    gc.collect()
    _load(model, ("a", 1.0))
    assert network in library
    assert len(library._networks) <= nodes._KEPT + 2, "those kept, the one in use, and the newest"


def test_weights_that_were_moved_or_changed_are_seen_at_the_next_step(model: Any, monkeypatch: pytest.MonkeyPatch):
    changed = _load(model, ("a", 1.0))  # affine: it is reduced to one product, which is kept
    before = _run(changed)
    network = changed.patches()[0].models()[0].model.network
    with torch.no_grad():
        for weight in network.parameters():
            weight.mul_(0.5)
    after = _run(changed)
    assert not torch.equal(after, before)
    assert torch.allclose(after, _by_hand(model, (network, 1.0)), atol=SAME)
    layer = [layer for layer in network.pair(24)[1].linear if isinstance(layer, nn.Linear)][-1]
    here, asked = layer.weight, []

    def bring(device: torch.device) -> None:
        asked.append(device)
        layer.weight = here

    monkeypatch.setattr(network, "to", bring)
    layer.weight = nn.Parameter(here.to("meta"), requires_grad=False)  # the manager took a part away
    assert torch.equal(_run(changed), after)
    assert asked == [torch.device("cpu")]


def test_without_sigmas_every_call_looks_at_the_weights(model: Any):
    """Nodes that call a model by themselves need not tell it the step."""
    patch, x = _load(model, ("a", 1.0)).patches()[0], torch.ones(1, 2, 24)
    network = patch.models()[0].model.network
    _, before, _ = patch(x, x, x, {})
    with torch.no_grad():
        for weight in network.parameters():
            weight.mul_(0.5)
    _, after, _ = patch(x, x, x, {})
    assert not torch.equal(after, before)
    assert torch.allclose(after, network.transform(x)[0], atol=SAME)


def test_the_nodes_run_again_once_a_file_has_changed(model: Any, folder: Path):
    fields = _rows(("b", 1.0))
    stamps = nodes.LoadHypernetworks.IS_CHANGED(model=model, **fields)
    all_stamps = nodes.HypernetworkComposition.IS_CHANGED(model=model, text="b", file="None", strength=1.0)
    inspected = nodes.InspectHypernetwork.IS_CHANGED("b")
    assert stamps == nodes.LoadHypernetworks.IS_CHANGED(model=model, **fields)
    before = _run(_load(model, ("b", 1.0)))
    _save(folder, "b.safetensors", 9)
    assert stamps != nodes.LoadHypernetworks.IS_CHANGED(model=model, **fields)
    assert all_stamps != nodes.HypernetworkComposition.IS_CHANGED(model=model, text="b", file="None", strength=1.0)
    assert inspected != nodes.InspectHypernetwork.IS_CHANGED("b")
    assert not torch.equal(_run(_load(model, ("b", 1.0))), before)


def test_lists_have_the_networks_of_all_folders(folder: Path):
    (folder / "both.hns").write_text("a + b", encoding="utf-8")
    (folder / "notes.txt").write_text("a", encoding="utf-8")
    fields = nodes.LoadHypernetworks.INPUT_TYPES()["required"]
    assert [fields[f"network_{row}"][0] for row in range(1, 5)] == [["None", "a", "b", "c"]] * 4
    assert nodes.HypernetworkComposition.INPUT_TYPES()["required"]["file"][0] == ["None", "both"]
    assert nodes.InspectHypernetwork.INPUT_TYPES()["required"]["network"][0] == ["a", "b", "c"]
    assert program.listed()["a"] == str(folder / "a.pt")


def test_every_field_and_output_says_what_it_is(folder: Path):
    for node in nodes.NODE_CLASS_MAPPINGS.values():
        for name, (_, options) in node.INPUT_TYPES()["required"].items():
            assert options["tooltip"].endswith("."), name
        assert len(node.OUTPUT_TOOLTIPS) == len(node.RETURN_TYPES)


def test_what_is_wrong_is_said_in_a_sentence(model: Any, folder: Path):
    compose = nodes.HypernetworkComposition().apply
    _save(folder, "xl.pt", 5, widths=(2048, 640))
    (folder / "broken.pt").write_bytes(b"PK\x03\x04 nothing")
    cases = (
        (lambda: _load(model, ("a", 1.0), ("gone", 1.0)), SettingsError, "network_2: gone is not in"),
        (lambda: _load(model, ("broken", 1.0)), HypernetworkFileError, "broken.pt"),
        (lambda: _load(model, ("xl", 1.0)), AdapterError, "another family of models"),
        (lambda: _load(model, ("xl", 0.0)), AdapterError, "another family of models"),
        (lambda: _load(model, ("a", float("nan"))), SettingsError, "finite number"),
        (lambda: compose(model, " ", "None", 1.0), SettingsError, "write a composition, or choose a file"),
        (lambda: compose(model, "a", "both", 1.0), SettingsError, "both are given"),
        (lambda: compose(model, "a + gone", "None", 1.0), CompositionError, "there is no network named 'gone'"),
        (lambda: compose(model, "a +", "None", 1.0), CompositionError, "line 1"),
    )
    for act, error, words in cases:
        with pytest.raises(error, match=words):
            act()
    model.model.diffusion_model = nn.Linear(1, 1)
    with pytest.raises(AdapterError, match="Linear has no attention layers that a hypernetwork changes"):
        _load(model, ("a", 1.0))


def test_inspect_tells_what_is_in_a_file(folder: Path):
    told = nodes.InspectHypernetwork().inspect("b")
    assert told["ui"]["text"] == [told["result"][0]]
    assert "activation relu" in told["result"][0]
    assert "Forge: yes" in told["result"][0]


IMPORT = """
import importlib.util, sys
from pathlib import Path
spec = importlib.util.spec_from_file_location(sys.argv[1].replace(".", "_x_"), sys.argv[1] + "/__init__.py")
module = importlib.util.module_from_spec(spec)
sys.modules[spec.name] = module
spec.loader.exec_module(module)
script = Path(sys.argv[1], module.WEB_DIRECTORY, "inspect.js").read_text(encoding="utf-8")
assert any(f'"{name}"' in script for name in module.NODE_CLASS_MAPPINGS)
print(sorted(module.NODE_CLASS_MAPPINGS), module.NODE_DISPLAY_NAME_MAPPINGS.keys() == module.NODE_CLASS_MAPPINGS.keys())
"""


def _imported(place: Path, *path: str) -> subprocess.CompletedProcess[str]:
    """Import a folder as ComfyUI does, by its path, where the package is not installed."""
    command = [sys.executable, "-I", "-c", IMPORT, str(place), *path]
    return subprocess.run(command, capture_output=True, text=True, cwd="/", check=False)


def test_a_link_in_custom_nodes_is_enough_and_a_copy_says_what_it_lacks(tmp_path: Path):
    link = tmp_path / "custom_nodes" / "hypernetwork-workbench"
    link.parent.mkdir()
    link.symlink_to(sources.ROOT / "adapters" / "comfyui", target_is_directory=True)
    result = _imported(link)
    assert "'HypernetworkWorkbenchLoad'] True" in result.stdout, result.stderr
    copy = tmp_path / "copies" / "a" / "workbench"
    copy.mkdir(parents=True)
    (copy / "__init__.py").write_bytes((link / "__init__.py").read_bytes())
    result = _imported(copy)
    assert "link this folder from its checkout" in result.stderr
