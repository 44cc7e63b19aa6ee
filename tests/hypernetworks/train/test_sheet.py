"""The before-and-after sheet: its captions, and the text beside it where no font has their letters."""

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
