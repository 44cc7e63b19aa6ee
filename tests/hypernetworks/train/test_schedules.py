"""Learning-rate schedules against the golden cases."""

import json
import math
from pathlib import Path

import pytest
from hypernetwork_workbench.hypernetworks.base.errors import ScheduleError
from hypernetwork_workbench.hypernetworks.train.optim import schedules
from hypernetwork_workbench.hypernetworks.train.optim.schedule import SCHEDULES
from hypernetwork_workbench.hypernetworks.train.optim.warmup_schedules import WarmupSchedule

GOLDEN = Path(__file__).parents[2] / "golden"


@pytest.mark.parametrize("case", json.loads((GOLDEN / "cosine.json").read_text()), ids=lambda c: f"cycle{c['cycle']}")
def test_cosine_restarts_match_the_original(case):
    schedule = schedules.CosineRestarts(
        cycle=case["cycle"],
        multiplier=case["mult"],
        max_rate=case["max_lr"],
        min_rate=case["min_lr"],
        warmup=case["warmup"],
        decay=case["decay"],
    )
    assert [schedule.rate(step) for step in range(len(case["lr"]))] == pytest.approx(case["lr"], rel=1e-12, abs=1e-15)
    ends = [step for step in range(len(case["lr"])) if schedule.is_end_of_cycle(step)]
    assert ends == case["end_of_cycle"]


@pytest.mark.parametrize("case", json.loads((GOLDEN / "learn_rates.json").read_text()), ids=lambda c: c["text"])
def test_schedule_texts_match_the_webui(case):
    if "error" in case:
        with pytest.raises(ScheduleError, match="4e-05:2000"):
            schedules.parse(case["text"], case["max_steps"])
        return
    schedule = schedules.parse(case["text"], case["max_steps"])
    start = case["start"]
    rates = [schedule.rate(step) for step in range(start, start + len(case["lr"]))]
    assert rates == pytest.approx(case["lr"], rel=1e-12)
    assert schedule.end_step == start + len(case["lr"])


def test_an_end_may_be_in_epochs():
    schedule = schedules.parse("1e-4:2 epochs, 1e-5:25, 1e-6:3.5エポック, 1e-7", 100, steps_per_epoch=10)
    assert schedule.pieces == ((1e-4, 20), (1e-5, 25), (1e-6, 35), (1e-7, 100))
    with pytest.raises(ScheduleError, match="it ends at step 20, and step 25 is past before it"):
        schedules.parse("1e-4:25, 1e-5:2 epochs", 100, steps_per_epoch=10)
    # A number of steps may say so, as every other length.
    assert schedules.parse("1e-4:20 steps, 1e-5:25ステップ, 1e-6", 100).pieces == ((1e-4, 20), (1e-5, 25), (1e-6, 100))
    # Another dataset has longer epochs, so it is no mistake by itself.
    assert schedules.rates("1e-4:25, 1e-5:2 epochs") == [1e-4, 1e-5]
    for text in ("", "1e-4:x epochs", "1e-4:-1 epochs", "fast:2 epochs"):
        with pytest.raises(ScheduleError):
            schedules.rates(text)


@pytest.mark.parametrize(
    "text", ["", ",", "1e-4:x", "nan", "-1e-4", "1e-4:5:6", "1e-4:2.5", "1e-4:0", "1e-4:1.000", "1e-4:50%"]
)
def test_texts_that_are_no_schedule_are_refused(text):
    with pytest.raises(ScheduleError):
        schedules.parse(text, 100)


@pytest.mark.parametrize(
    "text",
    ["0,005", "0,00004:2000,0,000004:4000", "４，０e-5", "0,5e-4", "1e-3:5,0,1:-1"],
)
def test_a_decimal_comma_is_told(text):
    with pytest.raises(ScheduleError, match=r"write a point for the comma in .*, as in \d+\.\d"):
        schedules.parse(text, 100)


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("1e-5:1,000", "1000"),
        ("1e-5：２，０００", "2000"),
        ("4e-5:1,500, 4e-6:3,000", "1500"),
        ("4e-5:1500, 4e-6:30,000", "30000"),
        ("1e-5:1٬000", "1000"),
    ],
)
def test_thousands_in_a_step_are_told_and_are_no_rate_of_zero(text, whole):
    with pytest.raises(ScheduleError, match=f"leave out the comma in .*, as in {whole}"):
        schedules.parse(text, 100)


@pytest.mark.parametrize("text", ["-1e-4", "1e-4:10, -1e-4", "−５e-5：１００"])
def test_a_rate_below_zero_is_refused_by_name(text):
    with pytest.raises(ScheduleError, match=r"^-\de-\d in .* is no learning rate; "):
        schedules.parse(text, 100)


def test_a_schedule_without_an_end_is_none():
    with pytest.raises(ScheduleError, match="more than 1000 rates"):
        schedules.parse(",".join(f"1e-5:{step}" for step in range(1, 1002)), 5000)


@pytest.mark.parametrize("text", ["1e-5:100,5e-6:200", "1e-5:100,0.001", "1e-5:100,0", "0.5:100, 100", "1:500,100:600"])
def test_what_follows_an_end_may_be_the_next_rate(text):
    assert len(schedules.parse(text, 1000).pieces) == 2


@pytest.mark.parametrize(
    "text",
    ["4e-5:10;4e-6:20", "4e-5:10；4e-6:20", "4e-5:10\n4e-6:20", "4e-5:10,\n4e-6:20,\n", "\ufeff4e-5:1e1, 4e-6:20.0"],
)
def test_other_separators_are_read(text):
    assert schedules.parse(text, 100).pieces == ((4e-5, 10), (4e-6, 20))


@pytest.mark.parametrize(
    ("text", "piece"),
    [
        ("0.005;100", "100"),
        ("5;100", "100"),
        ("1e-4,1e-5", "1e-5"),
        ("1e-4:-1,1e-5:10", "1e-5:10"),
        ("1e-4:20, 1e-5:10, 1e-6", "1e-5:10"),
        ("1e-4:20,1e-5:20", "1e-5:20"),
        ("1e-4:0,1e-5:20", "1e-4:0"),
        ("1e-4:5,1e-5:-7", "1e-5:-7"),
        ("1e-4:2000,1e-5:4000,1e-6:3000", "1e-6:3000"),
    ],
)
@pytest.mark.parametrize("steps", [1, 10, 100_000])
def test_a_piece_that_no_run_reaches_is_refused_by_name(text, piece, steps):
    with pytest.raises(ScheduleError, match=f"^{piece} in '{text}' is never reached, as "):
        schedules.parse(text, steps)


def test_pieces_behind_the_end_of_the_run_are_left_out():
    assert schedules.parse("1e-4:10,1e-5:20,1e-6:30,1e-7", 15).pieces == ((1e-4, 10), (1e-5, 15))


@pytest.mark.parametrize(
    "text",
    ["４ｅ－０５：１０，４ｅ－０６：２０", "4e\u22125:10、4e\u22126:20", "０．００００４：10，0.000004　：　２０"],
)
def test_full_width_texts_are_read(text):
    assert schedules.parse(text, 100).pieces == ((4e-5, 10), (4e-6, 20))


def test_minus_one_means_to_the_end_of_the_run():
    schedule = schedules.parse("1e-4:10, 1e-5:-1", 30)
    assert (schedule.rate(9), schedule.rate(10), schedule.end_step) == (1e-4, 1e-5, 30)


def test_a_schedule_that_ends_early_says_so():
    assert schedules.parse("1e-4:10", 30).end_step == 10


# The original calls its scheduler with the step, so its cycles grow with their warm-up, as those of SGDR do. The golden
# cases have a multiplier of 1; these are worked out by hand from `int(cycle * multiplier**n)`.
@pytest.mark.parametrize(
    ("cycle", "multiplier", "warmup", "ends"),
    [
        (16, 1.5, 4, [15, 39, 75, 129]),
        (20, 2, 1, [19, 59, 139]),
        (10, 1.25, 0, [9, 21, 36, 55, 79, 109, 147]),  # 10, 12.5, 15.625, 19.53, 24.41, 30.52, 38.15 rounded down
        (40, 0.5, 4, [39, 59, 69, 74, 79, 84]),  # and 5 from there on: a cycle keeps a step after its warm-up
    ],
)
def test_cycles_grow_with_their_warmup(cycle, multiplier, warmup, ends):
    schedule = schedules.CosineRestarts(cycle, multiplier, max_rate=1.0, min_rate=0.1, warmup=warmup, decay=0.9)
    assert [step for step in range(ends[-1] + 1) if schedule.is_end_of_cycle(step)] == ends
    for number, end in enumerate(ends):
        start, length = (ends[number - 1] + 1 if number else 0), end + 1 - (ends[number - 1] + 1 if number else 0)
        peak = 0.9**number
        if warmup:
            assert schedule.rate(start) == 0.1
        assert schedule.rate(start + warmup) == pytest.approx(peak)
        share = (length - 1 - warmup) / (length - warmup)
        assert schedule.rate(end) == pytest.approx(0.1 + (peak - 0.1) * (1 + math.cos(math.pi * share)) / 2)


@pytest.mark.parametrize("multiplier", [0.7, 1, 1.0001, 1.7])
def test_a_rate_does_not_depend_on_the_order_in_which_steps_are_asked_for(multiplier):
    forwards, backwards = (schedules.CosineRestarts(30, multiplier, max_rate=1.0, warmup=3) for _ in range(2))
    steps = [*range(0, 500, 7), 100_000]
    assert [forwards.rate(step) for step in steps] == [backwards.rate(step) for step in reversed(steps)][::-1]


NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"cycle": 0}, "cycle"),
        ({"cycle": INF}, "cycle"),
        ({"cycle": 5, "warmup": 5}, "warmup"),
        ({"cycle": 5, "warmup": 6}, "warmup"),
        ({"cycle": 5, "warmup": -1}, "warmup"),
        ({"cycle": 5, "min_rate": 1.0}, "min_rate"),
        ({"cycle": 5, "min_rate": NAN}, "min_rate"),
        ({"cycle": 5, "min_rate": -1e-5}, "min_rate"),
        ({"cycle": 5, "max_rate": NAN}, "max_rate"),
        ({"cycle": 5, "max_rate": INF}, "max_rate"),
        ({"cycle": 5, "decay": NAN}, "decay"),
        ({"cycle": 5, "decay": -INF}, "decay"),
        ({"cycle": 5, "decay": 1e300}, "decay"),
        ({"cycle": 5, "multiplier": 0.1}, "multiplier"),
        ({"cycle": 5, "multiplier": 0.8, "warmup": 4}, "multiplier"),
        ({"cycle": 5, "multiplier": NAN}, "multiplier"),
        ({"cycle": 5, "multiplier": INF}, "multiplier"),
        ({"cycle": 5, "multiplier": 1e308}, "multiplier"),
    ],
)
def test_impossible_cycles_are_refused_by_name(wrong, field):
    with pytest.raises(ScheduleError, match=f"^{field} ") as caught:
        schedules.CosineRestarts(**wrong)
    assert caught.value.field == field


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"max_rate": NAN}, "max_rate"),
        ({"min_rate": INF}, "min_rate"),
        ({"power": NAN}, "power"),
        ({"warmup": 100}, "warmup"),
        ({"min_rate": 1.0}, "min_rate"),
    ],
)
def test_impossible_curves_are_refused_by_name(wrong, field):
    good = {"kind": "cosine", "max_rate": 1e-3, "min_rate": 0.0, "warmup": 10, "steps": 100}
    with pytest.raises(ScheduleError, match=f"^{field} "):
        WarmupSchedule(**good | wrong)


def test_pieces_without_a_number_are_refused():
    with pytest.raises(ScheduleError, match=r"^rate must be a finite number"):
        schedules.StepSchedule(((1e-4, 10), (NAN, 20)))


def test_schedules_are_found_where_the_documented_import_looks_for_them():
    from hypernetwork_workbench.hypernetworks import train

    assert train.schedules is schedules
    assert "schedules" in train.__all__


def test_warm_up_and_lowest_rate_go_with_every_curve_and_the_power_with_one():
    for name in ("constant", "linear", "cosine", "polynomial", "cosine restarts"):
        assert {"warmup", "min_rate"} <= SCHEDULES[name].options.keys()
        assert "warmup" in SCHEDULES[name].lengths
        assert SCHEDULES[name].shapes_one_rate
    assert [name for name, kind in SCHEDULES.items() if "power" in kind.options] == ["polynomial"]
    assert (SCHEDULES["steps"].options, SCHEDULES["steps"].shapes_one_rate) == ({}, False)


def curve(kind, **changes):
    return WarmupSchedule(**{"kind": kind, "max_rate": 1.0, "min_rate": 0.2, "warmup": 2, "steps": 10} | changes)


@pytest.mark.parametrize(
    ("kind", "changes", "shares"),
    [
        # From step 2 on eight steps remain; step 6 is half-way.
        ("constant", {}, {0: 0, 1: 0.5, 2: 1, 6: 1, 9: 1}),
        ("linear", {}, {0: 0, 1: 0.5, 2: 1, 6: 0.5, 9: 1 / 8}),
        ("cosine", {}, {0: 0, 1: 0.5, 2: 1, 6: 0.5, 8: (1 - math.sqrt(0.5)) / 2}),
        ("polynomial", {"power": 2.0}, {0: 0, 1: 0.5, 2: 1, 6: 0.25, 9: 1 / 64}),
        ("polynomial", {}, {2: 1, 6: 0.5, 9: 1 / 8}),
    ],
)
def test_curves_by_hand(kind, changes, shares):
    """The rate is the lowest one and the share of what is between that and the highest."""
    made = curve(kind, **changes)
    assert {step: made.rate(step) for step in shares} == pytest.approx(
        {step: 0.2 + 0.8 * share for step, share in shares.items()}
    )
    assert [step for step in range(20) if made.is_end_of_cycle(step)] == [9]
    assert made.end_step is None
