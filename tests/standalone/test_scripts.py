"""Extensions: hooks, scripts, callbacks, reload."""

from __future__ import annotations

import sys

import pytest

from tests.standalone.test_processing import make

SCRIPT = """
import helper_of_this_extension
from modules import script_callbacks, scripts, shared
import sys
FIRST = sys.path[0]

class Counter(scripts.Script):
    def title(self):
        return "Counter"
    def show(self, is_img2img):
        return scripts.AlwaysVisible
    def ui(self, is_img2img):
        return ["a component"]
    def before_process(self, p, value):
        p.extra_generation_params["Counter"] = value
    def process(self, p, value):
        p.all_prompts = [prompt + " <hypernet:from_script:1>" for prompt in p.all_prompts]
    def postprocess(self, p, processed, value):
        processed.seen = (value, len(processed.images))

script_callbacks.on_ui_settings(lambda: shared.opts.add_option("counted", shared.OptionInfo(3, "Counted")))
script_callbacks.on_script_unloaded(lambda: helper_of_this_extension.LOG.append("unloaded"))
helper_of_this_extension.LOG.append("loaded")
"""


@pytest.fixture
def extension(host, tmp_path):
    """Return a small extension with a broken script before its good one; the host uses it alone."""
    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts" / "a_broken.py").write_text("raise ValueError('on purpose')\n")
    (tmp_path / "scripts" / "counter.py").write_text(SCRIPT)
    (tmp_path / "helper_of_this_extension.py").write_text("LOG = []\n")
    (tmp_path / "install.py").write_text("import pathlib; pathlib.Path(__file__).with_name('ran').touch()\n")
    preload = "def preload(parser):\n    parser.add_argument('--counted', type=int, default=1)\n"
    (tmp_path / "preload.py").write_text(preload)
    (tmp_path / "javascript").mkdir()
    (tmp_path / "javascript" / "x.js").write_text("// nothing\n")
    (tmp_path / "style.css").write_text("\n")
    extensions = host.module("extensions")
    extensions.use([str(tmp_path)])
    yield tmp_path
    extensions.use([])
    host.module("scripts").load_scripts()
    sys.modules.pop("helper_of_this_extension", None)


def test_scripts_load_with_their_folder_first_and_an_error_stops_only_one(host, extension, caplog):
    scripts, before = host.module("scripts"), list(sys.path)
    scripts.load_scripts()
    assert sys.path == before
    assert "a_broken.py" in caplog.text
    (data,) = scripts.scripts_data
    assert str(extension) == data.module.FIRST


def test_hooks_run(host, extension):
    extensions, parser = host.module("extensions"), host.module("shared_cmd_options").make_parser()
    extensions.run_hook("install.py")
    assert (extension / "ran").exists()
    extensions.run_hook("preload.py", parser)
    assert parser.parse_args(["--counted", "4"]).counted == 4


def test_files_for_the_page_are_listed(host, extension):
    extensions = host.module("extensions")
    assert extensions.files("javascript/*.js") == [extension / "javascript" / "x.js"]
    assert extensions.files("style.css") == [extension / "style.css"]


def test_reload_unloads_and_loads_once(host, extension):
    from hypernetwork_workbench.standalone import host as embedded

    host.module("scripts").load_scripts()
    log = sys.modules["helper_of_this_extension"].LOG
    for _ in range(2):
        embedded.reload(host)
    assert log == ["loaded", "unloaded", "loaded", "unloaded", "loaded"]
    callbacks = host.module("script_callbacks")
    assert len(callbacks.callback_map["callbacks_script_unloaded"]) == 1
    assert host.module("shared").opts.counted == 3


def test_always_visible_script_takes_part(host, extension):
    scripts, processing = host.module("scripts"), host.module("processing")
    scripts.load_scripts()
    runner = scripts.scripts_txt2img
    runner.initialize_scripts()
    script = runner.alwayson_scripts[0]
    script.args_from, script.args_to = 1, 2
    p = processing.StableDiffusionProcessingTxt2Img(prompt="x", seed=1, steps=1, width=64, height=64, batch_size=2)
    p.scripts, p.script_args, p.do_not_save_samples = runner, [0, "five"], True
    processed = processing.process_images(p)
    assert processed.seen == ("five", 2)
    assert "Counter: five" in processed.info
    assert processed.info.startswith("x <hypernet:from_script:1>\n")


def test_failing_callback_is_logged_and_the_others_run(host, caplog):
    callbacks = host.module("script_callbacks")
    seen = []

    def fail():
        raise ValueError("on purpose")

    callbacks.on_ui_tabs(fail)
    callbacks.on_ui_tabs(lambda: seen.append(1) or [("block", "title", "id")])
    try:
        assert callbacks.ui_tabs_callback() == [("block", "title", "id")]
    finally:
        callbacks.clear_callbacks()
    assert seen == [1]
    assert "on purpose" in caplog.text
    assert callbacks.ui_tabs_callback() == []


def test_unload_runs_backwards(host):
    callbacks, seen = host.module("script_callbacks"), []
    callbacks.on_script_unloaded(lambda: seen.append("first"))
    callbacks.on_script_unloaded(lambda: seen.append("second"))
    try:
        callbacks.script_unloaded_callback()
    finally:
        callbacks.clear_callbacks()
    assert seen == ["second", "first"]


def test_saved_pictures_are_announced(host, tmp_path):
    callbacks, seen = host.module("script_callbacks"), []

    def before(params):
        params.pnginfo["extra"] = "yes"

    callbacks.on_before_image_saved(before)
    callbacks.on_image_saved(seen.append)
    try:
        make(host, steps=1, do_not_save_samples=False, outpath_samples=str(tmp_path))
    finally:
        callbacks.clear_callbacks()
    (params,) = seen
    (file,) = tmp_path.rglob("*.png")
    assert params.filename == str(file)
    from PIL import Image

    with Image.open(file) as picture:
        assert picture.info["extra"] == "yes"
