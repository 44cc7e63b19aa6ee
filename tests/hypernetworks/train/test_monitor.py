"""The display of a run on numbers that were worked out by hand: means, speed, time left, curves and what is kept."""

import math
from types import SimpleNamespace

import pytest
from hypernetwork_workbench.hypernetworks.base.forms import UnfitError
from hypernetwork_workbench.hypernetworks.train.tracking import monitor
from hypernetwork_workbench.hypernetworks.train.tracking.metrics import StepRecord
from hypernetwork_workbench.hypernetworks.train.tracking.monitor import Monitor, clock, span_of

from tests.support.fake_ports import FakeProgress


@pytest.fixture
def now(monkeypatch):
    """Return the present moment of the display's clock, which the tests set."""
    moment = SimpleNamespace(s=1000.0)
    monkeypatch.setattr(monitor.time, "monotonic", lambda: moment.s)
    return moment


def made(total=100, progress=None, validation=None):
    memory = SimpleNamespace(peak_mb=lambda: 1536.0)
    return Monitor(progress or FakeProgress(), total, memory, validation)


def record(step, loss=1.0, **changes):
    return StepRecord(
        **{"step": step, "epoch": 1, "loss": loss, "rate": 0.001, "pictures": 2, "gradient_norm": 1.0} | changes
    )


def curves(display, monkeypatch):
    drawn = []
    monkeypatch.setattr(monitor, "draw_chart", lambda *what: drawn.append(what) or "chart")
    assert display.chart() == "chart"
    return drawn[0]


@pytest.mark.parametrize(("total", "span"), [(1, 1), (19, 1), (20, 2), (499, 49), (500, 50), (10_000, 50)])
def test_a_loss_stands_for_a_tenth_of_the_run_and_for_fifty_steps_at_most(total, span):
    assert span_of(total) == span


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.4, "0 s"),
        (59.4, "59 s"),
        (59.6, "1 min 0 s"),
        (3599, "59 min 59 s"),
        (3600, "1 h 0 min"),
        (7385, "2 h 3 min"),
    ],
)
def test_a_duration_is_told_in_its_two_largest_units(seconds, text):
    assert clock(seconds) == text


def test_the_line_of_a_step_tells_means_speed_and_what_is_left(now):
    display = made(validation=SimpleNamespace(latest=None))
    for step, moment in ((1, 10), (2, 11), (3, 13)):
        now.s = moment
        display.after_step(record(step, step / 10))
        if step == 1:
            assert display.seconds_left is None
    # Two steps of two pictures took three seconds, so that 97 more take 145.5.
    assert display.seconds_left == 145.5
    speed = "0.667 steps/s, 1.33 pictures/s, 2 min 26 s left"
    means = "step 3 of 100, epoch 1, loss 0.2000, rate 0.001"
    assert display._progress.texts[-1] == f"{means}, {speed}, peak memory 1.50 GB"
    assert display._progress.texts[0] == "step 1 of 100, epoch 1, loss 0.1000, rate 0.001, peak memory 1.50 GB"


def test_the_validation_loss_stands_in_the_line_from_its_first_measurement_on(now, monkeypatch):
    validation = SimpleNamespace(latest=None)
    display = made(validation=validation)
    display.after_step(record(1))
    validation.latest = (2, 0.25)
    display.after_step(record(2))
    display.after_step(record(3))
    assert ["validation 0.2500" in text for text in display._progress.texts] == [False, True, True]
    (_, measured), _, _ = curves(display, monkeypatch)
    assert measured.points == [(2, 0.25)]


def test_the_speed_is_that_of_the_last_twenty_steps_and_of_no_time_away(now):
    display = made(1000)
    for step in range(1, 31):
        now.s += 10 if step <= 11 else 0.5
        display.after_step(record(step))
    assert display.seconds_left == pytest.approx(0.5 * 970)
    now.s += 60
    display.was_away(60)
    now.s += 0.5
    display.after_step(record(31))
    assert display.seconds_left == pytest.approx(0.5 * 969)
    for _ in range(20):
        display.after_step(record(32))
    assert math.isfinite(display.seconds_left)  # also where a clock stands still


def test_a_step_that_was_left_out_counts_for_the_rate_and_the_time_alone(now, monkeypatch):
    display = made()
    display.after_step(record(1, math.nan, rate=0.5, skipped=True))
    assert (display.taken, math.isnan(display.mean_loss(last=True))) == (0, True)
    assert "loss" not in display._progress.texts[0]
    display.after_step(record(2, 3.0))
    display.after_step(record(3, math.nan, skipped=True))
    assert (display.taken, display.mean_loss(last=False), display.mean_loss(last=True)) == (1, 3.0, 3.0)
    (loss, _), rate, total = curves(display, monkeypatch)
    assert (loss.points, [step for step, _ in rate.points], total) == ([(2, 3.0)], [1, 2, 3], 100)


@pytest.mark.parametrize(
    ("steps", "points"),
    [
        (1, [(1, 1)]),
        (3, [(1, 1), (2, 1.5), (3, 2)]),
        (4, [(4, 2.5)]),
        (10, [(4, 2.5), (5, 3.5), (6, 4.5), (7, 5.5), (8, 6.5), (9, 7.5), (10, 8.5)]),
    ],
)
def test_the_loss_begins_and_ends_with_the_means_of_the_first_and_the_last_tenth(now, steps, points, monkeypatch):
    display = made(total=40)
    for step in range(1, steps + 1):
        display.after_step(record(step, float(step)))
    (loss, _), _, _ = curves(display, monkeypatch)
    assert loss.points == points
    assert (display.mean_loss(last=False), display.mean_loss(last=True)) == (
        points[0][1] if steps > 3 else (steps + 1) / 2,
        points[-1][1],
    )


def test_the_curves_are_drawn_once_a_second_and_at_the_end(now):
    display = made(total=7)
    for step, moment in enumerate((10, 10.5, 11, 11.9, 12, 12.1, 12.2), start=1):
        now.s = moment
        display.after_step(record(step))
    assert len(display._progress.charts) == 4  # at 10, 11 and 12 seconds, and at step 7


def test_a_run_ends_where_the_host_is_interrupted(now):
    display = made(progress=FakeProgress(stop_after=2))
    assert [display.after_step(record(step)) for step in (1, 2)] == [False, True]


def test_a_curve_is_thinned_out_to_every_second_point_where_it_has_more_than_240():
    history = monitor._History()
    for step in range(1, 241):
        history.add(step, float(step))
    assert [step for step, _ in history.points] == [*range(1, 241)]
    history.add(241, 241.0)
    assert [step for step, _ in history.points] == [*range(1, 242, 2)]
    for step in (242, 243, 244):
        history.add(step, 0.0)
    assert [step for step, _ in history.points] == [*range(1, 244, 2)]
    again = monitor._History()
    again.restore(history.state())
    again.add(244, 0.0)
    assert again.points == history.points


def test_what_is_kept_continues_the_display_and_has_its_form(now, monkeypatch):
    display = made(total=40)
    for step in range(1, 11):
        display.after_step(record(step, float(step)))
    kept = monitor.FORM.take(display.state())
    assert (kept["taken"], kept["first"], kept["last"], kept["smoothed"]) == (10, [*range(1, 11)], [*range(1, 11)], 8.5)
    again = made(total=40)
    again.restore(kept)
    again.after_step(record(11, 11.0))
    display.after_step(record(11, 11.0))
    assert again.taken == 11
    assert again.state() == display.state()
    assert curves(again, monkeypatch) == curves(display, monkeypatch)


def test_only_fifty_losses_are_kept_of_each_end(now):
    display = made(total=1000)
    for step in range(1, 53):
        display.after_step(record(step, float(step)))
    kept = monitor.FORM.take(display.state())
    assert (kept["first"], kept["last"]) == ([*range(1, 51)], [*range(3, 53)])


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"first": [1.0]}, r"monitor\.first has 1 losses of 2 steps"),
        ({"last": []}, r"monitor\.last has 0 losses of 2 steps"),
        ({"smoothed": None}, r"monitor\.smoothed does not fit 2 steps"),
        ({"taken": 0, "first": [], "last": []}, r"monitor\.smoothed does not fit 0 steps"),
        ({"first": [1.0, 4e38]}, "first"),
    ],
)
def test_a_history_that_does_not_fit_its_steps_is_refused(change, reason, now):
    display = made()
    for step in (1, 2):
        display.after_step(record(step))
    with pytest.raises(UnfitError, match=reason):
        monitor.FORM.take({**display.state(), **change}, "monitor")
