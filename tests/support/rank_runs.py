"""Runs on the fakes that several processes take together, each a fork of one that has imported what they need.

Run as a module in a process of its own, which forks before torch has started a thread.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import signal
import subprocess
import sys
import tempfile
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
import torch._dynamo  # every optimizer does, and here it comes before the forks
from hypernetwork_workbench.hypernetworks.base.errors import WorkbenchError
from hypernetwork_workbench.hypernetworks.ranks import ALONE, several
from hypernetwork_workbench.hypernetworks.train.run import train

from tests import sources
from tests.support.fake_ports import FakeDenoiser, FakeProgress, fake_ports
from tests.support.runs import make_job


class _Progress(FakeProgress):
    """Asks to stop after a step, or kills this process."""

    def __init__(self, stop_after: int | None, kill_after: int | None) -> None:
        super().__init__(stop_after)
        self._kill_after = kill_after

    def report(self, done: int, total: int, text: str) -> None:
        super().report(done, total, text)
        if text.startswith("step") and done == self._kill_after:
            os.kill(os.getpid(), signal.SIGKILL)


class _Denoiser(FakeDenoiser):
    """Remembers what was trained on it; some of its answers are infinite."""

    def __init__(self, bad_answers: list[int]) -> None:
        super().__init__()
        self.trained: Any = None
        self._bad, self._answers = bad_answers, 0

    def training(self, network: Any, computing: Any) -> Any:
        self.trained = network
        return super().training(network, computing)

    def predict(self, *given: Any) -> torch.Tensor:
        self._answers += 1
        return super().predict(*given) * (math.inf if self._answers in self._bad else 1.0)

    def digest(self) -> str:
        weights = [weight.detach().numpy().tobytes() for weight in self.trained.parameters()]
        return hashlib.sha256(b"".join(weights)).hexdigest()


def take(rank: int, run: dict[str, Any], pictures: str, meeting: str) -> dict[str, Any]:
    """Take part in a run; return how it ended here."""
    size, own = run.get("size", 1), run.get("ranks", {}).get(str(rank), {})
    group = several.joined(rank, size, meeting) if size > 1 else nullcontext(ALONE)
    try:
        with group as ranks:
            ports = fake_ports(Path(run["folder"]))
            progress = _Progress(own.get("stop_after"), own.get("kill_after"))
            denoiser = _Denoiser(own.get("bad_answers", []))
            ports = replace(ports, ranks=ranks, progress=progress, denoiser=denoiser)
            job = make_job(Path(own.get("pictures", pictures)), **run["changes"], **own.get("changes", {}))
            result = train(job, ports, resume=run.get("resume", False))
            encoder: Any = ports.encoder
            return {
                "steps": result.steps,
                "interrupted": result.interrupted,
                "loss": result.loss_last,
                "skipped": result.skipped_steps,
                "rollbacks": result.rollbacks,
                "weights": denoiser.digest(),
                "encoded": encoder.encoded_pictures,
                "pictures": len(progress.pictures),
                "notes": list(result.notes),
            }
    except WorkbenchError as error:
        return {"error": str(error), "kind": type(error).__name__}


def fork(rank: int, run: dict[str, Any], pictures: str, meeting: str) -> tuple[int, int]:
    """Start a process of a run; return its id, and the end of the pipe that its answer comes from."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        try:
            answer = take(rank, run, pictures, meeting)
        except BaseException as error:
            answer = {"failed": repr(error)}
        os.write(writing, json.dumps(answer).encode())
        os._exit(0)
    os.close(writing)
    return child, reading


def run_all(pictures: Path, runs: list[dict[str, Any]], mount: Path) -> list[list[dict[str, Any]]]:
    """Take runs one after the other in a process of their own; return what each of their processes answered.

    Args:
        runs: with `folder`, `changes` of the job, `size` (number of processes), `resume`, and by number in `ranks` what
            is only of one process: `stop_after`, `kill_after`, `bad_answers`, `pictures`, `changes`.
    """
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.rank_runs"],
        input=json.dumps({"pictures": str(pictures), "runs": runs}),
        capture_output=True,
        text=True,
        cwd=sources.ROOT,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(mount), str(sources.ROOT)]), "OMP_NUM_THREADS": "1"},
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def main() -> None:
    """Read a task as JSON from standard input, and write what came of it as JSON to standard output."""
    torch.set_num_threads(1)
    task = json.load(sys.stdin)
    answers = []
    for run in task["runs"]:
        with tempfile.TemporaryDirectory() as folder:
            children = [fork(n, run, task["pictures"], f"file://{folder}/meeting") for n in range(run.get("size", 1))]
            said = []
            for child, pipe in children:
                with os.fdopen(pipe, "rb") as answer:
                    said.append(json.loads(answer.read() or b'{"killed": true}'))
                os.waitpid(child, 0)
        answers.append(said)
    json.dump(answers, sys.stdout)


if __name__ == "__main__":
    main()
