"""The searches: what they try next is a function of the seed and of the trials before."""

import math

import pytest
from hypernetwork_workbench.hypernetworks.tuning import Trial, TuneSettings, space
from hypernetwork_workbench.hypernetworks.tuning.brain import Brain, best
from hypernetwork_workbench.hypernetworks.tuning.space import reading

RANGES = "schedule.rate = 1e-4..1 log\nnetwork.activation = [relu, mish]"
COUNT = 16


def valley(point):
    """Be lowest at a rate of 0.003 with relu."""
    return (math.log10(point["schedule.rate"]) + 2.5) ** 2 + 0.3 * (point["network.activation"] == "mish")


def searched(method, seed=0):
    settings = TuneSettings(ranges=RANGES, method=method, trials=COUNT, seed=seed)
    brain = Brain(settings, space.Space(tuple(reading.parse(RANGES))))
    done = []
    for number in range(COUNT):
        point = brain.point(number, done)
        done.append(Trial(number, "complete", point, (valley(point),)))
    return [trial.values[0] for trial in done]


def test_tpe_learns_from_the_trials_before():
    later = {method: sum(sum(searched(method, seed)[8:]) for seed in range(4)) for method in ("TPE", "random")}
    assert later["TPE"] < 0.8 * later["random"]


@pytest.mark.parametrize("method", ["grid", "random", "TPE"])
def test_the_same_seed_and_trials_give_the_same_values(method):
    if method == "grid":
        brain = Brain(TuneSettings(ranges=RANGES, method=method), space.Space(tuple(reading.parse(RANGES))))
        assert brain.most_trials == 6
        assert brain.point(5, []) == {"schedule.rate": 1.0, "network.activation": "mish"}
        return
    assert searched(method) == searched(method)
    assert searched(method) != searched(method, seed=1)


def test_the_best_of_two_objectives_are_those_that_none_beats():
    trials = [Trial(n, "complete", {}, values) for n, values in enumerate([(3, 1), (1, 3), (2, 2), (2, 3), (3, 3)])]
    assert [trial.number for trial in best(trials)] == [1, 2, 0]
    failed = Trial(5, "pruned", {}, ())
    assert [
        trial.number for trial in best([Trial(0, "complete", {}, (1.0,)), Trial(1, "complete", {}, (1.0,)), failed])
    ] == [0]
    assert best([failed]) == []
