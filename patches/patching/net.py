"""The last net under everything that a page or a request calls."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ...hypernetworks.base.errors import WorkbenchError
from ...hypernetworks.base.last_net import last_net

_log = logging.getLogger(__name__)


@contextmanager
def told() -> Iterator[None]:
    """In the block, or the decorated function, raise an UnforeseenError with a report for what nobody foresaw."""
    with last_net(_folder):
        yield


def _folder() -> Path:
    from modules import paths  # noqa: PLC0415 (a host without them has no tabs either)

    return Path(paths.data_path) / "outputs" / "training" / "reports"


def build_over_net(build: Callable[[Any], None], params: Any) -> None:
    """Build a tab, and put the net under all its handlers: the page shows the sentence of what they raise."""
    before = {id(one) for one in _functions()}
    build(params)
    for one in _functions():
        if id(one) not in before and one.fn is not None:
            one.fn = _shown(one.fn)


def _functions() -> Iterable[Any]:
    """Return the handlers of the page that is being built; gradio 3 has a list of them, gradio 4 a dict."""
    from gradio.context import Context  # noqa: PLC0415

    found = getattr(Context.root_block, "fns", [])
    return list(found.values() if isinstance(found, dict) else found)


def _shown(handler: Callable[..., Any]) -> Callable[..., Any]:
    import gradio as gr  # noqa: PLC0415

    @functools.wraps(handler)
    def handle(*given: Any, **named: Any) -> Any:
        try:
            with told():
                return handler(*given, **named)
        except WorkbenchError as error:
            _log.exception("A handler of the page failed.")
            raise gr.Error(f"{error}.") from error

    return handle
