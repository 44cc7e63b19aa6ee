"""The page: it answers, carries the extension, takes nothing from the network, and says what is wrong."""

from __future__ import annotations

import collections
import json
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from hypernetwork_workbench.hypernetworks.base.errors import SettingsError
from hypernetwork_workbench.standalone import host as embedded

SERVE = "import sys; from standalone import app; sys.exit(app.serve(sys.argv[1:]))"


def command(*arguments):
    return [sys.executable, "-c", SERVE, *map(str, arguments), "--no-browser"]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def get(address, data=None):
    headers = {"Content-Type": "application/json"}
    with urllib.request.urlopen(urllib.request.Request(address, data=data, headers=headers), timeout=120) as answer:
        return answer.read().decode()


@pytest.fixture(scope="module")
def page(checkpoint, tmp_path_factory):
    """Return the address of a served page that carries the extension, and its data folder."""
    data, port = tmp_path_factory.mktemp("served"), free_port()
    address = f"http://127.0.0.1:{port}"
    with (data / "log").open("w") as log:
        start = time.monotonic()
        arguments = command("--port", port, "--ckpt", checkpoint, "--data-dir", data)
        server = subprocess.Popen(arguments, cwd=embedded.ROOT, stdout=log, stderr=log)
        try:
            while True:
                try:
                    get(address)
                    break
                except OSError:
                    assert server.poll() is None, (data / "log").read_text()
                    assert time.monotonic() - start < 240, (data / "log").read_text()
                    time.sleep(0.1)
            yield address, data
            server.send_signal(signal.SIGINT)
            assert server.wait(240) == 0
        finally:
            server.kill()
            server.wait()
    text = (data / "log").read_text()
    assert "Traceback" not in text
    assert "Error" not in text


def config(page):
    text = get(page[0])
    return text, json.loads(re.search(r"window\.gradio_config = (\{.*?\});</script>", text, re.S)[1])


def test_page_has_the_webuis_elements(page):
    _, settings = config(page)
    ids = {component["props"].get("elem_id") for component in settings["components"]}
    fields = ["prompt", "neg_prompt", "steps", "sampling", "cfg_scale", "seed", "width", "height"]
    fields += ["generate", "interrupt", "gallery"]
    assert {f"txt2img_{name}" for name in fields} <= ids
    assert {"html_info_txt2img", "train_tabs", "ti_output", "ti_progress", "ti_gallery", "ti_error"} <= ids
    assert {"settings_submit", "setting_sd_hypernetwork", "tabs", "tab_train"} <= ids


def test_page_carries_the_extension(page):
    text, settings = config(page)
    ids = {component["props"].get("elem_id") for component in settings["components"]}
    assert {"hnw_train_button", "hnw_picker", "hnw_strength"} <= ids
    addresses = re.findall(r"(?:src|href)=\"(file=[^\"]+)\"", text)
    assert any("host.js" in address for address in addresses)
    assert any("/javascript/hnw_" in address for address in addresses)
    for address in addresses:
        assert get(f"{page[0]}/{address}")


def test_every_id_stands_once(page):
    _, settings = config(page)
    ids = [component["props"].get("elem_id") for component in settings["components"]]
    assert [id_ for id_, count in collections.Counter(filter(None, ids)).items() if count > 1] == []


def test_page_fetches_nothing_from_elsewhere(page):
    text, settings = config(page)
    assert not re.findall(r"<(?:script|link|img)[^>]*(?:src|href)=\"https?://[^\"]*", text)
    assert "fonts.googleapis" not in text + get(f"{page[0]}/theme.css")
    assert not settings.get("analytics_enabled")


def test_files_outside_the_page_are_refused(page):
    with pytest.raises(urllib.error.HTTPError) as error:
        get(f"{page[0]}/file=/etc/hostname")
    with error.value as answer:
        assert answer.code in (403, 404)


def test_progress_route_answers(page):
    answer = json.loads(get(f"{page[0]}/internal/progress", data=b'{"id_task": "task(none)"}'))
    assert answer["active"] is answer["completed"] is answer["queued"] is False


def test_other_sites_get_no_answer(page):
    request = urllib.request.Request(page[0], headers={"Origin": "http://example.org"})
    with pytest.raises(urllib.error.HTTPError) as error:
        urllib.request.urlopen(request, timeout=120)
    with error.value as answer:
        assert answer.code == 403
        assert answer.headers.get("access-control-allow-origin") is None


BUSY_PAGE = """
import json, os, sys, threading
import gradio as gr
from standalone import app
from websockets.sync.client import connect

app.SECONDS_TO_CLOSE = 0.2
started = threading.Event()

def work():
    started.set()
    threading.Event().wait(600)

with gr.Blocks(analytics_enabled=False) as demo:
    gr.Button().click(work)
demo.queue(api_open=False)
_, address, _ = demo.launch(server_port=int(sys.argv[1]), prevent_thread_lock=True, quiet=True, show_api=False)
with connect(address.replace("http", "ws", 1) + "queue/join") as visitor:
    for message in ({"fn_index": 0}, {"fn_index": 0, "data": []}):
        visitor.recv(240)
        visitor.send(json.dumps({**message, "session_hash": "visitor"}))
    assert started.wait(240)
    app.close(demo)
    print("closed", flush=True)
os._exit(0)
"""


def test_close_breaks_off_an_event_that_does_not_end():
    command = [sys.executable, "-c", BUSY_PAGE, str(free_port())]
    ended = subprocess.run(command, check=False, cwd=embedded.ROOT, capture_output=True, text=True, timeout=240)
    assert ended.stdout.split()[-1:] == ["closed"], ended.stderr


def test_wrong_arguments_end_with_one_sentence_and_code_2(quick, tmp_path):
    busy = socket.socket()
    busy.bind(("127.0.0.1", 0))
    busy.listen()
    file = tmp_path / "a.ckpt"
    file.write_text("not a checkpoint")
    data, port = tmp_path / "data", busy.getsockname()[1]
    good = ("--data-dir", data, "--port", free_port())
    cases = {
        "--port": [("--port", "many"), ("--port", 0), ("--port", port)],
        "--listen": [(*good, "--listen", "everywhere"), (*good, "--listen", "192.0.2.77")],
        "--allow-origin": [(*good, "--allow-origin", name) for name in ("*", "null", "draw.example", "http://a/b")],
        "--ckpt": [(*good, "--ckpt", tmp_path / "nowhere.ckpt"), (*good, "--ckpt", file), (*good, "--ckpt", tmp_path)],
        "--data-dir": [("--port", free_port(), "--data-dir", file / "below")],
        "--hypernetwork-dir": [("--port", free_port(), "--data-dir", tmp_path, "--hypernetwork-dir", file)],
        "--bogus": [(*good, "--bogus")],
    }
    serve = quick("standalone.app", "serve")
    with busy:
        for name, lines in cases.items():
            for line in lines:
                done = serve(*line, "--no-browser")
                text = done.stderr
                assert (done.returncode, done.stdout) == (2, ""), text
                assert name in text
                assert text.count("\n") == 1, text
    assert not data.exists(), "nothing may be written"


@pytest.fixture
def ui(host):
    """Return the page's parts in this process, without a server."""
    host.module("ui").create_ui()
    yield host
    host.module("shared").settings_components.clear()


def values_of(ui, **changed):
    shared = ui.module("shared")
    return [changed.get(key, getattr(shared.opts, key)) for key in shared.settings_components]


def test_generate_makes_a_saved_picture_with_its_infotext(ui):
    from PIL import Image

    job = ui.module("ui_txt2img")
    runner = ui.module("scripts").scripts_txt2img
    fields = ("a red circle", "", 2, "Euler", "Automatic", 4.0, 5, 64, 64, 1, 2, [])
    pictures, infotext, notes = job.txt2img("task(x)", *fields, *([None] * len(runner.inputs)))
    assert len(pictures) == 2
    with Image.open(pictures[1]) as picture:
        assert "Seed: 6" in picture.info["parameters"]
    assert "a red circle" in infotext
    assert notes == ""


def test_settings_are_applied_and_kept(ui):
    settings, shared = ui.module("ui_settings"), ui.module("shared")
    assert settings.apply(*values_of(ui))[1] == "Nothing was changed."
    _, text = settings.apply(*values_of(ui, show_progress_every_n_steps=9))
    try:
        assert "Live preview every N sampling steps" in text
        saved = json.loads(Path(shared.config_filename).read_text(encoding="utf-8"))
        assert saved["show_progress_every_n_steps"] == 9
    finally:
        shared.opts.set("show_progress_every_n_steps", 5)


@pytest.mark.parametrize("value", [None, "many", 0, 99, True])
def test_wrong_setting_is_named_and_nothing_is_changed(ui, value):
    settings, shared = ui.module("ui_settings"), ui.module("shared")
    with pytest.raises(SettingsError, match="Live preview every N"):
        settings.apply(*values_of(ui, samples_save=False, show_progress_every_n_steps=value))
    assert shared.opts.samples_save is True


def test_checkpoint_is_changed_by_the_settings(ui, checkpoint):
    from tests.support import tiny_checkpoint

    folder = ui.data_dir / "models" / "Stable-diffusion"
    folder.mkdir(parents=True)
    tiny_checkpoint.write(folder, name="other", seed=1)
    ui.module("shared").refresh_checkpoints()
    settings = ui.module("ui_settings")
    settings.apply(*values_of(ui, sd_model_checkpoint="other.safetensors"))
    assert ui.model.sd_checkpoint_info.name == "other.safetensors"
    settings.apply(*values_of(ui, sd_model_checkpoint=checkpoint.name))
    assert ui.model.sd_checkpoint_info.name == checkpoint.name


def test_pasted_infotext_fills_the_fields(ui):
    import gradio as gr

    infotext = ui.module("infotext_utils")
    values = {"Steps": "12", "CFG scale": "4.5", "Sampler": "Euler", "Seed": "x"}
    slider, text = gr.Slider(1, 30), gr.Textbox()
    assert infotext._value_for(slider, values["Steps"])["value"] == 12
    assert infotext._value_for(slider, values["CFG scale"])["value"] == 4.5
    assert "value" not in infotext._value_for(slider, values["Seed"])
    assert infotext._value_for(text, values["Sampler"])["value"] == "Euler"
