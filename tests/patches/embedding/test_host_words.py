"""Embeddings on the embedded host, with the demo model."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tests import sources
from tests.support import pictures, webui_parts
from tests.support.word_runs import PROMPTS, drawn, job, started


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """Return the host with the demo model, and a folder of pictures."""
    host = started(sources.ROOT / "examples" / "demo.safetensors", tmp_path_factory.mktemp("demo"))
    folder = tmp_path_factory.mktemp("set") / "pictures"
    pictures.captioned(folder, 4, (64, 64))
    with webui_parts.added():
        from hypernetwork_workbench import patches

        patches.install_all()
        yield host, folder
        patches.uninstall_all()
        host.stop()


def test_an_embedding_moves_the_pictures_of_its_word_and_no_others(demo):
    from hypernetwork_workbench.hypernetworks.embedding import files
    from hypernetwork_workbench.patches.runs.training import check_job, run_job

    host, folder = demo
    database = host.module("sd_hijack").model_hijack.embedding_db
    encoder = host.model.cond_stage_model
    flags = [weight.requires_grad for weight in encoder.parameters()]
    before = drawn()
    assert any("4 of 4 captions hold a word that is trained" in line for line in check_job(job(folder)))
    assert not database.word_embeddings
    result = run_job(job(folder))

    assert [weight.requires_grad for weight in encoder.parameters()] == flags
    assert all(weight.grad is None for weight in host.model.parameters())
    first, last = sorted(result.log.parent.glob("previews/step-*.png"))
    assert first.read_bytes() != last.read_bytes()  # each shows the vectors of its step
    assert list(database.word_embeddings) == ["zork"]
    saved = files.read(result.network)
    assert torch.equal(database.word_embeddings["zork"].vec, saved.vectors["emb_params"])
    assert saved.metadata.sd_checkpoint_name == "demo"
    after = drawn()
    assert np.array_equal(before[0], after[0])
    assert not np.array_equal(before[1], after[1])

    result.network.unlink()
    assert all(map(np.array_equal, before, drawn()))  # without the file all is as it was


@pytest.mark.long("tests/standalone/test_train_resume.py::test_a_run_in_two_halves_is_the_whole_run")
def test_a_run_in_two_parts_is_that_in_one_on_the_host(demo):
    from hypernetwork_workbench.hypernetworks.embedding import files
    from hypernetwork_workbench.patches.runs.training import run_job

    _, folder = demo
    found = []
    for name, parts in (("whole", (6,)), ("parts", (2, 6))):
        changes = {
            "output__name": name,
            "embedding__names": "zork",
            "preview__every": 0,
            "train__unload_encoders": False,
        }
        for steps in parts:
            resume = steps != parts[0]
            result = run_job(job(folder, **changes, train__max_steps=steps), resume=resume)
        found.append(files.read(result.network).vectors["emb_params"])
        for path in result.network.parent.glob("zork*"):
            path.unlink()
    assert torch.equal(*found)


def test_the_users_own_embedding_of_the_name_is_back_after_a_check(demo):
    from hypernetwork_workbench.hypernetworks.embedding import files
    from hypernetwork_workbench.hypernetworks.network.hypernetwork import Metadata
    from hypernetwork_workbench.patches.embedding import words
    from hypernetwork_workbench.patches.model.encoders import HostEncoder
    from hypernetwork_workbench.patches.runs.training import check_job

    host, folder = demo
    width = host.model.cond_stage_model.transformer.config.hidden_size
    database = host.module("sd_hijack").model_hijack.embedding_db
    files.write(words.embedding_dir() / "zork.pt", {"emb_params": torch.ones(1, width)}, Metadata("zork"))
    files.write(words.embedding_dir() / "wrong.pt", {"emb_params": torch.ones(1, width + 1)}, Metadata("wrong"))
    words.list_again(job(folder))
    own = database.word_embeddings["zork"]
    fingerprint = HostEncoder().text_fingerprint()
    check_job(job(folder, output__overwrite=True))
    assert database.word_embeddings == {"zork": own}
    assert HostEncoder().text_fingerprint() == fingerprint
    for path in words.embedding_dir().glob("*.pt"):
        path.unlink()
    words.list_again(job(folder))
    assert not database.word_embeddings


def test_a_word_that_is_read_as_another_embedding_is_refused(demo):
    from hypernetwork_workbench.hypernetworks.base.errors import SettingsError
    from hypernetwork_workbench.hypernetworks.embedding import files
    from hypernetwork_workbench.hypernetworks.network.hypernetwork import Metadata
    from hypernetwork_workbench.patches.embedding import words
    from hypernetwork_workbench.patches.runs.training import check_job

    host, folder = demo
    width = host.model.cond_stage_model.transformer.config.hidden_size
    files.write(words.embedding_dir() / "zork.pt", {"emb_params": torch.ones(1, width)}, Metadata("zork"))
    words.list_again(job(folder))
    try:
        with pytest.raises(SettingsError, match=r"embedding\.names: ZORK is read as zork, an embedding that is there"):
            check_job(job(folder, embedding__names="ZORK"))
        check_job(job(folder, output__overwrite=True))
        assert list(host.module("sd_hijack").model_hijack.embedding_db.word_embeddings) == ["zork"]
    finally:
        (words.embedding_dir() / "zork.pt").unlink()
        words.list_again(job(folder))


@pytest.mark.long("test_an_embedding_moves_the_pictures_of_its_word_and_no_others")
def test_vectors_that_grow_too_large_roll_back_as_weights_do(demo):
    from hypernetwork_workbench.hypernetworks.base.errors import NonFiniteLossError
    from hypernetwork_workbench.patches.runs.training import run_job

    _, folder = demo
    with pytest.raises(NonFiniteLossError, match="lower the learning rate"):
        run_job(job(folder, schedule__rate="1e30", train__max_steps=60, preview__every=0, output__name="large"))


def test_a_picture_of_the_run_shows_its_words_and_not_those_of_the_folder(demo):
    from hypernetwork_workbench.hypernetworks.embedding import files
    from hypernetwork_workbench.hypernetworks.network.hypernetwork import Metadata
    from hypernetwork_workbench.patches.embedding import words

    host, folder = demo
    width = host.model.cond_stage_model.transformer.config.hidden_size
    plain = drawn(PROMPTS[1:])
    with words.HostWords().taking({"zork": {"emb_params": torch.full((1, width), 2.0)}}):
        files.write(words.embedding_dir() / "zork.pt", {"emb_params": torch.zeros(1, width)}, Metadata("zork"))
        taken = drawn(PROMPTS[1:])
    of_folder = drawn(PROMPTS[1:])
    (words.embedding_dir() / "zork.pt").unlink()
    assert not any(map(np.array_equal, (taken[0], taken[0], plain[0]), (plain[0], of_folder[0], of_folder[0])))
    words.list_again(job(folder))


def test_the_text_encoder_of_a_host_that_moves_it_is_refused(demo, monkeypatch):
    from hypernetwork_workbench.hypernetworks.base.errors import SettingsError
    from hypernetwork_workbench.patches.runs.training import check_job

    host, folder = demo
    monkeypatch.setattr(host.model, "lowvram", True, raising=False)
    with pytest.raises(SettingsError, match=r"embedding\.trains: embeddings cannot be trained with --medvram"):
        check_job(job(folder))
