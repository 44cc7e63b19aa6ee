"""Command-line flags that this extension adds to the WebUI's."""

import argparse


def preload(parser: argparse.ArgumentParser) -> None:
    """Add our flags; the host calls it before it reads its command line."""
    parser.add_argument(
        "--hnw-job",
        metavar="JOB.toml",
        default=None,
        help="job file that fills the Create and Train forms at the start",
    )
    parser.add_argument(
        "--hnw-data-root",
        metavar="FOLDER",
        action="append",
        default=None,
        help="folder whose datasets the HTTP API may train on, beside DATA/datasets; may be given several times",
    )
