"""A job that captions the pictures of a dataset with a tagger."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from ...base.options import Settings, setting
from ...data.settings import DataSettings
from ...data.source import SOURCES
from ...data.survey.tagger import TaggerSettings
from ..kind import QueuedJob, job_kind, settings_of


@dataclass(frozen=True)
class CaptionSettings(TaggerSettings):
    """With which tagger, and what becomes of the captions that there are."""

    tagger: str = setting(
        "",
        "Tagger",
        "Of the WebUI, of its extension wd14-tagger, or a file of your own; its model is loaded when it is first used.",
    )


_SECTIONS: dict[str, type[Settings]] = {"data": DataSettings, "caption": CaptionSettings}


@job_kind("caption", order=50)
@dataclass(frozen=True)
class CaptionJob(QueuedJob):
    """The pictures of a dataset, captioned.

    Attributes:
        data: where they are.
        caption: how they are captioned.
    """

    own_sections: ClassVar[Mapping[str, type[Settings]]] = {"caption": CaptionSettings}
    data: DataSettings
    caption: CaptionSettings

    @property
    def title(self) -> str:
        """The name of the folder or file that the pictures come from first."""
        named = ((source, getattr(self.data, source.name)) for source in SOURCES.values() if source.is_taught)
        return next((Path(source.first(text)).name for source, text in named if text), "")

    def to_mapping(self) -> dict[str, Any]:
        """Return the tables `[data]` and `[caption]`."""
        return {"data": self.data.to_mapping(), "caption": self.caption.to_mapping()}

    @classmethod
    def from_mapping(cls, tables: Mapping[str, Any]) -> CaptionJob:
        """Return the job of these tables; raises SettingsError, which names each wrong field as `section.key`."""
        return cls(**settings_of(_SECTIONS, tables))
