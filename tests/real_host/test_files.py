"""Files as people have them, in the real WebUI with its own Pillow: linked networks, and pictures of any name."""

from __future__ import annotations

import io
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.hypernetworks.data.pictures.test_ballast import chunk, packed, png
from tests.real_host.test_api import API, drawn, wait
from tests.real_host.webui import ApiError, WebUI

MEGABYTE = 1 << 20


@pytest.fixture
def linked(host: WebUI, tmp_path: Path) -> str:
    """Make a network outside of the WebUI's folder, and a link to a link to it in there; gives its name."""
    folder = host.folder / "models" / "hypernetworks"
    host.call(f"{API}/create", {"name": "near", "layer_structure": "1, 2, 1", "init_std": 0.2, "overwrite": True})
    shutil.copy(folder / "near.pt", tmp_path / "drive.bin")
    (tmp_path / "second").symlink_to("drive.bin")
    for name, target in {"far.pt": tmp_path / "second", "lost.pt": tmp_path / "nowhere"}.items():
        (folder / name).unlink(missing_ok=True)
        (folder / name).symlink_to(target)
    (folder / "__MACOSX").mkdir(exist_ok=True)
    for left in ("._far.pt", "__MACOSX/far.pt"):
        (folder / left).write_bytes(b"left behind")
    return "far"


def test_a_linked_network_is_used_like_any_other(host: WebUI, linked: str, pictures: Path) -> None:
    listed = [one["name"] for one in host.call(f"{API}/list")["networks"]]
    assert listed.count(linked) == 1
    assert not any("__MACOSX" in name or name.startswith(".") for name in listed)
    assert host.call(f"{API}/inspect?name={linked}")["widths"]
    assert np.array_equal(drawn(host, f"{linked}:1"), drawn(host, "near:1"))
    names = {"network_1": linked, "network_2": "near", "overwrite": True}
    assert host.call(f"{API}/merge", {"name": "far merge", "method": "weighted_sum", **names})["name"] == "far merge"
    job = {
        "network": {"file": linked},
        "data": {"folder": pictures.name, "width": 64, "height": 64},
        "train": {"max_steps": 1},
        "output": {"name": "far trained", "sheet": False, "overwrite": True},
    }
    assert wait(host, host.call(f"{API}/train", job)["run"])["done"] == 1


def test_what_leads_nowhere_or_outside_is_refused(host: WebUI, linked: str, tmp_path: Path) -> None:
    for name in ("lost", str(tmp_path / "drive.bin"), "../../../drive.bin"):
        with pytest.raises(ApiError, match=r"where there is no file|there is no network"):
            host.call(f"{API}/merge", {"name": "x", "method": "weighted_sum", "network_1": name, "network_2": "near"})
    with pytest.raises(ApiError, match=r"lost\.pt is a link to .*choose another name"):
        host.call(f"{API}/create", {"name": "lost"})


def test_pictures_of_any_name_and_format_are_trained_or_named(host: WebUI, pictures: Path) -> None:
    folder = pictures.parent / "of the world"
    folder.mkdir(exist_ok=True)
    picture = Image.effect_noise((64, 64), 50).convert("RGB")
    kinds = {"a.jfif": "JPEG", "b.PNG": "WEBP", "c": "BMP", "d.tga": "TGA", "e.jp2": "JPEG2000", "f.dat": "TIFF"}
    for name, kind in kinds.items():
        data = io.BytesIO()
        picture.save(data, kind)
        (folder / name).write_bytes(data.getvalue())
    (folder / "g.png").write_bytes(png(chunk(b"iCCP", b"a\0\0" + packed(3 * MEGABYTE))))
    (folder / "IMG_1.jpg").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")
    (folder / "h.kra").write_bytes(b"PK\3\4" + bytes(60))
    (folder / ".thumbnails").mkdir(exist_ok=True)
    picture.save(folder / ".thumbnails" / "a.png")
    (folder / "up").unlink(missing_ok=True)
    (folder / "up").symlink_to(folder, target_is_directory=True)
    job = {
        "network": {"layer_structure": "1, 1, 1"},
        "data": {"folder": folder.name, "width": 64, "height": 64},
        "train": {"max_steps": 1},
        "output": {"name": "of the world", "sheet": False, "overwrite": True},
    }
    before = len(host.log)
    wait(host, host.call(f"{API}/train", job)["run"])
    said = host.log[before:]
    assert f"{len(kinds) + 1} can be used, 2 left out" in said
    assert "IMG_1.jpg: the picture cannot be read (it is a HEIC picture; install the package pillow-heif<0.16" in said
    assert "h.kra: the picture cannot be read (it is the working file of a drawing program" in said
    assert "up leads to the whole folder, which is read already" in said
