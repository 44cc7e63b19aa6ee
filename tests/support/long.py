"""The long run: tests marked `long` are left out where nobody names tests or asks for all."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import pytest

MARKER = "long"
MANY, NTH = 6, 3
COMMAND = "python3 launch.py test --all"
#: All that was collected, long tests too.
COLLECTED = pytest.StashKey[Sequence[pytest.Item]]()
#: How many tests were left out.
LEFT_OUT = pytest.StashKey[int]()


def is_wanted(config: pytest.Config) -> bool:
    """Tell whether the user asks for all tests, or names some: by a path, `-k`, `-m` or `--last-failed`."""
    names = any(config.getoption(option, None) for option in ("all", "keyword", "markexpr", "lf"))
    return bool(names) or config.args_source is pytest.Config.ArgsSource.ARGS


def parted(items: Iterable[pytest.Item]) -> tuple[list[pytest.Item], list[pytest.Item]]:
    """Return the tests of a quick run, and those that it leaves out.

    Of a test with many sets of parameters a quick run has every third, but for the steps of a story.
    """
    parts: tuple[list[pytest.Item], list[pytest.Item]] = ([], [])
    tests: dict[str, list[pytest.Item]] = {}
    for item in items:
        parts[item.get_closest_marker(MARKER) is not None].append(item)
    for item in parts[0]:
        tests.setdefault(item.nodeid.split("[")[0], []).append(item)
    many = [of_one for of_one in tests.values() if len(of_one) > MANY and not of_one[0].get_closest_marker("story")]
    left = {item for of_one in many for number, item in enumerate(of_one) if number % NTH}
    return [item for item in parts[0] if item not in left], [*parts[1], *filter(left.__contains__, parts[0])]


def thinned(cases: Iterable[Any], nth: int = 3) -> list[Any]:
    """Return cases for `parametrize`, of which every nth is quick and all others are long."""
    return [
        case if not number % nth else pytest.param(*(case if type(case) is tuple else (case,)), marks=pytest.mark.long)
        for number, case in enumerate(cases)
    ]


def alone(items: Iterable[pytest.Item]) -> list[str]:
    """Return what is wrong with the markers of long tests, one sentence each.

    A long test names the quick one that holds its promise in short: of its own file by its name, of another as
    `path::name`. One that names none is the same test with other parameters, or gives a reason as `alone`.
    """
    items = list(items)
    quick = parted(items)[0]
    left = [item for item in items if item.get_closest_marker(MARKER)]
    files = {item.nodeid.split("::")[0] for item in items}
    known = {item.nodeid.split("[")[0] for item in quick}
    wrong = []
    for item in left:
        markers = list(item.iter_markers(MARKER))
        if any(marker.kwargs.get("alone") for marker in markers):
            continue
        own = item.nodeid.split("[")[0]
        file = own.split("::")[0]
        names = [name for marker in markers for name in marker.args]
        beside = [name if "::" in name else f"{file}::{name}" for name in names] or [own]
        missing = [name for name in beside if name not in known and name.split("::")[0] in files]
        wrong += [f"{item.nodeid} has no quick test beside it: {name} is none" for name in missing]
    return wrong


def told(count: int) -> str:
    """Return the line at the end of a run that left tests out."""
    return f"{count} long tests were left out; `{COMMAND}` runs them too." if count else ""
