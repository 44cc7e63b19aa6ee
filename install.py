"""Run by the WebUI before it starts: installs what this extension needs and the WebUI does not have, and says so."""

import importlib.metadata
import os
import re
import subprocess
import sys

#: What the WebUI installs, with the lowest versions that do. None of these is ever installed from here.
NEEDED = {"torch": (2, 1), "numpy": (1, 23), "pillow": (9, 0), "safetensors": (0, 3), "psutil": (5, 0)}
#: Small packages without dependencies, each with the version of Python that needs it no more.
OWN = {"tomli": ("tomli>=2.0.1,<3", (3, 11))}
_NAME = "Hypernetwork Workbench"


def unmet_by_webui() -> list[str]:
    """Name each package of the WebUI that is missing or too old here, such as `torch 2.1 (here: 1.13.1)`."""
    found = []
    for package, oldest in NEEDED.items():
        version = _version(package) or "none"
        if tuple(map(int, re.findall(r"\d+", version)[:2])) < oldest:
            found.append(f"{package} {'.'.join(map(str, oldest))} (here: {version})")
    return found


def to_install(python: tuple[int, int] = sys.version_info[:2]) -> list[str]:
    """Return the requirements of our own that are not met, for a version of Python."""
    return [text for package, (text, since) in OWN.items() if python < since and _version(package) is None]


def pip_command(requirements: list[str]) -> list[str]:
    """Return the command that installs `requirements` and nothing else, from the WebUI's package index."""
    command = [sys.executable, "-m", "pip", "install", "--no-deps", "--prefer-binary", "--retries", "1", *requirements]
    index = os.environ.get("INDEX_URL")
    return [*command, "--index-url", index] if index else command


def install() -> str:
    """Install what is missing and return the one line that reports it."""
    requirements = to_install()
    outcome = "nothing had to be installed"
    if requirements:
        names = ", ".join(requirements)
        result = subprocess.run(pip_command(requirements), capture_output=True, text=True, check=False)
        outcome = f"installed {names}"
        if result.returncode:
            reason = [*filter(None, map(str.strip, result.stderr.splitlines()))][-1:] or ["pip gave no reason"]
            outcome = f"cannot work here, {names} could not be installed ({reason[0]})"
    if unmet_by_webui():
        outcome = f"cannot work here, it needs at least {', '.join(unmet_by_webui())}"
    return f"{_NAME}: {outcome}."


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


if __name__ == "__main__":
    sys.stdout.write(install() + "\n")
