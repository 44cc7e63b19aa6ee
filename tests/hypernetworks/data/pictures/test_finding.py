"""What counts as a picture of a folder: also one without an ending, and nothing that cannot be read."""

import os

import pytest
from hypernetwork_workbench.hypernetworks.data.pictures.finding import find_pictures
from PIL import Image


@pytest.mark.skipif(os.name != "posix", reason="links need rights elsewhere")
def test_a_link_to_nowhere_without_an_ending_is_no_picture(tmp_path):
    Image.new("RGB", (4, 4)).save(tmp_path / "plain", format="PNG")
    (tmp_path / "gone").symlink_to(tmp_path / "nowhere")
    (tmp_path / "notes").write_text("no picture", encoding="utf-8")
    assert find_pictures(tmp_path).pictures == (tmp_path / "plain",)


def test_masks_are_none_where_their_picture_is_there(tmp_path):
    for name in ("a", "a-mask", "b-mask"):
        Image.new("RGB", (4, 4)).save(tmp_path / f"{name}.png")
    assert [path.name for path in find_pictures(tmp_path).pictures] == ["a.png", "b-mask.png"]
