"""Where things are. `configure` moves the data folder before anything is read from it."""

from __future__ import annotations

from pathlib import Path

standalone_path = str(Path(__file__).resolve().parents[1])
script_path = str(Path(__file__).resolve().parents[2])
data_path = str(Path(script_path, "data"))
models_path = str(Path(data_path, "models"))


def configure(folder: str) -> None:
    """Make `folder` the data folder: models, outputs and settings."""
    global data_path, models_path  # noqa: PLW0603 - the WebUI's names are module variables
    data_path = str(Path(folder).resolve())
    models_path = str(Path(data_path, "models"))
