"""What the host's page is told of our jobs: how far a run is, what a job waits for, and how far a side job is."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup
from modules import shared

from ...hypernetworks.pages import sentences
from ...hypernetworks.train.tracking.monitor import clock
from ..model.host import HostProgress
from . import side_jobs
from .run import GOING_ON, PAUSED, Run, runs
from .turns import turns


class RunProgress(HostProgress):
    """The progress of a run, which only the run's own Interrupt ends.

    The host's console shows "Total progress" for all sampling steps of a job; here it counts optimizer steps.
    """

    def __init__(self, run: Run) -> None:
        super().__init__()
        self._run = run
        self._counted = 0
        total = getattr(shared, "total_tqdm", None)
        self._total_bar = type(total)() if total is not None else None

    def report(self, done: int, total: int, text: str) -> None:
        """Show that `done` of `total` steps are over."""
        super().report(done, total, text)
        runs.note(done, total, text)
        if self._run.left_s is not None and self._total_bar is not None:
            self._total_bar.updateTotal(total)
            while self._counted < done:
                self._counted += 1
                self._total_bar.update()

    def draw(self, chart: Markup) -> None:
        """Show the curves of the run under the text."""
        super().draw(chart)
        self._run.chart = chart

    def is_interrupted(self) -> bool:
        """Tell whether somebody interrupted this run; Interrupt of another tab is for another job."""
        return self._run.is_cancelled

    def close(self) -> None:
        """End the line on the console."""
        if self._total_bar is not None:
            self._total_bar.clear()


def tell(task: str | None, answer: Any) -> Any:
    """Return the host's answer to the page that asks for a task, with what we know of it."""
    run, job = runs.active, side_jobs.find(task)
    if job is not None:
        _fill(answer, job.done, job.total, sentences.progress(job.text, Markup()))
    elif run is not None and task is not None and run.task == task and run.state in GOING_ON:
        _fill(answer, run.done, run.total, sentences.run(_text(run), run.is_paused, run.chart))
        if run.left_s is not None:
            answer.eta = None  # the text tells the time that is left
    elif task and (visitor := turns.waiting(task)) is not None and run is not None:
        sentence = f"Waits for {run.work}."
        if visitor.is_let_in:
            sentence = f"Is let in after this step of {run.work}."
        elif run.left_s is not None:
            sentence = f"Waits for {run.work}, {clock(run.left_s)} left."
        answer.active, answer.queued = False, True
        answer.textinfo = sentences.waiting(sentence, task, run.state in GOING_ON and not visitor.is_let_in)
    return answer


def _fill(answer: Any, done: int, total: int, text: str) -> None:
    answer.active, answer.queued, answer.completed = True, False, False
    answer.progress = min(1.0, done / total) if total else 0.0
    answer.textinfo = text


def _text(run: Run) -> str:
    if run.state != PAUSED:
        return run.text
    if run.is_paused:
        return f"Paused after step {run.done} of {run.total}. Press Go on to go on."
    return f"Stands aside after step {run.done} of {run.total}, for a job that was let in."
