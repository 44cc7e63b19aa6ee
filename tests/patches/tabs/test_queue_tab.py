"""The tab Queue without a browser: what it asks of the chosen jobs, and what it says."""

from __future__ import annotations

import shutil

import pytest

MERGE = {"merge": {"network_1": "A", "network_2": "B"}}


@pytest.fixture
def queue(patched, monkeypatch):
    """Return the host's queue with four jobs a, b, c and d, which nobody works on."""
    from hypernetwork_workbench.hypernetworks.queue import job_of
    from hypernetwork_workbench.patches.queue import place
    from hypernetwork_workbench.patches.queue.worker import worker

    monkeypatch.setattr(worker, "tell", lambda: None)
    found = place.queue()
    shutil.rmtree(found.database.path.parent, ignore_errors=True)
    found.hold(True)
    for name in "abcd":
        found.add(job_of("merge", {**MERGE, "result": {"name": name}}))
    yield found
    shutil.rmtree(found.database.path.parent, ignore_errors=True)


def test_each_chosen_job_is_put_after_another_and_those_that_refuse_are_told(queue, patched):
    from hypernetwork_workbench.patches.tabs.queue import handlers

    listed, said = handlers.put_after("1\n2\n3", "2")
    assert [one.after for one in sorted(queue.entries(), key=lambda one: one.id)] == [2, None, 2, None]
    assert "The order is changed." in said
    assert "<li>Begin after job: job 2 cannot wait for itself.</li>" in said
    assert listed.count("after job 2") == 2


def test_a_training_of_embeddings_alone_is_of_no_new_network(queue, patched):
    from hypernetwork_workbench.hypernetworks.queue import job_of
    from hypernetwork_workbench.patches.tabs.queue import work

    run = {"data": {"folder": "/pictures"}, "output": {"name": "words"}}
    for tables in (run, {**run, "embedding": {"trains": "embedding"}}):
        queue.add(job_of("train", tables))
    assert [card.kind for card in work.cards(queue.entries()) if card.title == "words"] == [
        "new network, training",
        "training",
    ]


@pytest.mark.parametrize(
    ("ids", "other", "said"),
    [
        ("", "2", "Choose a job first."),
        ("1", "soon", "Begin after job: must be the number of a job."),
        ("1", "-1", "Begin after job: must be the number of a job."),
        ("1", "99", "there is no job 99 in the queue."),
        ("1", "1", "Begin after job: job 1 cannot wait for itself."),
    ],
)
def test_a_wrong_entry_is_told_with_the_label_of_its_field(queue, patched, ids, other, said):
    from hypernetwork_workbench.patches.tabs.queue import handlers

    assert f"<li>{said}</li>" in handlers.put_after(ids, other)[1]


def test_the_list_tells_which_job_waits_in_vain(queue, patched):
    from hypernetwork_workbench.patches.tabs.queue import handlers

    handlers.put_after("2", "1")
    assert "It cannot begin" not in handlers.listing()
    listed, _ = handlers.act("cancel")("1")
    assert "It cannot begin: job 1, which has to be done before it, was cancelled. Press “Begin after it”" in listed
    handlers.put_after("2", "")
    assert "It cannot begin" not in handlers.listing()
