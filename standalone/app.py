"""The embedded WebUI: the host with its page, carrying the extension of this repository."""

from __future__ import annotations

import argparse
import errno
import importlib
import logging
import os
import signal
import socket
import sys
import tempfile
import threading
import time
import webbrowser
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from hypernetwork_workbench.hypernetworks.server.origins import is_loopback
from hypernetwork_workbench.standalone import host as embedded
from hypernetwork_workbench.standalone import ldm_support, page_access, served_files
from hypernetwork_workbench.standalone.command_errors import with_error_report
from hypernetwork_workbench.standalone.until_whole import UntilWhole
from starlette.middleware import Middleware

log = logging.getLogger("workbench.host")
SECONDS_TO_CLOSE = 3
_STARTED = time.monotonic()


class StartError(Exception):
    """The page cannot be started; the message is one sentence that names the argument."""


@with_error_report
def serve(argv: list[str]) -> int:
    """Run the page until Ctrl-C and return the exit code: 2, with one sentence on stderr, for a wrong argument."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s: %(message)s")
    for chatty in ("httpx", "httpcore", "matplotlib"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    try:
        host = start(argv)
    except StartError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    with tempfile.TemporaryDirectory(prefix="hypernetwork-workbench-", ignore_cleanup_errors=True) as folder:
        # gradio's own is shared by all pages of this machine, and would be served whole.
        os.environ.setdefault("GRADIO_TEMP_DIR", folder)
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C, so that the folder goes
        run(host)
    return 0


def start(argv: list[str]) -> embedded.Host:
    """Read the command line, check what it names, and prepare everything but model and page; raises StartError."""
    options = embedded.read_command_line(argv)
    if options.ckpt is None and options.hnw_job is None:
        # On the demo model the forms are filled in with the demo, so that pressing two buttons works.
        argv = [*argv, "--hnw-job", str(embedded.ROOT / "examples" / "demo.toml")]
    _check_port(options)
    _check_checkpoint(options.ckpt)
    _check_folder("--data-dir", options.data_dir or str(embedded.ROOT / "data"))
    if options.hypernetwork_dir is not None:
        _check_folder("--hypernetwork-dir", options.hypernetwork_dir)
    return embedded.prepare(argv)


def _check_port(options: argparse.Namespace) -> None:
    family = socket.AF_INET6 if ":" in options.server_name else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1 if sys.platform != "win32" else 0)
        try:
            probe.bind((options.server_name, options.port))
        except OSError as error:
            reason = error.strerror or str(error)
            if error.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
                raise StartError(
                    f"--listen {options.server_name}: this machine has no such address ({reason})."
                ) from error
            message = f"--port {options.port}: the port cannot be used ({reason}); choose another one."
            raise StartError(message) from error


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
    """Build the page, start the server, call the extensions, and return gradio's demo."""
    callbacks, shared = host.module("script_callbacks"), host.module("shared")
    callbacks.before_ui_callback()
    shared.demo = host.module("ui").create_ui()
    shared.demo.queue(64, api_open=False)
    options = shared.cmd_opts
    whole = threading.Event()
    with ldm_support.quiet():
        app, _, _ = shared.demo.launch(
            server_name=_in_address(options.server_name),
            server_port=options.port,
            prevent_thread_lock=True,
            quiet=True,
            show_api=False,
            app_kwargs={
                "docs_url": "/docs",
                "redoc_url": "/redoc",
                # They are there before the first request.
                "middleware": [page_access.middleware(options), Middleware(UntilWhole, whole=whole)],
                "routes": _served(host).routes(),
            },
        )
    # gradio lets any page of any site call the server; only its own page should.
    app.user_middleware = [entry for entry in app.user_middleware if entry.cls.__name__ != "CORSMiddleware"]
    app.middleware_stack = None
    host.module("progress").setup_progress_api(app)
    callbacks.app_started_callback(shared.demo, app)
    whole.set()
    return shared.demo


def close(demo: Any) -> None:
    """Stop the server and free its port; what is still answered after `SECONDS_TO_CLOSE` is broken off."""
    # An event that the closed queue never ends would keep its connection open, and the server waits for it.
    demo.server.config.timeout_graceful_shutdown = SECONDS_TO_CLOSE
    demo.close(verbose=False)


def _served(host: embedded.Host) -> served_files.Served:
    files = host.module("ui_gradio_extensions").page_files()
    return served_files.Served(files, [host.data_dir / "outputs"], served_files.copies_folder())


def _in_address(listen: str) -> str:
    """Return an IP address in the form that it has before a port."""
    return f"[{listen}]" if ":" in listen else listen


def _page_address(options: argparse.Namespace) -> str:
    """Return the address of the page for a browser on this machine."""
    address = ip_address(options.server_name)
    here = {4: "127.0.0.1", 6: "::1"}[address.version] if address.is_unspecified else options.server_name
    return f"http://{_in_address(here)}:{options.port}"


def run(host: embedded.Host) -> None:
    """Serve the page until Ctrl-C or a stop command; build it anew on "Reload UI"."""
    shared = host.module("shared")
    _load_in_background(host)
    demo = launch(host)
    address = _page_address(shared.cmd_opts)
    log.info("The page is at %s after %.1fs", address, time.monotonic() - _STARTED)
    if not is_loopback(shared.cmd_opts.server_name):
        log.warning("The page has no password: with --listen, whoever can reach this machine can use it.")
    if not shared.cmd_opts.no_browser:
        webbrowser.open(address)
    command = None
    try:
        while command != "stop":
            command = shared.state.wait_for_server_command(timeout=5)
            if command == "restart":
                close(demo)
                # A job that still runs was asked to stop: its scripts stay until it has.
                with host.module("call_queue").queue_lock:
                    embedded.reload(host)
                demo = launch(host)
                log.info("The page was built anew")
    except KeyboardInterrupt:
        log.info("Stopped")
    close(demo)
    host.unload()
