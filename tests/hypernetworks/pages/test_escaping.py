"""No text reaches a page but as text: whatever a file or a person says, the page has the elements of its templates."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypernetwork_workbench.hypernetworks import files, pages, report
from hypernetwork_workbench.hypernetworks.base.errors import SettingsError
from hypernetwork_workbench.hypernetworks.data.found import LeftOut, PassedOver, PictureScan
from hypernetwork_workbench.hypernetworks.data.settings import DataSettings
from hypernetwork_workbench.hypernetworks.data.survey.survey import Helpers, Survey, SurveyRequest, survey
from hypernetwork_workbench.hypernetworks.data.survey.thumbnails import Thumbnails
from hypernetwork_workbench.hypernetworks.merge.check import Difference
from hypernetwork_workbench.hypernetworks.merge.plan import Plan
from hypernetwork_workbench.hypernetworks.network.structure import Structure
from hypernetwork_workbench.hypernetworks.pages import (
    charts,
    create,
    dataset,
    dataset_pictures,
    elements,
    form,
    merge,
    recorded,
    sentences,
)
from hypernetwork_workbench.hypernetworks.pages import presets as presets_page
from hypernetwork_workbench.hypernetworks.pages import queue as queue_page
from hypernetwork_workbench.hypernetworks.pages import report as report_page
from hypernetwork_workbench.hypernetworks.pages import runs as runs_page
from hypernetwork_workbench.hypernetworks.pages import tuning as tuning_page
from hypernetwork_workbench.hypernetworks.pages.runs import Card, Compared
from hypernetwork_workbench.hypernetworks.report.comparison import Comparison, FactDifference, WeightDistance
from markupsafe import Markup
from PIL import Image

from tests.support.networks import random_network

#: Short, as names of weights are cut at 60 characters.
HOSTILE = "'\"onload='x><script>&\x00\x1b\u200f\u202e"
#: Attributes that carry a text; all others are the same whatever the texts are.
SPOKEN = {"alt", "aria-label", "data-changed", "data-tag", "data-words", "title", "data-ended"}
#: It finds the pictures that have exactly this tag, and is never shown.
EXACT = "data-tag"
#: What somebody called so or wrote: it stays as it is in every language, also where the page's table has such a text.
NAMES = re.compile(
    r"file|name inside|checkpoint|notes|network|dataset|name|caption|one|other"
    r"|picture \d|tag \d|left out|job name"
)
LONG = 100_000


@dataclass
class Texts:
    """Texts of one kind for every place where a page shows one; each begins with the name of its place."""

    kind: str
    length: int = 0
    places: list[str] = field(default_factory=list)

    def __call__(self, place: str, is_name: bool = False) -> str:
        """Return the text for a place; names of files cannot be endless."""
        self.places.append(place)
        text = f"[{place}]{self.kind}"
        return text if is_name else text.ljust(self.length, "x")

    def path(self, place: str) -> Path:
        """Return a path whose name is the text for a place."""
        return Path(f"/data/{self(place, is_name=True)}.png")


class Skeleton(HTMLParser):
    """What a page is made of, apart from its texts; these are in `texts`."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.parts: list[object] = []
        self.texts: list[str] = []
        #: The texts between two tags or comments, which the host translates each by itself.
        self.pieces: list[str] = []
        self._goes_on = False
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take an element with its attributes."""
        self.parts.append((tag, *((name, None if name in SPOKEN else value) for name, value in attrs)))
        self.texts += [value or "" for name, value in attrs if name != EXACT]

    def handle_endtag(self, tag: str) -> None:
        """Take the end of an element."""
        self.parts.append(tag)

    def handle_comment(self, data: str) -> None:
        """Take a comment; no page has one but the empty ones within names."""
        if data:
            self.parts.append(("comment", data))
        self._goes_on = not data

    def handle_data(self, data: str) -> None:
        """Take a text."""
        self.pieces.append(data)
        if self._goes_on:
            self.texts[-1] += data
            self._goes_on = False
        else:
            self.texts.append(data)


def a_report(texts: Texts, folder: Path, **changes) -> report.Report:
    network = random_network(0)
    files.save(network, folder / "n.pt")
    found = report.describe(folder / "n.pt", bins=4)
    return replace(
        found,
        path=texts.path("file"),
        name=texts("name inside"),
        sd_checkpoint=texts("hash"),
        sd_checkpoint_name=texts("checkpoint"),
        optional_info=texts("notes"),
        dtypes=(texts("dtype of the file"),),
        training={texts("key"): texts("value"), "a": {texts("inner key"): [texts("inner value")]}},
        extra={texts("extra key"): [texts("extra value")]},
        layers=tuple(replace(one, name=texts("layer"), dtype=texts("dtype")) for one in found.layers),
        readers={texts("reader"): replace(found.readers["WebUI"], reason=texts("reason"))},
        problem=texts("problem"),
        **changes,
    )


def an_outline(texts: Texts) -> report.Outline:
    return report.Outline(1, texts("hash"), "zip", (texts("key 1"), texts("key 2")))


def a_comparison(texts: Texts) -> Comparison:
    weights = WeightDistance(8, "k", texts("weight"), 1.0, None, None, 0.5)
    return Comparison((FactDifference("layer_norm", texts("first"), texts("second")),), (weights,), ())


def a_survey(texts: Texts, folder: Path) -> Survey:
    """Return a survey of three pictures of two sizes, with texts wherever a file or a person can put one."""
    for number, size in enumerate(((48, 48), (48, 24), (48, 24))):
        Image.new("RGB", size, (90 * number, 0, 0)).save(folder / f"{number}.png")
    data = DataSettings(folder=str(folder), width=24, height=24, framing="buckets", bucket_step=8, min_side=8)
    found = survey(
        SurveyRequest(data),
        Thumbnails(),
        SimpleNamespace(report=lambda *_: None, is_interrupted=lambda: False),
        Helpers(lambda captions: [1_000] * len(captions)),
    )
    samples = [
        replace(
            sample,
            path=texts.path(f"picture {number}"),
            found=sample.found._replace(text=f"{texts(f'tag {number}')}, b"),
        )
        for number, sample in enumerate(found.samples)
    ]
    left_out = LeftOut(texts.path("left out"), texts("why"), samples[0].subset)
    passed_over = PassedOver(texts("passed over"), folder, 2)
    scan = PictureScan(tuple(samples), (left_out,), (passed_over,), (texts.path("unused caption"),))
    return replace(found, scan=scan)


def an_entry(texts: Texts) -> SimpleNamespace:
    problems = [SettingsError(texts("unknown field", is_name=True), ""), SettingsError("name", "")]
    return SimpleNamespace(problems=problems, structure=Structure(), widths=(8,))


def a_plan(texts: Texts) -> Plan:
    return Plan("weighted_sum", texts("reason"), None)


def a_composition(texts: Texts) -> SimpleNamespace:
    name = texts("network")
    return SimpleNamespace(as_hns=lambda: texts(".hns form"), names=[name])


def a_card(texts: Texts) -> Card:
    facts = {name: texts(name) for name in ("loss", "validation", "date")}
    return Card(id="a folder", name=texts("name"), state="running", steps=1, total=2, picture="", **facts)


def a_study(texts: Texts) -> tuning_page.Shown:
    return tuning_page.Shown(
        head=["Trial", texts("setting")],
        rows=[[1, texts("value")], [2, 0.5]],
        best=[1],
        importance=[(texts("what mattered"), 0.5)],
        axes=[
            tuning_page.Axis(texts("tried"), [texts("first"), texts("second")]),
            tuning_page.Axis(texts("loss"), [1, 2]),
        ],
        curves=[(texts("curve"), [(1, 0.5)], [])],
    )


def a_queued_job(texts: Texts) -> queue_page.Card:
    facts = {name: texts(name) for name in ("kind", "takes", "begins", "hindrance", "outcome")}
    return queue_page.Card(
        id=1, title=texts("job name"), state="running", done=1, total=2, text=texts("text"), after=None, **facts
    )


def curves(texts: Texts) -> tuple[list[charts.Curve], charts.Curve]:
    return [charts.Curve(texts("curve"), [(0, 1.0), (1, 2.0)])], charts.Curve(texts("right"), [(0, 1.0)])


def a_training(texts: Texts) -> dict:
    networks = [{"name": texts("network"), "weight": texts("weight"), "merge": {"method": texts("inner method")}}]
    return {
        "settings": {"data": {"folder": texts("folder")}, texts("section"): texts("table")},
        "merge": {"method": texts("method"), "networks": networks, texts("option"): texts("of the merge")},
        "dataset": {"name": texts("dataset"), "pictures": texts("pictures")},
        "run": texts("run"),
    }


def a_form() -> recorded.JobForm:
    return recorded.JobForm({"data": DataSettings}, {}, {"train_data_dir": "data.folder"})


Case = Callable[[Texts, Path], str]
CASES: dict[str, Case] = {
    "charts.draw_chart": lambda texts, _: charts.draw_chart(*curves(texts), 1),
    "charts.draw_runs": lambda texts, _: charts.draw_runs([(texts("run"), [(0, 1.0), (1, 2.0)], [(1, 1.0)])]),
    "charts.draw_histogram": lambda texts, _: charts.draw_histogram(report.Histogram(-1, 1, (1, 2)), texts("title")),
    "charts.draw_rates": lambda texts, _: charts.draw_rates(
        [charts.Curve(texts("curve"), [(1e-4, 1.0), (1e-3, 0.5)])], 1.0, (1e-4, 1e-3)
    ),
    "create.draw": lambda _texts, _: create.draw(Structure(), (8,)),
    "create.drawing": lambda texts, _: create.drawing(an_entry(texts)),
    "create.summary": lambda texts, _: create.summary(an_entry(texts), (8,), {"name": texts("label")}),
    "dataset.render": lambda texts, folder: dataset.render(a_survey(texts, folder)),
    "dataset_pictures.cards": lambda texts, folder: dataset_pictures.cards(a_survey(texts, folder), range(4), 1),
    "dataset_pictures.large": lambda texts, folder: dataset_pictures.large(a_survey(texts, folder), 2),
    "dataset_pictures.selection": lambda _texts, _: dataset_pictures.selection(),
    "dataset_pictures.tag_editor": lambda texts, folder: dataset_pictures.tag_editor(a_survey(texts, folder), 2),
    "form.contents": lambda texts, _: form.contents([("a", texts("fold"))], [("b", texts("words"))]),
    "form.changed": lambda texts, _: form.changed([texts("one"), texts("other")]),
    "form.browser": lambda _texts, _: form.browser(),
    "merge.methods_table": lambda texts, _: merge.methods_table([a_plan(texts)], "weighted_sum"),
    "merge.check_table": lambda texts, _: merge.check_table([Difference(8, "k", 1.0, 1.0, 1.0)], texts("with")),
    "merge.composition_table": lambda texts, _: merge.composition_table(
        a_composition(texts), texts("readable form"), a_plan(texts)
    ),
    "recorded.settings": lambda texts, _: recorded.settings({"data": {"folder": texts("folder")}}, a_form()),
    "recorded.training": lambda texts, _: recorded.training(a_training(texts), a_form()),
    "recorded.foreign": lambda texts, _: recorded.foreign(
        {"ss_train_data_dir": texts("folder"), texts("key"): {texts("inner key"): texts("value")}}, a_form()
    ),
    "report.render": lambda texts, folder: report_page.render(a_report(texts, folder)),
    "report.render_broken": lambda texts, _: report_page.render_broken(
        texts.path("file"), texts("problem"), an_outline(texts)
    ),
    "report.render_comparison": lambda texts, _: report_page.render_comparison(
        a_comparison(texts), texts("one"), texts("other")
    ),
    "runs.listing": lambda texts, _: runs_page.listing([a_card(texts)], [texts("problem")]),
    "runs.details": lambda texts, _: runs_page.details(
        texts("name"),
        [(texts("label"), texts("run"), texts("form"))],
        {"data": {"folder": texts("folder")}},
    ),
    "runs.comparison": lambda texts, _: runs_page.comparison([Compared(texts("name"), [(1, 0.5)], [], [])]),
    "tuning.answer": lambda texts, _: tuning_page.answer(a_study(texts)),
    "presets.comparison": lambda texts, _: presets_page.comparison(
        [texts("preset")], [(texts("label"), [texts("value"), texts("form")])]
    ),
    "queue.listing": lambda texts, _: queue_page.listing([a_queued_job(texts)], is_held=False),
    "queue.details": lambda texts, _: queue_page.details(texts("job name"), texts("settings")),
    "sentences.done": lambda texts, _: sentences.done(texts("first"), texts("second")),
    "sentences.unsure": lambda texts, _: sentences.unsure(texts("first"), texts("second")),
    "sentences.found_rate": lambda texts, _: sentences.found_rate(
        texts("first"), chart=Markup(), rates={"schedule_rate": "1e-5:9,1e-6"}
    ),
    "sentences.ended": lambda texts, _: sentences.ended(texts("sentence"), "task(x)"),
    "sentences.link": lambda texts, _: sentences.link(texts("words"), "http://127.0.0.1:6006"),
    "sentences.refused": lambda texts, _: sentences.refused([texts("first"), texts("second")]),
    "sentences.refused_by_host": lambda texts, _: sentences.refused_by_host([texts("first"), texts("second")]),
    "sentences.note": lambda texts, _: sentences.note(texts("sentence")),
    "sentences.paragraph": lambda texts, _: sentences.paragraph(texts("sentence")),
    "sentences.plain": lambda texts, _: sentences.plain(texts("words")),
    "sentences.run": lambda texts, _: sentences.run(texts("words"), True, Markup()),
    "sentences.waiting": lambda texts, _: sentences.waiting(texts("sentence"), "task(x)", True),
    "sentences.progress": lambda texts, _: sentences.progress(texts("words"), Markup()),
}
PICTURES = ("picture 0", "picture 1", "picture 2")
#: Places whose texts the page of a case does not show.
UNSEEN = {
    "create.drawing": {"unknown field"},
    "dataset_pictures.cards": {"passed over", "unused caption"},
    "dataset_pictures.large": {
        "left out",
        "why",
        "passed over",
        "unused caption",
        "picture 0",
        "picture 1",
        "tag 0",
        "tag 1",
    },
    "dataset_pictures.tag_editor": {"left out", "why", "passed over", "unused caption", *PICTURES},
}
#: Pages without a text that somebody else wrote.
TEXTLESS = {"create.draw", "create.drawing", "dataset_pictures.selection", "form.browser"}
#: What other pages take in.
PIECES = {
    "recorded.foreign",
    "recorded.settings",
    "recorded.training",
    "charts.draw_chart",
    "charts.draw_runs",
    "charts.draw_rates",
    "charts.draw_histogram",
    "create.draw",
}
#: Functions that give no page: words for one, and the templates themselves.
WORDS = {"charts.colour", "dataset_pictures.again", "elements.page", "elements.piece"}
WORDS |= {"merge.difference", "merge.reason", "sentences.in_page_words"}
WORDS |= {f"elements.{name}" for name in ("beyond", "number", "own", "share", "size", "text")}


def page_functions() -> Iterator[str]:
    for found in pkgutil.iter_modules(pages.__path__):
        module = importlib.import_module(f"{pages.__name__}.{found.name}")
        for name, function in inspect.getmembers(module, inspect.isfunction):
            is_page = function.__annotations__.get("return") in ("str", "Markup")
            if is_page and function.__module__ == module.__name__ and not name.startswith("_"):
                yield f"{found.name}.{name}"


def check(name: str, texts: Texts, tmp_path: Path) -> str:
    """Assert that a page with `texts` is made of the same as one with plain texts, and shows all of them."""
    folders = [tmp_path / "plain", tmp_path / "hostile"]
    for folder in folders:
        folder.mkdir(parents=True)
    plain = Skeleton(CASES[name](Texts("words"), folders[0]))
    page = CASES[name](texts, folders[1])
    found = Skeleton(page)
    assert found.parts == plain.parts
    shown = " ".join(found.texts)
    assert not [sign for sign in shown if not sign.isprintable() and sign != "\n"]
    missing = {place for place in texts.places if f"[{place}]".lower() not in shown.lower()}
    assert missing == UNSEEN.get(name, set())
    names = [place for place in texts.places if NAMES.fullmatch(place)]
    alone = [piece.strip().lower() for piece in found.pieces if ": " not in piece]  # no sentence about it
    assert not [piece for piece in alone if piece.startswith(tuple(f"[{place}]" for place in names))]
    return page


def test_every_page_is_tried():
    assert set(CASES) | WORDS == set(page_functions())


@pytest.mark.parametrize("name", CASES)
def test_a_hostile_text_is_text(name, tmp_path):
    page = check(name, Texts(HOSTILE), tmp_path)
    assert "onload='x>" not in page
    assert "<script>" not in page


@pytest.mark.parametrize("name", CASES)
def test_an_endless_text_leaves_a_page_that_can_be_shown(name, tmp_path):
    texts = Texts(HOSTILE, LONG)
    page = check(name, texts, tmp_path)
    assert len(page) < 15_000 * (1 + len(texts.places))


@pytest.mark.parametrize("name", sorted(CASES.keys() - TEXTLESS))
def test_the_check_sees_a_page_that_does_not_escape(name, tmp_path, monkeypatch):
    unsafe = elements.environment().overlay(autoescape=False)
    monkeypatch.setattr(elements, "environment", lambda: unsafe)
    with pytest.raises(AssertionError):
        check(name, Texts(HOSTILE), tmp_path)


@pytest.mark.parametrize("name", CASES)
def test_what_the_host_adds_to_a_page_stays_html(name, tmp_path):
    """The WebUI writes the time that a job took behind what its handler gave; Markup would escape that."""
    page = CASES[name](Texts("words"), tmp_path)
    assert type(page) is (Markup if name in PIECES else str)


def test_a_chart_goes_under_its_sentence_as_it_is():
    chart = charts.draw_chart([charts.Curve("a", [(0, 1.0)])], None, 1)
    for page in (sentences.done("b", chart=chart), sentences.note("b", chart), sentences.progress("b", chart)):
        assert chart in page
        assert type(page) is str
    assert sentences.note("b", "<svg>").startswith("&lt;svg")


def test_losses_over_rates_stand_at_their_decades_and_those_far_above_the_first_are_left_out():
    losses = [(1e-3, 0.5), (1e-5, 0.9), (1e-4, 0.7), (1e-2, 7.0), (0.1, float("inf"))]
    page = charts.draw_rates([charts.Curve("after 9 steps", losses)], 1.0, (3e-4, 1e-3))
    (places,) = re.findall(r'points="([^"]+)"', page)
    across = [float(place.partition(",")[0]) for place in places.split()]
    assert across == pytest.approx([0, 500, 1000])
    assert [f">1e{decade}<" in page for decade in (-6, -5, -4, -3, -2)] == [False, True, True, True, False]
    assert '<rect x="739" width="261" height="1000" fill="#10b981"' in page
    assert charts.draw_rates([], 1.0, None) == charts.draw_rates([charts.Curve("a", [(1.0, 99.0)])], 1.0, None) == ""


def test_a_rate_that_was_found_is_in_its_button():
    page = sentences.found_rate("a", chart=Markup("<svg></svg>"), rates={"schedule_rate": "4e-05:2000,'4e-06"})
    assert "data-rates='{&#34;schedule_rate&#34;: &#34;4e-05:2000,&#39;4e-06&#34;}'" in page
    assert ">Use this rate<" in page
    assert ">Use these rates<" in sentences.found_rate("a", chart=Markup(), rates={"a": "1", "b": "2"})
    assert page.endswith("<svg></svg>")
    assert "hnw-done" not in sentences.unsure("a")
