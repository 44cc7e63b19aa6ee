"""The golden networks: the full set where it lies beside the checkout, else the small part kept here."""

import json
from pathlib import Path

_HERE = Path(__file__).resolve().parents[1] / "golden" / "networks"
_SHARED = Path(__file__).resolve().parents[3] / "shared" / "golden"


def cases() -> list[tuple[Path, dict]]:
    """Every golden case as the file and its settings."""
    folders = [_HERE, *(folder for folder in (_SHARED / "a1111", _SHARED / "hmp") if folder.is_dir())]
    found = {}
    for folder in folders:
        for case in json.loads((folder / "cases.json").read_text(encoding="utf-8")):
            found[case["file"]] = (folder / case["file"], case)
    return list(found.values())


def expected_path(path: Path) -> Path:
    """Return the inputs and outputs that belong to a golden file."""
    return path.with_suffix(".expected.safetensors")
