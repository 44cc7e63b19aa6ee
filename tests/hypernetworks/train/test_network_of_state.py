"""A run goes on with the network of its state, whatever has become of the file that it began from."""

from dataclasses import replace

import pytest
from hypernetwork_workbench.hypernetworks import files
from hypernetwork_workbench.hypernetworks.base.errors import SettingsError, TrainingError
from hypernetwork_workbench.hypernetworks.embedding.vectors import no_network
from hypernetwork_workbench.hypernetworks.train import resume
from hypernetwork_workbench.hypernetworks.train.resume import make_way
from hypernetwork_workbench.hypernetworks.train.run import train

from tests.support.earlier_runs import job, made, record_of
from tests.support.fake_ports import fake_ports
from tests.support.fake_words import ALONE, word_ports
from tests.support.runs import same, weights

LARGE = {"layer_structure": [1, 100, 100, 1], "dropout_structure": [0, 0, 0, 0]}
IMPOSSIBLE = (
    {"activation": "sin(x)"},
    {"layer_structure": "1, 2, 1"},
    {"layer_structure": [1, 1e9, 1]},
    {"layer_structure": [1, 10**400, 1]},
    {"dropout_structure": [0, 10**400, 0]},
)


@pytest.mark.parametrize(
    "anew",
    [{"activation": "tanh"}, {"layer_structure": (1, 4, 4, 1)}, {"widths": (12, 16)}, {"layer_norm": True}, None],
    ids=["another activation", "other layers", "other widths", "other parts", "none"],
)
def test_the_earlier_run_writes_its_own_network_whatever_the_file_is_by_now(pictures, tmp_path, anew):
    ports = fake_ports(tmp_path)
    changes = {"network__file": str(made(ports)), "network__dropout_structure": "", "output__resume_changed": True}
    first = train(job(pictures, **changes), ports)
    before = files.load(first.network)
    assert make_way(ports.log_dir / "fake", ports.network_dir) == "fake-earlier"
    if anew is None:
        first.network.unlink()
    else:
        made(ports, **anew)
    again = train(record_of(ports, "fake-earlier").job, fake_ports(tmp_path), resume=True)
    assert "The file fake.pt is gone or another by now; the run goes on with the network of its state." in again.notes
    after = files.load(again.network)
    assert (after.widths, after.structure.activation) == (before.widths, "relu")
    assert after.structure.layer_structure == before.structure.layer_structure
    assert same(weights(again.network), before.state_dict())


def test_a_run_that_goes_on_without_its_file_ends_as_one_without_a_break(pictures, tmp_path):
    changes = {"network__dropout_structure": "", "output__name": "other"}
    results = []
    for part in ("whole", "halves"):
        ports = fake_ports(tmp_path / part, stop_after=5 if part == "halves" else None)
        start = job(pictures, **changes, network__file=str(made(ports)))
        results.append(train(start, ports))
    made(ports).unlink()
    rest = train(start, fake_ports(tmp_path / "halves"), resume=True)
    assert same(weights(rest.network), weights(results[0].network))


def test_a_state_that_tells_of_an_impossible_network_is_refused(pictures, tmp_path):
    ports = fake_ports(tmp_path)
    train(job(pictures, network__file=str(made(ports)), network__dropout_structure=""), ports)
    saved = resume.read_state(ports.network_dir / "fake.pt.state")
    for wrong in IMPOSSIBLE:
        origin = replace(saved.origin, structure=saved.origin.structure | wrong)
        with pytest.raises(TrainingError, match=r"fake\.pt\.state: the saved state does not fit"):
            replace(saved, origin=origin).network(files.load(ports.network_dir / "fake.pt"))
    origin = replace(saved.origin, structure=saved.origin.structure | LARGE)
    for width in (0, 60_000, 65_537):
        captured = saved.captured | {"network": {f"pairs.{width}.0.linear.0.weight": None}}
        with pytest.raises(TrainingError, match=r"fake\.pt\.state: the saved state does not fit"):
            replace(saved, origin=origin, captured=captured).network(no_network())
    weights_of = saved.captured["network"]
    for lacking in ({}, dict.fromkeys(weights_of), dict(list(weights_of.items())[1:])):
        with pytest.raises(TrainingError, match=r"fake\.pt\.state: the saved state holds no whole network"):
            replace(saved, captured=saved.captured | {"network": lacking}).network(no_network())
    with pytest.raises(TrainingError, match="holds no whole network"):
        replace(saved, origin=None).network(no_network())
    found = files.load(ports.network_dir / "fake.pt")
    assert replace(saved, origin=None).network(found) is saved.network(found) is found


def test_a_run_of_words_does_not_go_on_as_one_of_a_network(pictures, tmp_path):
    ports = word_ports(tmp_path)
    words = {"embedding__names": "", "embedding__vectors": "2", "embedding__initial_text": "red"}
    train(job(pictures, **ALONE | words), word_ports(tmp_path, stop_after=5))
    start = job(pictures, network__file=str(made(ports)), network__dropout_structure="", output__resume_changed=True)
    start = replace(start, output=replace(start.output, dir=str(ports.embedding_dir)))
    (ports.log_dir / "fake").replace(ports.embedding_dir / "fake")
    with pytest.raises(TrainingError, match="holds no whole network"):
        train(start, ports, resume=True)


def test_a_network_for_another_model_does_not_go_on(pictures, tmp_path):
    ports = fake_ports(tmp_path)
    start = job(pictures, network__file=str(made(ports)), network__dropout_structure="", output__resume_changed=True)
    train(start, fake_ports(tmp_path, stop_after=5))
    other = fake_ports(tmp_path)
    other.denoiser.widths = (16,)
    with pytest.raises(SettingsError, match=r"network\.file: its widths \(12,\) fit none"):
        train(start, other, resume=True)
