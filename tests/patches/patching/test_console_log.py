"""The console of a host without a log of its own: what a run tells stands there, once."""

from __future__ import annotations

import contextlib
import logging
import sys

from hypernetwork_workbench.patches.patching.console_log import ConsoleLog

NAME = "hypernetwork_workbench.hypernetworks.data.scan"


@contextlib.contextmanager
def bare():
    """Let the log be as Python has it where nobody set one up; pytest sets one up for the time of a test."""
    ours, root = logging.getLogger("hypernetwork_workbench"), logging.root
    before = [(log, log.handlers, log.level) for log in (ours, root)]
    for log, level in ((ours, logging.NOTSET), (root, logging.WARNING)):
        log.handlers = []
        log.setLevel(level)
    try:
        yield ours
    finally:
        for log, handlers, level in before:
            log.handlers = handlers
            log.setLevel(level)


def test_facts_and_warnings_are_printed_once_and_no_more_after_uninstall(capsys):
    with bare() as ours:
        log = ConsoleLog()
        logging.getLogger(NAME).info("unseen")
        for _ in range(2):
            log.install()
        logging.getLogger(NAME).info("Pictures: 3 can be used.")
        logging.getLogger(NAME).warning("Left out: a.png")
        logging.getLogger("another").info("unseen")
        assert capsys.readouterr().err == "Pictures: 3 can be used.\nLeft out: a.png\n"
        log.uninstall()
        logging.getLogger(NAME).info("unseen")
        assert capsys.readouterr().err == ""
        assert (ours.handlers, ours.level) == ([], logging.NOTSET)


def test_a_log_that_the_host_has_set_up_stays_and_has_nothing_twice(capsys):
    with bare() as ours:
        log = ConsoleLog()
        log.install()
        logging.root.addHandler(logging.StreamHandler(sys.stderr))  # another extension, later
        logging.getLogger(NAME).warning("said")
        assert capsys.readouterr().err == "said\n"
        log.uninstall()
        fresh = ConsoleLog()
        fresh.install()
        assert (ours.handlers, ours.level) == ([], logging.NOTSET)


def test_reload_ui_keeps_the_facts_though_a_log_was_set_up_meanwhile(capsys):
    with bare():
        log = ConsoleLog()
        log.install()
        logging.basicConfig(format="%(message)s", stream=sys.stderr)  # as the first `logging.warning()` of anybody does
        log.uninstall()
        log.install()
        logging.getLogger(NAME).info("Pictures: 3 can be used.")
        assert capsys.readouterr().err == "Pictures: 3 can be used.\n"
        log.uninstall()
