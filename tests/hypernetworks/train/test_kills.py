"""A run that is killed at any moment, and continued, ends with the network of a run that nothing broke."""

import json
import os
import random
import subprocess
import sys

import pytest

from tests import sources
from tests.support.mount import mounted
from tests.support.runs import draw_pictures, read_log, same, weights

SEED = 20
RANDOM_CHAINS, KILLS_IN_A_CHAIN = 5, 4
_FEW_ACTS = 40
CHANGES = {
    "train__max_steps": 8,
    "train__ema_decay": 0.9,
    "train__validation_share": 0.3,
    "train__validation_every": "2",
    "output__save_every": "3",
    "output__keep_last": 2,
    "output__save_best": True,
    "preview__every": "3",
    "preview__prompt": "a cat",
    "network__weight_init": "Normal",  # with it the validation loss falls twice, so that there are two best copies
}
#: Kills before a file is in its place, in the order in which a run comes there: of the copy, and of the result.
NAMED = [
    [["open", "log.csv", 0], ["rename", "fake-best.pt", 1], ["rename", "fake-000006.pt", 0]],
    [
        ["rename", "fake-000006.pt.state", 0],
        ["rename", "fake-running.state", 0],
        ["rename", "fake.pt", 0],
        ["rename", "fake.pt.state", 0],
        ["rename", "sheet.png", 0],
    ],
]

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="the parts of a chain are forks"),
    pytest.mark.slow,
    pytest.mark.long("tests/standalone/test_train_resume.py::test_a_run_in_two_halves_is_the_whole_run"),
]


def run_chains(pictures, mount, chains):
    task = {"pictures": str(pictures), "changes": CHANGES, "chains": chains}
    path = os.pathsep.join([str(mount), str(sources.ROOT)])
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.kills"],
        input=json.dumps(task),
        capture_output=True,
        text=True,
        cwd=sources.ROOT,
        env=os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
        timeout=800,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def ended(tmp_path_factory):
    """Return the folder of a run that nothing broke, and the folder, the kills and the parts of each chain."""
    place = tmp_path_factory.mktemp("kills")
    pictures, mount = draw_pictures(place / "pictures"), mounted(place)
    whole = {"folder": str(place / "whole"), "kills": []}
    (first, *_) = run_chains(pictures, mount, [whole])[0]
    draw = random.Random(SEED)
    count = len(first["acts"])
    # The first kill of a chain is anywhere; what is left to do after it may be little.
    drawn = [
        [draw.randrange(count), *(draw.randrange(_FEW_ACTS) for _ in range(KILLS_IN_A_CHAIN - 1))]
        for _ in range(RANDOM_CHAINS)
    ]
    chains = [{"folder": str(place / str(n)), "kills": kills} for n, kills in enumerate([*drawn, *NAMED])]
    return place / "whole", list(zip(chains, run_chains(pictures, mount, chains), strict=True))


def timeless(path):
    return [{key: value for key, value in row.items() if key != "seconds"} for row in read_log(path)]


def made(folder):
    return sorted(
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_file() and not path.name.endswith(".lock") and path.parent.name != "latents"
    )


def test_at_least_twenty_runs_are_killed_and_each_named_place_is_reached(ended):
    _, chains = ended
    killed = [sum("killed" in part for part in parts) for _, parts in chains]
    assert sum(killed) >= 20
    assert killed[-len(NAMED) :] == [len(kills) for kills in NAMED]


def test_each_chain_ends_with_the_network_and_the_log_of_the_unbroken_run(ended):
    whole, chains = ended
    for chain, parts in chains:
        folder = whole.parent / chain["folder"]
        assert not [part for part in parts if "failed" in part], (chain, parts)
        assert "ended at step 8 already" in parts[-1]["refused"], (chain, parts)
        for network in ("hypernetworks/fake.pt", "logs/fake/fake-best.pt", "logs/fake/fake-000006.pt"):
            assert same(weights(whole / network), weights(folder / network)), (chain, network)
        assert timeless(whole / "logs/fake/log.csv") == timeless(folder / "logs/fake/log.csv"), chain


def test_each_chain_ends_with_all_files_of_the_unbroken_run_and_no_others(ended):
    whole, chains = ended
    for chain, parts in chains:
        assert made(whole.parent / chain["folder"]) == made(whole), (chain, parts)
