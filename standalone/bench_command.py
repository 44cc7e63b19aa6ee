"""`launch.py bench NAME`: measures, prints a table, and writes the numbers as JSON."""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from pathlib import Path
from typing import Any, NoReturn

from . import host
from .command_errors import USAGE_ERROR, with_error_report
from .launcher import benchmarks

host.mount()

from hypernetwork_workbench.hypernetworks.base.atomic import not_regular, write_text  # noqa: E402 (mounted just above)
from hypernetwork_workbench.hypernetworks.base.paths import path_argument  # noqa: E402

RESULTS = host.ROOT / "benchmarks" / "results"


class _Parser(argparse.ArgumentParser):
    """Reports a wrong argument in one sentence."""

    def error(self, message: str) -> NoReturn:
        self.exit(USAGE_ERROR, f"bench: {message}\n")


@with_error_report
def main(argv: list[str]) -> int:
    """Run one benchmark. Exit status: 0 done, 2 something was entered wrong."""
    parser = _Parser(prog="launch.py bench", description="Measures and prints a table.", allow_abbrev=False)
    known = benchmarks()
    parser.add_argument("name", metavar="NAME", choices=known, help=f"one of {', '.join(known)}")
    parser.add_argument("--json", type=path_argument, metavar="FILE", help="where to write the numbers")
    parser.add_argument("--keep", action="store_true", help="keep the numbers in benchmarks/results, for its tables")
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="turns that each case gets, 3 if not given")
    arguments = parser.parse_args(argv)
    if arguments.rounds < 1:
        parser.error(f"argument --rounds: must be at least 1, not {arguments.rounds}")
    if arguments.json and not arguments.json.resolve().parent.is_dir():
        parser.error(f"argument --json: the folder {arguments.json.resolve().parent} does not exist")
    if arguments.json and (what := not_regular(arguments.json)) is not None:
        parser.error(f"argument --json: {arguments.json} is {what}; name a file")
    report = importlib.import_module(f"benchmarks.{arguments.name}").measure(arguments.rounds)
    for path in filter(None, (arguments.json, kept(arguments.name) if arguments.keep else None)):
        write_text(path, json.dumps(report, indent=2) + "\n")
    sys.stdout.write(table(report) if "cases" in report else json.dumps(report, indent=2) + "\n")
    return 0


def kept(name: str) -> Path:
    """Return the file of what a benchmark last gave: machines with a GPU have one, those without another."""
    import torch  # noqa: PLC0415 - a wrong argument needs none of it

    return RESULTS / f"{name}-{'gpu' if torch.cuda.is_available() else 'cpu'}.json"


def table(report: dict[str, Any]) -> str:
    """Return the cases of a report as a Markdown table, with the machine above it."""
    columns = list(dict.fromkeys(name for case in report["cases"] for name in case))
    cells = [[str(case.get(name, "")) for name in columns] for case in report["cases"]]
    rows = [columns, ["---"] * len(columns), *cells]
    lines = [f"| {' | '.join(cell.replace('_', ' ') for cell in row)} |" for row in rows]
    return "\n".join([report["machine"], "", *lines]) + "\n"
