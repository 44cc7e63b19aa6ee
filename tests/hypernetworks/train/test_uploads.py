"""Networks in a repository of Hugging Face: sent by the real package to a hub on this machine, beside the steps."""

from __future__ import annotations

import sys
import threading
import time

import pytest
from hypernetwork_workbench.hypernetworks.base.errors import SettingsError
from hypernetwork_workbench.hypernetworks.train.run import train
from hypernetwork_workbench.hypernetworks.train.settings.output import OutputSettings
from hypernetwork_workbench.hypernetworks.train.tracking import uploads
from hypernetwork_workbench.hypernetworks.train.tracking.notes import Notes

from tests.support import hub
from tests.support.fake_ports import fake_ports
from tests.support.fake_words import ALONE, BOTH, word_ports
from tests.support.runs import make_job, same, weights

CHANGES = {"output__huggingface_repo": "someone/night", "output__sheet": False}


def test_each_saved_network_is_sent_to_a_private_repository(pictures, tmp_path, monkeypatch):
    with hub.running(monkeypatch) as there:
        result = train(make_job(pictures, **CHANGES, output__save_every="6"), fake_ports(tmp_path))
    assert there.made == {"someone/night": True}
    assert there.tokens == {"Bearer hf_test"}
    assert set(there.files) == {("someone/night", f"fake{end}.pt") for end in ("-000006", "-000012", "")}
    assert there.files["someone/night", "fake.pt"] == result.network.read_bytes()
    assert result.notes == ()


@pytest.mark.parametrize(("changes", "names"), [(ALONE, ["zork", "blip"]), (BOTH, ["fake", "zork", "blip"])])
def test_embeddings_are_sent_as_networks_are(pictures, tmp_path, monkeypatch, changes, names):
    with hub.running(monkeypatch) as there:
        result = train(make_job(pictures, **changes, **CHANGES, output__save_every="6"), word_ports(tmp_path))
    assert {name for _, name in there.files} == {f"{n}{end}.pt" for n in names for end in ("-000006", "-000012", "")}
    for name in ("zork", "blip"):
        assert there.files["someone/night", f"{name}.pt"] == (tmp_path / "embeddings" / f"{name}.pt").read_bytes()
    assert result.notes == ()


def test_a_repository_is_public_only_where_that_is_said(pictures, tmp_path, monkeypatch):
    with hub.running(monkeypatch) as there:
        train(make_job(pictures, **CHANGES, output__huggingface_private=False), fake_ports(tmp_path))
    assert there.made == {"someone/night": False}


def test_a_copy_that_is_deleted_before_its_turn_is_sent_all_the_same(tmp_path, monkeypatch):
    copy = tmp_path / "fake-000001.pt"
    copy.write_bytes(b"weights")
    notes = Notes()
    with hub.running(monkeypatch) as there:
        work = uploads.Uploads._work
        monkeypatch.setattr(uploads.Uploads, "_work", lambda self: None)  # its turn has not come
        sender = uploads.Uploads(OutputSettings(name="x", huggingface_repo="someone/night"), notes, bool)
        sender.send(copy)
        copy.unlink()
        sender.send(copy)
        sender._waiting.put(None)
        work(sender)
    assert there.files == {("someone/night", "fake-000001.pt"): b"weights"}
    assert notes.lines == ["fake-000001.pt was not uploaded to someone/night: No such file or directory"]


def test_what_cannot_be_sent_ends_no_run_and_is_told(pictures, tmp_path, monkeypatch):
    with hub.running(monkeypatch) as there:
        there.refuses = True
        result = train(make_job(pictures, **CHANGES), fake_ports(tmp_path / "a"))
    (note,) = result.notes
    assert note.startswith("fake.pt was not uploaded to someone/night: ")
    assert not result.interrupted
    plain = train(make_job(pictures, output__sheet=False), fake_ports(tmp_path / "b"))
    assert same(weights(result.network), weights(plain.network))


def test_a_run_does_not_wait_for_ever(pictures, tmp_path, monkeypatch):
    monkeypatch.setattr(uploads, "PATIENCE_S", 0.0)
    with hub.running(monkeypatch):
        result = train(make_job(pictures, **CHANGES), fake_ports(tmp_path))
    assert result.notes in ((), ("someone/night has not got all files yet; they are no longer waited for.",))


def test_who_interrupts_a_run_does_not_wait_for_a_slow_hub(pictures, tmp_path, monkeypatch):
    sending = threading.Event()
    monkeypatch.setattr(uploads, "AFTER_STOP_S", 0.0)
    monkeypatch.setattr(uploads.Uploads, "_work", lambda self: sending.wait(60))
    with hub.running(monkeypatch):
        began = time.monotonic()
        result = train(make_job(pictures, **CHANGES), fake_ports(tmp_path, stop_after=3))
        assert time.monotonic() - began < 30
    sending.set()
    assert result.notes == ("someone/night has not got all files yet; they are no longer waited for.",)


def test_logs_that_cannot_be_opened_leave_no_thread(pictures, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "wandb", None)
    with hub.running(monkeypatch), pytest.raises(SettingsError, match="wandb"):
        train(make_job(pictures, **CHANGES, output__wandb=True), fake_ports(tmp_path))
    assert not [one for one in threading.enumerate() if one.name == "uploads"]


def test_without_a_login_or_the_package_no_run_begins(pictures, tmp_path, monkeypatch):
    import huggingface_hub

    monkeypatch.setattr(huggingface_hub, "get_token", lambda: None)
    ports = fake_ports(tmp_path)
    with pytest.raises(SettingsError, match=r"^output\.huggingface_repo: needs a login"):
        train(make_job(pictures, **CHANGES), ports)
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(SettingsError, match=r"^output\.huggingface_repo: needs the package huggingface_hub"):
        train(make_job(pictures, **CHANGES), ports)
    assert ports.encoder.encoded_pictures == 0


def test_a_package_that_does_not_load_is_told_with_the_reason(monkeypatch):
    def broken(name):
        raise RuntimeError("no CUDA")

    monkeypatch.setattr("importlib.import_module", broken)
    with pytest.raises(SettingsError, match="needs the package huggingface_hub, which does not load here: no CUDA"):
        uploads.service()


@pytest.mark.parametrize("text", ["night", "https://huggingface.co/a/b", "a/b/c", "../x", "a b/c", "-a/b"])
def test_a_repository_has_an_owner_and_a_name(text):
    with pytest.raises(SettingsError, match="must be such as user/night, not ") as caught:
        OutputSettings(name="x", huggingface_repo=text)
    assert caught.value.field == "huggingface_repo"


def test_the_weights_of_a_failed_run_stay_here(pictures, tmp_path, monkeypatch):
    from hypernetwork_workbench.hypernetworks.train.trainer import Trainer

    real = Trainer.backward

    def failing(self, batches):
        if batches.step == 3:
            raise ZeroDivisionError
        return real(self, batches)

    monkeypatch.setattr(Trainer, "backward", failing)
    with hub.running(monkeypatch) as there, pytest.raises(ZeroDivisionError):
        train(make_job(pictures, **CHANGES), fake_ports(tmp_path))
    assert there.files == {}
    assert list(tmp_path.rglob("fake-unfinished.pt"))
