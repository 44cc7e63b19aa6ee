"""The rates that optimizers set by themselves: computed by hand, and told by log, chart, state and form."""

from __future__ import annotations

import math

import pytest
import torch
from hypernetwork_workbench.hypernetworks.jobs.train_entry import planned_rates
from hypernetwork_workbench.hypernetworks.train.offload import OptimizerOnCpu
from hypernetwork_workbench.hypernetworks.train.optim import optimizers
from hypernetwork_workbench.hypernetworks.train.optim.own_rates import effective_rate
from hypernetwork_workbench.hypernetworks.train.plan import make_plan
from hypernetwork_workbench.hypernetworks.train.rate_finder import find_rate
from hypernetwork_workbench.hypernetworks.train.run import train

from tests.support.fake_ports import fake_ports
from tests.support.runs import make_job, read_log

RELATIVE = {"optimizer__name": "AdaFactor", "optimizer__arguments": "relative_step=True", "output__sheet": False}
PRODIGY = {"optimizer__name": "Prodigy", "schedule__rate": "0.5", "output__sheet": False}


def stepped(name, arguments, steps=4, on_cpu=False):
    weights = [torch.nn.Parameter(torch.full((2, 3), 0.5)), torch.nn.Parameter(torch.zeros(3))]

    def build(parameters):
        return optimizers.build(parameters, name, arguments)

    optimizer = OptimizerOnCpu(weights, build) if on_cpu else build(weights)
    for number in range(steps):
        for weight in weights:
            weight.grad = torch.full_like(weight, 0.1 * (1 + number))
        optimizer.param_groups[0]["lr"] = 0.5
        optimizer.step()
    return optimizer


def test_one_that_takes_the_rate_has_none_of_its_own():
    assert effective_rate(stepped("AdamW", "")) is None
    assert effective_rate(stepped("AdaFactor", "")) is None


@pytest.mark.parametrize("on_cpu", [False, True])
@pytest.mark.parametrize("name", ["Prodigy", "DAdaptAdam", "DAdaptSGD"])
def test_a_found_rate_is_its_multiple_of_the_learning_rate(name, on_cpu):
    optimizer = stepped(name, "d0=0.001", on_cpu=on_cpu)
    inside = getattr(optimizer, "inside", optimizer)
    assert effective_rate(optimizer) == pytest.approx(0.5 * float(inside.param_groups[0]["d"]))
    assert effective_rate(optimizer) > 0


@pytest.mark.parametrize("name", ["AdaFactor", "transformers.optimization.Adafactor"])
def test_relative_steps_are_those_of_the_paper(name):
    assert effective_rate(stepped(name, "relative_step=True", 0)) is None
    assert effective_rate(stepped(name, "relative_step=True", 4)) == 1e-2
    warm = "relative_step=True, warmup_init=True"
    assert effective_rate(stepped(name, warm, 4)) == pytest.approx(4e-6)
    optimizer = stepped(name, "relative_step=True, scale_parameter=True", 4)
    sizes = [max(1e-3, w.square().mean().sqrt().item()) for w in optimizer.param_groups[0]["params"]]
    assert effective_rate(optimizer) == pytest.approx(1e-2 * sum(sizes) / 2)


def test_relative_steps_shrink_with_the_square_root_of_their_number():
    optimizer = stepped("AdaFactor", "relative_step=True", 1)
    optimizer.param_groups[0]["step"] = 40_000
    assert effective_rate(optimizer) == pytest.approx(1 / 200)


def test_log_chart_and_text_tell_the_rate_that_was_found(pictures, tmp_path):
    ports = fake_ports(tmp_path)
    result = train(make_job(pictures, **PRODIGY), ports)
    rows = read_log(result.log)
    found = [float(row["effective_rate"]) for row in rows]
    assert all(row["rate"] == "0.5" for row in rows)
    assert all(0 < one < 0.5 for one in found)
    assert found == sorted(found)
    assert found[0] < found[-1]
    assert "effective rate" in str(result.chart)
    assert f"effective rate {found[-1]:.3g}" in ports.progress.texts[-1]
    plain = train(make_job(pictures, output__sheet=False), fake_ports(tmp_path / "plain"))
    assert {row["effective_rate"] for row in read_log(plain.log)} == {""}
    assert "effective rate" not in str(plain.chart)


def test_a_continued_run_goes_on_with_the_rate_that_was_found(pictures, tmp_path):
    whole = read_log(train(make_job(pictures, **PRODIGY), fake_ports(tmp_path / "a")).log)
    ports = fake_ports(tmp_path / "b")
    train(make_job(pictures, **PRODIGY, train__max_steps=6), ports)
    result = train(make_job(pictures, **PRODIGY), ports, resume=True)
    assert [row["effective_rate"] for row in read_log(result.log)] == [row["effective_rate"] for row in whole]
    assert "effective rate" in str(result.chart)


def test_a_log_of_before_there_was_the_column_is_gone_on_with(pictures, tmp_path):
    ports = fake_ports(tmp_path)
    first = train(make_job(pictures, **PRODIGY, train__max_steps=6), ports)
    old = [line.rpartition(",")[0] for line in first.log.read_text(encoding="utf-8").splitlines()]
    first.log.write_text("\n".join(old) + "\n", encoding="utf-8")
    rows = read_log(train(make_job(pictures, **PRODIGY), ports, resume=True).log)
    assert [int(row["step"]) for row in rows] == list(range(1, 13))
    assert [row["effective_rate"] != "" for row in rows] == [False] * 6 + [True] * 6
    assert all(float(row["seconds"]) >= 0 for row in rows)


def test_a_rate_that_is_not_used_is_told_in_the_plan_the_log_and_the_form(pictures, tmp_path):
    job = make_job(pictures, **RELATIVE)
    told = "The learning rate is not used: AdaFactor with relative_step sets its own."
    lines = make_plan(job, fake_ports(tmp_path)).lines()
    assert told in lines
    assert not any("starts at" in line or "Find a rate" in line for line in lines)
    assert told in train(job, fake_ports(tmp_path / "run")).notes
    planned = planned_rates(job.to_mapping())
    assert (planned.line(), str(planned.chart())) == (told, "")
    used = planned_rates(make_job(pictures).to_mapping())
    assert "learning rate 0.01" in used.line()
    assert "svg" in str(used.chart())
    assert "does not use the learning rate" in find_rate(job, fake_ports(tmp_path / "find")).choice.doubt


def test_the_log_has_the_rate_of_relative_steps(pictures, tmp_path):
    rows = read_log(train(make_job(pictures, **RELATIVE, train__max_steps=3), fake_ports(tmp_path)).log)
    assert [float(row["effective_rate"]) for row in rows] == [1e-2] * 3
    assert math.isclose(float(rows[0]["rate"]), 0.01)
