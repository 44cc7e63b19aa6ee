"""Patch set: the host's queue, its Interrupt and its progress know of a run that goes on."""

from __future__ import annotations

import functools
import importlib
import inspect
import sys
from collections.abc import Callable
from typing import Any

from ..patching import Patch, PatchSet
from ..runs.run import runs
from .host_training import api_is_on

_LOCK, _OWN_LOCK = "modules.fifo_lock:FIFOLock", "modules.call_queue:FIFOLock"
_STATE, _OWN_STATE = "modules.shared_state:State", "modules.shared:State"


class ForgottenHolder:
    """A part that lets whoever has the queue be forgotten when the set goes: nobody tells of the end of it any more."""

    is_installed = is_needed = True

    def install(self) -> None:
        """Do nothing: who has the queue by then is not known, and tells that it leaves."""

    def uninstall(self) -> None:
        """Forget it, as the switch does that takes the set away, which has the queue itself while it does."""
        module = sys.modules.get(f"{__package__.rpartition('.')[0]}.runs.turns")
        if module is not None:
            module.turns.leave()


def _of_queue(lock: Any) -> bool:
    """Tell whether a lock is the one of the host's queue."""
    from modules import call_queue  # noqa: PLC0415

    return lock is call_queue.queue_lock


def _make_enter(original: Callable[..., Any]) -> Callable[..., Any]:
    def enter(lock: Any) -> Any:
        if not _of_queue(lock):
            return original(lock)
        from ..runs.turns import turns  # noqa: PLC0415 - needs the running host
        from ..runs.withdrawn import GaveUpError  # noqa: PLC0415

        turns.arrive()
        answer = original(lock)
        try:
            turns.enter()
        except GaveUpError:
            lock.__exit__(None, None, None)
            raise
        return answer

    return enter


def _make_exit(original: Callable[..., Any]) -> Callable[..., Any]:
    def leave(lock: Any, *raised: Any) -> Any:
        if _of_queue(lock):
            from ..runs.turns import turns  # noqa: PLC0415

            turns.leave()
        return original(lock, *raised)

    return leave


def _make_add(original: Callable[..., Any]) -> Callable[..., Any]:
    """Note which task the thread that comes to the queue next belongs to."""

    def add_task_to_queue(task: Any) -> Any:
        from ..runs.turns import turns  # noqa: PLC0415

        turns.note_task(task)
        return original(task)

    return add_task_to_queue


def _make_answer(original: Callable[..., Any]) -> Callable[..., Any]:
    def progressapi(*args: Any, **kwargs: Any) -> Any:
        from ..runs.progress import tell  # noqa: PLC0415

        (request,) = (*args, *kwargs.values())  # the server names it as the host's function does
        return tell(request.id_task, original(*args, **kwargs))

    return progressapi


def _make_ask(original: Callable[..., Any]) -> Callable[..., Any]:
    """Return an interrupt, a skip or a stop of the host's that is for other jobs than a run that has the queue."""

    def ask(state: Any) -> Any:
        from ..runs.turns import turns  # noqa: PLC0415

        return None if turns.is_run_at_work else original(state)

    return ask


def _make_restart(original: Callable[..., Any]) -> Callable[..., Any]:
    """End a run before the page is built anew; it saves."""

    def request_restart(state: Any) -> Any:
        from ..runs import training  # noqa: PLC0415

        training.interrupt_for_host()
        return original(state)

    return request_restart


def _make_api_interrupt(original: Callable[..., Any]) -> Callable[..., Any]:
    """Let the host's route end a run that the host's own route began, for which there is no other way."""

    def interruptapi(api: Any) -> Any:
        from ..runs import training  # noqa: PLC0415

        if runs.active is not None and runs.active.is_of_host_api:
            training.interrupt()
        return original(api)

    return interruptapi


def _make_wrapper(original: Callable[..., Any]) -> Callable[..., Any]:
    """Show a job that was taken back before it began as that, not as an error."""
    signature = inspect.signature(original)

    def wrap_gradio_call(func: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        import gradio as gr  # noqa: PLC0415

        from ...hypernetworks.pages.sentences import done  # noqa: PLC0415
        from ..runs.withdrawn import GaveUpError  # noqa: PLC0415

        others = signature.bind(func, *args, **kwargs).arguments.get("extra_outputs") or [None, ""]

        @functools.wraps(func)
        def call(*given: Any, **named: Any) -> Any:
            try:
                return func(*given, **named)
            except GaveUpError as error:
                return [*(gr.update() for _ in others), done(str(error))]

        return original(call, *args, **kwargs)

    return wrap_gradio_call


def _has_route() -> bool:
    if not api_is_on():
        return False
    try:
        module = importlib.import_module("modules.api.api")
    except ImportError:
        return False  # the embedded host
    return hasattr(getattr(module, "Api", None), "interruptapi")


def _state_has(name: str) -> Callable[[], bool]:
    def has() -> bool:
        from modules import shared  # noqa: PLC0415

        return hasattr(shared.state, name)

    return has


patch_set = PatchSet(
    "queue",
    "Interrupt never ends a run of another tab, and jobs are let in between its steps",
    [
        ForgottenHolder(),
        Patch(f"{_LOCK}.__exit__", _make_exit, f"{_OWN_LOCK}.__exit__"),
        Patch(f"{_LOCK}.__enter__", _make_enter, f"{_OWN_LOCK}.__enter__"),
        Patch("modules.progress:add_task_to_queue", _make_add),
        Patch("modules.progress:progressapi", _make_answer),
        Patch("modules.call_queue:wrap_gradio_call", _make_wrapper),
        Patch("modules.api.api:Api.interruptapi", _make_api_interrupt, when=_has_route),
        *(
            Patch(f"{_STATE}.{name}", _make_ask, f"{_OWN_STATE}.{name}", when=_state_has(name))
            for name in ("interrupt", "skip", "stop_generating")
        ),
        Patch(f"{_STATE}.request_restart", _make_restart, f"{_OWN_STATE}.request_restart"),
    ],
)
