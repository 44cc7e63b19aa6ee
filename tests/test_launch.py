"""The launcher: its commands, the one set-up, and one sentence for everything that can go wrong with it."""

from __future__ import annotations

import ast
import contextlib
import errno
import os
import shutil
import signal
import subprocess
import sys
import time
import types
from collections.abc import Iterator
from pathlib import Path

import pytest

from standalone import environment, launcher
from tests import sources
from tests.support import long

SECONDS_OF_A_SECOND_START = 0.3
STUB = "import sys\ndef {name}(argv):\n    print('{name}', argv, sys.path[0], sys.prefix)\n    return 0\n"
PYPROJECT = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
BACKEND = """
import os, sys, time, zipfile
{before}
def build_wheel(folder, config_settings=None, metadata_directory=None):
    name = "workbench_probe-1.0-py3-none-any.whl"
    info = "workbench_probe-1.0.dist-info/"
    with zipfile.ZipFile(os.path.join(folder, name), "w") as wheel:
        wheel.writestr("workbench_probe.py", "VALUE = 1")
        wheel.writestr(info + "METADATA", "Metadata-Version: 2.1\\nName: workbench-probe\\nVersion: 1.0\\n")
        tags = "Root-Is-Purelib: true\\nTag: py3-none-any\\n"
        wheel.writestr(info + "WHEEL", "Wheel-Version: 1.0\\nGenerator: us\\n" + tags)
        wheel.writestr(info + "RECORD", "")
    return name
"""


class Checkout:
    """A copy of the launcher with its own small requirement files and commands that say how they were called."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.host = root / "standalone"
        self.package = root / "package"
        self.host.mkdir(parents=True)
        self.package.mkdir()
        shutil.copy(sources.ROOT / "launch.py", root)
        for name in ("launcher.py", "command_errors.py", "environment.py"):
            shutil.copy(sources.ROOT / "standalone" / name, self.host)
        (self.host / "app.py").write_text(STUB.format(name="serve"))
        (self.host / "train_command.py").write_text(STUB.format(name="main"))
        for name in (environment.NO_DEPENDENCIES, environment.TESTS, environment.CONSTRAINTS):
            (self.host / name).write_text("# nothing\n")
        (self.package / "pyproject.toml").write_text(PYPROJECT)
        self.stamp = root / ".venv" / "installed-app.txt"
        self.log = root / ".venv" / "install.log"
        self.need_package()

    def need_package(self, before: str = "") -> None:
        """Make the set-up install a package whose build first does what `before` says."""
        (self.package / "backend.py").write_text(BACKEND.format(before=before))
        self.need(f"{self.package}  # {time.time_ns()}")

    def mend(self) -> None:
        """Need the package again where something else is needed, or a build that fails, and nothing for tests."""
        needed = (self.host / environment.REQUIREMENTS).read_text()
        built = (self.package / "backend.py").read_text()
        if not needed.startswith(str(self.package)) or built != BACKEND.format(before=""):
            self.need_package()
        (self.host / environment.TESTS).write_text("# nothing\n")

    def need(self, requirement: str) -> None:
        """Make the set-up install one requirement."""
        (self.host / environment.REQUIREMENTS).write_text(f"{requirement}\n")

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, str(self.root / "launch.py"), *arguments]

    def run(self, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*arguments),
            capture_output=True,
            text=True,
            check=False,
            cwd=self.root.parent,
            env=offline() | settings,
        )


def offline() -> dict[str, str]:
    """Return the process's environment with a pip that knows no index."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PIP_")}
    return kept | {"PIP_NO_INDEX": "1", "PIP_CONFIG_FILE": os.devnull, "PIP_RETRIES": "0"}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """Return a checkout that is set up once."""
    made = Checkout(tmp_path_factory.mktemp("checkout") / "workbench")
    first = made.run()
    assert first.returncode == 0, first.stderr
    assert "this happens once" in first.stderr
    return made


@pytest.fixture
def checkout(made: Checkout) -> Iterator[Checkout]:
    """Yield the checkout to be spoilt; in any order of the tests the next one finds it whole."""
    yield made
    made.mend()


def the_sentence(result: subprocess.CompletedProcess[str]) -> str:
    """Return the last line of stderr of a command that ended as a user's mistake should."""
    assert result.returncode == 2, result.stderr
    assert "Traceback" not in result.stderr
    return result.stderr.strip().splitlines()[-1]


def restart(checkout: Checkout, **settings: str) -> str:
    """Start with requirements that cannot be installed, sees no stamp of them, and returns the sentence."""
    before = checkout.stamp.read_text() if checkout.stamp.exists() else None
    sentence = the_sentence(checkout.run(**settings))
    assert (checkout.stamp.read_text() if checkout.stamp.exists() else None) == before
    assert str(checkout.log) in sentence
    return sentence


@pytest.mark.parametrize("word", ["frobnicate", "training", "7861"])
def test_an_unknown_command_is_named(word: str, capsys: pytest.CaptureFixture[str]):
    assert launcher.main([word]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert repr(word) in said


def test_commands_and_plain_options():
    assert launcher.read_command([]) == ("serve", [])
    assert launcher.read_command(["--port", "7861"]) == ("serve", ["--port", "7861"])
    assert launcher.read_command(["serve", "--port", "7861"]) == ("serve", ["--port", "7861"])
    assert launcher.read_command(["train", "job.toml", "--resume"]) == ("train", ["job.toml", "--resume"])
    assert launcher.read_command(["test", "-k", "x"]) == ("test", ["-k", "x"])


def test_help_lists_the_commands_and_sets_nothing_up(capsys: pytest.CaptureFixture[str]):
    assert launcher.main(["--help"]) == 0
    said = capsys.readouterr().out
    assert all(command in said for command in launcher.COMMANDS)


def test_help_names_every_benchmark_of_the_folder(capsys, monkeypatch, tmp_path):
    assert launcher.main(["--help"]) == 0
    known = "choices, data, faults, generation, goals, learning, memory, pairs, ranks, rates, scale, shapes, startup"
    assert f"measure how fast it is: {known}, training, webui\n" in capsys.readouterr().out
    folder = tmp_path / "benchmarks"
    folder.mkdir()
    (folder / "newest.py").write_text("def measure(rounds: int) -> dict:\n    return {}\n")
    (folder / "helper.py").write_text('"""No benchmark."""\n')
    for name, text in (("room", "def measure(rounds: int) -> dict:\n    return {}\n"), ("other", "")):
        (folder / name).mkdir()
        (folder / name / "__init__.py").write_text(text)
    monkeypatch.setattr(launcher, "ROOT", tmp_path)
    assert launcher.main(["--help"]) == 0
    assert "measure how fast it is: newest, room\n" in capsys.readouterr().out


@pytest.mark.parametrize("version", [(2, 7), (3, 6), (3, 9), (3, 13), (4, 0)])
def test_an_unsupported_python_is_reported(version: tuple[int, int]):
    code = (
        f"import runpy, sys; sys.version_info = {(*version, 1, 'final', 0)}; "
        "sys.argv = ['launch.py']; runpy.run_path('launch.py', run_name='__main__')"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=sources.ROOT)
    sentence = the_sentence(result)
    assert result.stderr.count("\n") == 1
    assert "3.10, 3.11 or 3.12" in sentence
    assert "{}.{}".format(*version) in sentence


def test_an_unsupported_python_of_this_machine_is_reported():
    names = ["python2", "python3.6", "python3.7", "python3.8", "python3.9", "python3.13", "python3.14"]
    found = [python for name in names if (python := shutil.which(name)) and _works(python)]
    if not found:
        pytest.skip("no unsupported Python on this machine")
    for python in found:
        command = [python, str(sources.ROOT / "launch.py"), "train"]
        assert "3.10, 3.11 or 3.12" in the_sentence(
            subprocess.run(command, capture_output=True, text=True, check=False)
        )


def _works(python: str) -> bool:
    return subprocess.run([python, "--version"], capture_output=True, check=False).returncode == 0


def test_the_first_file_keeps_to_the_grammar_of_old_pythons():
    source = (sources.ROOT / "launch.py").read_text(encoding="ascii")
    newer = ast.JoinedStr | ast.AnnAssign | ast.NamedExpr | ast.Match | ast.AsyncFunctionDef
    for node in ast.walk(ast.parse(source, feature_version=(3, 4))):
        assert not isinstance(node, newer)
        assert getattr(node, "annotation", None) is None
        assert getattr(node, "returns", None) is None
    assert "print" not in source


def test_the_command_runs_in_the_environment_with_the_root_first_on_its_path(checkout: Checkout):
    served = checkout.run("--port", "7861")
    assert served.returncode == 0, served.stderr
    assert served.stdout.split() == ["serve", "['--port',", "'7861']", str(checkout.root), str(checkout.root / ".venv")]
    trained = checkout.run("train", "job.toml", "--resume")
    assert trained.stdout.startswith("main ['job.toml', '--resume']")


@pytest.mark.parametrize(
    ("told", "waiting"),
    [
        ({}, ("4000", None)),
        ({"GOMP_SPINCOUNT": "7"}, ("7", None)),
        ({"OMP_WAIT_POLICY": "ACTIVE"}, (None, "ACTIVE")),
    ],
)
def test_threads_of_a_command_sleep_soon_unless_the_user_says_how_they_wait(
    monkeypatch: pytest.MonkeyPatch, told: dict[str, str], waiting: tuple[str | None, str | None]
):
    names = ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")
    for name in names:
        monkeypatch.setenv(name, told.get(name, ""))  # what is set by the command goes with the test
        if name not in told:
            monkeypatch.delenv(name)
    seen = []
    ready = types.SimpleNamespace(ensure=lambda **_given: None, is_running=lambda: True)
    monkeypatch.setattr(launcher, "Environment", lambda _root: ready)
    monkeypatch.setattr(launcher, "_run", lambda *_given: seen.append(tuple(map(os.environ.get, names))) or 0)
    assert launcher.main(["train", "job.toml"]) == 0
    assert seen == [waiting]


def spent_s() -> float:
    """Return the processor's time for children so far; a clock would also count what else the machine is doing."""
    spent = os.times()
    return spent.children_user + spent.children_system


def test_a_second_start_installs_nothing_and_takes_no_time(checkout: Checkout):
    assert checkout.run().returncode == 0
    written = checkout.log.stat().st_mtime_ns
    bare, started = [], []
    for _ in range(5):
        start = spent_s()
        subprocess.run([sys.executable, "-c", "pass"], check=True)
        bare.append(spent_s() - start)
        start = spent_s()
        assert checkout.run().stderr == ""
        started.append(spent_s() - start)
    assert checkout.log.stat().st_mtime_ns == written
    assert min(started) - min(bare) < SECONDS_OF_A_SECOND_START


def test_changed_requirements_are_installed(checkout: Checkout):
    stamp, size = checkout.stamp.read_text(), checkout.log.stat().st_size
    checkout.need_package()
    assert checkout.run().returncode == 0
    assert checkout.stamp.read_text() != stamp
    assert checkout.log.stat().st_size > size


def test_tests_bring_their_own_requirements(checkout: Checkout):
    (checkout.host / environment.TESTS).write_text("surely-no-such-package==1.0\n")
    assert checkout.run().returncode == 0
    sentence = the_sentence(checkout.run("test", "--version"))
    assert "surely-no-such-package==1.0" in sentence
    (checkout.host / environment.TESTS).write_text("# nothing\n")


@pytest.mark.long("test_changed_requirements_are_installed")
def test_an_environment_of_another_python_is_made_anew(checkout: Checkout):
    made = checkout.root / ".venv" / "installed-python.txt"
    made.write_text("3.1")
    result = checkout.run()
    assert result.returncode == 0, result.stderr
    assert "Making" in result.stderr
    assert made.read_text() != "3.1"


FAILURES = {
    "compiler": ("sys.exit(\"error: command 'gcc' failed: No such file or directory\")", "no compiler"),
    "windows compiler": ("sys.exit('error: Microsoft Visual C++ 14.0 or greater is required.')", "no compiler"),
    "full disk": (f"raise OSError({errno.ENOSPC}, 'No space left on device')", "disk is full"),
    "read-only": (f"raise OSError({errno.EROFS}, 'Read-only file system')", "cannot be written"),
}


@pytest.mark.parametrize("failure", long.thinned(FAILURES, len(FAILURES)))
def test_a_failure_of_pip_is_one_sentence(checkout: Checkout, failure: str):
    before, words = FAILURES[failure]
    checkout.need_package(before)
    assert words in restart(checkout)
    checkout.need_package()
    assert checkout.run().returncode == 0


def test_no_network_is_one_sentence(checkout: Checkout):
    checkout.need("surely-no-such-package==1.0")
    closed = {"PIP_NO_INDEX": "0", "PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_RETRIES": "1"}
    assert "check the network" in restart(checkout, **closed)
    assert "surely-no-such-package==1.0" in restart(checkout)


def test_an_unknown_failure_shows_the_end_of_the_log(checkout: Checkout):
    checkout.need_package("sys.exit('the moon was in the wrong phase')")
    result = checkout.run()
    assert "Installing requirements.txt failed" in the_sentence(result)
    assert "the moon was in the wrong phase" in result.stderr
    assert "the moon was in the wrong phase" in checkout.log.read_text(encoding="utf-8")


@pytest.mark.skipif(os.name == "nt", reason="Windows sends Ctrl-C to a console, not to a process")
def test_an_interrupted_installation_is_taken_up_again(checkout: Checkout):
    begun, go = checkout.root / "begun", checkout.root / "go"
    checkout.need_package(f"open({str(begun)!r}, 'w').close()\nwhile not os.path.exists({str(go)!r}): time.sleep(0.05)")
    process = subprocess.Popen(
        checkout.command(),
        env=offline(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    with process, contextlib.ExitStack() as stack:
        stack.callback(go.touch)
        deadline = time.monotonic() + 240
        while not begun.exists():
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGINT)
        said = process.communicate(timeout=240)[1]
    assert process.returncode == 130
    assert said.splitlines()[-1] == "Stopped."
    assert "Traceback" not in said
    retried = checkout.run()
    assert retried.returncode == 0
    assert "Installing" in retried.stderr
    assert checkout.run().stderr == ""


def test_ctrl_c_in_a_command_is_quiet(checkout: Checkout):
    checkout.need_package()
    assert checkout.run().returncode == 0
    (checkout.host / "app.py").write_text("def serve(argv):\n    raise KeyboardInterrupt\n")
    result = checkout.run()
    (checkout.host / "app.py").write_text(STUB.format(name="serve"))
    assert result.returncode == 130
    assert result.stderr == "Stopped.\n"


@pytest.mark.parametrize("module", ["venv", "ensurepip"])
def test_a_python_without_venv_is_one_sentence(module: str, tmp_path: Path):
    root = Checkout(tmp_path / "workbench").root
    code = (
        f"import sys; sys.modules[{module!r}] = None; sys.path.insert(0, {str(root)!r}); "
        "from standalone import launcher; sys.exit(launcher.main([]))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env=offline())
    assert f"module {module} is missing" in the_sentence(result)
    assert not (root / ".venv").exists()


def test_a_file_in_the_place_of_the_environment_is_one_sentence(tmp_path: Path):
    checkout = Checkout(tmp_path / "workbench")
    (checkout.root / ".venv").write_text("")
    assert str(checkout.root / ".venv") in the_sentence(checkout.run())


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (errno.ENOSPC, "disk is full"),
        (errno.EROFS, "cannot be written"),
        (errno.EACCES, "cannot be written"),
        (errno.EIO, "could not be used"),
    ],
)
def test_a_file_that_cannot_be_written_is_one_sentence(
    code: int, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    place = environment.Environment(Checkout(tmp_path / "workbench").root)

    def fail(say: environment.Say) -> None:
        raise OSError(code, os.strerror(code), str(place.folder))

    monkeypatch.setattr(place, "_create", fail)
    with pytest.raises(environment.SetupError, match=words):
        place.ensure(with_tests=False, say=lambda _: None)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_may_not_be_written_is_one_sentence(tmp_path: Path):
    checkout = Checkout(tmp_path / "workbench")
    checkout.root.chmod(0o555)
    try:
        assert "cannot be written" in the_sentence(checkout.run())
    finally:
        checkout.root.chmod(0o755)
