"""Run by the WebUI before it starts: installs what this extension lacks and the WebUI does not bring, and says so."""

import importlib.metadata
import os
import re
import subprocess
import sys

#: What the WebUI brings along. Its versions are its own: none of these is ever installed from here.
NEEDED = {"torch": (2, 1), "numpy": (1, 23), "pillow": (9, 0), "safetensors": (0, 3), "psutil": (5, 0)}
#: Small packages without dependencies that Python itself brings from some version on.
OWN = {"tomli": ("tomli>=2.0.1,<3", (3, 11))}
_NAME = "Hypernetwork Workbench"


def lacking() -> list[str]:
    """Name each package of the WebUI that is missing or too old here, such as `torch 2.1 (here: 1.13.1)`."""
    found = []
    for package, oldest in NEEDED.items():
        version = _version(package) or "none"
        if tuple(map(int, re.findall(r"\d+", version)[:2])) < oldest:
            found.append(f"{package} {'.'.join(map(str, oldest))} (here: {version})")
    return found


def missing(python: tuple[int, int] = sys.version_info[:2]) -> list[str]:
    """Return the requirements of our own that are not met; `python` is its version."""
    return [text for package, (text, since) in OWN.items() if python < since and _version(package) is None]


def pip(requirements: list[str]) -> list[str]:
    """Return the command that installs `requirements` and nothing else, from the WebUI's package index."""
    command = [sys.executable, "-m", "pip", "install", "--no-deps", "--prefer-binary", "--retries", "1", *requirements]
    index = os.environ.get("INDEX_URL")
    return [*command, "--index-url", index] if index else command


def install() -> str:
    """Installs what is missing; gives the one line that tells what was done."""
    requirements = missing()
    said = "nothing had to be installed"
    if requirements:
        names = ", ".join(requirements)
        result = subprocess.run(pip(requirements), capture_output=True, text=True, check=False)
        said = f"installed {names}"
        if result.returncode:
            reason = [*filter(None, map(str.strip, result.stderr.splitlines()))][-1:] or ["pip gave no reason"]
            said = f"cannot work here, {names} could not be installed ({reason[0]})"
    if lacking():
        said = f"cannot work here, it needs at least {', '.join(lacking())}"
    return f"{_NAME}: {said}."


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


if __name__ == "__main__":
    sys.stdout.write(install() + "\n")
