"""The answer of a study: its table, which settings mattered, and the files that tell it."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

from ..base import lettering
from ..base.atomic import write_bytes, write_text
from ..base.errors import HypernetworkFileError, SettingsError
from ..train.records import Points, read_record
from ..train.settings.job_file import job_text
from ..train.tracking.previews import save_picture
from ..train.tracking.strip import fitted
from . import boards, optuna_plots
from .boards import plain
from .brain import best
from .kept import Study
from .optuna_plots import Figures
from .space import Choices, Parameter
from .trials import COMPLETE, OVER, Trial

TABLE = "table.csv"
_FEWEST = 4
_BINS = 3
_CELL_PX, _GAP_PX, _ROW_PX, _HEAD_PX = 128, 6, 150, 24
_MOST_ROWS = 60


@dataclass(frozen=True)
class Answer:
    """What a study says.

    Attributes:
        trials: those that are over, by number.
        best: those that none beats, the best first.
    """

    study: Study
    trials: tuple[Trial, ...]
    best: tuple[Trial, ...]

    @classmethod
    def of(cls, study: Study) -> Answer:
        """Return what a study says so far."""
        trials = tuple(trial for trial in study.store.trials() if trial.state in OVER)
        return cls(study, trials, tuple(best(trials)))

    @property
    def ranked(self) -> list[Trial]:
        """The trials with a value, the best first."""
        others = [trial for trial in self.trials if trial.state == COMPLETE and trial not in self.best]
        return [*self.best, *sorted(others, key=lambda trial: (trial.values, trial.number))]

    def rows(self) -> tuple[list[str], list[list[Any]]]:
        """Return the names of the columns of the table, and its rows: the best first, those without a value last."""
        study, names = self.study, self.study.settings.objectives
        addresses = list(dict.fromkeys(key for trial in self.trials for key in study.settings_of(trial)))
        facts = ["steps", "seconds", "loss"]
        if any("problem" in trial.facts for trial in self.trials):
            facts.append("problem")
        rows = []
        for trial in [*self.ranked, *(one for one in self.trials if one.state != COMPLETE)]:
            settings, values = study.settings_of(trial), dict(zip(names, trial.values, strict=False))
            told = (*map(values.get, names), *map(settings.get, addresses), *map(trial.facts.get, facts))
            rows.append([trial.number + 1, trial.state, *told])
        return ["trial", "state", *names, *addresses, *facts], rows

    def csv(self) -> str:
        """Return the table as CSV."""
        head, rows = self.rows()
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(head)
        writer.writerows([["" if value is None else plain(value) for value in row] for row in rows])
        return text.getvalue()

    def importance(self) -> list[tuple[str, float]]:
        """Return the share of the differences between trials that each parameter explains by itself, largest first.

        It is epsilon squared of the Kruskal-Wallis test (Tomczak and Tomczak, 2014) on the first objective, ranges in
        three parts, less what chance alone would explain; none where there are too few trials to tell, or nothing to
        compare a parameter with.
        """
        parameters = self.study.space.parameters
        done = [trial for trial in self.trials if trial.state == COMPLETE]
        if len(done) < _FEWEST or len(parameters) == 1:
            return []
        ranks = _ranks([trial.values[0] for trial in done])
        found = [(one.address, _explained(_groups(one, done), ranks)) for one in parameters]
        return sorted(found, key=lambda pair: -pair[1])

    def curves(self) -> list[tuple[Trial, Points, Points]]:
        """Return loss and validation loss over the steps of the best trials that this machine did."""
        found = []
        for trial in self.ranked:
            try:
                record = read_record(self.study.folder_of(trial), self.study.folder)
            except SettingsError:  # half a file, as of a trial that another process is at
                continue
            if record is not None:
                found.append((trial, *record.curves()))
        return found

    def plots(self) -> Figures:
        """Return Optuna's own plots; none where it or plotly is not installed, or there are too few trials."""
        return optuna_plots.figures(self.study, self.trials)

    def write(self) -> list[Path]:
        """Write table, settings of the best trial, sheet and Optuna's plots beside the networks; return the files.

        Raises:
            HypernetworkFileError: the disk refuses one.
        """
        folder = self.study.folder
        try:
            folder.mkdir(parents=True, exist_ok=True)  # other workers may have done all of the trials
        except OSError as error:
            raise HypernetworkFileError(f"the folder {folder} cannot be made: {error.strerror}") from error
        written = [folder / TABLE]
        write_bytes(written[0], self.csv().encode("utf-8-sig"))  # with a mark, so that a spreadsheet reads it as UTF-8
        if self.best:
            written.append(folder / "best.toml")
            write_text(written[-1], job_text(self.study.taken(self.best[0])))
        picture = self.sheet()
        if picture is not None:
            written.append(folder / "sheet.png")
            save_picture(picture, written[-1])
        if plots := self.plots():
            written += optuna_plots.write(plots, folder)
        if (self.study.tables.get("output") or {}).get("tensorboard"):
            boards.write(self.study, self.trials)
        return written

    def sheet(self) -> Image.Image | None:
        """Return the pictures of all trials, a row for each, the best first, and a column for each prompt."""
        rows = [(trial, self._pictures(trial)) for trial in self.ranked[:_MOST_ROWS]]
        rows = [row for row in rows if row[1]]
        if not rows:
            return None
        columns = max(len(paths) for _, paths in rows)
        size = (_GAP_PX + columns * (_CELL_PX + _GAP_PX), len(rows) * _ROW_PX + _GAP_PX + _HEAD_PX - _GAP_PX)
        canvas = Image.new("RGB", size, "white")
        draw = ImageDraw.Draw(canvas)
        for row, (trial, paths) in enumerate(rows):
            top = row * _ROW_PX
            lettering.write(draw, (_GAP_PX, top + _HEAD_PX / 2), self._title(trial), 12)
            for column, path in enumerate(paths):
                with Image.open(path) as picture:
                    cell = fitted(picture.convert("RGB"), _CELL_PX)
                canvas.paste(cell, (_GAP_PX + column * (_CELL_PX + _GAP_PX), top + _HEAD_PX))
        return canvas

    def _title(self, trial: Trial) -> str:
        values = ", ".join(f"{value:.4g}" for value in trial.values)
        tried = ", ".join(f"{key.partition('.')[2]} {plain(one)}" for key, one in self.study.settings_of(trial).items())
        return f"{trial.number + 1}: {values} ({tried})"

    def _pictures(self, trial: Trial) -> list[Path]:
        return sorted((self.study.folder_of(trial) / "prompts").glob("prompt-*.png"))


def _ranks(values: Sequence[float]) -> list[float]:
    """Return the rank of each value, from 1; equal ones share theirs."""
    order = sorted(values)
    return [(order.index(value) + 1 + len(order) - order[::-1].index(value)) / 2 for value in values]


def _groups(parameter: Parameter, trials: Sequence[Trial]) -> list[str]:
    """Return the group of each trial: by its value in a list, or by the third of a range that it lies in."""
    values = [trial.point[parameter.address] for trial in trials]
    if isinstance(parameter, Choices) or len({json.dumps(value) for value in values}) <= _BINS:
        return [json.dumps(value) for value in values]
    ranks = _ranks(values)
    return [str(min(_BINS - 1, int((rank - 1) / len(values) * _BINS))) for rank in ranks]


def _explained(groups: Iterable[str], ranks: Sequence[float]) -> float:
    by_group: dict[str, list[float]] = {}
    for group, rank in zip(groups, ranks, strict=True):
        by_group.setdefault(group, []).append(rank)
    count, middle = len(ranks), sum(ranks) / len(ranks)
    whole = sum((rank - middle) ** 2 for rank in ranks)
    between = sum(len(one) * (sum(one) / len(one) - middle) ** 2 for one in by_group.values())
    if not whole or count <= len(by_group):
        return 0.0
    by_chance = (len(by_group) - 1) * (whole - between) / (count - len(by_group))
    return min(max((between - by_chance) / whole, 0.0), 1.0) if math.isfinite(by_chance) else 0.0
