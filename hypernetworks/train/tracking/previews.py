"""Preview pictures: which ones, when, and the strip of all of them."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from ...base.atomic import atomic_write
from ...base.errors import HypernetworkFileError, TrainingError
from ...base.forms import ListOf, Record, Text
from ...network.hypernetwork import Hypernetwork
from ...ports import PictureRequest, Ports
from ..optim.schedules import Schedule
from ..settings.job import Job
from . import prompt_files
from .metrics import StepRecord
from .notes import Notes
from .prompt_files import Prompts, flags_as_words, tags_without_effect
from .strip import draw_strip

#: What Continue needs, in a file.
FORM = Record({"paths": ListOf(Text(4096, r"[^\0]*step-\d{6,10}(-\d{1,5})?\.png"), 1_000_000)})


@dataclass
class Previews:
    """Pictures of the same prompts and seeds at intervals; each column of the strip is one moment of the run.

    Attributes:
        every: optimizer steps between previews; 0 for none.
        cycle_ends: a schedule at whose ends of cycles there are previews too, or None.
        weights: returns a context in which the network has the weights to show.
        paths: the pictures so far, in order.
        notes: takes what could not be written.
        listeners: called with each step and its pictures.
    """

    ports: Ports
    network: Hypernetwork
    requests: Sequence[PictureRequest]
    folder: Path
    every: int
    cycle_ends: Schedule | None
    weights: Callable[[], AbstractContextManager[None]]
    paths: list[Path] = field(default_factory=list)
    listeners: list[Callable[[int, Sequence[Image.Image]], None]] = field(default_factory=list)
    notes: Notes = field(default_factory=Notes)

    @property
    def strip(self) -> Path:
        """The strip on disk."""
        return self.folder / "strip.png"

    def state(self) -> dict[str, Any]:
        """Return the history to continue with."""
        return {"paths": [str(path) for path in self.paths]}

    def restore(self, state: dict[str, Any]) -> None:
        """Restore the pictures that still exist, even if the folder was moved."""
        names = [re.split(r"[/\\]", path)[-1] for path in state["paths"]]
        self.paths = [path for name in names if (path := self.folder / name).is_file()]

    def is_due(self, step: int) -> bool:
        """Tell whether pictures are made after `step`."""
        is_cycle_end = self.cycle_ends is not None and self.cycle_ends.is_end_of_cycle(step - 1)
        return is_cycle_end or bool(self.every and step % self.every == 0)

    def after_step(self, record: StepRecord) -> bool:
        """Make, save and show pictures where they are due, unless the run is to end; return True if it is."""
        if not self.is_due(record.step):
            return False
        if self.ports.progress.is_interrupted():
            return True
        with self.weights():
            pictures = self.ports.previewer.generate(self.requests, self.network, 1.0)
        if self.ports.progress.is_interrupted():
            return True  # the host may have stopped in the middle of a picture
        try:
            self._save(record.step, pictures)
        except (HypernetworkFileError, OSError) as error:  # a run is worth more than a picture of it
            self.notes.warn(f"A preview could not be saved, and the run goes on: {error}")
        for listener in self.listeners:
            listener(record.step, pictures)
        return False

    def make_one(self, step: int, prompt: str) -> Path:
        """Make a picture of `prompt`, or of the first one where it is empty, outside of the strip; return its file.

        Raises:
            TrainingError: the run was interrupted meanwhile.
            HypernetworkFileError: the disk refuses it.
        """
        first = self.requests[0]
        request = replace(first, prompt=prompt or first.prompt)
        for remark in (*flags_as_words(prompt), *tags_without_effect((request,))):
            self.notes.warn(remark)
        with self.weights():
            (picture,) = self.ports.previewer.generate([request], self.network, 1.0)
        if self.ports.progress.is_interrupted():
            raise TrainingError("the run was interrupted before the picture was made")
        path = next(path for path in self._names_now(step) if not path.exists())
        save_picture(picture, path)
        self.ports.progress.show(picture)
        return path

    def _names_now(self, step: int) -> Iterator[Path]:
        yield self.folder / f"now-{step:06d}.png"
        for number in itertools.count(2):
            yield self.folder / f"now-{step:06d}-{number}.png"

    def _save(self, step: int, pictures: Sequence[Image.Image]) -> None:
        for number, picture in enumerate(pictures):
            suffix = f"-{number + 1}" if len(pictures) > 1 else ""
            path = self.folder / f"step-{step:06d}{suffix}.png"
            save_picture(picture, path)
            self.paths.append(path)
        strip = draw_strip(self._moments())
        self.ports.progress.show(strip)
        save_picture(strip, self.strip)

    def _moments(self) -> list[tuple[int, list[Path]]]:
        """Return optimizer step and pictures of each moment, by the names of the files."""
        moments: dict[int, list[Path]] = {}
        for path in self.paths:
            moments.setdefault(int(path.stem.split("-")[1]), []).append(path)
        return list(moments.items())


def preview_requests(job: Job, caption: str, find_sampler: Callable[[str], str] = str) -> Prompts:
    """Return the pictures of each preview of a run, and remarks on what in their prompts changes nothing.

    Args:
        caption: caption of the first picture, for previews without a prompt.
        find_sampler: returns the host's name of a sampler, or raises SettingsError.

    Raises:
        SettingsError: the host has no such sampler, or the prompt file is wrong; see `prompt_files.read`.
    """
    preview = job.preview
    base = PictureRequest(
        prompt=preview.prompt or caption,
        negative_prompt=preview.negative_prompt,
        seed=preview.preview_seed,
        width_px=preview.width or job.data.width,
        height_px=preview.height or job.data.height,
        sampler=find_sampler(preview.sampler),
        steps=preview.sampling_steps,
        cfg_scale=preview.cfg_scale,
    )
    found = Prompts((base,), tuple(flags_as_words(preview.prompt)))
    if preview.prompt_file:
        found = prompt_files.read(Path(preview.prompt_file), base, find_sampler)
    return replace(found, remarks=(*found.remarks, *tags_without_effect(found.requests)))


def save_picture(picture: Image.Image, path: Path) -> None:
    """Write a PNG atomically, with its folder and the texts it carries, such as the infotext.

    Raises:
        HypernetworkFileError: the disk or the folder refuses it.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise HypernetworkFileError(f"{path.parent} cannot be made: {error.strerror}") from error
    texts = PngInfo()
    for key, value in picture.info.items():
        if isinstance(key, str) and isinstance(value, (str, dict)):
            texts.add_text(key, value if isinstance(value, str) else json.dumps(value))
    with atomic_write(path) as file:
        picture.save(file, format="PNG", pnginfo=texts)
