"""Train Gamma and Runs: everything is pressed or changed once, and nothing breaks or stays English."""

import pytest

from tests.browser.every_parts import (  # noqa: F401
    language,
    place,
    test_every_control_was_touched,
    test_every_text_is_translated,
    test_no_script_and_no_handler_broke,
    test_what_is_shown_is_in_its_place_and_within_reach,
    toucher,
)

pytestmark = [pytest.mark.slow, pytest.mark.long("tests/browser/test_every_queue.py::test_every_control_was_touched")]

PART = "train"
