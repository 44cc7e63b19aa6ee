"""What can be done with kohya's metadata of a dataset in one step: made, cleaned, written back, taken back."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ...base.atomic import not_regular
from ...base.errors import SettingsError
from ...base.options import Settings, setting
from ...base.outside import is_file, is_folder
from . import metadata_files
from .caption_edits import Change
from .metadata_files import Made, Metadata, Pictures
from .tag_cleaning import CleaningSettings

CAPTIONS, TAGS, CLEAN, WRITE = ACTIONS = ("captions into it", "tags into it", "clean it", "captions from it")
_NAME = "metadata.json"


@dataclass(frozen=True)
class MetadataSettings(Settings):
    """What is done with the metadata."""

    action: str = setting(
        CAPTIONS,
        "Action on metadata",
        "Puts texts of .caption or .txt files into the JSON file, cleans it, or writes caption files from it.",
        choices=ACTIONS,
    )
    file: str = setting(
        "", "JSON file", "kohya's metadata; empty is metadata.json in the dataset folder.", is_path=True
    )
    replace: bool = setting(False, "Replace other captions", "Otherwise caption files with another text stay.")

    def path(self, folder: Path) -> Path:
        """Return the file, for pictures of a folder."""
        return Path(self.file).absolute() if self.file else folder.absolute() / _NAME


def planned(folder: Path, settings: MetadataSettings, cleaning: CleaningSettings) -> Made:
    """Return the changes that the action makes; nothing is written yet.

    Raises:
        SettingsError: the file cannot be read or written, or nothing fits it; names the field.
        DatasetError: a caption file cannot be read; names it.
    """
    path = settings.path(folder)
    if settings.action in (CAPTIONS, TAGS):
        metadata = Metadata.read(path, "file") if is_file(path) else Metadata()
        kind = metadata_files.CAPTION if settings.action == CAPTIONS else metadata_files.TAGS
        said = metadata_files.merged(Pictures.of(folder, is_deep=True), metadata, kind)
        return Made(tuple(change_to(metadata, path, "file")), said)
    if not is_file(path):
        raise SettingsError("file", f"there is no file {path}; put captions or tags into it first")
    metadata = Metadata.read(path, "file")
    if settings.action == CLEAN:
        said = metadata_files.clean(metadata, cleaning)
        return Made(tuple(change_to(metadata, path, "file")), said)
    pictures = Pictures.of(folder, is_deep=True)
    return metadata_files.caption_files(pictures, metadata, metadata_files.BOTH, "", settings.replace)


def change_to(metadata: Metadata, path: Path, field: str) -> list[Change]:
    """Return the change that writes metadata; raises SettingsError, which names the field, where no file can be."""
    if not is_folder(path.parent):
        raise SettingsError(field, f"the folder {path.parent} does not exist")
    if (what := not_regular(path)) is not None:
        raise SettingsError(field, f"{path} is {what}; name a file")
    return metadata.change(path)
