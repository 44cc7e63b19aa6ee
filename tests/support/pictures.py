"""Folders of small pictures with captions, as tests train on."""

from __future__ import annotations

from pathlib import Path

from PIL import Image


def captioned(folder: Path, count: int = 3, size: tuple[int, int] = (64, 64)) -> Path:
    """Make a folder of pictures of one colour each, with captions, and return it."""
    folder.mkdir(parents=True)
    for number in range(count):
        Image.new("RGB", size, (240 * number // count, 30, 200)).save(folder / f"{number}.png")
        (folder / f"{number}.txt").write_text(f"picture {number}", encoding="utf-8")
    return folder
