"""The state of a run on disk, for Continue: written, read, and checked before anything uses it."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import torch

from .. import files
from ..base.atomic import atomic_write
from ..base.errors import HypernetworkFileError, SettingsError, TrainingError
from ..base.forms import STEPS, Anything, Exactly, Record, Table, Text, UnfitError, check_memory
from ..files import torch_writer
from ..network.hypernetwork import Hypernetwork
from ..network.sizes import check_size
from ..network.structure import Structure
from ..ports import Denoiser
from . import validation
from .origin import MAX_CHARACTERS, Origin
from .settings.job import Job
from .state import Learning, check_captured
from .tracking import monitor, previews

_log = logging.getLogger(__name__)

SUFFIX = ".state"
_PAIR = re.compile(r"(?:network\.)?pairs\.(\d{1,6})\.", re.ASCII)
_VERSION = 2
#: What tells a run from others of its name.
RUN = Text(16, "[0-9a-f]{16}")
#: Depends on the run, and is checked when that is known.
_PART = Table(Anything(), Anything(), 1_000_000)
_FORM = Record(
    {
        "version": Exactly(_VERSION),
        "run": RUN,
        "origin": Text(MAX_CHARACTERS),
        "step": STEPS,
        "first_step": STEPS,
        "learner": Record(
            {**dict.fromkeys(("network", "optimizer", "precision", "average"), _PART), "rate_factor": Anything()}
        ),
        "optimizer_name": Text(100),
        "progress": Record({"monitor": monitor.FORM, "validation": validation.FORM, "previews": previews.FORM}),
    }
)


#: Before states told of the run.
_FIRST_FORM = Record(
    {key: form for key, form in _FORM.fields.items() if key not in ("run", "origin")} | {"version": Exactly(1)}
)


@dataclass(frozen=True)
class SavedRun:
    """What a state file holds.

    Attributes:
        step: optimizer steps done.
        first_step: steps the network had been trained for before the run.
        captured: what `TrainState.capture` gave.
        optimizer_name: name of the optimizer the state belongs to.
        progress: the histories of resumable callbacks, such as their losses, by name.
        run: what tells the run from others of its name, 16 hexadecimal digits; empty in a state of version 1.
        origin: what the run is made of; None in a state of version 1.
        file: name of the file.
    """

    step: int
    first_step: int
    captured: dict[str, Any]
    optimizer_name: str
    progress: dict[str, Any]
    run: str = ""
    origin: Origin | None = None
    file: str = ""

    def network(self, found: Hypernetwork) -> Hypernetwork:
        """Return the network that the state is of, for a run that began from a file: by now another may have its name.

        Args:
            found: what the file has; a network for no width where it cannot be read.

        Returns:
            `found` if it has the state's widths and structure, or else a network that has, with weights of zero.

        Raises:
            TrainingError: the state tells of no network that there can be, or lacks its weights.
        """
        if self.origin is None and found.widths:  # version 1 does not tell
            return found
        weights = {str(name): weight for name, weight in self.captured["network"].items()}
        pairs = map(_PAIR.match, weights)
        widths = tuple(dict.fromkeys(int(pair[1]) for pair in pairs if pair))
        if self.origin is None or not widths:
            raise TrainingError(self._no_network())
        told = {field.name for field in fields(Structure)} & set(self.origin.structure)
        try:
            structure = Structure(**{name: self.origin.structure[name] for name in told})
            check_size(structure, structure.check_widths(widths))
        except SettingsError as error:
            raise TrainingError(f"{self.file}: the saved state does not fit: {error}") from error
        if found.widths == widths and all(getattr(found.structure, name) == getattr(structure, name) for name in told):
            return found
        with torch.device("meta"):
            network = Hypernetwork(structure, widths)
        shapes = {name.removeprefix("network."): getattr(one, "shape", None) for name, one in weights.items()}
        # Compared before the network takes memory.
        if any(shapes.get(name) != weight.shape for name, weight in network.named_parameters()):
            raise TrainingError(self._no_network())
        network.to_empty(device="cpu")
        for weight in network.parameters():
            torch.nn.init.zeros_(weight)
        return network.eval()

    def _no_network(self) -> str:
        return f"{self.file}: the saved state holds no whole network; start anew"

    def checked(self, job: Job, parts: Learning, denoiser: Denoiser) -> SavedRun:
        """Return the state, sure to be one of this run.

        Raises:
            TrainingError: it is of another network, optimizer or average, or damaged.
        """
        if bool(self.captured["average"]) != bool(job.train.ema_decay):
            raise TrainingError(f"{self.file}: the saved state was made with another train.ema_decay; set it as it was")
        try:
            has_stepped = self.progress["monitor"]["taken"] > 0
            captured = check_captured(self.captured, job, parts, denoiser.device, has_stepped)
        except UnfitError as error:
            reason = f"it belongs to another network or optimizer, or is damaged ({error}); start anew"
            raise TrainingError(f"{self.file}: the saved state does not fit: {reason}") from error
        return replace(self, captured=captured)


def state_of(network: Path) -> Path:
    """Return the file of the state beside the file of a network."""
    return network.with_name(network.name + SUFFIX)


def write_state(path: Path, saved: SavedRun) -> None:
    """Write a state file, whole or not at all; raises HypernetworkFileError."""
    content = {
        "version": _VERSION,
        "run": saved.run,
        "origin": saved.origin.text() if saved.origin else "",
        "step": saved.step,
        "first_step": saved.first_step,
        "learner": saved.captured,
        "optimizer_name": saved.optimizer_name,
        "progress": saved.progress,
    }
    with atomic_write(path) as file:
        torch_writer.write(file, content)


def read_state(path: Path) -> SavedRun:
    """Read a state file without executing anything; what depends on the run is left to `SavedRun.checked`.

    Raises:
        HypernetworkFileError: the file cannot be read, or is none of ours.
    """
    content = files.read_plain(path)
    try:
        _check_version(content)
        found = (_FIRST_FORM if content["version"] == 1 else _FORM).take(content)
        check_memory(found)
        origin = Origin.read(found["origin"]) if "origin" in found else None
    except UnfitError as error:
        reason = f"this is no saved state of a run that this version can go on with: {error}"
        raise HypernetworkFileError(f"{path.name}: {reason}") from error
    return SavedRun(
        step=found["step"],
        first_step=found["first_step"],
        captured=found["learner"],
        optimizer_name=found["optimizer_name"],
        progress=found["progress"],
        run=found.get("run", ""),
        origin=origin,
        file=path.name,
    )


def newest_state(candidates: Iterable[Path]) -> SavedRun | None:
    """Read the state with the most steps of the run that wrote last; None where there is no state.

    Unreadable ones only count where there is no other: their HypernetworkFileError is raised then.
    """
    newest: dict[str, SavedRun] = {}
    written: dict[str, int] = {}
    failures: list[HypernetworkFileError] = []
    for path in candidates:
        try:
            saved = read_state(path)
        except HypernetworkFileError as error:
            failures.append(error)
            continue
        written[saved.run] = max(written.get(saved.run, 0), path.stat().st_mtime_ns)
        if saved.run not in newest or saved.step > newest[saved.run].step:
            newest[saved.run] = saved
    if failures and not newest:
        raise failures[-1]
    for failure in failures:
        _log.warning("Passed over: %s", failure)
    return newest[max(written, key=written.__getitem__)] if newest else None


def _check_version(content: Any) -> None:
    """Tell a state of another version from one that is damaged; raises UnfitError."""
    version = content.get("version") if isinstance(content, dict) else None
    if type(version) is not int:
        raise UnfitError("it has no version")
    if not 1 <= version <= _VERSION:
        advice = "update the extension" if version > _VERSION else "use the version of the extension that wrote it"
        raise UnfitError(f"it has the form of version {version}, not of {_VERSION}; {advice}")
