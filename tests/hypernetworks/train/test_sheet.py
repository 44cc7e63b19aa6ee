"""The before-and-after sheet: what stands where, and the text beside it where no font has the letters of a caption."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
from hypernetwork_workbench.hypernetworks.base import lettering
from hypernetwork_workbench.hypernetworks.ports import PictureRequest
from hypernetwork_workbench.hypernetworks.train.tracking import sheet
from PIL import Image

PROMPTS = ("a black cat", "黒猫、夜空\n星", "night 🌙")


class Previewer:
    """Makes grey pictures."""

    def generate(self, requests, _network, _strength):
        return [Image.new("RGB", (8, 8), "grey") for _ in requests]


def written(path):
    requests = [PictureRequest(prompt, 1, 64, 64) for prompt in PROMPTS]
    return sheet.write(requests, None, Previewer(), path / "sheet.png")


def test_prompts_that_cannot_be_drawn_stand_beside_the_sheet(tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(lettering, "_fonts", lambda size_px: iter([lettering._built_in(size_px)]))
    monkeypatch.setattr(lettering, "write", lambda _draw, _place, text, _size: drawn.append(text))
    lettering._of.cache_clear()
    path = written(tmp_path)
    lettering._of.cache_clear()
    text = "1. a black cat\n2. 黒猫、夜空 星\n3. night 🌙\n"
    assert path.with_name("sheet.txt").read_text(encoding="utf-8") == text
    assert drawn[:3] == ["strength 0", "strength 0.5", "strength 1"]
    assert drawn[3:] == ["a black cat", "prompt 2 in sheet.txt", "night (crescent moon)"]


def test_no_text_lies_beside_a_sheet_whose_prompts_can_be_read(tmp_path, monkeypatch):
    monkeypatch.setattr(lettering, "plain", lambda text, _size: " ".join(text.split()))
    path = written(tmp_path)
    assert [one.name for one in tmp_path.iterdir()] == [path.name]
    assert len(sheet.cells(path)) == len(PROMPTS)


class Coloured:
    """Makes a picture of a colour of its own for each column and strength."""

    def generate(self, requests, _network, strength):
        return [Image.new("RGB", (8, 8), colour(column, strength)) for column in range(len(requests))]


def colour(column, strength):
    return (20 + 30 * column, round(200 * strength), 90)


def coloured(path, count=3, **texts):
    requests = [PictureRequest("a cat", 1, 64, 64) for _ in range(count)]
    return sheet.write(requests, None, Coloured(), path / "sheet.png", **texts)


def test_each_request_has_a_column_and_each_strength_a_row_apart_from_the_others(tmp_path):
    with Image.open(coloured(tmp_path)) as whole:
        assert whole.size == (8 + 3 * (192 + 8), 28 + 3 * (192 + 28) + 12)
        for column in range(3):
            for row, strength in enumerate((0, 0.5, 1)):
                left, top = 8 + column * 200, 28 + row * 220
                cell = whole.crop((left, top, left + 192, top + 192))
                assert cell.getcolors() == [(192 * 192, colour(column, strength))]
                for side in ((left - 8, top, left, top + 192), (left + 192, top, left + 200, top + 192)):
                    assert whole.crop(side).getcolors() == [(8 * 192, (255, 255, 255))]


def test_the_texts_of_a_sheet_stand_above_its_rows_and_below_its_columns(tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(lettering, "write", lambda _draw, *what: drawn.append(what))
    monkeypatch.setattr(lettering, "lines", lambda *_: ["first", "second"])
    coloured(tmp_path, count=2)
    assert drawn[:3] == [((8, 14), "strength 0", 14), ((8, 234), "strength 0.5", 14), ((8, 454), "strength 1", 14)]
    # The last row ends at 28 + 2 * 220 + 192 = 660.
    places = [(8, 668), (8, 682), (208, 668), (208, 682)]
    assert drawn[3:] == [(place, line, 11) for place, line in zip(places, ["first", "second"] * 2, strict=True)]


@pytest.mark.parametrize(("count", "shown"), [(1, 1), (5, 5), (6, 6), (7, 6)])
def test_the_cells_of_a_sheet_are_those_without_and_with_the_network(count, shown, tmp_path):
    cells = sheet.cells(coloured(tmp_path, count))
    found = [[cell.getcolors() for cell in pair] for pair in cells]
    assert found == [[[(192 * 192, colour(column, strength))] for strength in (0, 1)] for column in range(shown)]


def test_a_sheet_tells_of_which_step_of_which_run_it_is(tmp_path):
    path = coloured(tmp_path, origin=sheet.origin("a run", 7))
    asked = [("a run", 7), ("a run", 8), ("another", 7), ("", 8)]
    assert [sheet.is_of(path, *each) for each in asked] == [True, False, False, True]
    path.write_bytes(path.read_bytes()[:500])
    assert not any(sheet.is_of(path, *each) for each in asked)
    assert sheet.cells(path) == []
    assert not sheet.is_of(tmp_path / "none.png", "", 7)


@pytest.mark.parametrize(
    ("count", "chosen", "wanted"),
    [
        (3, 0, "abc"),
        (9, 0, "abdegh"),  # every one and a half, from the first on
        (9, 4, "0123ae"),
        (9, 7, "012345"),
    ],
)
def test_captions_from_the_whole_dataset_fill_the_sheet(count, chosen, wanted):
    base = PictureRequest("0", 5, 64, 64)
    previews = [replace(base, prompt=str(number)) for number in range(chosen)] or [base]
    job = SimpleNamespace(preview=SimpleNamespace(prompt="", prompt_file="prompts.txt" if chosen else ""))
    captions = [*"ihgfedcba"[-count:], "a", *(["0"] if chosen else [])]
    dataset = SimpleNamespace(samples=[SimpleNamespace(caption=caption) for caption in captions])
    found = sheet.requests(job, dataset, previews)
    assert "".join(request.prompt for request in found) == wanted
    seeds = [request.seed for request in found if request.prompt.isalpha()]
    assert seeds == [5, 6, 7, 8, 9, 10][: len(seeds)]
