"""The check of a merge: before it is made it says what is said afterwards, with the rounding of the file."""

from __future__ import annotations

import pytest
import torch
from hypernetwork_workbench.hypernetworks.base.errors import SettingsError
from hypernetwork_workbench.hypernetworks.merge import check, merge, method_names
from hypernetwork_workbench.hypernetworks.merge.inputs import check_inputs
from hypernetwork_workbench.hypernetworks.merge.merge_options import Options
from hypernetwork_workbench.hypernetworks.merge.method import METHODS
from hypernetwork_workbench.hypernetworks.network.hypernetwork import Hypernetwork, Structure
from hypernetwork_workbench.hypernetworks.pages import merge as page

DTYPES = (torch.float32, torch.float16, torch.bfloat16)


def networks(activation: str = "relu", method: str = "weighted_sum") -> list[tuple[Hypernetwork, float]]:
    structure = Structure(init_std=0.2, activation=activation)
    weights = METHODS[method].weights.of_form((1.0, 0.5, 0.7), 0.5)
    return [(Hypernetwork.create(structure, (24, 32), seed), weight) for seed, weight in enumerate(weights)]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("method", method_names())
def test_a_prediction_is_what_is_measured_afterwards(method, dtype):
    given = networks("linear" if method == "exact_sequence" else "relu", method)
    inputs = check_inputs(given, Options())
    predicted = tuple(check.predict(inputs, method, dtype))
    assert predicted == check.differences(merge(given, method), inputs, method, dtype)
    assert len(predicted) == 4
    assert check.is_exact(predicted) == (method.startswith("exact") and dtype == torch.float32)


def test_what_a_type_cannot_hold_is_said():
    given = [(network, 300.0) for network, _ in networks()]
    for network, _ in given:
        for tensor in network.state_dict().values():
            tensor.fill_(300.0)
    inputs = check_inputs(given, Options())
    assert tuple(check.predict(inputs, "weighted_sum"))
    with pytest.raises(SettingsError, match="too large for float16") as caught:
        tuple(check.predict(inputs, "weighted_sum", torch.float16))
    assert caught.value.field == "dtype"


def test_the_overall_difference_weighs_each_part_by_its_change():
    def part(change, mean):
        return check.Difference(8, "k", change, mean, mean)

    # (1 * 0.1 + 3 * 0.2) / 4
    assert check.overall([part(1.0, 0.1), part(3.0, 0.2)]) == pytest.approx(0.175)
    assert check.overall([part(0.0, 0.0), part(0.0, 0.0)]) is None
    assert check.overall([part(1.0, 0.1), part(0.0, None)]) is None


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (check.Difference(8, "k", 1.0, 1e-5, 1e-6), "does the same as the sum"),
        (check.Difference(8, "k", 0.0, 0.0, 0.0), "does the same as the sum"),
        (check.Difference(8, "k", 1.0, 0.4, 0.2), "differs from the sum, by 20.00% on average"),
        # Together they change nothing, and the result does.
        (check.Difference(8, "k", 0.0, None, None), "differs from the sum"),
    ],
)
def test_a_difference_is_told_also_where_it_is_no_share_of_anything(found, said):
    assert page.difference([found], "the sum") == f"The result {said}."
