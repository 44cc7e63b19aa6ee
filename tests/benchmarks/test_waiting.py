"""How long one waits for a command: until it is ready, or to its end; what fails is told with its last words."""

from __future__ import annotations

import sys
import time

import pytest

from benchmarks.startup import waiting

SERVER = """
import http.server, sys, time
time.sleep(0.3)
class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(b"page")
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Page).serve_forever()
"""


def program(text, *given):
    return (sys.executable, "-c", text, *given)


def test_a_server_is_waited_for_and_ended():
    port = waiting.free_port()
    address = f"http://127.0.0.1:{port}/"
    seconds, used = waiting.timed(program(SERVER, str(port)), lambda: waiting.answers(address))
    assert seconds > 0.3
    assert used > 0.0
    assert not waiting.answers(address)


def test_a_program_is_waited_for_to_its_end():
    text = "import time; end = time.process_time() + 0.3\nwhile time.process_time() < end: pass"
    seconds, used = waiting.timed(program(text))
    assert 0.3 <= used < 3.0
    assert seconds >= 0.3


@pytest.mark.parametrize("is_ready", [None, lambda: False])
def test_what_fails_or_ends_too_soon_is_told_with_its_last_words(is_ready):
    with pytest.raises(waiting.WaitingError, match="no room left"):
        waiting.timed(program("import sys; sys.exit('there is no room left')"), is_ready)


def test_what_takes_too_long_is_ended(monkeypatch):
    monkeypatch.setattr(waiting, "_PATIENCE_S", 0.5)
    started = time.monotonic()
    with pytest.raises(waiting.WaitingError, match="sleep"):
        waiting.timed(program("import time; time.sleep(600)"))
    assert time.monotonic() - started < 300


@pytest.mark.long("test_a_program_is_waited_for_to_its_end", "test_a_server_is_waited_for_and_ended")
def test_the_page_and_the_demo_are_measured(tmp_path):
    assert min(waiting.page(tmp_path / "data")) > 0
    seconds, used = waiting.demo(tmp_path / "made", "train.max_steps=2", "evaluation.pictures=8")
    assert min(seconds, used) > 0
    assert (tmp_path / "made" / "night.pt").is_file()
