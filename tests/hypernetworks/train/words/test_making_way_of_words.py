"""A new run of words that were trained before: the earlier one keeps its log, copies and state, and goes on."""

import pytest
import torch
from hypernetwork_workbench.hypernetworks.embedding import files as embedding_files
from hypernetwork_workbench.hypernetworks.embedding.vectors import SINGLE
from hypernetwork_workbench.hypernetworks.train import records
from hypernetwork_workbench.hypernetworks.train.resume import make_way
from hypernetwork_workbench.hypernetworks.train.run import train

from tests.support.fake_words import ALONE, BOTH, word_ports
from tests.support.runs import make_job, read_log, same, weights

SAVING = {"output__overwrite": True, "output__save_every": "4"}
NAMES = ("fake", "other")


@pytest.mark.parametrize(
    "changes",
    [
        ALONE,
        ALONE | {"embedding__names": "", "embedding__vectors": "2", "embedding__initial_text": "red"},
        ALONE | {"embedding__names": "fake, blip"},
        BOTH,
        BOTH | {"embedding__names": "fake-x, blip"},
    ],
    ids=["words alone", "the run's name as the word", "the run's name as a word", "beside a network", "alike"],
)
def test_a_run_of_words_makes_way_too(pictures, tmp_path, changes):
    saved = SAVING | {"train__max_steps": 20, "output__sheet": False, "output__resume_changed": True}
    changes = saved | changes
    whole = train(make_job(pictures, **changes), word_ports(tmp_path / "whole"))
    half = train(make_job(pictures, **changes), word_ports(tmp_path / "halves", stop_after=7))
    ports = word_ports(tmp_path / "halves")
    other = train(make_job(pictures, **changes, train__seed=5), ports)
    assert "The earlier run of this name is called fake-earlier now." in other.notes
    kept = records.read_record(half.log.parent.with_name("fake-earlier"), ports.network_dir, ports.embedding_dir)
    assert (kept.steps, kept.total, kept.is_resumable) == (7, 20, True)
    trains_network = kept.job.embedding.trains_network
    assert kept.paths.network.stem == ("fake-earlier" if trains_network else whole.network.stem)
    rest = train(kept.job, word_ports(tmp_path / "halves"), resume=True)
    assert [row["loss"] for row in read_log(rest.log)] == [row["loss"] for row in read_log(whole.log)]
    for word in kept.job.words:
        learnt = [embedding_files.read(tmp_path / run / "embeddings" / f"{word}.pt") for run in ("whole", "halves")]
        assert torch.equal(*(one.vectors[SINGLE] for one in learnt))
    if trains_network:
        assert same(weights(rest.network), weights(whole.network))
    names = {path.name for path in kept.paths.folder.glob("*-000004.pt")}
    network = {"fake-earlier-000004.pt"} if trains_network else set()
    assert names == network | {f"{word}-000004.pt" for word in kept.job.words}


def test_two_runs_of_the_same_words_go_on_each_from_its_own_state(pictures, tmp_path):
    changes = ALONE | SAVING | {"output__sheet": False, "output__resume_changed": True}
    train(make_job(pictures, **changes), word_ports(tmp_path / "alone"))
    first = train(make_job(pictures, **changes, train__max_steps=6), word_ports(tmp_path))
    other = train(make_job(pictures, **changes, output__name="other", train__max_steps=8), word_ports(tmp_path))
    assert first.network == other.network
    assert not list(first.network.parent.glob("*.state"))
    rest = train(make_job(pictures, **changes), word_ports(tmp_path), resume=True)
    assert len(read_log(rest.log)) == 12
    learnt = [embedding_files.read(folder / "embeddings" / "zork.pt") for folder in (tmp_path, tmp_path / "alone")]
    assert torch.equal(*(one.vectors[SINGLE] for one in learnt))


@pytest.mark.parametrize("writer", ["fake", "other"])
def test_a_state_that_an_older_version_left_beside_a_word_goes_along_with_the_run_that_wrote_it(
    pictures, tmp_path, writer
):
    changes = ALONE | SAVING | {"output__sheet": False}
    runs = {name: train(make_job(pictures, **changes, output__name=name), word_ports(tmp_path)) for name in NAMES}
    beside = runs[writer].network.with_name("zork.pt.state")
    (runs[writer].log.parent / "zork-running.state").rename(beside)
    before = beside.read_bytes()
    ports = word_ports(tmp_path)
    assert make_way(ports.log_dir / "fake", ports.network_dir, ports.embedding_dir) == "fake-earlier"
    assert beside.exists() == (writer == "other")
    moved = beside if writer == "other" else ports.log_dir / "fake-earlier" / "zork-running.state"
    assert moved.read_bytes() == before
