"""The job that the tab Train Gamma describes: its fields, the chosen network, and the settings of txt2img if ticked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from modules import shared

from ...hypernetworks.base.errors import ErrorCollector, SettingsError
from ...hypernetworks.files import listing
from ...hypernetworks.train.settings.embedding import ALONE
from ...hypernetworks.train.settings.job import Job
from ..model import lookup

#: The eight values of the txt2img tab, in the host's order, as settings of previews.
_TXT2IMG = (
    "prompt",
    "negative_prompt",
    "sampling_steps",
    "sampler",
    "cfg_scale",
    "preview_seed",
    "width",
    "height",
)


def job_from(tables: dict[str, Any]) -> Job:
    """Return the job for the values entered: the chosen network is trained, and replaced unless another name is given.

    Raises:
        SettingsError: names the field.
    """
    if trains_words_alone(tables):
        return Job.from_mapping(_named(tables))
    entered = tables["network"]["file"]
    listed = lookup.listed(entered) if entered else {}
    name = listing.meant(listed, entered or "")
    checks = ErrorCollector()
    with checks:
        if name not in listed:
            raise SettingsError("network.file", missing_network(name))
    with checks:
        # Where no network is chosen, the name that it gives to the result is not missing too.
        job = Job.from_mapping(_with_network(tables, name or "unnamed", listed.get(name, "")))
    checks.raise_all()
    return job


def draft(tables: dict[str, Any]) -> dict[str, Any]:
    """Return the tables of an unfinished entry; a network that does not exist is represented by its name."""
    if trains_words_alone(tables):
        return _named(tables)
    name = tables["network"]["file"] or ""
    return _with_network(tables, name, shared.hypernetworks.get(name, ""))


def run_name(tables: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the name under which a run of the values entered is saved; empty where none is entered."""
    if trains_words_alone(tables):
        return str(_named(tables)["output"]["name"])
    entered = tables["network"]["file"] or ""
    return (tables["output"]["name"] or "").strip() or (
        listing.meant(lookup.listed(entered), entered) if entered else ""
    )


def missing_network(name: str) -> str:
    """Return the sentence for a network that is not in the list."""
    if not name:
        return "choose a network; create one first"
    return lookup.absent(f"there is no network {name}", name)


def listed_name(path: str) -> str | None:
    """Return the name in the host's list of the network at `path`, or else of one with the same file name."""
    wanted = Path(path)
    # A link and what it leads to may both be listed.
    exact = [name for name, listed in shared.hypernetworks.items() if Path(listed) == wanted]
    if exact:
        return exact[0]
    for name, listed in shared.hypernetworks.items():
        if Path(listed).resolve() == wanted.resolve():
            return name
    return wanted.stem if wanted.stem in shared.hypernetworks else None


def with_txt2img(tables: dict[str, Any], values: Sequence[Any]) -> dict[str, Any]:
    """Return the tables with the settings of txt2img for previews; if its seed is random, their own seed stays."""
    taken = dict(zip(_TXT2IMG, values, strict=True))
    if is_random(taken["preview_seed"]):
        del taken["preview_seed"]
    return {**tables, "preview": {**tables["preview"], "prompt_file": "", **taken}}


def is_random(seed: Any) -> bool:
    """Tell whether the host draws a seed for this one of txt2img, which is a text with `--use-textbox-seed`."""
    try:
        return int(seed) < 0
    except (TypeError, ValueError):  # empty, or no number
        return True


def trains_words_alone(tables: Mapping[str, Mapping[str, Any]]) -> bool:
    """Tell whether no network is trained, so that none need be chosen."""
    return tables.get("embedding", {}).get("trains") == ALONE


def _named(tables: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return the tables of a run of embeddings alone: without another name it is called as the first of them."""
    words = str(tables["embedding"].get("names") or "")
    output = dict(tables["output"])
    output["name"] = (output["name"] or "").strip() or words.partition(",")[0].strip()
    return {**tables, "network": {**tables["network"], "file": ""}, "output": output}


def _with_network(tables: dict[str, Any], name: str, path: str) -> dict[str, Any]:
    output = dict(tables["output"])
    output["name"] = output["name"].strip() or name
    output["overwrite"] = output["overwrite"] or output["name"] == name
    return {**tables, "network": {**tables["network"], "file": path}, "output": output}
