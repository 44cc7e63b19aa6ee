"""One long job at a time, first come, first served, with its outcome shown in the page."""

from __future__ import annotations

import functools
import html
import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from hypernetwork_workbench.hypernetworks.base.errors import WorkbenchError

from modules import devices, progress, shared

log = logging.getLogger("workbench.host")


class FIFOLock:
    """A lock that is given to waiting threads in the order in which they asked."""

    def __init__(self) -> None:
        self._inner = threading.Lock()
        self._turns: deque[threading.Lock] = deque()

    def __enter__(self) -> None:
        turn = threading.Lock()
        with self._inner:
            self._turns.append(turn)
            turn.acquire()
            if self._turns[0] is turn:
                return
        turn.acquire()  # until the thread before releases it

    def __exit__(self, *_: object) -> None:
        with self._inner:
            self._turns.popleft()
            if self._turns:
                self._turns[0].release()


queue_lock = FIFOLock()


def wrap_gradio_gpu_call(func: Callable[..., Any], extra_outputs: list[Any] | None = None) -> Callable[..., Any]:
    """Wrap a long job of the page: queued, with progress under the task id that is its first argument."""

    @functools.wraps(func)
    def job(*args: Any, **kwargs: Any) -> Any:
        first = args[0] if args else None
        task = first if isinstance(first, str) and first.startswith("task(") and first.endswith(")") else None
        if task:
            progress.add_task_to_queue(task)
        with queue_lock:
            shared.state.begin(job=task)
            progress.start_task(task)
            try:
                result = func(*args, **kwargs)
                progress.record_results(task, result)
            finally:
                progress.finish_task(task)
                shared.state.end()
        return result

    return wrap_gradio_call(job, extra_outputs=extra_outputs, add_stats=True)


def wrap_gradio_call(
    func: Callable[..., Any], extra_outputs: list[Any] | None = None, add_stats: bool = False
) -> Callable[..., Any]:
    """Wrap a handler whose last output is HTML: an error is shown there, with the other outputs as given."""

    def failed(text: str) -> list[Any]:
        others = [None, ""] if extra_outputs is None else extra_outputs
        return [*others, f"<div class='error'>{html.escape(text)}</div>"]

    @functools.wraps(func)
    def handler(*args: Any, **kwargs: Any) -> tuple[Any, ...]:
        start = time.perf_counter()
        try:
            result = list(func(*args, **kwargs))
        except WorkbenchError as error:
            # Something that the user can correct: one sentence, no traceback.
            result = failed(str(error))
        except Exception as error:
            log.exception("Error completing request")
            result = failed(f"{type(error).__name__}: {error}")
        finally:
            shared.state.interrupted = False
            shared.state.job_count, shared.state.job = 0, ""
        devices.torch_gc()
        if add_stats:
            seconds = time.perf_counter() - start
            result[-1] += f"<p class='time'>Time taken: <span class='measurement'>{seconds:.1f} sec.</span></p>"
        return tuple(result)

    return handler
