"""`launch.py dataset`: kohya's metadata from a folder and back, cleaned; and what each step of a job trains."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from . import host
from .command_errors import FAILED, USAGE_ERROR, with_error_report

ROOT = Path(__file__).resolve().parents[1]
host.mount()

from hypernetwork_workbench.hypernetworks.base.errors import SettingsError, WorkbenchError  # noqa: E402 (mounted above)
from hypernetwork_workbench.hypernetworks.base.options import Settings  # noqa: E402
from hypernetwork_workbench.hypernetworks.base.outside import is_file  # noqa: E402
from hypernetwork_workbench.hypernetworks.base.paths import path_argument  # noqa: E402
from hypernetwork_workbench.hypernetworks.data.reading import ScanHooks  # noqa: E402
from hypernetwork_workbench.hypernetworks.data.scan import read_dataset, scan_pictures  # noqa: E402
from hypernetwork_workbench.hypernetworks.data.settings import DataSettings  # noqa: E402
from hypernetwork_workbench.hypernetworks.data.survey import metadata_actions, metadata_files, shown_steps  # noqa: E402
from hypernetwork_workbench.hypernetworks.data.survey.caption_edits import Change, History  # noqa: E402
from hypernetwork_workbench.hypernetworks.data.survey.copies import CopySettings, plan_copies, write_copies  # noqa: E402
from hypernetwork_workbench.hypernetworks.data.survey.metadata_files import Metadata, Pictures  # noqa: E402
from hypernetwork_workbench.hypernetworks.data.survey.survey import SurveyRequest, survey  # noqa: E402
from hypernetwork_workbench.hypernetworks.data.survey.tag_cleaning import CleaningSettings  # noqa: E402
from hypernetwork_workbench.hypernetworks.data.survey.thumbnails import Thumbnails  # noqa: E402
from hypernetwork_workbench.hypernetworks.train.settings.job import Job  # noqa: E402
from hypernetwork_workbench.hypernetworks.train.settings.job_file import apply_overrides, read_tables  # noqa: E402
from hypernetwork_workbench.hypernetworks.tuning.space.settings import SECTION, take_table  # noqa: E402

from .console import Parser  # noqa: E402
from .console_progress import ConsoleProgress  # noqa: E402
from .evaluation import EvaluationSettings  # noqa: E402

#: Where the tab Dataset keeps its edits, so that each undoes those of the other.
_EDITS = "caption-edits"
_FRAMING = ("width", "height", "framing", "crop", "bucket_step", "min_side", "max_side", "upscale", "masks")
_COPIES = ("split", "split_threshold", "overlap", "others", "mirror")
_REPLACE, _KEEP = "replace", "keep"


class _Commands:
    """The parser, with a command for each thing that can be done."""

    def __init__(self) -> None:
        text = "kohya's metadata from a folder and back, and what each step of a job trains."
        self.parser = Parser(prog="launch.py dataset", description=text, allow_abbrev=False)
        self._commands = self.parser.add_subparsers(required=True, metavar="COMMAND")

    def add(self, name: str, help_: str, act: Callable[[argparse.Namespace], None]) -> _Command:
        """Add a command; `act` does it."""
        made = self._commands.add_parser(name, help=help_, description=help_, allow_abbrev=False)
        made.set_defaults(act=act)
        return _Command(made)


class _Command:
    """One command; its options may be written with dashes, or as kohya's scripts do with underscores."""

    def __init__(self, parser: argparse.ArgumentParser) -> None:
        self._parser = parser

    def place(self, name: str, metavar: str, help_: str, **more: Any) -> _Command:
        """Add a file or folder that is named by its place."""
        self._parser.add_argument(name, type=path_argument, metavar=metavar, help=help_, **more)
        return self

    def option(self, name: str, help_: str, **more: Any) -> _Command:
        """Add an option."""
        self._parser.add_argument(*dict.fromkeys((f"--{name}", f"--{name.replace('-', '_')}")), help=help_, **more)
        return self

    def edits(self) -> _Command:
        """Add what commands that write take."""
        text = "the host's, where edits are kept for undo; without it data/"
        return self.option("data-dir", text, type=path_argument, default=ROOT / "data", metavar="DIR")

    def pictures(self) -> _Command:
        """Add the folder of the pictures, and which of them count."""
        self.place("folder", "FOLDER", "folder with the pictures")
        return self.option("recursive", "also the pictures in its folders", action="store_true")


@with_error_report
def main(argv: list[str]) -> int:
    """Do what the command line asks. Exit status: 0 done, 1 it failed and nothing was changed, 2 a wrong entry."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    arguments = _parser().parse_args(argv)
    try:
        arguments.act(arguments)
    except WorkbenchError as error:
        sys.stderr.write(f"{error}\n")
        return USAGE_ERROR if isinstance(error, SettingsError) else FAILED
    return 0


def _parser() -> argparse.ArgumentParser:
    commands = _Commands()
    for kind, plural in ((metadata_files.CAPTION, "captions"), (metadata_files.TAGS, "tags")):
        merge = commands.add(f"merge-{plural}", f"put the {plural} of caption files into metadata", _merge)
        merge.pictures().place(
            "out_json", "OUT.json", "the metadata to write; it is added to where it is there"
        ).edits()
        merge.option("in-json", "metadata to add to, instead of OUT.json", type=path_argument, metavar="FILE")
        ending = metadata_files.ENDINGS[kind]
        merge.option("caption-extension", f"ending of the caption files; without it {ending}", default=ending)
        merge.option("full-path", "call pictures by their whole paths", action="store_true")
        merge.option("kind", argparse.SUPPRESS, default=kind)
    clean = commands.add("clean", "clean the captions and tags of metadata", _clean).edits()
    clean.place("in_json", "IN.json", "the metadata")
    clean.place("out_json", "OUT.json", "where to write it; without it over IN.json", nargs="?")
    _add_settings(clean, CleaningSettings)
    buckets = commands.add("prepare-buckets", "put the size that each picture is trained at into metadata", _buckets)
    buckets.pictures().place("in_json", "IN.json", "the metadata").place("out_json", "OUT.json", "where to write it")
    buckets.edits().option("max-resolution", "the pixels of a bucket, as a width and a height", default="512,512")
    buckets.option("min-bucket-reso", "the smallest side", default="256")
    buckets.option("max-bucket-reso", "the largest side", default="1024")
    buckets.option("bucket-reso-steps", "sides are multiples of it", default="64")
    buckets.option("bucket-no-upscale", "enlarge no picture", action="store_true")
    write = commands.add("write-captions", "write metadata back into caption files beside the pictures", _write)
    write.place("in_json", "IN.json", "the metadata").pictures().edits()
    kinds = (metadata_files.CAPTION, metadata_files.TAGS, metadata_files.BOTH)
    write.option("what", "which texts; both are written as they are trained", choices=kinds, default=kinds[-1])
    write.option("caption-extension", "ending of the caption files; without it .caption, for others .txt", default="")
    write.option("existing", "what to do with other texts that are there", choices=(_KEEP, _REPLACE), default=_KEEP)
    undo = commands.add("undo", "take the last edit of files in a folder back, also one of the tab Dataset", _undo)
    undo.place("folder", "FOLDER", "the folder of the files that were written").edits()
    copy = commands.add("preprocess", "write split, cropped, resized or mirrored copies to a new folder", _preprocess)
    copy.place("folder", "FOLDER", "folder with the pictures").place("target", "NEW", "the new folder")
    _add_settings(copy, DataSettings, _FRAMING)
    _add_settings(copy, CopySettings, _COPIES)
    _add_show(commands.add("show", "show what each step of a job trains", _show))
    return commands.parser


def _add_show(show: _Command) -> None:
    show.place("job", "JOB.toml", "the job file")
    show.option("set", "a setting put over the job file's", action="append", default=[], metavar="section.key=value")
    show.option("first", "number of the first step", type=_count, default=1, metavar="N")
    show.option("steps", "how many; without it a pass over the pictures", type=_count, metavar="N")
    show.option(
        "pictures", "a new folder to draw the pictures in, as they are trained", type=path_argument, metavar="DIR"
    )


def _add_settings(command: _Command, settings: type[Settings], names: Sequence[str] = ()) -> None:
    for name, kind, option in settings.options():
        help_ = f"{option.label}. {option.help}".replace("%", "%%")
        default = getattr(settings, name)
        if names and name not in names:
            continue
        if kind is bool:
            command.option(name.replace("_", "-"), help_, action=argparse.BooleanOptionalAction, default=default)
        else:
            command.option(name.replace("_", "-"), help_, default=default, metavar=name.upper())


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 10**9:
        raise argparse.ArgumentTypeError(f"must be a whole number of at least 1, not {text!r}")
    return int(text)


def _merge(given: argparse.Namespace) -> None:
    source = given.in_json or (given.out_json if is_file(given.out_json) else None)
    metadata = Metadata.read(source, "in_json") if source else Metadata()
    pictures = Pictures.of(given.folder, given.recursive, given.full_path)
    said = metadata_files.merged(pictures, metadata, given.kind, given.caption_extension)
    _put(given, metadata, f"{given.kind} of caption files", said)


def _clean(given: argparse.Namespace) -> None:
    given.out_json = given.out_json or given.in_json
    settings = CleaningSettings.from_mapping({name: getattr(given, name) for name, _, _ in CleaningSettings.options()})
    metadata = Metadata.read(given.in_json, "in_json")
    _put(given, metadata, "cleaning", metadata_files.clean(metadata, settings))


def _buckets(given: argparse.Namespace) -> None:
    metadata = Metadata.read(given.in_json, "in_json")
    pictures = Pictures.of(given.folder, given.recursive)
    width, _, height = given.max_resolution.partition(",")
    settings = DataSettings.from_mapping(
        {
            "folder": str(given.folder),
            "metadata_file": str(given.in_json),
            "framing": "buckets",
            "width": width,
            "height": height or width,
            "min_side": given.min_bucket_reso,
            "max_side": given.max_bucket_reso,
            "bucket_step": given.bucket_reso_steps,
            "upscale": not given.bucket_no_upscale,
        }
    )
    scan = scan_pictures(settings, "", 0, ScanHooks())
    left_out = [one.sentence for one in scan.left_out if one.path in pictures.paths]
    said = metadata_files.with_sizes(pictures, metadata, scan.samples)
    _put(given, metadata, "sizes of buckets", (*left_out, *said))


def _write(given: argparse.Namespace) -> None:
    metadata = Metadata.read(given.in_json, "in_json")
    pictures = Pictures.of(given.folder, given.recursive)
    is_replaced = given.existing == _REPLACE
    made = metadata_files.caption_files(pictures, metadata, given.what, given.caption_extension, is_replaced)
    _apply(given, f"caption files from {given.in_json.name}", made.changes, made.said)


def _put(given: argparse.Namespace, metadata: Metadata, title: str, said: Sequence[str]) -> None:
    """Write metadata, and say what was done."""
    changes = metadata_actions.change_to(metadata, given.out_json.resolve(), "out_json")
    _apply(given, f"{title} in {given.out_json.name}", changes, said)


def _apply(given: argparse.Namespace, title: str, changes: Sequence[Change], said: Sequence[str]) -> None:
    if changes:
        _history(given).apply(title, changes)
    end = f"Written: {title}." if changes else "All is like that already; nothing was written."
    sys.stdout.write("".join(f"{one}\n" for one in (*said, end)))


def _preprocess(given: argparse.Namespace) -> None:
    data = {name: getattr(given, name) for name in _FRAMING}
    settings = CopySettings.from_mapping(
        {**{name: getattr(given, name) for name in _COPIES}, "target": str(given.target.resolve())}
    )
    request = SurveyRequest(DataSettings.from_mapping({**data, "folder": str(given.folder.resolve())}))
    progress = ConsoleProgress()
    with progress.listening():
        seen = survey(request, Thumbnails(), progress)
        count = write_copies(plan_copies(seen, settings), progress)
    left_out = [one.sentence for one in seen.scan.left_out]
    sys.stdout.write("".join(f"{one}\n" for one in (*left_out, f"Written: {count} pictures to {given.target}.")))


def _undo(given: argparse.Namespace) -> None:
    edit = next(iter(_history(given).edits([given.folder])), None)
    if edit is None:
        raise SettingsError("folder", f"no edit of a file in {given.folder} can be taken back")
    _history(given).undo(edit)
    sys.stdout.write(f"Undone: {edit.title}.\n")


def _history(given: argparse.Namespace) -> History:
    return History(given.data_dir.resolve() / _EDITS)


def _show(given: argparse.Namespace) -> None:
    tables = read_tables(given.job)
    apply_overrides(tables, given.set)
    EvaluationSettings.of_tables(tables)  # what the command train measures afterwards
    if SECTION in tables:
        take_table(tables)
    job = Job.from_mapping(tables)
    folder = None if given.pictures is None else _new_folder(given.pictures)
    dataset = read_dataset(job.data, job.output.name, job.train.seed)
    accumulation = job.train.gradient_accumulation
    division = dataset.divided(job.train.validation_share, accumulation)
    count = given.steps or division.steps_per_epoch
    training = replace(division.training, steps=job.end_step(division.steps_per_epoch))
    for step in shown_steps.shown_steps(training, accumulation, given.first, count):
        sys.stdout.write("".join(f"{line}\n" for line in step.lines()))
        if folder is not None:
            shown_steps.draw(step, folder)
    if folder is not None:
        sys.stdout.write(f"Pictures: {folder}\n")


def _new_folder(path: Path) -> Path:
    try:
        path.mkdir(parents=True)
    except FileExistsError as error:
        raise SettingsError("--pictures", f"{path} exists already; name a new folder") from error
    except OSError as error:
        raise SettingsError("--pictures", f"{path} cannot be made: {error.strerror}") from error
    return path
