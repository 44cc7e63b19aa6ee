"""What a person enters for a merge, the check of its result, and compositions as one file."""

from __future__ import annotations

import pytest
import torch
from hypernetwork_workbench.hypernetworks import compose, files, merge
from hypernetwork_workbench.hypernetworks.base.errors import CompositionError, MergeError, SettingsError
from hypernetwork_workbench.hypernetworks.merge import blocks, check
from hypernetwork_workbench.hypernetworks.merge.composition import merge_composition, plan_composition
from hypernetwork_workbench.hypernetworks.merge.inputs import check_inputs
from hypernetwork_workbench.hypernetworks.merge.method import METHODS
from hypernetwork_workbench.hypernetworks.merge.outlines import outline
from hypernetwork_workbench.hypernetworks.merge.settings import LABELS, MergeSettings, used_fields
from hypernetwork_workbench.hypernetworks.pages import merge as page

from tests.support.networks import random_network

RELU = {"activation": "relu", "activate_output": False}
NETWORKS = {
    "A": random_network(1, (8, 16), "A", **RELU),
    "B": random_network(2, (8, 16), "B", layer_structure=(1, 1.5, 1), **RELU),
    "C": random_network(3, (8,), "C", **RELU),
    "L": random_network(4, (8, 16), "L"),
    "M": random_network(5, (8,), "M", layer_structure=(1, 1)),
    "R": random_network(6, (8, 16), "R", skip_connection=True, activation="relu"),
}


def test_every_method_has_a_label():
    assert [method.name for method in LABELS.values()] == list(merge.method_names())


@pytest.mark.parametrize(
    ("text", "method", "count", "expected"),
    [
        ("", "weighted_sum", 2, {}),
        ("768.k=0.5, v=0.2", "weighted_sum", 2, {"768.k": (0.5, 0.5), "v": (0.8, 0.2)}),
        ("768.k=1/2, 320=0/1", "weighted_sum", 2, {"768.k": (1, 2), "320": (0, 1)}),
        ("768=1/2;320=1/0", "weighted_sum", 2, {"768": (1, 2), "320": (1, 0)}),
        ("７６８＝１，３２０＝０", "weighted_sum", 2, {"768": (0, 1), "320": (1, 0)}),
        ("320 = 1/ -2 /.5;", "weighted_sum", 3, {"320": (1, -2, 0.5)}),
        ("k=1/2\nv=0/1", "exact_sequence", 2, {"k": (1, 2), "v": (0, 1)}),
        ("k=0.3", "add_difference", 3, {"k": (1, 0.3, 1)}),
        ("k=0.3, v=0.1/0.2", "ties", 3, {"k": (1, 0.3, 0.3), "v": (1, 0.1, 0.2)}),
    ],
)
def test_block_weights_are_read(text, method, count, expected):
    found = blocks.parse(text, method, count, (768, 320))
    assert list(found) == list(expected)
    for block, weights in expected.items():
        assert found[block] == pytest.approx(weights)


@pytest.mark.parametrize(
    ("text", "method", "reason"),
    [
        ("768.k", "weighted_sum", "has no ="),
        ("q=1", "weighted_sum", "'q' is no block"),
        ("768.q=1", "weighted_sum", "'768.q' is no block"),
        ("0768=1", "weighted_sum", "leave the zeros out"),
        ("99=1", "weighted_sum", "none of the networks has; they have 768, 320"),
        ("k=1, k=2", "weighted_sum", "'k' is there twice"),
        ("k=1/2/3", "weighted_sum", "needs 2 numbers with / between them"),
        ("k=1", "exact_sequence", "needs 2 numbers with / between them"),
        ("k=1/2", "dare", "needs one number for the differences"),
        ("k=1/2", "add_difference", "needs one number, the multiplier"),
        ("k=much", "weighted_sum", "has 'much' in place of a number"),
        ("k=nan", "weighted_sum", "at most 1000"),
        ("k=0,5", "weighted_sum", ", as in 0.5"),
        ("k=0.2, v=０，５", "weighted_sum", ", as in 0.5"),
        ("320=0,5, 768=1", "weighted_sum", ", as in 0.5"),
        ("k=0,5/0,5", "weighted_sum", ", as in 0.5"),
        ("k=1e9", "weighted_sum", "at most 1000"),
    ],
)
def test_wrong_block_weights_are_named(text, method, reason):
    with pytest.raises(SettingsError) as error:
        blocks.parse(text, method, 2, (768, 320))
    assert error.value.field == "block_weights"
    assert reason in error.value.reason


def test_weights_are_those_that_the_method_takes():
    settings = MergeSettings(network_1="A", network_2="B", network_4="D", weight_1=0.3, weight_2=0.4, weight_4=-1)
    assert settings.network_rows == (1, 2, 4)
    assert settings.weights("weighted_sum") == (0.3, 0.4, -1)
    assert settings.weights("svd") == (1, 0.4, -1)
    assert MergeSettings(network_1="A", network_2="B", network_3="C", multiplier=2).weights("add_difference") == (
        1,
        2,
        1,
    )
    options = settings.merge_options("dare", (8,))
    assert (options.rank, options.density, options.seed) == (16, 0.5, 0)


@pytest.mark.parametrize("method", [one for one in merge.method_names() if one != "exact_sequence"])
def test_the_check_of_affine_maps_finds_no_difference(method):
    """Single layers are merged without loss by every method that keeps all of the differences."""
    count = 3
    networks = [random_network(seed, (8, 12), layer_structure=(1, 1)) for seed in range(count)]
    weights = (1, 0.5, 1) if method == "add_difference" else (1, 1, 1)
    options = merge.Options(rank=100, density=1.0, block_weights={"12.v": (1, -0.25, 1)})
    if method == "ties":
        networks, weights = networks[:2], weights[:2]
        options = merge.Options(density=1.0)
    pairs = list(zip(networks, weights, strict=True))
    found = check.differences(merge.merge(pairs, method, options), check_inputs(pairs, options), method)
    assert [(one.width, one.side) for one in found] == [(8, "k"), (8, "v"), (12, "k"), (12, "v")]
    assert all(one.change > 0.1 and one.largest is not None and one.largest < 1e-5 for one in found)


def test_the_check_sees_what_a_merge_of_weights_loses():
    pairs = [(NETWORKS["A"], 0.5), (random_network(9, (8, 16), **RELU), 0.5)]
    inputs = check_inputs(pairs, merge.Options())
    lost = check.differences(merge.merge(pairs), inputs, "weighted_sum")
    kept = check.differences(merge.merge(pairs, "exact_parallel"), inputs, "exact_parallel")
    assert min(one.mean or 0 for one in lost) > 0.1
    assert max(one.largest or 0 for one in kept) < 1e-5
    assert "differs from the weighted sum" in page.check_table(lost, check.compared_with("weighted_sum"))
    assert "does the same as the weighted sum" in page.check_table(kept, check.compared_with("exact_parallel"))


def test_the_check_of_a_sequence_is_the_sequence():
    pairs = [(NETWORKS["L"], 0.5), (NETWORKS["M"], -1.5)]
    merged = merge.merge(pairs, "exact_sequence")
    found = check.differences(merged, check_inputs(pairs, merge.Options()), "exact_sequence")
    assert max(one.largest or 0 for one in found) < 1e-5
    other = check.differences(merged, check_inputs(pairs[::-1], merge.Options()), "exact_sequence")
    assert max(one.largest or 0 for one in other) > 1e-2


@pytest.mark.parametrize(
    "text",
    [
        "A",
        "R",
        "A:0.5",
        "A:0.8 + B:0.2",
        "A:3 + (B + C:2):-1",
        "L > M:0.5",
        "L + M > L",
        "(L > M):2 + M:3",
        "(A:-2) + B",
    ],
)
def test_a_composition_as_one_file_gives_its_outputs(text):
    composition = compose.parse(text)
    planned = plan_composition(composition, NETWORKS)
    assert planned.possible
    merged = merge_composition(composition, NETWORKS)
    assert merged.structure == planned.structure
    for width in (8, 16):
        context = torch.randn(2, 7, width, generator=torch.Generator().manual_seed(width))
        with torch.no_grad():
            wanted, found = (
                torch.stack(one) for one in (composition.transform(context, NETWORKS), merged.transform(context))
            )
        torch.testing.assert_close(found, wanted, atol=2e-4, rtol=1e-4)
    recipe = merged.metadata.training["merge"]
    assert compose.parse(recipe["composition"]) == composition
    assert [one["name"] for one in recipe["networks"]] == list(composition.names)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("A > B", "'A' has the activation relu, and only affine networks can be multiplied out"),
        ("A + L", "'L' has the activation linear and 'A' relu"),
        ("R:0.5", "'R' has residual blocks"),
        ("L > (A + B)", "has the activation relu, and only affine"),
    ],
)
def test_a_composition_that_cannot_be_one_file_says_why(text, reason):
    composition = compose.parse(text)
    planned = plan_composition(composition, NETWORKS)
    assert not planned.possible
    assert reason in planned.reason
    with pytest.raises(MergeError, match=reason.split(",", maxsplit=1)[0]):
        merge_composition(composition, NETWORKS)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("L > (A:3 + B)", "'A:3 + B' has the activation relu, and only"),
        ("(L > M:0.5) + A", "'A' has the activation relu and 'L > M:0.5' linear"),
        ('["L", {"a\\nb": 1, "B": 1}]', "\"{'a\\\\nb', 'B'}\" has the activation relu, and only"),  # with a line break
    ],
)
def test_a_part_that_stands_in_the_way_is_named_as_it_is_written(text, named):
    networks = {**NETWORKS, "a\nb": NETWORKS["A"]}
    assert plan_composition(compose.parse(text), networks).reason.startswith(named)
    with pytest.raises(MergeError) as caught:
        merge_composition(compose.parse(text), networks)
    assert str(caught.value).startswith(named)


def test_named_compositions_are_taken_in_with_their_strength():
    saved = {"mix": compose.parse("A:1 + B:3")}
    composition = compose.parse("mix:0.5 + C:2", saved)
    merged = merge_composition(composition, NETWORKS)
    context = torch.randn(1, 4, 8)
    wanted = torch.stack(composition.transform(context, NETWORKS))
    torch.testing.assert_close(torch.stack(merged.transform(context)), wanted, atol=1e-4, rtol=1e-4)
    with pytest.raises(CompositionError, match="no network named 'X'"):
        plan_composition(compose.parse("X"), NETWORKS)


def test_an_outline_is_read_again_once_the_file_changes(tmp_path):
    path = tmp_path / "n.pt"
    files.save(NETWORKS["A"], path)
    first = outline(path, "n")
    assert outline(path, "n") is first
    assert next(first.parameters()).is_meta
    assert first.structure == files.load(path).structure
    files.save(NETWORKS["M"], path)
    assert outline(path, "n").widths == (8,)


def test_a_thousand_blocks_may_be_given_and_no_more():
    widths = range(1, 1001)
    text = ",".join(f"{width}=0.5" for width in widths)
    assert len(blocks.parse(text, "weighted_sum", 2, widths)) == 1000
    with pytest.raises(SettingsError, match="has more than 1000 pieces"):
        blocks.parse(f"{text},k=1", "weighted_sum", 2, widths)


def test_a_weight_may_be_a_thousand_and_no_more():
    assert blocks.parse("k=1000/-1000", "weighted_sum", 2, (8,)) == {"k": (1000, -1000)}
    for number in ("1000.5", "-1000.5"):
        with pytest.raises(SettingsError, match="at most 1000 in size"):
            blocks.parse(f"k={number}/1", "weighted_sum", 2, (8,))
    for field in ("weight_1", "weight_2", "weight_3", "weight_4", "multiplier"):
        for value in (-1000, 1000):
            assert getattr(MergeSettings(**{field: value}), field) == value
        for value in (-1000.5, 1000.5):
            with pytest.raises(SettingsError) as caught:
                MergeSettings(**{field: value})
            assert caught.value.field == field


def test_what_a_form_that_nobody_touched_means():
    settings = MergeSettings(network_1="A", network_2="B")
    assert (settings.method_name, settings.multiplier, settings.network_rows) == ("weighted_sum", 1.0, (1, 2))
    assert [settings.weight_1, settings.weight_2, settings.weight_3, settings.weight_4] == [0.5] * 4
    assert settings.merge_options("weighted_sum", (8,)).block_weights == {}
    assert MergeSettings(network_1="A", network_2="None", network_4="D").network_rows == (1, 4)


def test_fields_that_have_an_effect():
    assert used_fields("no method", (1, 3)) == {"weight_1", "weight_3", "block_weights"}
    assert used_fields("Weighted sum", (1, 2)) == {"weight_1", "weight_2", "block_weights"}
    assert "multiplier" in used_fields(METHODS["add_difference"].label, (1, 2, 3))


def test_the_methods_stand_in_the_order_of_their_use():
    assert list(merge.method_names()) == [
        "weighted_sum",
        "add_difference",
        "svd",
        "dare",
        "ties",
        "exact_parallel",
        "exact_sequence",
    ]


@pytest.mark.parametrize(
    ("field", "accepted", "refused"),
    [
        ("density", [0.01, 1, 1.0], [0, -0.5, 1.01, True, "1", float("nan")]),
        ("seed", [0, 2**63 - 1], [-1, 2**63, 0.5, True]),
        ("rank", [1, 16384, 10**6], [0, 1.5, True]),
    ],
)
def test_limits_of_options_in_code_and_in_forms(field, accepted, refused):
    for value in accepted:
        assert getattr(merge.Options(**{field: value}), field) == value
    for value in refused:
        with pytest.raises(MergeError, match=f"^{field}: must be"):
            merge.Options(**{field: value})
    largest = {"density": 1, "seed": 2**53 - 1, "rank": 16384}[field]
    assert getattr(MergeSettings(**{field: largest}), field) == largest
    for value in (largest + 1, {"density": 0}.get(field, -1)):
        with pytest.raises(SettingsError) as caught:
            MergeSettings(**{field: value})
        assert caught.value.field == field
    assert (merge.Options().density, merge.Options().seed, merge.Options().rank) == (0.5, 0, 16)


def test_the_size_of_a_composition_as_one_file_is_that_of_its_numbers():
    wide = {"W": random_network(1, (320,), "W", layer_structure=(1, 2, 1), activation="relu")}
    # k and v have 320 * 640 + 640 + 640 * 320 + 320 numbers of 4 bytes each.
    assert plan_composition(compose.parse("W"), wide).reason == (
        "the one file has layer_structure [1, 2, 1], activation relu and 3.3 MB in float32"
    )


def test_the_size_of_a_small_result_is_no_zero():
    small = {name: random_network(1, (8,), name, layer_structure=(1, 2, 1), activation="relu") for name in "WV"}
    assert "relu and 2.2 kB in float32" in plan_composition(compose.parse("W"), small).reason
    pair = [(one, 0.5) for one in small.values()]
    assert "relu and 2.2 kB in float32" in merge.plan(pair, "weighted_sum").reason
