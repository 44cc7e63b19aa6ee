"""The WebUI's autocrop, where the host has it, and one sentence where not."""

import importlib
import sys
from types import ModuleType, SimpleNamespace

import pytest
from PIL import Image


@pytest.fixture
def subject(host):
    """Return the port, asked for the first time."""
    assert host.model is not None
    module = importlib.import_module("hypernetwork_workbench.patches.model.subject")
    caches = (module._autocrop, module._face_model, module._say)
    for cache in caches:
        cache.cache_clear()
    yield module
    for cache in caches:
        cache.cache_clear()


class OpenCvError(Exception):
    pass


@pytest.fixture
def autocrop(monkeypatch, tmp_path):
    """Return a module with the names of the WebUI's; its face model is there."""
    package, module = ModuleType("modules.textual_inversion"), ModuleType("modules.textual_inversion.autocrop")
    model = tmp_path / "faces.onnx"
    model.write_bytes(b"")
    module.asked = []

    def focal_point(picture, settings):
        module.asked.append((picture.size, settings))
        return SimpleNamespace(x=picture.width * 3 // 4, y=picture.height // 2)

    module.focal_point = focal_point
    module.Settings = SimpleNamespace
    module.cv2 = SimpleNamespace(error=OpenCvError)
    module.model_file_path = str(model)
    monkeypatch.setitem(sys.modules, package.__name__, package)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return module


PICTURE = Image.new("RGB", (300, 100), "white")


def test_the_host_is_asked_about_the_picture_at_the_size_of_the_crop(subject, autocrop):
    assert subject.find_subject(PICTURE, (50, 50)) == (112 / 150, 0.5)
    ((size, settings),) = autocrop.asked
    assert size == (150, 50)
    assert (settings.crop_width, settings.crop_height) == (50, 50)
    assert (settings.face_points_weight, settings.dnn_model_path) == (0.9, autocrop.model_file_path)


def test_a_face_model_that_is_not_there_is_not_downloaded(subject, autocrop, tmp_path, monkeypatch, caplog):
    (tmp_path / "faces.onnx").unlink()
    autocrop.download_and_cache_models = lambda: pytest.fail("nobody asked for a download")
    with caplog.at_level("INFO"):
        for _ in range(2):
            assert subject.find_subject(PICTURE, (50, 50)) == (112 / 150, 0.5)
    assert autocrop.asked[0][1].face_points_weight == 0
    assert caplog.text.count("face model is not there") == 1
    monkeypatch.setattr(subject, "face_centre", lambda picture: (0.2, 0.3))
    assert subject.find_subject(PICTURE, (50, 50)) == (0.2, 0.3)


def test_a_host_without_it_is_reported_once(subject, caplog):
    with caplog.at_level("INFO"):
        assert subject.find_subject(PICTURE, (50, 50)) is None
        assert subject.find_subject(PICTURE, (50, 50)) is None
    assert caplog.text.count("The WebUI's autocrop is off") == 1


def test_what_fails_or_finds_nothing_leaves_it_to_the_core(subject, autocrop, monkeypatch, caplog):
    monkeypatch.setattr(autocrop, "focal_point", lambda *_: SimpleNamespace(x=0, y=0))
    assert subject.find_subject(PICTURE, (50, 50)) is None

    def fail(*_):
        raise OpenCvError("bad model")

    monkeypatch.setattr(autocrop, "focal_point", fail)
    for _ in range(2):
        assert subject.find_subject(PICTURE, (50, 50)) is None
    assert caplog.text.count("autocrop failed, and subjects are found without it: bad model") == 1


def test_the_port_is_part_of_the_hosts(subject, patched):
    from hypernetwork_workbench.patches.model import host as ports

    assert ports.ports().find_subject is subject.find_subject
