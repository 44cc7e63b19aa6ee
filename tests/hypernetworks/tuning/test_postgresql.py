"""One study for several machines on PostgreSQL, which the test starts where Debian's package is installed."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from tests import sources

PROGRAMS = sorted(Path("/usr/lib/postgresql").glob("*/bin")) if Path("/usr/lib/postgresql").is_dir() else []
USER = "nobody"
PATIENCE_S = 60.0

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif("CI" in os.environ, reason="no database is started in CI"),
    pytest.mark.skipif(not PROGRAMS, reason="PostgreSQL is not installed: apt install postgresql"),
]


def _as_user():
    """Return how to start a program of PostgreSQL, which refuses root."""
    return {"user": USER, "group": "nogroup", "extra_groups": ()} if os.geteuid() == 0 else {}


@pytest.fixture
def database():
    """Return the address of an empty database."""
    pytest.importorskip("psycopg", reason="the package psycopg is not installed")
    folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))
    if os.geteuid() == 0:
        shutil.chown(folder, USER, "nogroup")
    how = {"cwd": folder, "env": {"PATH": os.environ["PATH"], "LC_ALL": "C"}, **_as_user()}
    made = subprocess.run(
        [PROGRAMS[-1] / "initdb", "-D", folder / "data", "-U", "study", "-A", "trust", "-E", "UTF8", "--no-sync"],
        capture_output=True,
        check=False,
        **how,
    )
    assert made.returncode == 0, made.stderr
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = ["-D", folder / "data", "-k", folder, "-h", "127.0.0.1", "-p", str(port), "-F"]
    server = subprocess.Popen(
        [PROGRAMS[-1] / "postgres", *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **how
    )
    try:
        _wait_for(port)
        yield f"postgresql://study@127.0.0.1:{port}/postgres"
    finally:
        server.terminate()
        server.wait(PATIENCE_S)
        shutil.rmtree(folder, ignore_errors=True)


def _wait_for(port):
    import psycopg

    deadline = time.monotonic() + PATIENCE_S
    while not _answers(psycopg, port):
        assert time.monotonic() < deadline, "PostgreSQL did not start"
        time.sleep(0.2)


def _answers(psycopg, port):
    try:
        psycopg.connect(f"postgresql://study@127.0.0.1:{port}/postgres", connect_timeout=5).close()
    except psycopg.OperationalError:
        return False
    return True


def _worker(pictures, url, parts):
    request = {"pictures": str(pictures), "settings": {"trials": 6, "url": url}, "parts": parts}
    return subprocess.Popen(
        [sys.executable, "-m", "tests.support.studies", json.dumps(request)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=sources.ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )


def test_two_machines_do_each_trial_once_also_where_one_of_them_is_killed(pictures, tmp_path, database):
    one, two = tmp_path / "one", tmp_path / "two"
    workers = [
        _worker(pictures, database, [{"folder": str(one), "kill": [2, 4]}]),
        _worker(pictures, database, [{"folder": str(two), "kill": [1, 3]}, {"folder": str(two)}]),
    ]
    answers = [json.loads(worker.communicate(timeout=300)[0])[-1] for worker in workers]
    found = answers[1]
    assert found is not None
    assert [trial[:2] for trial in found["trials"]] == [[number, "complete"] for number in range(6)]
    networks = [path.name for place in (one, two) for path in (place / "logs").glob("fake-*-tuning/*.pt")]
    assert sorted(set(networks)) == [f"fake-{number:03d}.pt" for number in range(1, 7)]
    assert len(networks) == 6
    worker = _worker(pictures, f"sqlite:///{tmp_path}/x.db", [{"folder": str(tmp_path / "three")}])
    (alone,) = json.loads(worker.communicate(timeout=300)[0])
    assert alone["trials"] == found["trials"], "the same values and losses as on one machine"
