"""What watches a run: the log, the progress line, the previews, the interrupt."""

from __future__ import annotations

import csv
import dataclasses
import time
from collections import deque
from pathlib import Path

from PIL import Image

from ..atomic import atomic_write
from ..network import Hypernetwork
from ..ports import PictureRequest, Ports, Previewer, Progress
from .loop import StepRecord

_SMOOTHED_STEPS = 50


class LossHistory:
    """Keeps the losses of the run for the report."""

    def __init__(self) -> None:
        self.losses: list[float] = []

    def after_step(self, record: StepRecord) -> None:
        """Adds the step's loss."""
        self.losses.append(record.loss)

    def first(self) -> float:
        """Mean loss of the first tenth of the run, at most 50 steps."""
        return self._mean(self.losses[: self._span()])

    def last(self) -> float:
        """Mean loss of the last tenth of the run, at most 50 steps."""
        return self._mean(self.losses[-self._span() :])

    def _span(self) -> int:
        return max(1, min(_SMOOTHED_STEPS, len(self.losses) // 10))

    @staticmethod
    def _mean(values: list[float]) -> float:
        return sum(values) / max(len(values), 1)


class CsvLog:
    """One line per optimizer step; the columns are the fields of `StepRecord`, and the seconds since the start."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("w", newline="", encoding="utf-8")
        self._writer = csv.writer(self._file)
        self._started = time.monotonic()
        self._writer.writerow([*(f.name for f in dataclasses.fields(StepRecord)), "seconds"])

    def after_step(self, record: StepRecord) -> None:
        """Writes the step's line."""
        seconds = round(time.monotonic() - self._started, 3)
        self._writer.writerow([*dataclasses.astuple(record), seconds])
        self._file.flush()

    def close(self) -> None:
        """Closes the file."""
        self._file.close()


class ProgressLine:
    """Tells the host how far the run is, and ends it when the user asks for that."""

    def __init__(self, progress: Progress, total: int) -> None:
        self._progress = progress
        self._total = total
        self._losses: deque[float] = deque(maxlen=_SMOOTHED_STEPS)

    def after_step(self, record: StepRecord) -> bool:
        """Reports the step; True if the run should end."""
        self._losses.append(record.loss)
        mean = sum(self._losses) / len(self._losses)
        text = f"step {record.step} of {self._total}, epoch {record.epoch + 1}, loss {mean:.4f}, rate {record.rate:.3g}"
        self._progress.report(record.step, self._total, text)
        return self._progress.is_interrupted()


class Previews:
    """A picture of the same prompt and seed every so many steps."""

    def __init__(self, ports: Ports, network: Hypernetwork, request: PictureRequest, every: int, folder: Path) -> None:
        self._previewer: Previewer = ports.previewer
        self._progress = ports.progress
        self._network = network
        self._request = request
        self._every = every
        self._folder = folder
        self.paths: list[Path] = []

    def after_step(self, record: StepRecord) -> None:
        """Makes, shows and saves the picture when its step has come."""
        if not self._every or record.step % self._every:
            return
        picture = self._previewer.generate([self._request], self._network, 1.0)[0]
        path = self._folder / f"step-{record.step:06d}.png"
        save_picture(picture, path)
        self.paths.append(path)
        self._progress.show(picture)


def save_picture(picture: Image.Image, path: Path) -> None:
    """Writes a PNG atomically, with its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as file:
        picture.save(file, format="PNG", pnginfo=getattr(picture, "pnginfo", None))
