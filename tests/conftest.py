"""What all tests need."""

from __future__ import annotations

import gc
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from hypernetwork_workbench.hypernetworks.base import unexpected_errors

from tests.support import forks, long, order
from tests.support.examples import load_profile

# A shell that starts the tests in the background has them ignore Ctrl-C, and so would every program they start.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add --all, --random-examples and --every-language."""
    parser.addoption(
        "--all",
        action="store_true",
        help="run the long tests too, as CI does; those whom a path, -k or -m names run without it",
    )
    parser.addoption(
        "--random-examples",
        type=int,
        metavar="N",
        help="draw N examples at random for every property test; without it they try the same ones in every run",
    )
    parser.addoption("--every-language", action="store_true", help="press everything in Japanese and Chinese too")


def pytest_configure(config: pytest.Config) -> None:
    """Choose the tests, choose the examples before a module of tests is imported, and have what all workers fork."""
    told = getattr(config, "workerinput", {})  # a worker cannot tell which tests were named
    config.option.all = told["all"] if told else long.is_wanted(config)
    config.stash[long.LEFT_OUT] = 0
    load_profile(config.getoption("--random-examples"), is_quick=not config.option.all)
    if config.getoption("numprocesses", None):
        workers = ExitStack()
        workers.enter_context(forks.shared())
        config.add_cleanup(workers.close)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> Iterator[None]:
    """Leave out the long tests, and arrange the others after they were shuffled."""
    written = config.stash[long.COLLECTED] = list(items)
    if not config.option.all:
        items[:], left = long.parted(items)
        config.stash[long.LEFT_OUT] = len(left)
        config.hook.pytest_deselected(items=left)
    yield
    items[:] = order.arranged(items, written)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Have a worker tell how many tests were left out."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["left_out"] = session.config.stash[long.LEFT_OUT]


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell a worker whether the long tests run."""
    node.workerinput["all"] = node.config.option.all


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Keep what a worker told."""
    node.config.stash[long.LEFT_OUT] = getattr(node, "workeroutput", {}).get("left_out", 0)


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Tell how many tests were left out, and how to run them."""
    if said := long.told(config.stash[long.LEFT_OUT]):
        terminalreporter.write_line(said)


def pytest_runtestloop() -> None:
    """Have the garbage collector pass over what was imported and collected: it stays, and a look at it takes long."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def nothing_unexpected(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test in which an unexpected error was reported, unless it is about these."""
    caught: list[Exception] = []
    unexpected_errors.observers.append(caught.append)
    yield
    unexpected_errors.observers.remove(caught.append)
    if caught and request.node.get_closest_marker("unexpected") is None:
        raise AssertionError(f"an unexpected error was reported: {caught[0]!r}") from caught[0]
