"""Rates of words that are trained: found, shown in plan and log; and the optimizer of a network beside them."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
import torch
from hypernetwork_workbench.hypernetworks import files as hypernetwork_files
from hypernetwork_workbench.hypernetworks.network.hypernetwork import Hypernetwork, Structure
from hypernetwork_workbench.hypernetworks.train import trainer
from hypernetwork_workbench.hypernetworks.train.plan import make_plan
from hypernetwork_workbench.hypernetworks.train.rate_finder import find_rate
from hypernetwork_workbench.hypernetworks.train.rate_search import Horizons
from hypernetwork_workbench.hypernetworks.train.run import train
from hypernetwork_workbench.hypernetworks.train.settings.job import Job
from hypernetwork_workbench.hypernetworks.train.state import make_state

from tests.support.fake_ports import TEXT_WIDTH, FakeProgress
from tests.support.fake_words import ALONE, BOTH, word_ports
from tests.support.runs import make_job, read_log


@pytest.mark.parametrize(
    ("changes", "settings"),
    [
        (ALONE, ["schedule.rate"]),
        (ALONE | {"embedding__rate": "0.01:30, 0.001"}, ["embedding.rate"]),
        (BOTH, ["schedule.rate"]),
        (BOTH | {"embedding__rate": "1e-3"}, ["schedule.rate", "embedding.rate"]),
    ],
    ids=["alone", "alone with its own rate", "one rate for both", "each its own"],
)
def test_a_rate_is_found_for_each_that_is_trained(pictures, tmp_path, changes, settings):
    job = make_job(pictures, **changes, train__max_steps=60, output__sheet=False)
    ports = word_ports(tmp_path)
    most = Horizons.of(60).most_steps * len(settings)
    assert f"Find a rate would take at most {most} steps for this run." in make_plan(job, ports).lines()
    found = find_rate(job, ports)
    each = [found, found.of_words] if found.of_words else [found]
    assert [one.setting for one in each] == list(found.entries) == settings
    said = found.lines()
    for one in each:
        label = "Learning rate" if one.setting == "schedule.rate" else "Embedding learning rate"
        assert any(line.startswith(f"{one.choice.rate:.2g} as “{label}” suits this run of 60 steps") for line in said)
        assert one.choice.low <= one.choice.rate <= one.choice.high
        learnt = [trial.loss for trial in one.trials if trial.losses is not None]
        assert min(learnt) < one.loss == found.loss
    assert found.chart().count('class="hnw-chart"') == len(settings)
    labels = ["Learning rate", "Embedding learning rate"] if found.of_words else []
    assert re.findall(r"<p class='hnw-note'>(.+?)</p>\s*<svg", found.chart()) == labels
    assert ("Each was tried while the other rested." in said) == (len(settings) > 1)
    if "embedding__rate" in changes and ":" in changes["embedding__rate"]:
        assert ":30," in found.text
    assert not list((tmp_path / "embeddings").glob("*"))
    assert ports.words.words == {}
    tables = job.to_mapping()
    for setting, text in found.entries.items():
        section, _, key = setting.partition(".")
        tables[section][key] = text
    result = train(Job.from_mapping(tables), word_ports(tmp_path / "run"))
    assert result.loss_last < result.loss_first


def test_the_rate_of_words_alone_is_theirs_in_plan_and_log(pictures, tmp_path):
    job = make_job(pictures, **ALONE, embedding__rate="0.02:8, 0.001:10", output__overwrite=True)
    lines = make_plan(job, word_ports(tmp_path)).lines()
    assert "The learning rate starts at 0.02 and ends at 0.001." in lines
    assert any(line.startswith("Learning rate and schedule of the run are not used") for line in lines)
    train(job, word_ports(tmp_path))
    rates = [float(row["rate"]) for row in read_log(tmp_path / "logs" / "fake" / "log.csv")]
    assert (len(rates), rates[0], rates[-1]) == (10, 0.02, 0.001)
    assert not any(
        "are not used" in line for line in make_plan(make_job(pictures, **ALONE), word_ports(tmp_path / "b")).lines()
    )


def test_an_interrupted_search_keeps_the_rate_that_it_has(pictures, tmp_path):
    job = make_job(pictures, **BOTH, embedding__rate="1e-3", train__max_steps=60)
    whole = find_rate(job, word_ports(tmp_path / "whole"))

    class Interrupting(FakeProgress):
        def is_interrupted(self):
            return len(self.texts) > whole.steps + 10

    found = find_rate(job, replace(word_ports(tmp_path / "part"), progress=Interrupting()))
    assert found.entries == {"schedule.rate": whole.text}
    assert found.of_words.choice.doubt.startswith("it was interrupted after")
    assert "No rate can be told for “Embedding learning rate”: it was interrupted" in "\n".join(found.lines())


def test_a_network_of_a_file_goes_on_with_its_optimizer_beside_words(pictures, tmp_path, caplog):
    network = Hypernetwork.create(Structure(init_std=0.1), (TEXT_WIDTH,), 1)
    (tmp_path / "start").mkdir()
    path = tmp_path / "start" / "old.pt"
    hypernetwork_files.save(network, path)
    state = make_state(make_job(pictures), network, word_ports(tmp_path).denoiser)
    for weight in network.parameters():
        weight.grad = torch.ones_like(weight)
    state.optimizer.step()
    hypernetwork_files.save_optimizer_state(
        hypernetwork_files.optimizer_path(path),
        "AdamW",
        state.optimizer.state_dict(),
        hypernetwork_files.short_hash(path),
    )
    for changes in (ALONE, BOTH):
        caplog.clear()
        job = make_job(pictures, **changes, network__file=str(path), output__overwrite=True, output__sheet=False)
        with caplog.at_level("INFO"):
            train(job, word_ports(tmp_path))
        goes_on = "Going on with the optimizer state beside old.pt." in caplog.messages
        assert goes_on == (changes is BOTH)


def test_words_rest_while_rates_of_the_network_are_tried_and_the_other_way_round(pictures, tmp_path, monkeypatch):
    seen = []

    def noting(optimizer, rate, of_words):
        seen.append((bool(rate), bool(of_words)))
        return set_rates(optimizer, rate, of_words)

    set_rates = trainer.set_rates
    monkeypatch.setattr(trainer, "set_rates", noting)
    find_rate(make_job(pictures, **BOTH, embedding__rate="1e-3"), word_ports(tmp_path))
    assert set(seen) == {(False, False), (True, False), (False, True)}
