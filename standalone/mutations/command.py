"""The command: reads its arguments, tries the mutants of each room, prints who survived and the scores."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

from . import equivalents
from .children import SURVIVED, TOO_SLOW, ChildError, Tests, Trial
from .mutants import Mutant, sample
from .reach import Reach
from .scores import HEAD, Score, explained

ROOT = Path(__file__).resolve().parents[2]
CODE, TESTS = "hypernetworks", "tests/hypernetworks"
ROOMS = ("train", "data", "network", "files", "compose", "merge", "inference")
USAGE_ERROR = 2
PATIENCE = 10  # how much longer than their processor time tests may take, on a busy machine or waiting
SPARE_S = 15  # processor time of a mutant's tests, on top of four times what they take without a change
HELP = """\
Changes one line at a time and runs the tests of the room: a change that none of them notices shows a promise that no
test holds. Exit status: 0 done, also where changes survive; 2 something was entered wrong or cannot be run.
"""


def main(arguments: Sequence[str], root: Path = ROOT) -> int:
    """Run the command with what follows `launch.py test`."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if not hasattr(os, "fork"):
        _say("--mutations needs fork, which Windows lacks: run it in WSL, on Linux or on macOS.")
        return USAGE_ERROR
    known = equivalents.read(root / "standalone" / "mutations" / equivalents.FILE.name)
    scores = []
    try:
        for path in [root / CODE / room for room in ROOMS] if options.mutations is None else [Path(options.mutations)]:
            scores.append(_try(path.resolve(), root, options, known))
    except (ChildError, ValueError) as error:
        _say(str(error))
        return USAGE_ERROR
    for entry in equivalents.stale(known, root):
        _say(f"{equivalents.FILE.name}: {entry.file} has no change any more of {entry.line!r} to {entry.becomes!r}.")
    _say("\n".join(["", HEAD, "|---" * HEAD.count(" | ") + "|---|", *(score.row() for score in scores)]))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="launch.py test", description=HELP, allow_abbrev=False)
    parser.add_argument(
        "--mutations",
        metavar="PATH",
        nargs="?",
        help=f"a room or a file of one, such as {CODE}/merge or {CODE}/merge/plan.py; without it {', '.join(ROOMS)}",
    )
    parser.add_argument(
        "--tests", type=_existing, nargs="+", metavar="FILE", help="only these tests; without it all of the room"
    )
    parser.add_argument("--sample", type=int, default=60, metavar="N", help="changes tried in each room, 60")
    parser.add_argument("--minutes", type=float, default=10, metavar="M", help="at most, for each room, 10")
    parser.add_argument("--seed", type=int, default=1, metavar="S", help="which changes: the same ones for a seed, 1")
    return parser


def _existing(text: str) -> Path:
    path = Path(text).resolve()
    if not path.exists():
        raise argparse.ArgumentTypeError(f"{text} does not exist")
    return path


def _room_of(path: Path, root: Path) -> str:
    """Return the name of the room that a path is or lies in. Raises ValueError for others."""
    parts = path.relative_to(root).parts if path.is_relative_to(root) else ()
    if len(parts) < len(Path(CODE).parts) + 1 or parts[0] != CODE or not path.exists():
        raise ValueError(f"{path} is no room of {CODE} and no file in one; the rooms are {', '.join(ROOMS)}.")
    if not (root / TESTS / parts[1]).is_dir():
        raise ValueError(f"{TESTS}/{parts[1]} is not there: the room has no tests.")
    return parts[1]


def _try(path: Path, root: Path, options: argparse.Namespace, known: Sequence[equivalents.Equivalent]) -> Score:
    room = _room_of(path, root)
    start = time.monotonic()
    score = Score(path.relative_to(root / CODE).as_posix())
    with Tests(root, options.tests or [root / TESTS / room], root / CODE / room) as tests:
        _say(f"{room}: its tests without a change ...")
        reach = tests.reach(60 * options.minutes)
        score.useless |= reach.failed
        for name in sorted(reach.failed):
            _say(f"  {name} fails without a change, and is left out.")
        for mutant in _unknown(path, root, options, known, score):
            if not _one(mutant, start + 60 * options.minutes, tests, reach, score):
                _say(f"  The {options.minutes:g} minutes are over.")
                break
            if mutant in score.survivors:
                _say("\n".join(explained(mutant, root, bool(reach.of(mutant.path, mutant.line)))))
    score.seconds = time.monotonic() - start
    return score


def _unknown(
    path: Path, root: Path, options: argparse.Namespace, known: Sequence[equivalents.Equivalent], score: Score
) -> Iterator[Mutant]:
    """Yield the sample without the known equivalents, which are counted."""
    files = [path] if path.is_file() else list(path.rglob("*.py"))

    def counts(mutant: Mutant) -> bool:
        is_known = equivalents.find(known, mutant, root) is not None
        score.equivalent += is_known
        return not is_known

    return islice(filter(counts, sample(files, options.seed)), options.sample)


def _one(mutant: Mutant, end: float, tests: Tests, reach: Reach, score: Score) -> bool:
    """Try a mutant; tell whether that came to an end in time."""
    names = reach.of(mutant.path, mutant.line)
    limit_s = SPARE_S + 4 * sum(reach.seconds[name] for name in names)
    left_s = end - time.monotonic()
    trial = Trial(mutant, names, limit_s, min(PATIENCE * limit_s, left_s))
    outcome = tests.outcome(trial) if names else SURVIVED
    if time.monotonic() > end and outcome == TOO_SLOW:
        return False
    score.outcomes.append((mutant, outcome))
    return True


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
