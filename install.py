"""Run by the WebUI before it starts: says in one line what this extension lacks. The WebUI brings all of it along."""

import importlib.metadata
import re
import sys

NEEDED = {"torch": (2, 1), "numpy": (1, 23), "pillow": (9, 0), "safetensors": (0, 3)}


def lacking() -> list[str]:
    """Names each package that is missing or older than this extension needs, such as `torch 2.1 (here: 1.13.1)`."""
    found = []
    for package, oldest in NEEDED.items():
        try:
            version = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            version = "none"
        if tuple(map(int, re.findall(r"\d+", version)[:2])) < oldest:
            found.append(f"{package} {'.'.join(map(str, oldest))} (here: {version})")
    return found


if __name__ == "__main__" and (names := lacking()):
    sys.stdout.write(f"Hypernetwork Workbench cannot work here, it needs at least {', '.join(names)}.\n")
