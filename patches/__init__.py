"""Every place where this extension touches the host; `docs/ARCHITECTURE.md` lists each with its file.

- Functions replaced: the patch sets below. `install_all` switches on those that the settings allow, `uninstall_all`
  gives the host back as it was.
- Callbacks: registered by `scripts/` and `tabs/`.
- A script in txt2img and img2img: the rows, in `rows/`.
- Settings and flags: `patching/switches.py` and `preload.py`.
- The host's server: routes, and a gate that keeps other pages out, in `api/`.
- Temporary state: in `model/`, on the U-Net and its attention, the encoders, the loaded networks and the random
  generators; in `runs/`, on the signals that end the process.
- The host's own lists and jobs: networks, checkpoints, and the state of the job that runs.
- Files in the host's folders: networks, checkpoints, logs, settings and edits of captions.
- Modules of the host that are used: read or called as they are.
"""

from __future__ import annotations

import logging

from .patching import Patch, PatchSet, page, switches
from .patching.console_log import console_log
from .runs.board import board
from .runs.run import runs
from .sets import (
    attention,
    checkpointing,
    embedding_batches,
    generation,
    host_creation,
    host_training,
    languages,
    loading,
    queue,
    remarks,
    text_model,
    unpickling,
    xyz_grid,
)

_log = logging.getLogger(__name__)

PATCH_SETS: tuple[PatchSet, ...] = (
    loading.patch_set,
    attention.patch_set,
    generation.patch_set,
    text_model.patch_set,
    checkpointing.patch_set,
    unpickling.patch_set,
    embedding_batches.patch_set,
    queue.patch_set,
    host_creation.patch_set,
    host_training.patch_set,
    xyz_grid.patch_set,
    languages.patch_set,
    remarks.patch_set,
)


def register_switches() -> None:
    """Add a switch for each patch set to the host's settings."""
    from modules import shared  # noqa: PLC0415 - needs the running host

    from .parts import text_files  # noqa: PLC0415

    switches.register(PATCH_SETS, apply_switches)
    if switches.TEXT_MODEL in shared.opts.data_labels:
        shared.opts.onchange(switches.TEXT_MODEL, text_files.remember)


def forget_switches() -> None:
    """Take the switches out of the host's settings: the scripts are about to load again, perhaps without ours."""
    switches.forget(PATCH_SETS)


def apply_switches() -> None:
    """Do what the switches say, once the running job is over, and read anew all lists that depend on them.

    A run of ours that would lose the k/v path is ended before; it saves.
    """
    from modules import call_queue, shared  # noqa: PLC0415 - these need the running host

    from .queue.worker import worker  # noqa: PLC0415

    if not switches.allows(attention.patch_set):
        worker.end()
        _end_run()
    with call_queue.queue_lock:
        had_texts = languages.patch_set.is_installed
        install_all()
        shared.reload_hypernetworks()
        page.refresh_lists()
        if languages.patch_set.is_installed != had_texts:
            page.refresh_texts()


def install_all() -> None:
    """Switch on every patch set that the settings allow, and the others off; doing it twice changes nothing."""
    from .runs.stop_signals import stop_signals  # noqa: PLC0415 - needs the running host

    for part in (console_log, stop_signals):
        part.install() if switches.is_on() else part.uninstall()
    had_lists = loading.patch_set.is_installed
    for patch_set in PATCH_SETS:
        if switches.allows(patch_set):
            patch_set.install()
    for patch_set in reversed(PATCH_SETS):
        if not switches.allows(patch_set):
            patch_set.uninstall()
    _follow_loading(had_lists)


def install_on_top() -> None:
    """Install again, on top of what other extensions replaced meanwhile, and name them in the log.

    To be called once every extension is loaded.
    """
    install_all()
    targets: dict[str, list[str]] = {}
    replaced = (patch for patch_set in PATCH_SETS for patch in patch_set.patches if isinstance(patch, Patch))
    for patch in replaced:
        for name in patch.rivals:
            targets.setdefault(name, []).append(patch.target.replace(":", "."))
    for name, places in targets.items():
        _log.warning("The extension %s replaces these functions too, ours run first: %s.", name, ", ".join(places))


def uninstall_all() -> None:
    """Switch every patch set off, the last one first, and unload the networks that only our path can run."""
    from .queue.worker import worker  # noqa: PLC0415 - needs the running host
    from .runs.stop_signals import stop_signals  # noqa: PLC0415 - needs the running host

    board.end()
    worker.end()
    _end_run()  # without our k/v path it would train a network that the U-Net does not use
    stop_signals.uninstall()
    console_log.uninstall()
    had_lists = loading.patch_set.is_installed
    for patch_set in reversed(PATCH_SETS):
        patch_set.uninstall()
    _follow_loading(had_lists)


def _end_run() -> None:
    if runs.active is not None:
        from .runs import training  # noqa: PLC0415 - needs the running host

        training.end()


def _follow_loading(had_lists: bool) -> None:
    """Leave the host no network and no name that its own code, where that loads now, would not have."""
    from modules import shared  # noqa: PLC0415

    if not loading.patch_set.is_installed:
        loading.unload()
    if loading.patch_set.is_installed != had_lists:
        shared.reload_hypernetworks()
