"""The embedded WebUI: the host with its page, carrying the extension of this repository."""

from __future__ import annotations

import importlib
import logging
import socket
import sys
import threading
import time
import webbrowser
from pathlib import Path
from typing import Any

from hypernetwork_workbench.standalone import host as embedded
from hypernetwork_workbench.standalone import ldm_support

log = logging.getLogger("workbench.host")
ADDRESS = "127.0.0.1"
_STARTED = time.monotonic()


class StartError(Exception):
    """The page cannot be started; the message is one sentence that names the argument."""


def serve(argv: list[str]) -> int:
    """Run the page until Ctrl-C; returns the exit code, 2 with one sentence on stderr for a wrong argument."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s: %(message)s")
    for chatty in ("httpx", "httpcore", "matplotlib"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    try:
        host = start(argv)
    except StartError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    run(host)
    return 0


def start(argv: list[str]) -> embedded.Host:
    """Read the command line, checks what it names, and prepares everything but model and page; raises StartError."""
    options = embedded.read_command_line(argv)
    if options.ckpt is None and options.hnw_job is None:
        # On the demo model the forms are filled in with the demo, so that pressing two buttons works.
        argv = [*argv, "--hnw-job", str(embedded.ROOT / "examples" / "demo.toml")]
    _check_port(options.port)
    _check_checkpoint(options.ckpt)
    _check_folder("--data-dir", options.data_dir or str(embedded.ROOT / "data"))
    if options.hypernetwork_dir is not None:
        _check_folder("--hypernetwork-dir", options.hypernetwork_dir)
    return embedded.prepare(argv)


def _check_port(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1 if sys.platform != "win32" else 0)
        try:
            probe.bind((ADDRESS, port))
        except OSError as error:
            reason = error.strerror or str(error)
            raise StartError(f"--port {port}: the port cannot be used ({reason}); choose another one.") from error


def _check_folder(argument: str, folder: str) -> None:
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
        probe = Path(folder, f".write-test-{time.time_ns()}")
        probe.touch()
        probe.unlink()
    except OSError as error:
        reason = error.strerror or str(error)
        raise StartError(f"{argument} {folder}: this folder cannot be written to ({reason}).") from error


def _check_checkpoint(file: str | None) -> None:
    if file is None:
        return
    sd_models = importlib.import_module("modules.sd_models")
    try:
        sd_models.check(file)
    except sd_models.CheckpointError as error:
        raise StartError(f"--ckpt {file}: {error}") from error


def _load_in_background(host: embedded.Host) -> None:
    def load() -> None:
        try:
            host.module("sd_models").get_model()
        except Exception:
            # The page shows the reason to whoever presses Generate.
            log.exception("The checkpoint could not be loaded")

    threading.Thread(target=load, name="load-model", daemon=True).start()


def launch(host: embedded.Host) -> Any:
    """Build the page, starts the server and calls the extensions; returns gradio's demo."""
    callbacks, shared = host.module("script_callbacks"), host.module("shared")
    callbacks.before_ui_callback()
    shared.demo = host.module("ui").create_ui()
    shared.demo.queue(64, api_open=False)
    with ldm_support.quiet():
        app, _, _ = shared.demo.launch(
            server_name=ADDRESS,
            server_port=shared.cmd_opts.port,
            prevent_thread_lock=True,
            quiet=True,
            show_api=False,
            allowed_paths=host.module("ui_gradio_extensions").allowed_paths(),
            app_kwargs={"docs_url": "/docs", "redoc_url": "/redoc"},
        )
    # gradio lets any page of any site call the server; only its own page should.
    app.user_middleware = [entry for entry in app.user_middleware if entry.cls.__name__ != "CORSMiddleware"]
    app.middleware_stack = None
    host.module("progress").setup_progress_api(app)
    callbacks.app_started_callback(shared.demo, app)
    return shared.demo


def run(host: embedded.Host) -> None:
    """Serve the page until Ctrl-C or a stop command; builds it anew on "Reload UI"."""
    shared = host.module("shared")
    _load_in_background(host)
    demo = launch(host)
    address = f"http://{ADDRESS}:{shared.cmd_opts.port}"
    log.info("The page is at %s after %.1fs", address, time.monotonic() - _STARTED)
    if not shared.cmd_opts.no_browser:
        webbrowser.open(address)
    command = None
    try:
        while command != "stop":
            command = shared.state.wait_for_server_command(timeout=5)
            if command == "restart":
                demo.close(verbose=False)
                # A job that still runs was asked to stop: its scripts stay until it has.
                with host.module("call_queue").queue_lock:
                    embedded.reload(host)
                demo = launch(host)
                log.info("The page was built anew")
    except KeyboardInterrupt:
        log.info("Stopped")
    demo.close(verbose=False)
    host.unload()
