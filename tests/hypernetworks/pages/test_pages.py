"""Reports as HTML: nothing of a file gets into the page unescaped, and the histograms show what they say."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
import torch
from hypernetwork_workbench.hypernetworks import files, report
from hypernetwork_workbench.hypernetworks.base.errors import HypernetworkFileError
from hypernetwork_workbench.hypernetworks.network.hypernetwork import Hypernetwork, Metadata, Structure
from hypernetwork_workbench.hypernetworks.pages import charts
from hypernetwork_workbench.hypernetworks.pages import elements as pages
from hypernetwork_workbench.hypernetworks.pages import report as report_page
from hypernetwork_workbench.hypernetworks.report import Histogram

from tests.support import hostile

EVIL = "<script>alert('x')</script>&\"\u202e\x00"
ALLOWED = {
    *("div", "h3", "h4", "p", "b", "br", "table", "tbody", "tr", "th", "td", "details", "summary"),
    *("svg", "title", "rect"),
}


def elements(page: str) -> set[str]:
    return set(re.findall(r"<([a-zA-Z0-9]+)", page))


def saved(folder: Path, network: Hypernetwork, **facts) -> Path:
    network.metadata = Metadata(**{"name": "n", **facts})
    files.save(network, folder / "n.pt")
    return folder / "n.pt"


def make(**structure) -> Hypernetwork:
    return Hypernetwork.create(Structure(**structure), (8, 12), 0)


def test_the_page_has_all_facts(tmp_path):
    facts = {"step": 1500, "sd_checkpoint": "abc", "sd_checkpoint_name": "demo", "optional_info": "by hand"}
    training = {"dataset": {"name": "night", "size": 16}, "rate": 1e-5}
    network = make(activation="mish", layer_norm=True, layer_structure=(1, 1.5, 1), dropout_structure=(0, 0.3, 0))
    page = report_page.render(report.describe(saved(tmp_path, network, training=training, **facts), bins=16))
    shown = re.sub(r"<[^>]+>", "|", str(page).replace("<!---->", ""))
    for words in (
        *("n.pt", "1,500", "demo| [abc]".replace("|", ""), "by hand", "1, 1.5, 1", "12 → 18 → 12", "mish"),
        *("dataset.name", "night", "dataset.size", "16", "1e-05", "float16", "WebUI", "ComfyUI", "SD.Next", "sdkit"),
        "keeps dropout switched on",
    ):
        assert words in shown, words
    assert page.count("<svg") == 2 * 2 * 8
    assert elements(page) <= ALLOWED


def test_nothing_of_a_file_reaches_the_page_unescaped(tmp_path):
    training = {EVIL: {EVIL: [EVIL]}, "mask": torch.arange(3)}
    path = saved(
        tmp_path,
        make(),
        **{"name": EVIL, "sd_checkpoint": EVIL, "sd_checkpoint_name": EVIL, "optional_info": EVIL},
        training=training,
        extra={EVIL: EVIL},
    )
    page = report_page.render(report.describe(path, bins=4))
    assert elements(page) <= ALLOWED
    assert "alert(&#39;x&#39;)" in page
    assert "\u202e" not in page
    assert "\x00" not in page
    assert "tensor [3] of int64" in page


def test_text_is_shortened_and_always_fits_utf8():
    assert pages.text("x" * 5000).endswith("… (5,000 characters)")
    assert pages.text("a\ud83d夜\nb") == "a\ufffd夜\nb"
    many = pages.values({"a": {str(n): n for n in range(5000)}})
    assert len(many) == 301
    assert many[0] == ("a.0", "0")
    assert many[-1] == ("…", "and 4,700 more")


@pytest.mark.parametrize(
    ("count", "words"), [(900, "0.9 kB"), (95_456, "95.5 kB"), (87_800_000, "87.8 MB"), (1_000_000, "1.0 MB")]
)
def test_sizes_are_written_as_people_read_them(count, words):
    assert pages.size(count) == words


def test_a_file_with_nan_says_so_and_shows_the_rest(tmp_path):
    path = saved(tmp_path, make())
    state = torch.load(path, weights_only=True)
    state[8][0]["linear.0.bias"][:4] = float("nan")
    torch.save(state, path)
    page = report_page.render(report.describe(path, bins=4))
    assert "This file is broken: the weight 8.k.linear.0.bias is not finite." in page
    assert "<b class='hnw-no'>25.00%</b>" in page
    assert page.count("<svg") == 16


@pytest.mark.parametrize("name", sorted(hostile.CASES))
def test_every_hostile_file_gives_a_page_with_its_problem(name, tmp_path):
    path = hostile.CASES[name][0](tmp_path)
    try:
        page = report_page.render(report.describe(path, bins=4))
    except HypernetworkFileError as error:
        page = report_page.render_broken(path, str(error), report.outline(path))
    assert "hnw-broken" in page
    assert elements(page) <= ALLOWED
    page.encode("utf-8")
    assert len(page) < 500_000


def test_an_outline_tells_what_can_be_known(tmp_path):
    (tmp_path / "a.pt").write_bytes(b"no network")
    assert report.outline(tmp_path / "a.pt") == report.Outline(10, files.short_hash(tmp_path / "a.pt"), None, ())
    torch.save({"weights": 1, EVIL: 2}, tmp_path / "b.pt")
    outline = report.outline(tmp_path / "b.pt")
    assert (outline.form, outline.keys) == (None, ("weights", EVIL))
    page = report_page.render_broken(tmp_path / "b.pt", "It is none.", outline)
    assert "weights, &lt;script&gt;" in page
    torch.save({768: "none"}, tmp_path / "c.pt")
    assert (report.outline(tmp_path / "c.pt").form, report.outline(tmp_path / "c.pt").keys) == ("zip", ("768",))
    assert report.outline(tmp_path / "absent.pt") == report.Outline(None, None, None, ())
    assert report.outline(tmp_path) == report.Outline(None, None, None, ())


def bars(svg: str) -> list[tuple[float, float]]:
    """Place and height of each bar."""
    root = ET.fromstring(svg)
    found = [rect for rect in root.iter("{http://www.w3.org/2000/svg}rect") if rect.get("fill")]
    return [(float(rect.get("x", "")), float(rect.get("height", ""))) for rect in found]


def test_bars_stand_where_the_values_are_and_as_high_as_they_are_many():
    svg = charts.draw_histogram(Histogram(-1.0, 3.0, (5, 0, 20, 10)), "<from> -1 to 3")
    heights = bars(svg)
    assert [x for x, _ in heights] == pytest.approx([0.25, 90.25, 135.25])
    assert [height / heights[1][1] for _, height in heights] == pytest.approx([0.25, 1, 0.5], abs=0.01)
    assert "&lt;from&gt;" in svg
    assert 'x="44.50" width="1"' in svg, "no line at 0"


def test_a_single_value_beside_millions_is_seen():
    assert min(height for _, height in bars(charts.draw_histogram(Histogram(0, 1, (1, 10_000_000))))) == 1


@pytest.mark.parametrize(
    "histogram",
    [Histogram(0, 0, (0, 0)), Histogram(1, 1, ()), Histogram(-3e38, 3e38, (0, 0)), Histogram(-1.7e308, 1.7e308, (1,))],
)
def test_odd_histograms_are_drawn_too(histogram):
    svg = charts.draw_histogram(histogram)
    ET.fromstring(svg)
    assert "nan" not in svg
    assert "inf" not in svg


def test_the_colours_are_the_pages():
    svg = charts.draw_histogram(Histogram(-1, 1, (1, 2)))
    assert 'fill="currentColor"' in svg
    assert set(re.findall(r'fill="(#\w+)"', svg)) == {"#3b82f6"}, "one blue that stands out on white and on black"
