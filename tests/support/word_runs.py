"""Runs that train a word on the embedded host."""

from __future__ import annotations

from typing import Any

import numpy as np

PROMPTS = ("a red circle", "a blue square, zork")


def job(folder, **changes):
    """Return a job that trains a word of two vectors on a folder; `section__key` changes a setting."""
    from hypernetwork_workbench.hypernetworks.train.settings.job import Job

    tables: dict[str, dict[str, Any]] = {
        "data": {"folder": str(folder), "width": 64, "height": 64, "batch_size": 2, "template": "[filewords], [name]"},
        "schedule": {"rate": "0.05"},
        "train": {"max_steps": 6},
        "preview": {"every": 3, "sampling_steps": 2, "prompt": "a blue square, zork"},
        "embedding": {"trains": "embedding", "names": "zork", "vectors": 2, "initial_text": "red circle"},
        "output": {"name": "words", "sheet": False},
    }
    for address, value in changes.items():
        section, key = address.split("__")
        tables[section][key] = value
    return Job.from_mapping(tables)


def drawn(prompts=PROMPTS):
    """Return the picture of each prompt, [64, 64, 3]."""
    from hypernetwork_workbench.hypernetworks.ports import PictureRequest
    from hypernetwork_workbench.patches.model.previews import HostPreviewer

    requests = [PictureRequest(prompt, 5, 64, 64, steps=4) for prompt in prompts]
    return [np.asarray(HostPreviewer().generate([request], None, 1.0)[0]) for request in requests]


def started(checkpoint, folder):
    """Return the embedded host, which runs with a checkpoint and `folder` for its data."""
    from standalone import host as embedded

    return embedded.start(ckpt=checkpoint, data_dir=folder, extension=False)
