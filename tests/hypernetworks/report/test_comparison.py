"""Comparing two networks: numbers worked out by hand, and pairs that have little in common."""

from __future__ import annotations

import pytest
import torch
from hypernetwork_workbench.hypernetworks.network.hypernetwork import Hypernetwork, Metadata, Structure
from hypernetwork_workbench.hypernetworks.pages import report as report_page
from hypernetwork_workbench.hypernetworks.report.comparison import CONTEXTS, compare


def make(seed: int = 0, widths=(8, 12), **structure) -> Hypernetwork:
    return Hypernetwork.create(Structure(**{"init_std": 0.2, **structure}), widths, seed)


def test_a_network_is_the_same_as_itself():
    found = compare(make(), make())
    assert found.is_same
    assert found.facts == ()
    assert len(found.weights) == 2 * 2 * 4
    assert all(one.relative == 0 for one in found.weights)
    assert all(one.cosine == pytest.approx(1) for one in found.weights if one.first)
    assert all(one.cosine is None for one in found.weights if not one.first)
    assert all((one.largest, one.mean) == (0, 0) for one in found.outputs)
    assert "Both give the same outputs." in report_page.render_comparison(found, "a", "b")


def test_distances_are_those_of_the_weights():
    first, second = make(), make()
    with torch.no_grad():
        second.pair(12)[1].linear[0].weight.mul_(-1.5)
        second.pair(8)[0].linear[1].bias.fill_(0.5)
    found = {(one.width, one.side, one.weight): one for one in compare(first, second).weights}
    turned = found[12, "v", "layer 1 weight"]
    assert turned.relative == pytest.approx(2.5)
    assert turned.cosine == pytest.approx(-1)
    assert turned.second == pytest.approx(1.5 * turned.first)
    added = found[8, "k", "layer 2 bias"]
    assert (added.first, added.relative, added.cosine) == (0, None, None)
    assert added.second == pytest.approx(0.5 * 8**0.5)
    moved = {key for key, one in found.items() if one.relative != 0}
    assert moved == {(12, "v", "layer 1 weight"), (8, "k", "layer 2 bias")}


def test_outputs_are_those_of_the_same_contexts():
    first, second = make(), make()
    with torch.no_grad():
        second.pair(8)[0].linear[1].bias.add_(torch.tensor([0.5, *[0.25] * 7]))
    found = {(one.width, one.side): one for one in compare(first, second).outputs}
    changed = found.pop((8, "k"))
    assert changed.largest == pytest.approx(0.5, abs=1e-5)
    assert changed.mean == pytest.approx((0.5 + 7 * 0.25) / 8, abs=1e-5)
    assert all(one.largest == 0 for one in found.values())
    x = torch.randn(1, CONTEXTS, 8, generator=torch.Generator().manual_seed(0))
    assert changed.first == pytest.approx(float((first.transform(x)[0] - x).detach().abs().mean()))


def test_layers_are_matched_by_number_whatever_the_file_counts():
    plain = make(activation="linear")
    counted = Hypernetwork.create(Structure(activation="relu", dropout_structure=(0, 0.3, 0)), (8, 12), 3)
    for ours, theirs in zip(plain.parameters(), counted.parameters(), strict=True):
        theirs.data.copy_(ours)
    found = compare(plain, counted)
    assert {one.relative for one in found.weights} == {0.0}
    assert {one.fact for one in found.facts} == {"activation", "dropout_structure"}
    assert not found.is_same


@pytest.mark.parametrize(
    "other",
    [
        {"layer_structure": (1, 3, 1)},
        {"layer_structure": (1, 2, 2, 1), "layer_norm": True},
        {"skip_connection": True, "upsample_linear": True},
        {"widths": (12, 24)},
    ],
)
def test_networks_of_different_forms_are_compared_as_far_as_they_go(other):
    first, second = make(), make(**other)
    second.metadata = Metadata(step=9, sd_checkpoint_name="<u>")
    found = compare(first, second)
    facts = {one.fact: (one.first, one.second) for one in found.facts}
    assert facts["step"] == ("0", "9")
    assert facts["checkpoint"] == ("unknown", "<u>")
    assert {"widths": ("8, 12", "12, 24")}.items() <= facts.items() or "widths" not in other
    assert any(one.relative is None for one in found.weights)
    assert not found.is_same
    page = report_page.render_comparison(found, "a", "<i>")
    assert "<u>" not in page
    assert "<i>" not in page
    assert page.count("<table") == 1


def test_a_width_that_one_lacks_passes_through_it():
    found = {(one.width, one.side): one for one in compare(make(), make(widths=(8,))).outputs}
    alone = found[12, "k"]
    assert alone.second == 0
    assert alone.mean == pytest.approx(alone.first)


def test_a_network_of_very_many_weights_gives_a_page_of_bounded_length():
    wide = make(widths=tuple(range(8, 72)), layer_structure=(1, *[1] * 10, 1))
    page = report_page.render_comparison(compare(wide, wide), "a", "b")
    assert "more" in page
    assert page.count("<tr>") < 700
