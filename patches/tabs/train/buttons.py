"""The buttons of the tab Train Gamma: what they start, and what the page shows at the end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import gradio as gr
from modules import progress

from ....hypernetworks.base.errors import WorkbenchError
from ....hypernetworks.jobs.train_entry import in_words, worded
from ....hypernetworks.pages.sentences import done, ended, found_rate, note, paragraph, refused, unsure
from ....hypernetworks.queue import QueuedJob
from ....hypernetworks.queue.kinds.train import ContinueJob, TrainJob
from ....hypernetworks.train import TrainResult
from ....hypernetworks.train.records import RunRecord
from ...patching.error_reports import report_unexpected
from ...queue.adding import added
from ...runs import folders, saved, training, withdrawn
from ...runs.job import job_from, with_txt2img
from ...runs.run import Run, RunBusyError, runs
from ...runs.training import check_job, find_rate_for, run_job
from ...runs.withdrawn import BEFORE_IT_BEGAN
from ..form import Form

Answer = tuple[Any, str]
_OF_INTERRUPT = done("The run ends after this step, and saves."), done("It ends after this step.")

#: What the last job ended with, for a page that was closed meanwhile.
_last_answer: list[Any] = [gr.update(), ""]
#: What the last run ended with that was started here, by its id.
_of_run: dict[str, Answer] = {}


def handler(form: Form, action: Callable[[dict[str, Any]], Answer], txt2img: int) -> Callable[..., Answer]:
    """Return the handler of a button: call `action` with the tables of the form, and show errors as sentences.

    Args:
        txt2img: number of values of the txt2img tab; they come after the task and the tick, before the form's.
    """

    def handle(_task: str, is_like_txt2img: bool, *entered: Any) -> Answer:
        def act() -> Answer:
            tables = form.values(entered[txt2img:])
            return action(with_txt2img(tables, entered[:txt2img]) if is_like_txt2img else tables)

        return answered(form, act)

    return handle


def answered(form: Form, act: Callable[[], Answer]) -> Answer:
    """Return what `act` answers, or its error in the words of the form; kept for a page that is closed meanwhile."""
    _last_answer[:] = gr.update(), paragraph("The last run ended with an error; the host's console has it.")
    try:
        with report_unexpected():
            training.require_training()  # said before anything that the form lacks for it
            answer = act()
        if (run := runs.active) is not None and run.job is not None:
            _of_run.clear()
            _of_run[run.id] = answer
    except WorkbenchError as error:
        sentences = form.explain(in_words(error))
        if (run := runs.active) is not None and run.job is not None:
            run.problem = error
            sentences += _sign(_failed(run))
        answer = gr.update(), sentences
    _last_answer[:] = answer
    return answer


def queued(form: Form, add: Callable[[dict[str, Any]], QueuedJob], txt2img: int) -> Callable[..., str]:
    """Return the handler of a button that adds the job that `add` makes of the tables of the form; see `handler`."""

    def handle(is_like_txt2img: bool, *entered: Any) -> str:
        tables = form.values(entered[txt2img:])
        try:
            with report_unexpected():
                training.require_training()
                return done(added(add(with_txt2img(tables, entered[:txt2img]) if is_like_txt2img else tables)))
        except WorkbenchError as error:
            return form.explain(in_words(error))

    return handle


def job_to_continue(tables: dict[str, Any]) -> QueuedJob:
    """Return the job that does what `resume` does."""
    found = saved.of_form(tables)
    if found is None:
        return ContinueJob(job_from(tables))
    return ContinueJob(saved.job_to_continue(found, tables), found.steps)


#: What the buttons for the queue add, by the names of the buttons.
QUEUED: dict[str, Callable[[dict[str, Any]], QueuedJob]] = {
    "queue": lambda tables: TrainJob(job_from(tables)),
    "queue_continue": job_to_continue,
}


def one_at_a_time(handle: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap the handler of a button so that one user's job runs at a time; others get a sentence about it.

    Args:
        handle: what `wrap_gradio_gpu_call` returns; its first argument is the task.
    """

    def start(task: str, *entered: Any) -> Any:
        try:
            with runs.hold(task=task):
                return handle(task, *entered)
        except RunBusyError as busy:
            progress.finish_task(task)  # the page waits for that
            return gr.update(), refused([f"{busy}."])

    return start


def train(tables: dict[str, Any]) -> Answer:
    """Train as the form says."""
    return _shown(run_job(job_from(tables)))


def resume(tables: dict[str, Any]) -> Answer:
    """Continue the run of the form's name from its last saved state, with its own settings."""
    found = saved.of_form(tables)
    if found is None:
        return _shown(run_job(job_from(tables), resume=True))
    return go_on_with(found, tables)


def go_on_with(record: RunRecord, tables: saved.Tables, taken: Sequence[str] = ()) -> Answer:
    """Continue a run with its own settings, and those of the form at the addresses in `taken`."""
    job = saved.job_to_continue(record, tables, taken)
    kept = saved.unused_sentence(saved.differing(record, tables), job)
    return _shown(run_job(job, resume=True), kept)


def check(tables: dict[str, Any]) -> Answer:
    """Show what a run would do."""
    return gr.update(), done(*map(worded, check_job(job_from(tables))))


def find_rate(tables: dict[str, Any]) -> Answer:
    """Try learning rates; return the one found with a button that enters it, or why none was."""
    found = find_rate_for(job_from(tables))
    if found.entries:
        rates = {setting.replace(".", "_"): text for setting, text in found.entries.items()}
        return gr.update(), found_rate(*found.lines(), chart=found.chart(), rates=rates)
    return gr.update(), unsure(*found.lines(), chart=found.chart())


def interrupt(coming: str = "") -> Any:
    """Ask the active run, if there is one, to end; return a sentence.

    Args:
        coming: the tasks that the page has started and not seen the end of, one a line.
    """
    run = training.interrupt(coming)
    if run is None:
        return done(BEFORE_IT_BEGAN) if any(map(withdrawn.holds, coming.splitlines())) else gr.update()
    return _OF_INTERRUPT[0 if run.job else 1]


def after_interrupt(status: str, ended_with: Callable[[], str] = lambda: str(_last_answer[1])) -> Any:
    """Return what a run ended with where the page had it before the answer to its interrupt, which then hid it.

    Args:
        status: what the page shows.
    """
    return ended_with() if status in _OF_INTERRUPT and runs.active is None else gr.update()


def _shown(result: TrainResult, *more: str) -> Answer:
    """Return the pictures of a run, and sentences about its end."""
    pictures = [str(path) for path in (result.sheet, result.strip, *reversed(result.previews)) if path]
    name = result.network.stem
    sign = (
        f"The training of {name} was stopped, and is saved."
        if result.interrupted
        else f"The training of {name} is finished."
    )
    return gr.update(value=pictures), done(worded(summary(result)), *filter(None, more), chart=result.chart) + _sign(
        sign
    )


def _sign(sentence: str) -> str:
    """Return the sign of the end of the active run for the pages that follow its task."""
    run = runs.active
    return ended(sentence, run.task or "" if run else "")


def _failed(run: Run) -> str:
    return f"The training of {run.name} failed."


def last_answer() -> list[Any]:
    """Return what the last job ended with, without pictures that are gone since."""
    return [_without_gone(_last_answer[0]), *_last_answer[1:]]


def _without_gone(pictures: Any) -> Any:
    """Return the update of a gallery without files that are not there any more, which the page could not show."""
    kept = [path for path in pictures.get("value") or () if Path(path).is_file()]
    return pictures | {"value": kept} if "value" in pictures else pictures


def last_run(form: Form) -> Answer:
    """Return what the last run of this process ended with, wherever it was started; nothing where none has ended.

    Pictures that are gone since, such as those of an earlier run under the same name, are left out.
    """
    pictures, said = _ended_with(form)
    return _without_gone(pictures), said


def _ended_with(form: Form) -> Answer:
    run = next((run for run in runs.known() if run.over.is_set()), None)
    if run is None:
        return gr.update(), ""
    if run.result is not None:
        return _of_run.get(run.id) or _shown(run.result)
    if run.problem is None:
        return gr.update(), done(BEFORE_IT_BEGAN)
    return gr.update(value=_previews(run)), form.explain(in_words(run.problem)) + note(_failed(run), run.chart)


def _previews(run: Run) -> list[str]:
    """Return the pictures that a run without a result has made, the newest first."""
    if run.job is None:
        return []
    folder = Path(run.job.output.dir or folders.log_dir()) / run.job.output.name / "previews"
    made = sorted(folder.glob("step-*.png"), reverse=True)
    return [str(path) for path in made if path.stat().st_mtime >= run.started]


def summary(result: TrainResult) -> str:
    """Return sentences about a run that ended well."""
    ended = "Stopped by hand after" if result.interrupted else "Trained"
    in_all = f" ({result.steps_in_all} in all)" if result.steps_in_all != result.steps_now else ""
    sentences = [
        f"{ended} {result.steps_now} steps in {result.seconds:.0f} s{in_all}; {result.losses}.",
        _memory(result),
        f"Saved as {result.network.name}; log and pictures are in {result.log.parent}.",
        "Press Continue to go on." if result.interrupted else "",
        f"{result.skipped_steps} steps were left out because their loss was not finite."
        if result.skipped_steps
        else "",
        f"Rolled back {result.rollbacks} times." if result.rollbacks else "",
        *result.notes,
    ]
    return " ".join(filter(None, sentences))


def _memory(result: TrainResult) -> str:
    if result.memory_mb is None:
        return ""
    expected = "" if result.estimated_mb is None else f", {result.estimated_mb:.0f} MB expected"
    return f"Memory in addition to the model: {result.memory_mb:.0f} MB at most{expected}."
