"""Draws the demo dataset: 16 pictures in the night style, each with its caption in a text file of the same name.

python examples/make_demo_dataset.py [--out examples/night]
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from hypernetwork_workbench.examples.shapes.night import night_pictures  # noqa: E402


def write_dataset(folder: Path) -> None:
    """Write NAME.png and NAME.txt for each picture."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, picture, caption in night_pictures():
        picture.save(folder / f"{name}.png", optimize=True)
        (folder / f"{name}.txt").write_text(caption + "\n", encoding="utf-8")


def main() -> None:
    """Read the options and write the dataset."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, default=ROOT / "examples" / "night", help="folder to write to")
    write_dataset(parser.parse_args().out)


if __name__ == "__main__":
    main()
