"""The size that Train Gamma starts with follows the checkpoint, until somebody says another one."""

from __future__ import annotations

from types import SimpleNamespace

import gradio as gr
import pytest
from torch import nn

from tests.support.train_tab import EMPTY, Tab


@pytest.fixture
def size(patched):
    from hypernetwork_workbench.patches.tabs import start_size

    return start_size


@pytest.mark.parametrize(
    ("width", "about", "px"),
    [
        (768, {"image_size": 8}, 512),
        (1024, {"parameterization": "eps"}, 512),
        (1024, {"parameterization": "v", "image_size": 64}, 768),
        (2048, {"vae": 16}, 1024),
        (96, {"image_size": 8}, 64),
        (96, {"image_size": 8, "parameterization": "v"}, 64),
        (96, {"vae": 16, "vector": 8, "image_size": 64}, 64),
        (96, {}, None),
        (96, {"vector": 8}, None),
    ],
)
def test_the_side_is_that_of_the_published_models_or_of_the_config(size, monkeypatch, width, about, px):
    vae = SimpleNamespace(encoder=SimpleNamespace(resolution=about.get("vae")))
    known = {key: about[key] for key in ("image_size",) if key in about}
    model = SimpleNamespace(parameterization=about.get("parameterization", "eps"), first_stage_model=vae, **known)
    monkeypatch.setattr(size.attention_layers, "loaded_model", lambda: model)
    monkeypatch.setattr(size.attention_layers, "loaded_widths", lambda: (width, 64))
    monkeypatch.setattr(size, "vector_width", lambda _: about.get("vector", 0))
    assert size.usual_px() == px


def test_nothing_is_loaded_to_find_it(size, monkeypatch):
    monkeypatch.setattr(size.attention_layers, "loaded_model", lambda: None)
    assert size.usual_px() is None


def test_the_hosts_models_tell_it(size, patched):
    """The tiny checkpoint says nothing, as SD1's do not of latents of 64 x 64."""
    assert isinstance(patched.model, nn.Module)
    assert size.usual_px() == 512
    patched.model.image_size = 9
    try:
        assert size.usual_px() == 72
        assert size.start_with(EMPTY)["data"] == {"width": 72, "height": 72}
        assert size.start_with({**EMPTY, "data": {"width": 64}})["data"] == {"width": 64}
        assert Tab().entered["data.width"] == 72
        assert Tab({"data": {"width": 64}}).entered["data.width"] == 64
    finally:
        patched.model.image_size = 64


class Opened:
    """Stands for a tab; keeps what it does when it is opened."""

    do = None

    def select(self, do, *_, **__):
        self.do = do


def test_it_follows_the_checkpoint_until_somebody_enters_another(size, monkeypatch):
    monkeypatch.setattr(size, "usual_px", lambda: 512)
    tab, opened = Tab(), Opened()
    with gr.Blocks():
        size.follow(opened, tab.handlers.form)
    follow = opened.do
    assert follow([512, 512], 512, 512)[0] == [512, 512]
    monkeypatch.setattr(size, "usual_px", lambda: 1024)
    started, *updates = follow([512, 512], 512, 512)
    assert (started, [one["value"] for one in updates]) == ([1024, 1024], [1024, 1024])
    tab.look(data__width=1024, data__height=1024)
    assert "data_width" not in tab.outputs["changed"], "nobody has changed it"
    started, *updates = follow([512, 512], 640, 512)
    assert (started, ["value" in one for one in updates]) == ([512, 512], [False, False])
    monkeypatch.setattr(size, "usual_px", lambda: None)
    assert follow([512, 512], 512, 512)[0] == [512, 512]


@pytest.mark.parametrize(("start", "follows"), [({}, True), ({"data": {"width": 64}}, False)])
def test_the_size_of_a_job_file_stays(size, monkeypatch, start, follows):
    from hypernetwork_workbench.patches.tabs.dataset import tab as dataset

    seen, follow = [], size.follow
    monkeypatch.setattr(size, "follow", lambda *given: (seen.append(given), follow(*given))[1])
    Tab(start)
    with gr.Blocks():
        dataset.make_tab({**EMPTY, **start})
    assert len(seen) == (2 if follows else 0)
