"""A dataset: the pictures of a folder with their captions, all checked before the first step."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..data_settings import DataSettings
from ..errors import DatasetError, SettingsError
from .captions import fill_template, read_caption
from .images import EXTENSIONS, fit, open_picture, to_tensor

_SHOWN_PROBLEMS = 8


@dataclass(frozen=True)
class Sample:
    """One picture of the dataset and the text it is trained with."""

    path: Path
    caption: str


@dataclass(frozen=True)
class Dataset:
    """The samples of a folder, in the order of their names, and the size they are framed to."""

    samples: tuple[Sample, ...]
    width_px: int
    height_px: int

    def __len__(self) -> int:
        return len(self.samples)

    def picture(self, index: int):
        """Picture `index`, framed, as float32 [3, height, width] in -1..1."""
        return to_tensor(fit(open_picture(self.samples[index].path), self.width_px, self.height_px))


def read_dataset(settings: DataSettings, name: str) -> Dataset:
    """Finds the pictures of a folder and its sub-folders, opens each once, and reads the captions.

    Args:
        settings: folder, size and template.
        name: the network's name, for `[name]` in the template.

    Raises:
        SettingsError: the folder does not exist or has no pictures; names the field.
        DatasetError: pictures or captions are unreadable; names the files.
    """
    folder = Path(settings.folder)
    if not folder.is_dir():
        raise SettingsError("data.folder", f"{folder} is not a folder")
    paths = sorted(p for p in folder.rglob("*") if p.suffix.lower() in EXTENSIONS and p.is_file())
    if not paths:
        raise SettingsError("data.folder", f"{folder} holds no picture ({', '.join(sorted(EXTENSIONS))})")
    samples, problems = [], []
    for path in paths:
        try:
            open_picture(path)
            caption = fill_template(settings.template, read_caption(path), name)
        except DatasetError as error:
            problems.append(str(error))
        else:
            samples.append(Sample(path, caption))
    if problems:
        raise DatasetError(_summary(problems))
    return Dataset(tuple(samples), settings.width, settings.height)


def _summary(problems: list[str]) -> str:
    shown = "; ".join(problems[:_SHOWN_PROBLEMS])
    rest = len(problems) - _SHOWN_PROBLEMS
    return f"data.folder: {shown}" + (f"; and {rest} more" if rest > 0 else "")
