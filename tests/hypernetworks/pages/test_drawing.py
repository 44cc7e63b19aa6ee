"""The drawing of a network."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest
from hypernetwork_workbench.hypernetworks.network.structure import MAX_LAYERS, Structure
from hypernetwork_workbench.hypernetworks.pages.create import draw

SVG = "{http://www.w3.org/2000/svg}"


def parts(structure, widths=(768, 320), kind="layer"):
    tree = ET.fromstring(draw(structure, widths))
    return [one for one in tree.iter() if one.get("class") == f"hnw-{kind}"]


def texts(structure, widths=(768, 320)):
    return [one.text for one in ET.fromstring(draw(structure, widths)).iter(f"{SVG}text")]


def test_a_bar_for_each_layer_as_high_as_it_is_wide():
    bars = parts(Structure((1, 2, 0.5, 1)))
    heights = [float(bar.get("height")) for bar in bars]
    assert [height / heights[0] for height in heights] == [1, 2, 0.5, 1]


def test_the_width_of_each_layer_for_each_attention_width():
    shown = texts(Structure((1, 1.5, 1)))
    for width in ("768", "1152", "320", "480", "× 1.5"):
        assert width in shown


def test_the_steps_stand_in_the_order_of_the_format():
    plain = Structure((1, 2, 1), activation="relu", layer_norm=True, dropout_structure=(0, 0.25, 0))
    assert [t for t in texts(plain) if t in {"Linear", "relu", "LayerNorm", "Dropout 25 %"}] == (
        ["Linear", "relu", "LayerNorm", "Dropout 25 %", "Linear", "LayerNorm"]
    )
    residual = Structure((1, 2, 1), "relu", layer_norm=True, dropout_structure=(0, 0.25, 0), skip_connection=True)
    assert [t for t in texts(residual) if t in {"Linear", "relu", "LayerNorm", "Dropout 25 %"}] == (
        ["Linear", "LayerNorm", "Dropout 25 %", "relu", "Linear", "LayerNorm", "relu"]
    )


def test_residual_blocks_have_an_arc_each():
    assert len(parts(Structure((1, 2, 2, 1), skip_connection=True), kind="arc")) == 3
    assert "learned stretch" in texts(Structure((1, 2, 1), skip_connection=True, upsample_linear=True))


def test_a_zero_last_layer_is_reported():
    assert "Linear, from 0" in texts(Structure(zero_last_layer=True))


@pytest.mark.parametrize("widths", [(), (1,), tuple(range(1, 40))])
def test_any_number_of_widths_and_layers(widths):
    for layers in ((1, 1), (1,) * MAX_LAYERS, (1, 0.01, 64, 1)):
        tree = ET.fromstring(draw(Structure(layers), widths))
        _, _, width, height = map(float, tree.get("viewBox").split())
        for text in tree.iter(f"{SVG}text"):
            assert 0 <= float(text.get("x")) <= width
            assert 0 <= float(text.get("y")) <= height


def test_no_colour_that_one_theme_would_swallow():
    drawing = draw(Structure((1, 2, 1), "relu", layer_norm=True, dropout_structure=(0, 0.1, 0)), (768,))
    assert 'fill="currentColor"' in drawing
    for colour in ("black", "white", "#000", "#fff"):
        assert colour not in drawing
