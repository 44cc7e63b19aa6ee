"""Settings, hashes, states and queues."""

from __future__ import annotations

import json
import threading
import time

import pytest
from hypernetwork_workbench.hypernetworks.base.errors import SettingsError, WorkbenchError
from PIL import Image


@pytest.fixture
def opts(host):
    shared = host.module("shared")
    info = shared.OptionInfo
    return host.module("options").Options({"number": info(5, "A number"), "text": info("a", "A text")})


def test_options_are_saved_and_read_back(host, opts, tmp_path):
    file = tmp_path / "config.json"
    opts.number, opts.text = 7, "grün"
    opts.save(str(file))
    assert json.loads(file.read_text(encoding="utf-8")) == {"number": 7, "text": "grün"}
    other = host.module("options").Options(dict(opts.data_labels))
    assert other.number == 5
    other.load(str(file))
    assert (other.number, other.text) == (7, "grün")
    assert [path.name for path in tmp_path.iterdir()] == ["config.json"]


@pytest.mark.parametrize("text", ["{broken", "[1, 2]", "\x00"])
def test_broken_settings_file_is_set_aside(opts, tmp_path, caplog, text):
    file = tmp_path / "config.json"
    file.write_text(text)
    opts.load(str(file))
    assert opts.number == 5
    assert (tmp_path / "config.json.broken").read_text() == text
    assert "config.json.broken" in caplog.text


def test_value_read_before_its_option_is_kept(host, opts, tmp_path):
    file = tmp_path / "config.json"
    file.write_text('{"later": 3}')
    opts.load(str(file))
    opts.add_option("later", host.module("shared").OptionInfo(1, "Comes with an extension"))
    assert opts.later == 3


def test_change_calls_who_waits_and_is_taken_back_if_that_fails(opts):
    seen = []
    opts.onchange("number", lambda: seen.append(opts.number), call=False)
    assert opts.set("number", 6)
    assert not opts.set("number", 6)
    assert seen == [6]

    def fail():
        raise ValueError("no")

    opts.onchange("number", fail, call=False)
    assert not opts.set("number", 9)
    assert opts.number == 6


def test_unknown_option_is_an_attribute_error(opts):
    with pytest.raises(AttributeError, match="nothing_like_this"):
        _ = opts.nothing_like_this


def test_explanations_come_after_the_label(host):
    info = host.module("shared").OptionInfo(1, "X").info("more")
    assert "more" in info.comment_after


def test_sha256_is_remembered_until_the_file_changes(host, tmp_path, monkeypatch):
    hashes = host.module("hashes")
    file = tmp_path / "f"
    file.write_bytes(b"abc")
    known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert hashes.sha256(str(file), "t/f") == known
    monkeypatch.setattr(hashes, "calculate_sha256", lambda name: "computed again")
    assert hashes.sha256(str(file), "t/f") == known
    file.write_bytes(b"abcd")
    assert hashes.sha256(str(file), "t/f") == "computed again"


@pytest.mark.parametrize(
    "kept",
    [
        "[" * 100_000,
        "[1]",
        '{"t/f": 1e999}',
        '{"t/f": {"stamp": STAMP, "sha256": 7}}',
        '{"t/f": {"stamp": STAMP, "sha256": "short"}}',
        '{"t/f": {"stamp": STAMP, "sha256": "%s"}, "t/f": {}}' % ("0" * 64),
    ],
)
def test_hashes_that_somebody_damaged_are_computed_again(host, tmp_path, monkeypatch, kept):
    hashes = host.module("hashes")
    monkeypatch.setattr(hashes.paths, "data_path", str(tmp_path))
    file = tmp_path / "f"
    file.write_bytes(b"abc")
    stamp = str([file.stat().st_mtime_ns, 3, file.stat().st_ino])
    (tmp_path / "cache.json").write_text(kept.replace("STAMP", stamp), encoding="utf-8")
    assert hashes.sha256(str(file), "t/f") == hashes.calculate_sha256(str(file))
    assert hashes.sha256(str(file), "t/f") == hashes.calculate_sha256(str(file))
    assert json.loads((tmp_path / "cache.json").read_text(encoding="utf-8"))["t/f"]["stamp"] == json.loads(stamp)


def test_a_folder_in_place_of_the_hashes_costs_only_time(host, tmp_path, monkeypatch):
    hashes = host.module("hashes")
    monkeypatch.setattr(hashes.paths, "data_path", str(tmp_path))
    (tmp_path / "cache.json").mkdir()
    (tmp_path / "f").write_bytes(b"abc")
    assert hashes.sha256(str(tmp_path / "f"), "t/f") == hashes.calculate_sha256(str(tmp_path / "f"))


def test_no_hashing_gives_none(host, tmp_path, monkeypatch):
    file = tmp_path / "f"
    file.write_bytes(b"abc")
    monkeypatch.setattr(host.module("shared").cmd_opts, "no_hashing", True)
    assert host.module("hashes").sha256(str(file), "never/seen") is None


def test_templates_are_there_and_the_users_own_are_kept(host):
    module = host.module("textual_inversion.textual_inversion")
    templates = module.list_textual_inversion_templates()
    assert {"none.txt", "style_filewords.txt", "hypernetwork.txt"} <= templates.keys()
    own = host.data_dir / "textual_inversion_templates" / "mine.txt"
    own.write_text("[filewords]")
    assert module.list_textual_inversion_templates()["mine.txt"].path == str(own)


def test_jobs_run_one_at_a_time_in_the_order_they_came(host):
    queue = host.module("call_queue")
    order, running = [], []

    def job(number):
        with queue.queue_lock:
            running.append(number)
            assert len(running) == 1
            time.sleep(0.02)
            running.clear()
            order.append(number)

    threads = [threading.Thread(target=job, args=(number,)) for number in range(5)]
    with queue.queue_lock:
        for number, thread in enumerate(threads, 1):
            thread.start()
            while len(queue.queue_lock._turns) <= number:
                time.sleep(0.001)
    for thread in threads:
        thread.join()
    assert order == list(range(5))


def test_job_reports_progress_and_shows_its_time(host):
    progress, shared, queue = (host.module(name) for name in ("progress", "shared", "call_queue"))
    answers = []

    def job(task, value):
        shared.state.job_count, shared.state.job_no, shared.state.textinfo = 4, 1, "a quarter"
        shared.state.assign_current_image(Image.new("RGB", (4, 4), "red"))
        answers.append(progress.progressapi(progress.ProgressRequest(id_task=task)))
        return [value, "done"]

    result = queue.wrap_gradio_gpu_call(job)("task(abc)", 5)
    (during,) = answers
    assert (during.active, during.progress, during.textinfo) == (True, 0.25, "a quarter")
    assert during.live_preview.startswith("data:image/png;base64,")
    assert during.eta >= 0
    assert result[0] == 5
    assert "Time taken" in result[1]
    after = progress.progressapi(progress.ProgressRequest(id_task="task(abc)"))
    assert (after.active, after.completed) == (False, True)
    assert shared.state.job_count == 0


@pytest.mark.parametrize(
    ("error", "shown"),
    [
        (SettingsError("Width", "must be <8>"), "Width: must be &lt;8&gt;"),
        (RuntimeError("odd"), "RuntimeError: odd"),
    ],
)
def test_errors_are_shown_in_the_page_and_nothing_is_lost(host, caplog, error, shown):
    def fail(*args):
        raise error

    result = host.module("call_queue").wrap_gradio_gpu_call(fail, extra_outputs=["kept"])("task(x)")
    assert result[0] == "kept"
    assert shown in result[1]
    assert ("Traceback" in caplog.text) != isinstance(error, WorkbenchError)
    assert not host.module("shared").state.interrupted
