"""Studies of words that are trained: the same word in all trials, and each trial keeps its own."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypernetwork_workbench.hypernetworks.base.errors import SettingsError
from hypernetwork_workbench.hypernetworks.embedding import files
from hypernetwork_workbench.hypernetworks.embedding.vectors import SINGLE
from hypernetwork_workbench.hypernetworks.tuning import TuneSettings, open_kept, plan_study, run_study
from hypernetwork_workbench.hypernetworks.tuning.answer import Answer
from hypernetwork_workbench.hypernetworks.tuning.plan import check_all

from tests.support.fake_words import ALONE, BOTH, word_ports
from tests.support.studies import tables

RANGES = "embedding.rate = [0, 0.01, 0.1]"


def study_of(pictures, folder, changes, **settings):
    given = {"ranges": RANGES, "method": "grid", **settings}
    ports = word_ports(folder)
    plan = plan_study(tables(pictures, **changes), TuneSettings(**given), ports)
    return run_study(plan, ports)


@pytest.mark.parametrize("changes", [ALONE, BOTH], ids=["alone", "both"])
def test_each_trial_trains_the_words_of_the_study_and_keeps_them(pictures, tmp_path, changes):
    result = study_of(pictures, tmp_path, changes, objective="style distance")
    assert [trial.state for trial in result.trials] == ["complete"] * 3
    vectors = []
    for trial in result.trials:
        paths = result.study.results_of(trial)
        names = ["zork.pt", "blip.pt"]
        name = result.study.name_of(trial)
        assert [path.name for path in paths] == ([f"{name}.pt", *names] if changes is BOTH else names)
        assert all(path.is_file() and path.parent == result.study.folder / name for path in paths)
        vectors.append(files.read(paths[-1]).vectors[SINGLE])
    start = word_ports(tmp_path).words.initial("red")[SINGLE]
    assert torch.equal(vectors[0], start), "at a rate of 0"
    assert not torch.equal(vectors[1], vectors[2])
    assert not list((tmp_path / "embeddings").glob("*")), "the host's own are untouched"
    answer = Answer.of(open_kept(result.study.folder))
    assert len(answer.curves()) == 3
    assert len({len(answer._pictures(trial)) for trial in result.trials}) == 1
    assert answer._pictures(result.trials[0])
    taken = answer.study.taken(result.trials[1])
    assert (taken.embedding.rate, taken.embedding.names, taken.output.name) == ("0.01", "zork, blip", "fake")


def test_a_word_that_has_the_name_of_the_study_has_it_in_all_trials(pictures, tmp_path):
    result = study_of(
        pictures,
        tmp_path,
        ALONE | {"embedding__names": "", "embedding__vectors": "1", "embedding__initial_text": "red"},
    )
    assert [trial.state for trial in result.trials] == ["complete"] * 3
    assert {result.study.network_of(trial).name for trial in result.trials} == {"fake.pt"}


@pytest.mark.parametrize(
    ("changes", "ranges", "said"),
    [
        ({}, RANGES, "embedding.rate: is tried, but no embedding is trained"),
        (ALONE, "network.activation = [relu, mish]", "network.activation: is tried, but no network is trained"),
        (
            ALONE | {"embedding__rate": "1"},
            "schedule.rate = [1, 2]",
            "schedule.rate: is not used, as the embedding has",
        ),
        (ALONE, "embedding.names = [a, b]", "embedding.names: cannot be tried: captions hold the same words"),
        (ALONE, "embedding.trains = [both]", "embedding.trains: cannot be tried: all trials train the same"),
        (ALONE, "embedding.vectors = [[99], [1]]", "embedding.vectors: must be at most 75"),
        (ALONE, "embedding.rate = [fast]", "embedding.rate: 'fast' is no learning rate"),
    ],
)
def test_what_cannot_be_tried_of_words_is_told_before_anything_is_trained(pictures, tmp_path, changes, ranges, said):
    with pytest.raises(SettingsError) as refused:
        study_of(pictures, tmp_path, changes, ranges=ranges)
    assert said in str(refused.value)
    assert not (tmp_path / "logs").exists()


def test_vectors_and_initial_texts_for_each_word_are_tried(pictures, tmp_path):
    ranges = "embedding.vectors = [[2, 1], [1]]\nembedding.initial_text = ['red', 'dark\nblue']"
    result = study_of(
        pictures, tmp_path, ALONE, ranges=ranges.replace("\n", "\\n").replace("]\\n", "]\n").replace("'", '"')
    )
    assert [trial.state for trial in result.trials] == ["complete"] * 4


def test_all_that_is_wrong_is_told_without_opening_the_study(pictures, tmp_path):
    given = tables(pictures, **ALONE, network__activation="relu")
    given["data"]["folder"] = str(tmp_path / "nowhere")
    with pytest.raises(SettingsError) as refused:
        check_all(given, TuneSettings(ranges="network.activation = [relu]"), replace(word_ports(tmp_path)))
    assert {error.field for error in refused.value.errors} == {"network.activation", "data.folder"}
    check_all(tables(pictures, **ALONE), TuneSettings(ranges=RANGES), word_ports(tmp_path))
    assert not (tmp_path / "logs").exists()
