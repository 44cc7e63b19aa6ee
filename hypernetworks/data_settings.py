"""Settings of the dataset."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from .errors import SettingsError
from .options import Option, Settings, setting


@dataclass(frozen=True)
class DataSettings(Settings):
    """Pictures and their captions."""

    folder: str = setting(
        "", Option("Dataset folder", "Folder with pictures; captions in .txt files beside them.", is_path=True)
    )
    width: int = setting(
        512,
        Option(
            "Picture width", "In pixels, a multiple of 8; pictures are scaled and cropped.", minimum=8, maximum=2048
        ),
    )
    height: int = setting(512, Option("Picture height", "In pixels, a multiple of 8.", minimum=8, maximum=2048))
    batch_size: int = setting(1, Option("Batch size", "Pictures that pass the model at once.", minimum=1, maximum=256))
    template: str = setting(
        "[filewords]", Option("Caption template", "[filewords] is the picture's caption, [name] the network's name.")
    )
    caption_dropout: float = setting(
        0.0,
        Option("Caption dropout", "Share of pictures that are shown with an empty caption.", minimum=0.0, maximum=1.0),
    )

    def problems(self) -> Iterator[SettingsError]:
        """Sides that the VAE cannot halve three times, an empty folder name, a template without content."""
        if not self.folder:
            yield SettingsError("folder", "name the folder that holds the pictures")
        for name in ("width", "height"):
            if getattr(self, name) % 8:
                yield SettingsError(name, f"must be a multiple of 8, not {getattr(self, name)}")
        if not self.template:
            yield SettingsError("template", "must not be empty; [filewords] alone uses each picture's caption")
