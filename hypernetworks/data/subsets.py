"""Subsets: folders of pictures, each with its own repeats, captions, framing and weight."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from .buckets import Framing
from .captions import CaptionRules, CaptionSource


@dataclass(frozen=True)
class Subset:
    """A folder and how its pictures are shown.

    Attributes:
        folder: where the pictures are.
        is_deep: whether the folders in it count as well.
        repeats: how often a picture is shown in an epoch; at 0 the folder is passed over.
        weight: of its pictures in the loss.
        is_flipped: whether a picture is shown mirrored about half of the time.
        varies_colours: whether colours are changed a little some of the time.
        face_range: the shorter side of a crop around a face, in sides of the face, at least and at most; None: the
            largest crop.
        crop: "centre", "random" or "subject": which part is kept when a picture is cropped.
        files: its pictures where they are listed one by one, in any folder.
        is_listed: whether only pictures in the metadata count, and an entry without its picture is a problem.
        skipped_area_px: pictures with this number of pixels or fewer are passed over.
        is_regularisation: its pictures take as many turns in an epoch as all others of its dataset together.
        is_held_out: its pictures are not trained; the validation loss is measured on them.
        dataset: number of the dataset it belongs to.
        setting: the setting that names it, for errors.
        passed_over_by: what sets repeats of 0.
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
    varies_colours: bool = False
    face_range: tuple[float, float] | None = None
    crop: str = "centre"
    background: str = "white"
    masks: str = "off"
    files: tuple[Path, ...] = ()
    is_listed: bool = False
    skipped_area_px: int = 0
    is_regularisation: bool = False
    is_held_out: bool = False
    dataset: int = 0
    setting: str = "folder"
    passed_over_by: str = "num_repeats = 0"

    @property
    def is_taught(self) -> bool:
        """Whether its pictures are to be learned."""
        return not (self.is_regularisation or self.is_held_out)
