"""What the tab Queue shows of a job, and the job that creation and training make together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ....hypernetworks.network.settings import CreateSettings
from ....hypernetworks.pages.queue import Card
from ....hypernetworks.queue import Entry
from ....hypernetworks.queue.estimates import Estimate, estimates
from ....hypernetworks.queue.kinds.train import TrainJob
from ....hypernetworks.queue.waits import hindered, sentence
from ....hypernetworks.train.settings.job import Job
from ....hypernetworks.train.settings.job_file import table_text
from ....hypernetworks.train.tracking.monitor import clock
from ...runs.job import trains_words_alone

_KINDS = {
    "train": "training",
    "continue": "going on with a training",
    "tune": "tuning",
    "merge": "merging",
    "caption": "captioning",
}
_NEW = "new network, training"
_ANYWAY = "Press “Begin after it” with “Begin after job” empty, and it begins in its turn."


def cards(entries: list[Entry]) -> list[Card]:
    """Return what the list shows of each job."""
    expected, in_vain = estimates(entries), hindered(entries)
    return [_card(one, expected.get(one.id, Estimate(None, None)), in_vain.get(one.id)) for one in entries]


def settings_text(entry: Entry) -> str:
    """Return the settings of a job as a job file."""
    plain = {name: value for name, value in entry.tables.items() if not isinstance(value, Mapping)}
    first = table_text("", {"kind": entry.kind, **plain}).partition("\n")[2]
    tables = [table_text(name, value) for name, value in entry.tables.items() if isinstance(value, Mapping)]
    return "\n".join([first, *tables])


def create_and_train(create: CreateSettings, tables: Mapping[str, Mapping[str, Any]]) -> TrainJob:
    """Return the job that makes a network and trains it as a form says, whose own choice of a network is left out.

    Raises:
        SettingsError: a field of the form is wrong; names it.
    """
    output = dict(tables["output"])
    output["name"] = (output["name"] or "").strip() or create.name
    output["overwrite"] = output["overwrite"] or output["name"] == create.name
    return TrainJob(Job.from_mapping({**tables, "network": {}, "output": output}), create)


def _card(entry: Entry, expected: Estimate, before: Entry | None) -> Card:
    kind = _KINDS.get(entry.kind, entry.kind)
    is_old = entry.tables.get("network", {}).get("file") or trains_words_alone(entry.tables)
    if entry.kind == "train" and ("create" in entry.tables or not is_old):
        kind = _NEW
    begins = expected.begins_s if entry.state == "waiting" else None
    return Card(
        id=entry.id,
        kind=kind,
        title=entry.title,
        state=entry.state,
        done=entry.done,
        total=entry.total if entry.is_open else 0,
        text=entry.text,
        takes="" if expected.takes_s is None else clock(expected.takes_s),
        begins=clock(begins) if begins else "",
        after=entry.after if entry.is_open else None,
        hindrance=f"{sentence(before)} {_ANYWAY}" if before else "",
        outcome=entry.outcome,
    )
