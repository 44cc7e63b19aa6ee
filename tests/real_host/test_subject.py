"""The subject of a picture, as the real WebUI's autocrop and OpenCV find it."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import pytest
from PIL import Image

from tests.real_host.webui import WebUI


@pytest.mark.parametrize("left", [16, 216])
def test_the_webuis_own_autocrop_finds_what_stands_out(host: WebUI, tmp_path: Path, left: int) -> None:
    picture = Image.new("RGB", (320, 96), "grey")
    picture.paste(Image.effect_noise((80, 64), 90).convert("RGB"), (left, 16))
    picture.save(tmp_path / "a.png")
    x, y = host.call(f"/probe/subject?path={quote(str(tmp_path / 'a.png'))}")
    assert left < x * 320 < left + 80
    assert 16 < y * 96 < 80
    assert "autocrop" not in host.log.lower()
