"""Networks of each kind, and what a WebUI lists and draws of them, with or without the extension."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
from hypernetwork_workbench.hypernetworks import files
from hypernetwork_workbench.hypernetworks.network.hypernetwork import Hypernetwork, Structure

from tests.real_host.webui import WebUI

WIDTHS = (96, 64, 128)
PLAIN, SAFE, MIX, TYPED = "switched", "switched safe", "switched mix", "switched+switched safe"
NAMES = (PLAIN, SAFE, MIX, TYPED)


def add_networks(folder: Path) -> None:
    """Write a `.pt`, which every WebUI lists, a `.safetensors` and a composition."""
    place = folder / "models" / "hypernetworks"
    place.mkdir(parents=True, exist_ok=True)
    for seed, path in enumerate((place / f"{PLAIN}.pt", place / f"{SAFE}.safetensors")):
        files.save(Hypernetwork.create(Structure(init_std=0.15), WIDTHS, seed), path)
    (place / f"{MIX}.hns").write_text(f'["{PLAIN}", ("{SAFE}", 0.5)]', encoding="utf-8")


def drawn(host: WebUI, name: str) -> np.ndarray:
    """Return a picture whose prompt has a tag."""
    return host.picture(prompt=f"a red circle<hypernet:{name}:0.7>")


def lists(host: WebUI) -> dict[str, object]:
    """Return the names of these networks wherever the WebUI and a new page offer them, and the labels of all axes."""
    config = host.call("/config")
    parts = {part["props"].get("elem_id"): part for part in config["components"]}
    grids = [script for script in host.call("/sdapi/v1/script-info") if script["name"] == "x/y/z plot"]
    axes = (part for part in config["components"] if part["props"].get("label") in ("X type", "Y type", "Z type"))
    return {
        "api": _ours(one["name"] for one in host.call("/sdapi/v1/hypernetworks")),
        "setting": _ours(parts["setting_sd_hypernetwork"]["props"]["choices"]),
        "train": _ours(parts["train_hypernetwork"]["props"]["choices"]),
        "cards": {tab: _ours(_cards(host, config, tab)) for tab in ("txt2img", "img2img")},
        "axes": [grid["args"][0]["choices"] for grid in grids],
        "axes of the page": [part["props"]["choices"] for part in axes],
    }


def _ours(names: object) -> list[str]:
    return sorted(set(names) & set(NAMES))


def _cards(host: WebUI, config: dict, tab: str) -> list[str]:
    """Return the names of the cards that a page shows when it is opened."""
    id_ = next(p["id"] for p in config["components"] if p["props"].get("elem_id") == f"{tab}_hypernetworks_cards_html")
    number, event = next(
        (number, event)
        for number, event in enumerate(config["dependencies"])
        if event["targets"] == [] and id_ in event["outputs"] and event["backend_fn"]
    )
    answer = host.call("/run/predict", {"fn_index": number, "data": [], "session_hash": "cards"})
    html = answer["data"][event["outputs"].index(id_)]
    return re.findall(r'data-name="([^"]*)"', html if isinstance(html, str) else json.dumps(html))
