"""Subsets: folders of pictures, each with its own repeats, captions, framing and weight."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..base.errors import SettingsError
from .buckets import Framing
from .caption_rules import CaptionRules
from .captions import CaptionSource

if TYPE_CHECKING:
    from .settings import DataSettings

_REPEATS = re.compile(r"^(\d+)_(.+)$")


@dataclass(frozen=True)
class Subset:
    """A folder and how its pictures are shown.

    Attributes:
        folder: where the pictures are.
        is_deep: whether the folders in it count as well.
        repeats: how often a picture is shown in an epoch.
        weight: of its pictures in the loss.
        is_flipped: whether a picture is shown mirrored about half of the time.
        crop: "centre", "random" or "subject": which part is kept when a picture is cropped.
        files: its pictures where they are listed one by one, in any folder.
        is_listed: whether only pictures in the metadata count, and an entry without its picture is a problem.
        skipped_area_px: pictures of so many pixels or less are passed over.
        is_regularisation: its pictures take as many turns in an epoch as all others of its dataset together.
        dataset: number of the dataset it belongs to.
        setting: the setting that names it, for errors.
    """

    folder: Path
    framing: Framing
    captions: CaptionRules
    source: CaptionSource = field(default_factory=CaptionSource)
    batch_size: int = 1
    is_deep: bool = True
    repeats: int = 1
    weight: float = 1.0
    is_flipped: bool = False
    crop: str = "centre"
    background: str = "white"
    masks: str = "off"
    files: tuple[Path, ...] = ()
    is_listed: bool = False
    skipped_area_px: int = 0
    is_regularisation: bool = False
    dataset: int = 0
    setting: str = "folder"


def base_subset(settings: DataSettings, name: str) -> Subset:
    """Return the subset of `data.folder` as the settings describe it; all others are made from it.

    Args:
        name: the network's name, for `[name]`.

    Raises:
        SettingsError: a file that the settings name cannot be read.
    """
    framing = Framing(
        settings.framing,
        settings.width,
        settings.height,
        settings.bucket_step,
        settings.min_side,
        settings.max_side,
        settings.upscale,
    )
    rules = CaptionRules(
        templates=_templates(settings),
        name=name,
        separator=settings.tag_separator or ",",
        shuffle=settings.shuffle_tags,
        keep_tags=settings.keep_tags,
        keep_separator=settings.keep_separator,
        tag_dropout=settings.tag_dropout,
        dropout=settings.caption_dropout,
        dropout_every=settings.caption_dropout_every,
        prefix=settings.caption_prefix,
        suffix=settings.caption_suffix,
    )
    source = CaptionSource(
        extensions=extensions(settings.caption_extension),
        name_regex=settings.filename_regex,
        # A blank, the usual separator of words, cannot be seen in a form.
        name_join=settings.filename_join or " ",
    )
    return Subset(
        Path(settings.folder),
        framing,
        rules,
        source,
        settings.batch_size,
        repeats=settings.repeats,
        weight=settings.weight,
        is_flipped=settings.flip,
        crop=settings.crop,
        background=settings.background,
        masks=settings.masks,
    )


def of_folder(settings: DataSettings, subset: Subset) -> Iterator[Subset]:
    """Yield the folder of a subset or, where the names of its folders give repeats, each of them.

    Raises:
        SettingsError: it does not exist.
    """
    if not subset.folder.is_dir():
        raise SettingsError(f"data.{subset.setting}", f"{subset.folder} is not a folder")
    numbered = []
    if settings.folder_repeats:
        numbered = [p for p in sorted(subset.folder.iterdir()) if p.is_dir() and _REPEATS.match(p.name)]
    if not numbered:
        yield subset
    for folder in numbered:
        found = _REPEATS.match(folder.name)
        if found:
            source = replace(subset.source, class_tokens=found[2].replace("_", " ").strip())
            yield replace(subset, folder=folder, repeats=int(found[1]) * subset.repeats, source=source)


def extensions(text: str) -> tuple[str, ...]:
    """Return a text such as `.txt, caption` as (".txt", ".caption")."""
    return tuple("." + part.strip().lstrip(".") for part in text.split(",") if part.strip(" ."))


def _templates(settings: DataSettings) -> tuple[str, ...]:
    text = settings.template
    if settings.template_file:
        try:
            text = Path(settings.template_file).read_text(encoding="utf-8-sig")
        except OSError as error:
            raise SettingsError("data.template_file", f"cannot be read: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise SettingsError("data.template_file", "is not UTF-8 text") from error
    lines = tuple(line.strip() for line in text.splitlines() if line.strip())
    if not lines:
        raise SettingsError("data.template_file", "holds no line of text")
    return lines
