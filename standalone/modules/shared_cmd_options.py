"""The command line, named as the WebUI's where it has the argument: one object for the life of the process."""

from __future__ import annotations

import argparse
from ipaddress import ip_address
from pathlib import Path

from hypernetwork_workbench.hypernetworks.base.paths import path_argument
from hypernetwork_workbench.hypernetworks.server.origins import parse_origin

from modules import paths

MAX_PORT = 65535


def _port(text: str) -> int:
    number = int(text) if text.isascii() and text.isdigit() else 0
    if not 1 <= number <= MAX_PORT:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port: give a whole number from 1 to {MAX_PORT}")
    return number


def _path(text: str) -> str:
    return str(path_argument(text)) if text else ""


def _address(text: str) -> str:
    try:
        return str(ip_address(text.strip("[]")))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not an IP address: give one of this machine's") from None


def _origin(text: str) -> str:
    if parse_origin(text) is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not an address such as https://example.org or http://pc:7860")
    return text


class Parser(argparse.ArgumentParser):
    """Reports a wrong argument in one line, without the usage text."""

    def error(self, message: str) -> None:  # type: ignore[override]
        """Exit with code 2 and one sentence."""
        self.exit(2, f"{message}\n")


def make_parser() -> argparse.ArgumentParser:
    """Return the parser; an extension's preload.py may add to it."""
    parser = Parser(prog="launch.py", description="Starts the embedded WebUI.", allow_abbrev=False)
    add = parser.add_argument
    add("--port", type=_port, default=7860, help="port (7860)")
    add(
        "--listen",
        dest="server_name",
        metavar="ADDRESS",
        type=_address,
        nargs="?",
        default="127.0.0.1",
        const="0.0.0.0",
        help="serve other machines too: at this address of this machine, or at all of them; the page has no password",
    )
    add(
        "--allow-origin",
        metavar="http://NAME:PORT",
        type=_origin,
        action="append",
        help="address that may use the page, such as that of a proxy; may be given several times",
    )
    add(
        "--ckpt",
        type=_path,
        metavar="FILE",
        help="a Stable Diffusion 1, 2 or XL checkpoint (.safetensors, .ckpt) instead of the demo",
    )
    add("--data-dir", type=_path, metavar="DIR", help="folder for models, outputs and settings (data/)")
    add("--no-browser", action="store_true", help="do not open the page in a browser")
    add("--no-hashing", action="store_true", help="do not compute the sha256 of model files")
    add("--no-half", action="store_true", help="keep the model in 32-bit floats on a GPU")
    add("--use-cpu", action="store_true", help="do not use a GPU")
    add("--api", action="store_true", help="serve the HTTP API")
    add("--api-auth", metavar="USER:PASSWORD,...", help="users of the HTTP API")
    add("--embeddings-dir", type=_path, metavar="DIR", help="folder of the embeddings (embeddings)")
    add("--hypernetwork-dir", type=_path, metavar="DIR", help="folder of the hypernetworks (models/hypernetworks)")
    return parser


parser = make_parser()
cmd_opts = argparse.Namespace()
#: What was parsed last.
given: list[str] = []


def parse(argv: list[str]) -> argparse.Namespace:
    """Read the command line into `cmd_opts`, in place: other modules hold on to the object."""
    given[:] = argv
    vars(cmd_opts).clear()
    parser.parse_args(argv, namespace=cmd_opts)
    paths.configure(cmd_opts.data_dir or str(Path(paths.script_path, "data")))
    cmd_opts.data_dir = paths.data_path
    cmd_opts.cors_allow_origins = ",".join(cmd_opts.allow_origin or [])  # the WebUI's name of it
    cmd_opts.hypernetwork_dir = cmd_opts.hypernetwork_dir or str(Path(paths.models_path, "hypernetworks"))
    cmd_opts.embeddings_dir = cmd_opts.embeddings_dir or str(Path(paths.data_path, "embeddings"))
    cmd_opts.ui_settings_file = str(Path(paths.data_path, "config.json"))
    cmd_opts.textual_inversion_templates_dir = str(Path(paths.data_path, "textual_inversion_templates"))
    return cmd_opts


parse([])
