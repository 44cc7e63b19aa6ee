"""Starts the embedded host without a page: for the command line, for tests, and as the first half of the app."""

from __future__ import annotations

import argparse
import contextlib
import importlib
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
STANDALONE = ROOT / "standalone"


@dataclass
class Host:
    """The running host: `module("shared")` is its `modules.shared`."""

    data_dir: Path

    def module(self, name: str) -> Any:
        """Return a module of the host by its name below `modules`."""
        return importlib.import_module(f"modules.{name}")

    @property
    def model(self) -> Any:
        """The loaded model; loads it first if need be."""
        return self.module("shared").sd_model

    def unload(self) -> None:
        """Let the extension undo what it did, and forget its callbacks."""
        callbacks = self.module("script_callbacks")
        callbacks.script_unloaded_callback()
        callbacks.clear_callbacks()

    def stop(self) -> None:
        """Unload the extension and release the model."""
        self.unload()
        shared = self.module("shared")
        shared.loaded_hypernetworks.clear()
        shared.__dict__.pop("sd_model", None)
        self.module("sd_hijack").undo_optimizations()


def mount() -> None:
    """Make `modules` and `hypernetwork_workbench` importable, and keep third-party code off the network."""
    for place in (str(ROOT), str(STANDALONE)):
        if place not in sys.path:
            sys.path.insert(0, place)
    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
    os.environ.setdefault("HF_HUB_OFFLINE", "1")


def read_command_line(argv: list[str], extension: bool = True) -> argparse.Namespace:
    """Return the arguments, also the extension's; exit with code 2 if one is wrong."""
    mount()
    cmd: Any = importlib.import_module("modules.shared_cmd_options")
    extensions = importlib.import_module("modules.extensions")
    extensions.use([str(ROOT)] if extension else [])
    cmd.parser = cmd.make_parser()
    extensions.run_hook("preload.py", cmd.parser)
    return cmd.parser.parse_args(argv)


def prepare(argv: list[str], extension: bool = True) -> Host:
    """Prepare all but the model: command line, folders, settings, scripts. Raises OSError for a bad data folder."""
    read_command_line(argv, extension)
    cmd = importlib.import_module("modules.shared_cmd_options")
    cmd.parse(argv)
    host = Host(Path(cmd.cmd_opts.data_dir))
    for folder in (
        host.data_dir,
        Path(cmd.cmd_opts.hypernetwork_dir),
        Path(cmd.cmd_opts.embeddings_dir),
        host.data_dir / "outputs",
        Path(host.module("paths").models_path, "VAE"),
    ):
        folder.mkdir(parents=True, exist_ok=True)
    shared = host.module("shared")
    shared.__dict__.pop("sd_model", None)
    shared.opts.__init__(shared.options_templates())
    host.module("devices").configure()
    host.module("sd_models").list_models()
    host.module("sd_vae").refresh_vae_list()
    _load_extensions(host)
    host.module("sd_models").choose_first()
    return host


def _load_extensions(host: Host) -> None:
    """Load in the WebUI's order: networks of the prompt, install.py, the settings file, scripts, options, the lists."""
    extra_networks, shared = host.module("extra_networks"), host.module("shared")
    extra_networks.initialize()
    extra_networks.register_extra_network(host.module("extra_networks_hypernet").ExtraNetworkHypernet())
    host.module("extensions").run_hook("install.py")
    host.module("textual_inversion.textual_inversion").list_textual_inversion_templates()
    shared.opts.load(shared.config_filename)
    host.module("localization").list_localizations()
    host.module("scripts").load_scripts()
    host.module("script_callbacks").ui_settings_callback()
    shared.opts.reorder()
    shared.reload_hypernetworks()
    sd_hijack = host.module("sd_hijack")
    shared.opts.onchange("cross_attention_optimization", sd_hijack.apply_optimizations, call=False)
    shared.opts.onchange("sd_vae", lambda: host.module("sd_vae").reload_vae_weights(), call=False)
    shared.opts.onchange("sd_model_checkpoint", lambda: host.module("sd_models").reload_model_weights(), call=False)


def reload(host: Host) -> None:
    """Unload the extension's scripts and load them again, as "Reload UI" does."""
    callbacks = host.module("script_callbacks")
    callbacks.app_reload_callback()
    host.unload()
    _load_extensions(host)
    host.module("shared").state.interrupted = False


def start(
    ckpt: str | os.PathLike[str] | None = None,
    data_dir: str | os.PathLike[str] | None = None,
    extension: bool = True,
    load_model: bool = True,
) -> Host:
    """Return the host without a page, its model loaded; with `extension=False` nothing of the extension is loaded.

    May be called again in the same process: the settings and the model are then those of the new call.

    Raises:
        modules.sd_models_config.CheckpointError: the checkpoint is missing or cannot be read.
    """
    argv = ["--no-browser"]
    if ckpt is not None:
        argv += ["--ckpt", os.fspath(ckpt)]
    if data_dir is not None:
        argv += ["--data-dir", os.fspath(data_dir)]
    with contextlib.suppress(ModuleNotFoundError):
        # Their progress bars and advice have no place in a log.
        importlib.import_module("transformers").logging.set_verbosity_error()
    mount()
    if ckpt is not None:
        importlib.import_module("modules.sd_models").check(os.fspath(ckpt))
    host = prepare(argv, extension)
    if load_model:
        host.module("sd_models").get_model()
    return host
