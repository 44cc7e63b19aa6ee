"""Words that are trained: alone, several, beside a network; saved, protected and continued as networks are."""

from __future__ import annotations

import pytest
import torch
from hypernetwork_workbench.hypernetworks.base.errors import NonFiniteLossError, SettingsError
from hypernetwork_workbench.hypernetworks.embedding import files
from hypernetwork_workbench.hypernetworks.embedding.vectors import SINGLE
from hypernetwork_workbench.hypernetworks.train.plan import make_plan
from hypernetwork_workbench.hypernetworks.train.run import train

from tests.support.fake_ports import fake_ports
from tests.support.fake_words import ALONE, BOTH, word_ports
from tests.support.runs import make_job, read_log, same, weights


def vectors(folder, name):
    return files.read(folder / "embeddings" / f"{name}.pt").vectors[SINGLE]


def test_words_are_trained_without_a_network(pictures, tmp_path):
    ports = word_ports(tmp_path)
    result = train(make_job(pictures, **ALONE), ports)
    assert result.network == tmp_path / "embeddings" / "zork.pt"
    assert not list((tmp_path / "hypernetworks").glob("*"))
    assert [len(vectors(tmp_path, name)) for name in ("zork", "blip")] == [2, 1]
    start = ports.words.initial("red")[SINGLE]
    assert not torch.equal(vectors(tmp_path, "blip"), start)
    assert result.sheet is None  # an embedding has no strengths
    assert files.read(result.network).metadata.step == 12


@pytest.mark.parametrize("changes", [ALONE, BOTH | {"embedding__rate": "0.03"}], ids=["alone", "both"])
def test_a_run_in_two_parts_is_that_in_one(pictures, tmp_path, changes):
    changes = changes | {"train__ema_decay": 0.9, "train__gradient_accumulation": 2, "output__sheet": False}
    whole = word_ports(tmp_path / "whole")
    train(make_job(pictures, **changes), whole)
    train(make_job(pictures, **changes, train__max_steps=5), word_ports(tmp_path / "parts"))
    train(make_job(pictures, **changes), word_ports(tmp_path / "parts"), resume=True)
    for name in ("zork", "blip"):
        assert torch.equal(vectors(tmp_path / "whole", name), vectors(tmp_path / "parts", name))
    logs = [read_log(tmp_path / part / "logs" / "fake" / "log.csv") for part in ("whole", "parts")]
    assert [row["loss"] for row in logs[0]] == [row["loss"] for row in logs[1]]
    if changes["embedding__trains"] == "both":
        assert same(*(weights(tmp_path / part / "hypernetworks" / "fake.pt") for part in ("whole", "parts")))


def test_words_have_a_rate_of_their_own_beside_a_network(pictures, tmp_path):
    start = word_ports(tmp_path).words.initial("red")[SINGLE]
    train(make_job(pictures, **BOTH, embedding__rate="0"), word_ports(tmp_path / "still"))
    assert torch.equal(vectors(tmp_path / "still", "blip"), start)
    train(make_job(pictures, **BOTH), word_ports(tmp_path / "same"))
    assert not torch.equal(vectors(tmp_path / "same", "blip"), start)
    untrained = make_plan(make_job(pictures, **BOTH, output__name="other"), word_ports(tmp_path)).network.state_dict()
    assert not same(weights(tmp_path / "still" / "hypernetworks" / "fake.pt"), dict(untrained))


def test_only_captions_with_a_word_are_encoded_anew(pictures, tmp_path):
    (pictures / "0.txt").write_text("zork and blip", encoding="utf-8")
    ports = word_ports(tmp_path)
    plan = make_plan(make_job(pictures, **ALONE | {"data__template": "[filewords]"}), ports)
    assert plan.of_words[0].startswith("1 of 5 captions hold a word that is trained")
    ports.words.encoded.clear()
    train(make_job(pictures, **ALONE | {"data__template": "[filewords]", "data__caption_dropout": 0}), ports)
    assert set(ports.words.encoded) == {"zork and blip"}
    assert "zork and blip" not in ports.encoder.encoded_texts


def test_a_word_that_no_caption_holds_is_refused(pictures, tmp_path):
    job = make_job(pictures, **ALONE | {"data__template": "[filewords] zork"})
    with pytest.raises(SettingsError, match=r"embedding\.names: no caption holds blip; write it"):
        make_plan(job, word_ports(tmp_path))
    with pytest.raises(SettingsError, match=r"embedding\.trains: embeddings cannot be trained in this host"):
        make_plan(job, fake_ports(tmp_path))


def test_an_embedding_is_replaced_only_where_that_is_wanted(pictures, tmp_path):
    train(make_job(pictures, **ALONE), word_ports(tmp_path))
    before = (tmp_path / "embeddings" / "blip.pt").read_bytes()
    (tmp_path / "embeddings" / "zork.pt").unlink()
    with pytest.raises(SettingsError, match=r"embedding\.names: blip\.pt exists already"):
        train(make_job(pictures, **ALONE), word_ports(tmp_path))
    assert (tmp_path / "embeddings" / "blip.pt").read_bytes() == before
    train(make_job(pictures, **ALONE, output__overwrite=True, train__seed=9), word_ports(tmp_path))
    assert (tmp_path / "embeddings" / "blip.pt").read_bytes() != before


def test_continue_takes_no_embedding_of_another_run_for_its_own(pictures, tmp_path):
    changes = BOTH | {"output__sheet": False}
    train(make_job(pictures, **changes, train__max_steps=5), word_ports(tmp_path))
    foreign = files.read(tmp_path / "embeddings" / "blip.pt")
    foreign.metadata.training["run"] = "0" * 16
    files.write(tmp_path / "embeddings" / "blip.pt", foreign.vectors, foreign.metadata)
    with pytest.raises(SettingsError, match=r"blip\.pt is not of the run to continue"):
        train(make_job(pictures, **changes), word_ports(tmp_path), resume=True)


def test_copies_of_embeddings_come_and_go_with_those_of_the_network(pictures, tmp_path):
    train(make_job(pictures, **BOTH, output__save_every="3", output__keep_last=2), word_ports(tmp_path))
    found = {path.name for path in (tmp_path / "logs" / "fake").glob("*-0*.pt")}
    assert found == {f"{name}-{step}.pt" for name in ("fake", "zork", "blip") for step in ("000009", "000012")}


def test_a_run_that_fails_keeps_what_it_had_beside_the_log(pictures, tmp_path, monkeypatch):
    ports = word_ports(tmp_path)
    plain, calls = ports.denoiser.predict, []

    def predict(noisy, timesteps, conditioning):
        calls.append(1)
        return plain(noisy, timesteps, conditioning) * (float("nan") if len(calls) > 8 else 1)

    monkeypatch.setattr(ports.denoiser, "predict", predict)
    with pytest.raises(NonFiniteLossError):
        train(make_job(pictures, **ALONE, train__max_steps=60), ports)
    assert not list((tmp_path / "embeddings").glob("*.pt"))
    kept = files.read(tmp_path / "logs" / "fake" / "blip-unfinished.pt").vectors[SINGLE]
    assert kept.isfinite().all()
    assert (tmp_path / "logs" / "fake" / "zork-unfinished.pt").exists()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"embedding__names": ""}, "embedding.names: write the word of the embedding"),
        ({"embedding__names": "a, a"}, "embedding.names: the same name occurs twice"),
        ({"embedding__names": "zork, Fake"}, "embedding.names: fake is the name of the network"),
        ({"embedding__names": "a:b"}, "embedding.names: must not contain :"),
        ({"embedding__vectors": "1, 2, 3"}, "embedding.vectors: has 3 entries for 2 names"),
        ({"embedding__initial_text": "a\nb\nc"}, "embedding.initial_text: has 3 entries for 2 names"),
        ({"embedding__vectors": "0"}, "embedding.vectors: must be at least 1"),
        ({"data__caption_dropout": 1}, "data.caption_dropout: must be below 1 for an embedding"),
        ({"embedding__rate": "fast"}, "embedding.rate: 'fast' is no learning rate"),
    ],
)
def test_wrong_entries_are_refused_with_the_name_of_the_field(pictures, changes, words):
    with pytest.raises(SettingsError) as refused:
        make_job(pictures, **BOTH | changes)
    assert words in str(refused.value)
