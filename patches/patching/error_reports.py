"""Reports unexpected errors in everything that the page or a request calls."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ...hypernetworks.base import unexpected_errors
from ...hypernetworks.base.errors import WorkbenchError

_log = logging.getLogger(__name__)


@contextmanager
def report_unexpected() -> Iterator[None]:
    """Turn an unexpected error in the block, or in the decorated function, into an UnexpectedError with a report."""
    with unexpected_errors.report_unexpected(_folder):
        yield


def _folder() -> Path:
    from modules import paths  # noqa: PLC0415 (a host without them has no tabs either)

    return Path(paths.data_path) / "outputs" / "training" / "reports"


def build_with_reports(build: Callable[[Any], None], params: Any) -> None:
    """Build a tab whose handlers report unexpected errors; the page shows the sentence of every error they raise."""
    before = {id(one) for one in _functions()}
    build(params)
    for one in _functions():
        if id(one) not in before and one.fn is not None:
            one.fn = _with_report(one.fn)


def _functions() -> Iterable[Any]:
    """Return the handlers of the page that is being built; gradio 3 has a list of them, gradio 4 a dict."""
    from gradio.context import Context  # noqa: PLC0415

    found = getattr(Context.root_block, "fns", [])
    return list(found.values() if isinstance(found, dict) else found)


def _with_report(handler: Callable[..., Any]) -> Callable[..., Any]:
    import gradio as gr  # noqa: PLC0415

    @functools.wraps(handler)
    def handle(*given: Any, **named: Any) -> Any:
        try:
            with report_unexpected():
                return handler(*given, **named)
        except WorkbenchError as error:
            _log.exception("A handler of the page failed.")
            raise gr.Error(f"{error}.") from error

    # gradio resolves the annotations in the module of the handler, and a partial function has none.
    handle.__annotations__ = getattr(handler, "__annotations__", {})
    return handle
