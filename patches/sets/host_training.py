"""Patch set: the WebUI's own button Train Hypernetwork, and its HTTP route, run our trainer with their settings."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from ...hypernetworks import files
from ...hypernetworks.base.errors import SettingsError, TrainingError, WorkbenchError
from ...hypernetworks.files import listing
from ...hypernetworks.jobs.webui_form import TRAINING_ARGUMENTS, WebuiSettings, in_arguments, in_labels, training_tables
from ...hypernetworks.train import TrainResult
from ..model import lookup
from ..patching import Patch, PatchSet, UnsupportedHostError, signature_with
from ..runs.run import runs

_HOST = "modules.hypernetworks.hypernetwork:train_hypernetwork"
_PAGE = "modules.hypernetworks.ui:train_hypernetwork"
_ROUTE = "modules.api.api:train_hypernetwork"


def api_is_on() -> bool:
    """Tell whether the host serves its HTTP API, whose modules it has loaded then or will load."""
    from modules import shared  # noqa: PLC0415

    return any(getattr(shared.cmd_opts, flag, False) for flag in ("api", "nowebui"))


def _make_train(original: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function for callers of the host's: it returns the network and the path of its file, or raises."""
    from modules import sd_hijack  # noqa: PLC0415

    if not hasattr(sd_hijack, "undo_optimizations"):  # as in reForge, whose callers want it all the same
        raise UnsupportedHostError("the WebUI's own training is broken here; Train Gamma trains")
    signature = signature_with(original, *TRAINING_ARGUMENTS)

    def train_hypernetwork(*args: Any, is_of_route: bool = False, **kwargs: Any) -> tuple[Any, str]:
        from ...hypernetworks.inference.library import library  # noqa: PLC0415
        from ..model.loaded import LoadedNetwork  # noqa: PLC0415

        # The host's function also applies the optimized attention, which its callers have removed before.
        sd_hijack.apply_optimizations()
        try:
            with runs.hold() as held:
                held.is_of_host_api = is_of_route
                result, _ = train(signature.bind(*args, **kwargs).arguments)
        except WorkbenchError as error:
            raise TrainingError(in_arguments(error)) from error
        path = str(result.network)
        return LoadedNetwork(library.network(path), result.network.stem, result.network), path

    return train_hypernetwork


def _make_route(original: Callable[..., Any]) -> Callable[..., Any]:
    """Return that function in the host's queue; the host's own route trains while other jobs use the GPU."""
    run = _make_train(original)

    def train_hypernetwork(*args: Any, **kwargs: Any) -> tuple[Any, str]:
        from modules import call_queue  # noqa: PLC0415

        with call_queue.queue_lock:
            return run(*args, **kwargs, is_of_route=True)

    return train_hypernetwork


def _make_page(_original: Callable[..., Any]) -> Callable[..., Any]:
    """Return the handler of the button; it returns text and HTML for the end, and runs in the host's queue."""

    def train_hypernetwork(*args: Any) -> tuple[str, str]:
        from modules.hypernetworks import hypernetwork  # noqa: PLC0415

        function: Any = hypernetwork
        entered = inspect.signature(function.train_hypernetwork).bind(*args).arguments
        try:
            with runs.hold():
                result, steps = train(entered)
        except WorkbenchError as error:
            # Not as the HTML of errors: its component is removed from the page when the button is pressed (v1.10.1).
            return "Nothing was trained.\n" + "\n".join(in_labels(error)), ""
        ended = "interrupted" if result.interrupted else "finished"
        return (
            f"Training {ended} at {steps} steps.\nHypernetwork saved to {result.network}\n"
            f"{result.losses.capitalize()}; log and pictures are in {result.log.parent}",
            "",
        )

    return train_hypernetwork


def train(entered: Mapping[str, Any]) -> tuple[TrainResult, int]:
    """Train as the arguments of the host's function say; return the result, and all steps the network was trained for.

    Raises:
        WorkbenchError: an argument is wrong, or the run failed.
    """
    from ..runs.job import job_from, with_txt2img  # noqa: PLC0415 - these need the running host
    from ..runs.training import run_job  # noqa: PLC0415

    trained = _trained(entered["hypernetwork_name"])
    tables = training_tables(entered, _settings(entered["template_filename"], trained))
    if entered.get("preview_from_txt2img"):
        tables = with_txt2img(tables, _preview(entered))
    day = f"{datetime.now():%Y-%m-%d}"
    log_dir = Path(entered["log_directory"]) / day if entered.get("log_directory") else None
    result = run_job(job_from(tables), log_dir=log_dir)
    return result, trained + result.steps


def _trained(name: str) -> int:
    """Return the steps that the network was trained for; raises SettingsError for one that this form cannot train."""

    path = lookup.listed(name).get(name)
    if path is None or not listing.is_network(path):
        if path is not None:
            raise SettingsError("network.file", f"{name} is a composition of networks, which cannot be trained")
        return 0
    if name != Path(path).stem:
        reason = f"{name} shares its file name with another network; give it a name of its own to train it"
        raise SettingsError("network.file", reason)
    return files.read_document(path).metadata.step


def _settings(template: str, trained: int) -> WebuiSettings:
    from modules import shared  # noqa: PLC0415
    from modules.textual_inversion import textual_inversion  # noqa: PLC0415

    found = textual_inversion.textual_inversion_templates.get(template)
    return WebuiSettings(
        template=found.path if found else None,
        trained=trained,
        filename_regex=getattr(shared.opts, "dataset_filename_word_regex", "") or "",
        filename_join=getattr(shared.opts, "dataset_filename_join_string", "") or "",
        save_state=bool(getattr(shared.opts, "save_optimizer_state", False)),
        tensorboard=bool(getattr(shared.opts, "training_enable_tensorboard", False)),
    )


def _preview(entered: Mapping[str, Any]) -> list[Any]:
    """Return the eight values of txt2img, the sampler by its name in the host's list."""
    from modules import sd_samplers  # noqa: PLC0415

    names = [name for name in entered if name.startswith("preview_") and name != "preview_from_txt2img"]
    values = [entered[name] for name in names]
    sampler = next(number for number, name in enumerate(names) if name.startswith("preview_sampler"))
    if isinstance(values[sampler], int):  # its position in the list, before v1.7
        values[sampler] = sd_samplers.all_samplers[values[sampler]].name
    else:
        aliases = getattr(sd_samplers, "samplers_map", {})
        values[sampler] = aliases.get(str(values[sampler]).lower(), values[sampler])
    return values


patch_set = PatchSet(
    "training",
    "The WebUI's own button Train Hypernetwork runs this trainer",
    [
        # First the route, because its module imports the host's function by value.
        Patch(_ROUTE, _make_route, when=api_is_on),
        Patch(_HOST, _make_train),
        Patch(_PAGE, _make_page),
    ],
    mends=True,
)
