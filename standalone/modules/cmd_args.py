"""The command-line arguments of the host, named as the WebUI's where it has them."""

from __future__ import annotations

import argparse

MAX_PORT = 65535


def _port(text: str) -> int:
    number = int(text) if text.isascii() and text.isdigit() else 0
    if not 1 <= number <= MAX_PORT:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port: give a whole number from 1 to {MAX_PORT}")
    return number


class Parser(argparse.ArgumentParser):
    """Says what is wrong with an argument in one line, without the usage text."""

    def error(self, message: str) -> None:  # type: ignore[override]
        """Ends with code 2 and one sentence."""
        self.exit(2, f"{message}\n")


def make_parser() -> argparse.ArgumentParser:
    """The parser; an extension's preload.py may add to it."""
    parser = Parser(prog="launch.py", description="Starts the embedded WebUI.", allow_abbrev=False)
    add = parser.add_argument
    add("--port", type=_port, default=7860, help="port on 127.0.0.1 (7860)")
    add("--ckpt", metavar="FILE", help="a Stable Diffusion 1 or 2 checkpoint (.safetensors, .ckpt) instead of the demo")
    add("--data-dir", metavar="DIR", help="folder for models, outputs and settings (data/)")
    add("--no-browser", action="store_true", help="do not open the page in a browser")
    add("--no-hashing", action="store_true", help="do not compute the sha256 of model files")
    add("--no-half", action="store_true", help="keep the model in 32-bit floats on a GPU")
    add("--use-cpu", action="store_true", help="do not use a GPU")
    add("--hypernetwork-dir", metavar="DIR", help="folder of the hypernetworks (models/hypernetworks)")
    fixed = {
        "nowebui": False,
        "api": False,
        "share": False,
        "listen": False,
        "medvram": False,
        "lowvram": False,
        "hide_ui_dir_config": False,
        "freeze_settings": False,
        "disable_safe_unpickle": False,
        "ckpt_dir": None,
        "embeddings_dir": None,
        "no_gradio_queue": False,
    }
    parser.set_defaults(**fixed)
    return parser
