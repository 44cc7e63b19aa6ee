"""Studies on the fakes: in this process, and in forks that may kill themselves in the middle of a trial.

Run as a module in a process of its own, since a fork of a process with threads is no good place to train.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import traceback
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

# All that a part needs is imported before the forks: they would each do it again.
from hypernetwork_workbench.hypernetworks import files
from hypernetwork_workbench.hypernetworks.tuning import StudyResult, TuneSettings, plan_study, run_study, trials

from tests.support.fake_ports import FakeProgress, fake_ports

RANGES = "schedule.rate = 1e-3..1e-1 log\nnetwork.activation = [relu, mish]"


def tables(pictures: Path, **changes: Any) -> dict[str, dict[str, Any]]:
    """Return a small job that can be tuned."""
    made: dict[str, dict[str, Any]] = {
        "network": {"dropout_structure": "0, 0.2, 0"},
        "data": {"folder": str(pictures), "width": 32, "height": 32, "batch_size": 2},
        "schedule": {"rate": "0.01"},
        "train": {"max_steps": 8, "seed": 3, "validation_share": 0.4},
        "output": {"name": "fake"},
    }
    for address, value in changes.items():
        section, key = address.split("__")
        made.setdefault(section, {})[key] = value
    return made


def tune(
    pictures: Path, folder: Path, url: str = "", progress: FakeProgress | None = None, desk: Any = None, **given: Any
) -> StudyResult:
    """Do a study on the fakes.

    Args:
        desk: what is told how long it will take.
        given: settings of the study, and those of the job as `section__key`.
    """
    changes = {key: given.pop(key) for key in list(given) if "__" in key}
    settings = TuneSettings(**{"ranges": RANGES, "method": "random", "trials": 4, "pictures": 4, **given})
    ports = replace(fake_ports(folder), desk=desk)
    if progress is not None:
        object.__setattr__(ports, "progress", progress)
    return run_study(plan_study(tables(pictures, **changes), settings, ports, url), ports)


def outcome(result: StudyResult) -> dict[str, Any]:
    """Return what a study found, as plain values that two studies can be compared by."""
    weights = {
        trial.number: {
            name: weight.tolist() for name, weight in files.load(result.study.network_of(trial)).state_dict().items()
        }
        for trial in result.trials
        if trial.state == trials.COMPLETE and result.study.network_of(trial).is_file()
    }
    return {
        "trials": [
            [trial.number, trial.state, dict(trial.point), list(trial.values), list(map(list, trial.reports))]
            for trial in result.trials
        ],
        "best": [trial.number for trial in result.best],
        "weights": {str(number): found for number, found in weights.items()},
    }


class Killing(FakeProgress):
    """Ends its process by SIGKILL at a step of a trial."""

    def __init__(self, trial: int, step: int) -> None:
        super().__init__()
        self._words = f"trial {trial} of "
        self._step = f"step {step} of "

    def report(self, done: int, total: int, text: str) -> None:
        """Note the step, or end here."""
        if self._words in text and text.startswith(self._step):
            os.kill(os.getpid(), signal.SIGKILL)
        super().report(done, total, text)


def in_fork(act: Callable[[], Any]) -> Any:
    """Return what `act` returns in a fork of this process, as plain values; None where it was killed."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            answer = json.dumps(act())
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        with os.fdopen(writing, "w") as pipe:
            pipe.write(answer)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        said = pipe.read()
    os.waitpid(child, 0)
    return json.loads(said) if said else None


def main(request: dict[str, Any]) -> list[Any]:
    """Do the parts of a request, each in a fork of its own: `folder`, `url`, settings, and `kill` for one to kill."""
    answers = []
    for part in request["parts"]:
        settings = {**request["settings"], **part}
        kill, place, url = (settings.pop(key, None) for key in ("kill", "folder", "url"))
        progress = Killing(*kill) if kill else None

        def act(place: str = place, url: str = url, progress: Any = progress, settings: Any = settings) -> Any:
            return outcome(tune(Path(request["pictures"]), Path(place), url or "", progress, **settings))

        answers.append(in_fork(act))
    return answers


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(json.loads(sys.argv[1]))))
