"""The parsed command line, one object for the life of the process."""

from __future__ import annotations

import argparse
from pathlib import Path

from modules import cmd_args, paths_internal

parser = cmd_args.make_parser()
cmd_opts: argparse.Namespace = parser.parse_args([])


def _complete() -> None:
    paths_internal.configure(cmd_opts.data_dir or str(Path(paths_internal.script_path, "data")))
    cmd_opts.data_dir = paths_internal.data_path
    cmd_opts.hypernetwork_dir = cmd_opts.hypernetwork_dir or str(Path(paths_internal.models_path, "hypernetworks"))
    cmd_opts.ui_settings_file = str(Path(paths_internal.data_path, "config.json"))
    cmd_opts.textual_inversion_templates_dir = str(Path(paths_internal.data_path, "textual_inversion_templates"))


def parse(argv: list[str]) -> argparse.Namespace:
    """Reads the command line into `cmd_opts`, in place: other modules hold on to the object."""
    vars(cmd_opts).clear()
    parser.parse_args(argv, namespace=cmd_opts)
    _complete()
    return cmd_opts


_complete()
