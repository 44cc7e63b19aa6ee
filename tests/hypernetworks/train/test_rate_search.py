"""The choice of a learning rate from trials, on losses that are known for every rate and number of steps.

The noisy quadratic of Wu et al., "Understanding Short-Horizon Bias in Stochastic Meta-Optimization" (2018): its loss
after any number of steps follows from a recursion, and few steps prefer rates that are too high for many.
"""

import itertools
import math

import pytest
import torch
from hypernetwork_workbench.hypernetworks.train import rate_search
from hypernetwork_workbench.hypernetworks.train.rate_search import Horizons, RateSearch, Trial, rate_at

SAMPLES = 64


class Quadratic:
    """Many directions of different curvature, walked down with noise; a sample sees each with a weight of its own."""

    def __init__(self, scale=1.0, spread=3.0, noise=0.3, settles=False, run=1000):
        self.curvatures = torch.logspace(-spread, 0, 40, dtype=torch.float64) * scale
        self.noise, self.settles, self.run = noise, settles, run
        weights = torch.rand(SAMPLES, 40, generator=torch.Generator().manual_seed(1), dtype=torch.float64) + 0.5
        self.weights = weights / 40
        self.tried = []

    def losses(self, rates, steps):
        """Return the losses of the samples for each rate, [rates, samples]."""
        rates = torch.as_tensor(rates, dtype=torch.float64)[:, None]
        squares = (1 / self.curvatures).expand(len(rates), -1)
        for step in range(steps):
            here = rates * (1 - (step + 0.5) / steps) if self.settles else rates
            shrunk = (1 - here * self.curvatures) ** 2
            squares = (squares * shrunk + here**2 * self.noise * self.curvatures).clamp(max=1e30)
        losses = 0.1 + (squares * self.curvatures) @ self.weights.T
        # A network is no quadratic: it does not come back from steps that are too long for its steepest direction.
        return torch.where(rates * self.curvatures.max() < 2, losses, math.inf)

    def trial(self, rate, steps):
        self.tried.append((rate, steps))
        losses = self.losses([rate], steps)[0]
        return Trial(rate, steps, losses if losses.isfinite().all() else None)

    def choose(self):
        start = 0.1 + self.weights.sum(1)
        return RateSearch(self.trial, start, Horizons.of(self.run), self.settles).choose()

    def best(self):
        rates = torch.logspace(-8, 2, 150, dtype=torch.float64)
        return rates[self.losses(rates, self.run).mean(1).argmin()].item()


LANDSCAPES = list(itertools.product((100.0, 1e4), (2.0, 3.0), (0.3, 3.0), (False, True), (30, 500, 2000)))


@pytest.mark.parametrize(("scale", "spread", "noise", "settles", "run"), LANDSCAPES)
def test_the_choice_is_near_the_best_rate_of_the_whole_run(scale, spread, noise, settles, run):
    land = Quadratic(scale, spread, noise, settles, run)
    found, best = land.choose(), land.best()
    assert found.doubt == ""
    assert best / 5 <= found.rate <= best * 5
    assert found.low <= found.rate <= found.high


def test_what_few_steps_prefer_is_not_taken_for_the_best_rate_of_many(monkeypatch):
    land = Quadratic(100.0, 1.0, 0.3, run=2000)
    assert land.choose().rate < 5 * land.best()
    monkeypatch.setattr(RateSearch, "_fall", lambda *_: 0.0)
    assert land.choose().rate > 5 * land.best()


def test_the_steps_are_bounded_and_told_before():
    for run in (1, 2, 10, 40, 500, 10_000, 1_000_000):
        land, horizons = Quadratic(run=run), Horizons.of(run)
        land.choose()
        assert sum(steps for _, steps in land.tried) <= horizons.most_steps <= 2000
        assert len(land.tried) <= horizons.most_trials
        assert 1 <= horizons.first <= horizons.middle <= horizons.last <= min(run, 200)


def choose(losses_of, run=500, start=1.0):
    """Choose among rates whose losses are those of a function, with the same differences between samples."""
    offsets = torch.linspace(-0.3, 0.3, SAMPLES, dtype=torch.float64)

    def trial(rate, steps):
        losses = losses_of(rate, steps)
        return Trial(rate, steps, None if losses is None else losses + offsets)

    return RateSearch(trial, start + offsets, Horizons.of(run), settles=False).choose()


def bowl(rate, best=1e-3, floor=0.2):
    return floor + 0.02 * math.log10(rate / best) ** 2


def test_a_bowl_gives_its_bottom():
    found = choose(lambda rate, _: bowl(rate), run=30)
    assert found.rate == pytest.approx(1e-3, rel=0.05)
    assert found.low < 1e-3 < found.high


@pytest.mark.parametrize("best", [1e-7, 3e-6, 1e-4, 0.02, 0.7, 20.0])
def test_the_best_rate_is_found_wherever_it_is(best):
    found = choose(lambda rate, _: bowl(rate, best), run=30)
    assert found.rate == pytest.approx(best, rel=0.3)


@pytest.mark.parametrize(
    ("losses", "reason"),
    [
        (lambda rate, steps: None, "the loss does not stay finite at any rate"),
        (lambda rate, steps: 1.0, "no rate lowers the loss by more than chance"),
        (lambda rate, steps: 1.0 + rate, "no rate lowers the loss by more than chance"),
        (lambda rate, steps: 0.5, "do equally well after 89 steps"),
        (lambda rate, steps: 0.5 if rate < 1 else 2.0, "do equally well"),
        (lambda rate, steps: 1 / (2 + math.log10(rate) + 8), "rates above 1e+02 may do better still"),
        (lambda rate, steps: 1 / (2 - math.log10(rate) + 2), "rates below 1e-08 may do better still"),
    ],
)
def test_where_nothing_can_be_told_there_is_a_reason_and_no_rate(losses, reason):
    found = choose(losses)
    assert reason in found.doubt
    assert math.isnan(found.rate)


def test_a_gain_that_may_be_chance_tells_nothing():
    noise = torch.randn(SAMPLES, generator=torch.Generator().manual_seed(1), dtype=torch.float64)

    def trial(rate, steps):
        return Trial(rate, steps, 1.0 + noise.roll(int(rate * 1e9)) - bowl(rate, floor=0.9) * 0.1)

    assert "by more than chance" in RateSearch(trial, 1.0 + noise, Horizons.of(500), False).choose().doubt


def test_rates_are_compared_on_the_same_samples():
    """A small difference that all samples show is told, far smaller than the samples differ among themselves."""
    wide = torch.linspace(-5, 5, SAMPLES, dtype=torch.float64)

    def trial(rate, steps):
        return Trial(rate, steps, 10.0 + wide + bowl(rate, floor=0.0))

    found = RateSearch(trial, 10.3 + wide, Horizons.of(30), False).choose()
    assert found.rate == pytest.approx(1e-3, rel=0.05)
    assert found.high / found.low < 20


def test_places_are_two_to_a_decade():
    assert [rate_at(place) for place in (-2, -1, 0, 2)] == pytest.approx([0.1, 0.1**0.5, 1.0, 10.0])
    assert rate_at(rate_search.LOWEST) == pytest.approx(1e-8)


@pytest.mark.parametrize(
    ("good", "doubt"),
    [
        ([2, 3, 4, 5], ""),
        ([2, 3, 4, 5, 6], "rates from 10 to 1e+03 do equally well after 7 steps"),
        ([1, 2], "rates below 3.2 may do better still after 7 steps"),
        ([6, 7], "rates above 3.2e+03 may do better still after 7 steps"),
        ([3], ""),
    ],
)
def test_what_is_told_goes_by_which_rates_do_equally_well(good, doubt):
    """Of places 1 to 7, of which one gains 1; place 2 is a rate of 10."""
    tried = {place: Trial(rate_at(place), 7, torch.full((4,), 1.0 if place == 3 else 2.0)) for place in range(1, 8)}
    search = RateSearch(None, torch.full((4,), 2.0), Horizons.of(500), False)
    assert search._doubt(tried, good) == doubt


def test_a_gain_is_told_from_three_errors_of_its_mean_on():
    """Gains of 0 and 2 have the mean 1 and the deviation 1.155 of four samples, so that the error is 0.577."""
    gains = torch.tensor([0.0, 0.0, 2.0, 2.0])
    search = RateSearch(None, torch.full((4,), 5.0), Horizons.of(500), False)
    for gain, is_chance in ((0.73, True), (0.74, False)):
        tried = {place: Trial(1.0, 7, torch.full((4,), 5.0)) for place in (0, 1, 2)}
        tried[1] = Trial(1.0, 7, 5.0 - gains - gain)
        assert ("by more than chance" in search._doubt(tried, [1])) == is_chance


def test_a_lone_rate_of_a_parabola_is_its_own_lowest_point():
    search = RateSearch(None, torch.full((2,), 9.0), Horizons.of(500), False)
    losses = {0: 4.0, 1: 1.0, 2: 2.0, 3: 50.0}
    tried = {place: Trial(1.0, 7, torch.full((2,), loss)) for place, loss in losses.items()}
    # Through 4, 1 and 2 the lowest point is (4 - 2) / (2 * (4 - 2 + 2)) beyond the middle one.
    assert search._vertex(tried) == 1.25
    # A loss above that of the first weights counts as that: through 4, 3 and 9.
    assert search._vertex({0: tried[0], 1: Trial(1.0, 7, torch.full((2,), 3.0)), 2: tried[3]}) == 1 - 5 / 14
    assert search._vertex({1: tried[1], 2: tried[2]}) == 1
    flat = dict.fromkeys((0, 1, 2), tried[1])
    assert search._vertex(flat) == 0
