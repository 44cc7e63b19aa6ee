"""Embeddings in the real WebUI: trained through ours, read by its own loader, and used for its pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.real_host.test_runs import V1, wait
from tests.real_host.webui import WebUI

WORD = {"prompt": "a red circle, zork"}


def test_an_embedding_is_read_by_the_webui_and_moves_the_pictures_of_its_word_alone(
    host: WebUI, pictures: Path
) -> None:
    before = host.picture(), host.picture(**WORD)
    job = {
        "data": {"folder": str(pictures), "width": 64, "height": 64, "template": "[filewords], [name]"},
        "schedule": {"rate": "0.05"},
        "train": {"max_steps": 6},
        "preview": {"every": 3, "sampling_steps": 2, "prompt": "a red circle, zork"},
        "embedding": {"trains": "embedding", "names": "zork", "vectors": [2], "initial_text": "blue square"},
        "output": {"name": "words"},
    }
    id_ = host.call(f"{V1}/train", job)["run"]
    told = wait("the end of the run", lambda: (found := host.call(f"{V1}/status/{id_}"))["ended"] and found)
    assert told["state"] == "finished", told

    listed = host.call("/sdapi/v1/embeddings")["loaded"]["zork"]
    assert (listed["vectors"], listed["step"], listed["sd_checkpoint_name"]) == (2, 6, "demo")
    after = host.picture(), host.picture(**WORD)
    assert np.array_equal(before[0], after[0])
    assert not np.array_equal(before[1], after[1])
    first, last = sorted((host.folder / "outputs" / "training" / "words" / "previews").glob("step-*.png"))
    assert first.read_bytes() != last.read_bytes()  # the host keeps what prompts were, but not while words are trained

    (file,) = host.folder.rglob("embeddings/zork.pt")
    file.unlink()
    host.call("/sdapi/v1/refresh-embeddings", {})
    host.picture()  # the host keeps what the last prompt was, by its text alone
    assert np.array_equal(before[1], host.picture(**WORD))
