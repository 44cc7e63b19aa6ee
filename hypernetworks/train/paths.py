"""The files that a run writes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from ..base.atomic import not_folder, not_regular, sweep
from ..base.disk import is_taken, link_in_the_way
from ..base.errors import SettingsError, TrainingError, raise_all
from ..base.locks import held
from ..base.outside import is_file
from ..network.file_forms import SUFFIXES
from ..ports import Ports
from .settings.job import Job, OutputSettings
from .state_file import SUFFIX, state_of

#: Marks the folder of a run that is on its way to another name.
MOVING = ".moving"
_BOARD = "tensorboard"
#: Folders of other packages' logs.
_LOGS = ("wandb",)


@dataclass(frozen=True)
class OutputPaths:
    """The files of a run.

    Attributes:
        network: the trained network.
        folder: the run's own folder, for everything but the network.
        is_resumed: whether the run continues one that may have written these files.
        board: the folder of the log for TensorBoard where the settings name it.
        embeddings: those of the words that are trained; without a network the first of them is `network`.
    """

    network: Path
    folder: Path
    is_resumed: bool = False
    board: Path | None = None
    embeddings: tuple[Path, ...] = ()

    @classmethod
    def of(cls, job: Job, ports: Ports, is_resumed: bool = False) -> OutputPaths:
        """Return the files of `job`, without making any.

        Raises:
            SettingsError: the file exists and may not be replaced, or a folder or device has the name of a file.
        """
        paths = cls.at(job, ports.network_dir, ports.log_dir, is_resumed, ports.embedding_dir)
        paths._check_free(job)
        raise_all(paths._obstacles())
        return paths

    @classmethod
    def at(
        cls, job: Job, network_dir: Path, log_dir: Path, is_resumed: bool, embedding_dir: Path | None = None
    ) -> OutputPaths:
        """Return the files of `job`, whatever is there; the folders are those of a job that names none."""
        name, folder = job.output.name, Path(job.output.dir) if job.output.dir else None
        ending, words_dir = job.output.file_form, folder or embedding_dir or network_dir
        words = tuple(words_dir / f"{word}{ending}" for word in job.words)
        network = (folder or network_dir) / f"{name}{ending}" if job.embedding.trains_network else words[0]
        own = (folder or log_dir) / name
        return cls(network, own, is_resumed, _board(job.output, own), words)

    @property
    def results(self) -> tuple[Path, ...]:
        """The files that the run is for."""
        return tuple(dict.fromkeys((self.network, *self.embeddings)))

    @property
    def log(self) -> Path:
        """The CSV log."""
        return self.folder / "log.csv"

    @property
    def job(self) -> Path:
        """The settings of the run."""
        return self.folder / "job.toml"

    @property
    def length(self) -> Path:
        """How long the run is, in steps."""
        return self.folder / "length.json"

    @property
    def previews(self) -> Path:
        """The folder of the preview pictures."""
        return self.folder / "previews"

    @property
    def tensorboard(self) -> Path:
        """The folder of the log for TensorBoard."""
        return self.board or self.folder / _BOARD

    @property
    def sheet(self) -> Path:
        """The before-and-after sheet."""
        return self.folder / "sheet.png"

    @property
    def unfinished(self) -> Path:
        """The weights of a run that failed."""
        return self._beside("unfinished")

    @property
    def best(self) -> Path:
        """The copy with the lowest validation loss."""
        return self._beside("best")

    @property
    def running(self) -> Path:
        """The state of the run as it was a few minutes ago."""
        return self.folder / f"{self.network.stem}-running{SUFFIX}"

    @property
    def last_state(self) -> Path:
        """Where the state goes at the end: beside the network, or where it is, as other runs may train the words."""
        return self.running if self.is_of_words else state_of(self.network)

    def numbered(self, step: int) -> Path:
        """Return the copy of optimizer step `step` of this run."""
        return self._beside(f"{step:06d}")

    def all_numbered(self) -> list[Path]:
        """Return the existing numbered copies, oldest first."""
        endings = "|".join(map(re.escape, SUFFIXES))
        form = re.compile(rf"{re.escape(self.network.stem)}-(\d{{6,}})({endings})")
        found = [(int(match[1]), path) for path in self.folder.glob("*.*") if (match := form.fullmatch(path.name))]
        return [path for _, path in sorted(found)]

    def embeddings_with(self, network: Path) -> tuple[Path, ...]:
        """Return the files of the embeddings that belong to that of a network: the result, or a copy of it."""
        word = network.stem.removeprefix(self.network.stem)
        if network == self.network:
            return self.embeddings
        return tuple(network.with_name(f"{one.stem}{word}{network.suffix}") for one in self.embeddings)

    def states(self) -> list[Path]:
        """Return the existing state files."""
        # A run may go on with another form of file.
        both = [path.with_suffix(suffix) for path in (self.network, self.best) for suffix in SUFFIXES]
        networks = [*both, *self.all_numbered()]
        states = [self.running, *map(state_of, networks)]
        return [path for path in states if path.exists()]

    @property
    def is_of_words(self) -> bool:
        """Whether no network is trained; runs of several names may then write the same files."""
        return self.network in self.embeddings

    @property
    def is_known(self) -> bool:
        """Whether a run or a network of this name exists, in either form of file."""
        own = [] if self.is_of_words else [self.network.with_suffix(suffix) for suffix in SUFFIXES]
        return any(map(is_taken, (self.folder, *own)))

    @property
    def states_beside(self) -> list[Path]:
        """The states beside the result, in whatever form of file that is, the one that was written last first."""
        states = [state_of(self.network.with_suffix(suffix)) for suffix in {self.network.suffix, *SUFFIXES}]
        return sorted(filter(Path.is_file, states), key=written_ns, reverse=True)

    def named(self, name: str) -> OutputPaths:
        """Return the files that the run would have with another name; the words that it trains keep theirs."""
        network = self.network if self.is_of_words else self.network.with_name(name + self.network.suffix)
        return replace(self, network=network, folder=self.folder.with_name(name))

    def moves_to(self, new: OutputPaths) -> list[tuple[Path, Path]]:
        """Return all that is in the folder of the run but its settings, each with its place in that of `new`.

        Last comes what tells how far the run came, and which it is.
        """
        moves = []
        stems = {self.network.stem: new.network.stem} | {path.stem: path.stem for path in self.embeddings}
        for path in sorted(self.folder.glob("*-*")):
            # The longest: a word may begin as the network does.
            stem = max((stem for stem in stems if path.name.startswith(f"{stem}-")), default=None, key=len)
            if stem is not None and path.is_file():
                moves.append((path, new.folder / (stems[stem] + path.name.removeprefix(stem))))
        names = (_BOARD, *_LOGS, self.previews.name, self.sheet.name, self.log.name, self.length.name)
        moves += [(self.folder / name, new.folder / name) for name in names]
        return [(old, path) for old, path in moves if is_taken(old)]

    def is_newer(self, result: Path) -> bool:
        """Tell whether a result was written after all states; where there is none, it is not."""
        written = [written_ns(path) for path in self.states()]
        return bool(written) and written_ns(result) > max(written)

    @contextmanager
    def held(self, job: Job) -> Iterator[None]:
        """Make the folders, and keep other processes from the name while the block runs.

        Raises:
            SettingsError: a folder cannot be made, or somebody has made the file meanwhile.
            TrainingError: somebody else is writing files of the name; says who.
        """
        self._make_folders()
        doing = f"{job.output.name} is being trained"
        with ExitStack() as stack:
            for path in (*self.results, self.folder / "run"):
                stack.enter_context(held(path, doing, TrainingError))
            self._check_free(job)  # once more: another run may have ended since
            for folder in (self.folder, self.previews):
                sweep(folder, is_held=True)
            for folder in {path.parent for path in self.results}:
                sweep(folder)
            yield

    def _beside(self, word: str) -> Path:
        """Return a file of a network in the run's own folder."""
        return self.folder / f"{self.network.stem}-{word}{self.network.suffix}"

    def _check_free(self, job: Job) -> None:
        for path in self.results:
            field = "embedding.names" if path in self.embeddings and job.embedding.listed else "output.name"
            if not_regular(path) is None and (link := link_in_the_way(path)):
                raise SettingsError(field, link)
            if is_file(path) and not (job.output.overwrite or self.is_resumed):
                reason = f"{path.name} exists already in {path.parent}; choose another name, or set output.overwrite"
                raise SettingsError(field, reason)

    def _obstacles(self) -> Iterator[SettingsError]:
        """Yield what is no regular file or no folder, though the run wants to write one there."""
        for folder in (*(path.parent for path in self.results), self.folder, self.previews, self.tensorboard):
            if (what := not_folder(folder)) is not None:
                yield SettingsError("output.dir", f"{folder} is {what}, where the run needs a folder")
        ours = (self.log, self.job, self.length, self.sheet, self.running)
        pairs = [one for network in (self.network, self.best, self.unfinished) for one in _pair(network)]
        for path in (*ours, *self.embeddings, *pairs):
            if (what := not_regular(path)) is not None:
                yield SettingsError("output.name", f"{path} is {what}, where the run writes a file")

    def _make_folders(self) -> None:
        """Make the folders; raises SettingsError if one cannot be made."""
        for folder in (*(path.parent for path in self.results), self.folder):
            try:
                folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise SettingsError("output.dir", f"{folder} cannot be made: {error.strerror}") from error


def written_ns(path: Path) -> int:
    """Return when a file was written last, in nanoseconds; 0 where it is gone meanwhile."""
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


def _board(output: OutputSettings, folder: Path) -> Path | None:
    """Return the folder of the log for TensorBoard where a setting says something about it."""
    if not (output.log_dir or output.log_project or output.log_run or output.log_prefix):
        return None
    return (Path(output.log_dir) if output.log_dir else folder / _BOARD) / output.run_name / output.log_project


def _pair(network: Path) -> tuple[Path, Path]:
    return network, state_of(network)
