"""Learning-rate schedules against the golden cases."""

import json
from pathlib import Path

import pytest
from hypernetwork_workbench.hypernetworks.base.errors import ScheduleError
from hypernetwork_workbench.hypernetworks.train.optim import schedules

GOLDEN = Path(__file__).parents[2] / "golden"


@pytest.mark.parametrize("case", json.loads((GOLDEN / "cosine.json").read_text()), ids=lambda c: f"cycle{c['cycle']}")
def test_cosine_restarts_match_the_original(case):
    schedule = schedules.CosineRestarts(
        cycle=case["cycle"], multiplier=case["mult"], max_rate=case["max_lr"], min_rate=case["min_lr"],
        warmup=case["warmup"], decay=case["decay"],
    )  # fmt: skip
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


@pytest.mark.parametrize("text", ["", ",", "1e-4:x", "nan", "-1e-4", "1e-4:5:6", "1e-4:2.5", "1e-4:0"])
def test_texts_that_are_no_schedule_are_refused(text):
    with pytest.raises(ScheduleError):
        schedules.parse(text, 100)


def test_minus_one_means_to_the_end_of_the_run():
    schedule = schedules.parse("1e-4:10, 1e-5:-1", 30)
    assert (schedule.rate(9), schedule.rate(10), schedule.end_step) == (1e-4, 1e-5, 30)


def test_a_schedule_that_ends_early_says_so():
    assert schedules.parse("1e-4:10", 30).end_step == 10


def test_growing_cycles_keep_their_warmup():
    schedule = schedules.CosineRestarts(cycle=10, multiplier=2.0, max_rate=1.0, min_rate=0.0, warmup=2)
    ends = [step for step in range(60) if schedule.is_end_of_cycle(step)]
    assert ends == [9, 27]  # 2 + 8 steps, then 2 + 16, then 2 + 32
    assert schedule.rate(10) == 0.0
    assert schedule.rate(12) == 1.0


@pytest.mark.parametrize(
    "wrong", [{"cycle": 0}, {"cycle": 5, "warmup": 5}, {"cycle": 5, "min_rate": 1.0}, {"cycle": 5, "multiplier": 0.1}]
)
def test_impossible_cycles_are_refused(wrong):
    with pytest.raises(ScheduleError):
        schedules.CosineRestarts(**wrong)
