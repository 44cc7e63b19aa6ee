"""What all tests need."""

from __future__ import annotations

import gc
import signal
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from hypernetwork_workbench.hypernetworks.base import unexpected_errors

from tests.support import forks, order
from tests.support.examples import load_profile

# A shell that starts the tests in the background has them ignore Ctrl-C, and so would every program they start.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add --random-examples and --every-language."""
    parser.addoption(
        "--random-examples",
        type=int,
        metavar="N",
        help="draw N examples at random for every property test; without it they try the same ones in every run",
    )
    parser.addoption("--every-language", action="store_true", help="press everything in Japanese and Chinese too")


def pytest_configure(config: pytest.Config) -> None:
    """Choose the examples before a module of tests is imported, and have what all workers fork."""
    load_profile(config.getoption("--random-examples"))
    if config.getoption("numprocesses", None):
        workers = ExitStack()
        workers.enter_context(forks.shared())
        config.add_cleanup(workers.close)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> Iterator[None]:
    """Arrange the tests after they were shuffled."""
    written = list(items)
    yield
    items[:] = order.arranged(items, written)


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
