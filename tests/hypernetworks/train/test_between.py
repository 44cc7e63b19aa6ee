"""What is asked for between two steps is done there, and the run goes on as if nothing had been."""

from __future__ import annotations

import csv
import re
from dataclasses import replace

import pytest
import torch
from hypernetwork_workbench.hypernetworks import files
from hypernetwork_workbench.hypernetworks.base.errors import TrainingError
from hypernetwork_workbench.hypernetworks.train.run import train
from hypernetwork_workbench.hypernetworks.train.tracking.monitor import span_of
from PIL import Image

from tests.support.fake_ports import fake_ports
from tests.support.runs import make_job, same, weights

AT = 5


class Asking:
    """A desk at which something is asked for at one step."""

    def __init__(self, act):
        self.act = act
        self.reports = 0
        self.answers = []
        self.expected = []

    def is_wanted(self):
        self.reports += 1
        return self.reports == AT

    def expect(self, seconds):
        self.expected.append(seconds)

    def serve(self, run):
        self.answers.append(self.act(run))


def run_with(act, pictures, folder, **changes):
    ports = fake_ports(folder)
    desk = Asking(act)
    job = make_job(pictures, output__sheet=False, **changes)
    return train(job, replace(ports, desk=desk)), desk, ports


def losses(result):
    with result.log.open(encoding="utf-8", newline="") as file:
        return [(row["step"], row["loss"], row["gradient_norm"]) for row in csv.DictReader(file)]


@pytest.fixture
def alone(pictures, tmp_path):
    return train(make_job(pictures, output__sheet=False), fake_ports(tmp_path / "alone"))


def lend(run):
    with run.aside():
        torch.manual_seed(99)
        torch.randn(5)


ACTS = {"save": lambda run: run.save(), "preview": lambda run: run.preview("a cat"), "aside": lend}


@pytest.mark.parametrize("act", ACTS.values(), ids=ACTS)
def test_the_steps_are_the_same_as_without_it(act, pictures, tmp_path, alone):
    result, desk, _ = run_with(act, pictures, tmp_path / "asked")
    assert len(desk.answers) == 1
    assert losses(result) == losses(alone)
    assert same(weights(result.network), weights(alone.network))


def test_a_copy_is_that_of_the_step_and_can_be_continued(pictures, tmp_path, alone):
    result, desk, ports = run_with(lambda run: run.save(), pictures, tmp_path)
    (path,) = desk.answers
    assert path.name == f"fake-{AT:06d}.pt"
    assert files.load(path).metadata.step == AT
    result.network.unlink()
    result.network.with_name(result.network.name + ".state").unlink()
    rest = train(make_job(pictures, output__sheet=False), ports, resume=True)
    assert rest.steps_now == 12 - AT
    assert same(weights(rest.network), weights(alone.network))


def test_a_preview_has_the_prompt_of_the_moment_and_is_no_part_of_the_strip(pictures, tmp_path):
    result, desk, ports = run_with(lambda run: [run.preview("a cat"), run.preview("")], pictures, tmp_path)
    first, second = desk.answers[0]
    assert [first.name, second.name] == [f"now-{AT:06d}.png", f"now-{AT:06d}-2.png"]
    with Image.open(first) as picture:
        assert picture.size == (32, 32)
    prompts = [request.prompt for request in ports.previewer.requests]
    assert prompts[0] == "a cat"
    assert prompts[1].startswith("picture")
    assert result.previews == ()
    assert len(ports.progress.pictures) == 2


def test_the_preview_of_a_run_that_ends_is_refused(pictures, tmp_path):
    raised = []

    def ask(run):
        ports.progress._stop_after = 1
        with pytest.raises(TrainingError, match="interrupted") as caught:
            run.preview("a cat")
        raised.append(caught)

    ports = fake_ports(tmp_path)
    train(make_job(pictures, output__sheet=False), replace(ports, desk=Asking(ask)))
    assert raised
    assert not list(tmp_path.rglob("now-*.png"))


def test_while_it_stands_aside_the_model_is_nobodys(pictures, tmp_path):
    seen = []

    def look(run):
        seen.append(ports.denoiser.network is not None)
        with run.aside():
            seen.append(ports.denoiser.network is not None)
        seen.append(ports.denoiser.network is not None)

    ports = fake_ports(tmp_path)
    train(make_job(pictures, output__sheet=False), replace(ports, desk=Asking(look)))
    assert seen == [True, False, True]


def test_the_time_away_is_no_time_of_the_run(pictures, tmp_path, monkeypatch):
    from hypernetwork_workbench.hypernetworks.train import between

    now = [0.0]
    monkeypatch.setattr(between.time, "monotonic", lambda real=between.time.monotonic: real() + now[0])

    def sleep(run):
        with run.aside():
            now[0] += 1000.0

    result, desk, ports = run_with(sleep, pictures, tmp_path)
    assert result.seconds < 500
    assert max(one for one in desk.expected if one is not None) < 100
    assert not [text for text in ports.progress.texts if " h " in text or re.search(r"\d+ min .* left", text)]


def test_the_desk_knows_the_time_that_the_text_tells(pictures, tmp_path):
    _, desk, ports = run_with(lambda run: None, pictures, tmp_path)
    texts = [text for text in ports.progress.texts if text.startswith("step")]
    assert desk.expected[0] is None
    assert "left" not in texts[0]
    for seconds, text in zip(desk.expected[1:], texts[1:], strict=True):
        assert f"{round(seconds)} s left" in text


def test_an_error_in_a_lent_model_ends_the_run_with_the_model_given_back(pictures, tmp_path):
    def fail(run):
        with run.aside():
            raise ZeroDivisionError("x")

    ports = fake_ports(tmp_path)
    with pytest.raises(ZeroDivisionError):
        train(make_job(pictures, output__sheet=False), replace(ports, desk=Asking(fail)))
    assert ports.denoiser.network is None


@pytest.mark.parametrize("steps", [1, 12, 40, 600])
def test_the_loss_told_is_that_of_the_chart(steps, monkeypatch, pictures, tmp_path):
    from hypernetwork_workbench.hypernetworks.train.tracking import monitor

    drawn = []
    whole = monitor.draw_chart
    monkeypatch.setattr(
        monitor, "draw_chart", lambda curves, *rest: drawn.append(curves[0].points) or whole(curves, *rest)
    )
    job = make_job(pictures, output__sheet=False, train__max_steps=steps, preview__every="0")
    result = train(job, fake_ports(tmp_path))
    first, last = drawn[-1][0], drawn[-1][-1]
    assert first == (span_of(steps), result.loss_first) or steps == 1
    assert last == (steps, result.loss_last)
    assert [step for step, _ in drawn[-1]] == sorted({step for step, _ in drawn[-1]})
    rows = [float(loss) for _, loss, _ in losses(result)]
    assert result.loss_first == pytest.approx(sum(rows[: span_of(steps)]) / span_of(steps))
    assert result.loss_last == pytest.approx(sum(rows[-span_of(steps) :]) / span_of(steps))


def test_continue_tells_its_own_steps_and_all(pictures, tmp_path):
    ports = fake_ports(tmp_path)
    begun = make_job(pictures, output__sheet=False)
    assert (train(begun, ports).steps_now) == 12
    more = make_job(pictures, output__sheet=False, train__max_steps=20)
    again = train(more, ports, resume=True)
    assert (again.steps_now, again.steps, again.steps_in_all) == (8, 20, 20)
    onto = make_job(pictures, output__sheet=False, output__name="onto", network__file=str(again.network))
    upon = train(onto, ports)
    assert (upon.steps_now, upon.steps, upon.steps_in_all) == (12, 12, 32)


def test_the_chart_has_a_line_from_the_second_step_on(pictures, tmp_path):
    ports = fake_ports(tmp_path, stop_after=3)
    result = train(make_job(pictures, output__sheet=False, train__max_steps=600), ports)
    points = re.findall(r'<polyline points="([^"]*)"', result.chart)
    assert len(points[0].split()) == 3
