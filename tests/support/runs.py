"""Jobs on the fakes, and what they left behind."""

from __future__ import annotations

import csv

import torch
from hypernetwork_workbench.hypernetworks import files
from hypernetwork_workbench.hypernetworks.train.settings.job import Job
from PIL import Image


def make_job(pictures, **changes):
    tables = {
        "network": {"dropout_structure": "0, 0.2, 0"},
        "data": {"folder": str(pictures), "width": 32, "height": 32, "batch_size": 2, "caption_dropout": 0.3},
        "schedule": {"rate": "0.01"},
        "train": {"max_steps": 12, "seed": 3},
        "output": {"name": "fake"},
    }
    for address, value in changes.items():
        section, key = address.split("__")
        tables.setdefault(section, {})[key] = value
    return Job.from_mapping(tables)


def draw_pictures(folder):
    """Make a folder of five pictures of different shapes, with captions."""
    folder.mkdir()
    for index in range(5):
        Image.new("RGB", (40 + 8 * index, 48), (40 * index, 90, 200 - 30 * index)).save(folder / f"{index}.png")
        (folder / f"{index}.txt").write_text(f"picture {'x' * index}", encoding="utf-8")
    return folder


def weights(path):
    return dict(files.load(path).state_dict())


def read_log(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)
