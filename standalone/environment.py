"""The virtual environment beside `launch.py`: made once, filled with the pins, recognised by its stamps.

Standard library only: it runs before anything is installed.
"""

import errno
import hashlib
import importlib.util
import os
import platform
import re
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TextIO

Say = Callable[[str], None]

REQUIREMENTS = "requirements.txt"
NO_DEPENDENCIES = "requirements-no-deps.txt"
TESTS = "requirements-dev.txt"
CONSTRAINTS = "constraints.txt"

# Signs in pip's output, in order of weight: a full disk may show up as a failed download, never the other way round.
CAUSES = (
    (
        r"No space left on device|Errno 28\b|WinError 112\b|Disk quota exceeded",
        "The disk is full: free about 5 GB for {folder} and for the temporary folder, then start again.",
    ),
    (
        r"Read-only file system|Errno 30\b|Permission denied|WinError 5\b",
        "A folder cannot be written: give yourself the right to write in {folder}, then start again.",
    ),
    (
        r"Microsoft Visual C\+\+ .* is required|command '[^']*(?:cc|gcc|g\+\+|clang|cl\.exe)[^']*' failed"
        r"|unable to execute '[^']*(?:cc|gcc|clang)|No CMAKE_C(?:XX)?_COMPILER|can't find Rust compiler"
        r"|(?:gcc|cc|clang|cl): (?:command )?not found|Unknown compiler\(s\)",
        "A package has no ready-made build for this machine and no compiler is there to make one: install "
        "a C compiler or use Python 3.11 on a 64-bit system, then start again.",
    ),
    (
        r"NewConnectionError|NameResolutionError|ConnectTimeoutError|ReadTimeoutError|Max retries exceeded|ProxyError"
        r"|SSLError|Connection aborted|ConnectionResetError|Network is unreachable|Failed to establish a new connection"
        r"|getaddrinfo failed|IncompleteRead|ProtocolError",
        "The packages could not be downloaded: check the network connection, then start again.",
    ),
    (
        r"No matching distribution found for (?P<package>\S+)",
        "The package index has no {package} for this machine and Python {python}: "
        "use Python 3.11 on a 64-bit system or another index, then start again.",
    ),
)


class SetupError(Exception):
    """The environment could not be set up; the message is one sentence for the user."""


class Environment:
    """The folder `.venv` of one checkout.

    A stamp is written after each finished part and holds what the part was made from, so an interrupted set-up goes
    on with the next start and a finished one costs a few small reads.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.folder = root / ".venv"
        self.log_path = self.folder / "install.log"
        windows = os.name == "nt"
        self.python = self.folder / ("Scripts" if windows else "bin") / ("python.exe" if windows else "python")

    def is_running(self) -> bool:
        """Tell whether this very process runs in the environment."""
        return Path(sys.prefix).resolve() == self.folder.resolve()

    def ensure(self, with_tests: bool, say: Say) -> None:
        """Make and fill the environment where that is not done yet, with the tests' packages if asked.

        Raises SetupError with one sentence.
        """
        parts: list[tuple[str, tuple[str, ...]]] = [("app", (REQUIREMENTS, NO_DEPENDENCIES))]
        if with_tests:
            parts.append(("tests", (TESTS,)))
        try:
            missing = [(name, files) for name, files in parts if self._read(name) != self._expected(files)]
            made = self._read("python") == _python_version() and self.python.exists()
            if made and not missing:
                return
            if not made:
                self._create(say)
                missing = parts
            for name, files in missing:
                self._install(files, say)
                self._stamp(name).write_text(self._expected(files), encoding="utf-8")
        except OSError as error:
            raise SetupError(_sentence_for(error, self.root)) from error

    def _create(self, say: Say) -> None:
        for module in ("venv", "ensurepip"):
            if importlib.util.find_spec(module) is None:
                raise SetupError(
                    f"Python's module {module} is missing ({sys.executable}): install it "
                    "(on Debian and Ubuntu: apt install python3-venv), then start again."
                )
        if self.is_running():
            raise SetupError(f"{self.folder} is damaged: start with the Python it was made from, not with its own.")
        say(f"Making {self.folder} ...")
        command = [sys.executable, "-m", "venv", "--clear", str(self.folder)]
        result = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False, env=_clean())
        output = result.stdout + result.stderr
        if result.returncode:
            raise SetupError(self._explain(output) or f"{self.folder} could not be made: {_last_line(output)}")
        self._stamp("python").write_text(_python_version(), encoding="utf-8")

    def _install(self, files: tuple[str, ...], say: Say) -> None:
        for file in files:
            say(f"Installing {file} into {self.folder.name}; this happens once and takes some minutes ...")
            command = [str(self.python), "-m", "pip", "install", "--no-input", "--progress-bar", "off"]
            command += ["-r", str(self._requirements(file)), "-c", str(self._requirements(CONSTRAINTS))]
            if file == NO_DEPENDENCIES:
                command.append("--no-deps")
            with self.log_path.open("a", encoding="utf-8") as log:
                output, code = _follow(command, log)
            if code:
                self._fail(file, output, say)

    def _fail(self, file: str, output: str, say: Say) -> None:
        sentence = self._explain(output)
        if sentence is None:
            say("\n".join(output.splitlines()[-15:]))
            sentence = f"Installing {file} failed."
        raise SetupError(f"{sentence} (Everything pip said is in {self.log_path}.)")

    def _explain(self, output: str) -> str | None:
        for pattern, sentence in CAUSES:
            found = re.search(pattern, output, re.IGNORECASE)
            if found:
                return sentence.format(folder=self.root, python=_python_version(), **found.groupdict())
        return None

    def _requirements(self, file: str) -> Path:
        return self.root / "standalone" / file

    def _stamp(self, name: str) -> Path:
        return self.folder / f"installed-{name}.txt"

    def _read(self, name: str) -> str | None:
        try:
            return self._stamp(name).read_text(encoding="utf-8")
        except (FileNotFoundError, NotADirectoryError):
            return None

    def _expected(self, files: tuple[str, ...]) -> str:
        digest = hashlib.sha256(f"{_python_version()} {platform.machine()}".encode())
        for file in (*files, CONSTRAINTS):
            digest.update(b"\0" + self._requirements(file).read_bytes())
        return digest.hexdigest()


def _python_version() -> str:
    return "{}.{}".format(*sys.version_info[:2])


def _clean() -> dict[str, str]:
    """Return the process's environment without what would misdirect pip, and with its messages in English."""
    dropped = {"PYTHONPATH", "PYTHONHOME", "PIP_TARGET", "PIP_PREFIX", "PIP_USER", "PIP_REQUIREMENT", "PIP_CONSTRAINT"}
    kept = {name: value for name, value in os.environ.items() if name not in dropped}
    return kept | {"LC_ALL": "C", "PYTHONUTF8": "1", "PYTHONNOUSERSITE": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}


def _follow(command: list[str], log: TextIO) -> tuple[str, int]:
    """Run a command, copy its output into the log as it comes, and return the last part of it with the exit code."""
    tail: deque[str] = deque(maxlen=2000)
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        encoding="utf-8",
        errors="replace",
        env=_clean(),
    ) as process:
        try:
            for line in _shown(process.stdout or iter(())):
                tail.append(line)
                log.write(line)
        except BaseException:
            process.kill()
            raise
        code = process.wait()
    return "".join(tail), code


def _shown(lines: Iterator[str] | TextIO) -> Iterator[str]:
    """Pass lines on and, on a terminal, keep the one that names the current package in sight."""
    terminal = sys.stderr.isatty()
    for line in lines:
        if terminal and line.lstrip().startswith(("Collecting", "Downloading", "Building", "Installing")):
            sys.stderr.write(f"\r\033[K  {line.strip()[:70]}")
            sys.stderr.flush()
        yield line
    if terminal:
        sys.stderr.write("\r\033[K")


def _last_line(output: str) -> str:
    return (output.strip().splitlines() or ["no reason given"])[-1]


def _sentence_for(error: OSError, root: Path) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return CAUSES[0][1].format(folder=root)
    if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
        return CAUSES[1][1].format(folder=root)
    return f"{error.filename or root} could not be used: {error.strerror or error}."
