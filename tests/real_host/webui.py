"""The real WebUI in a process of its own, and its HTTP API."""

from __future__ import annotations

import base64
import io
import json
import os
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from PIL import Image

SECONDS_TO_START = 240
SECONDS_TO_ANSWER = 240
STARTED = "Startup time:"
FLAGS = (
    *("--skip-prepare-environment", "--skip-torch-cuda-test", "--skip-version-check", "--skip-python-version-check"),
    *("--no-download-sd-model", "--no-half", "--precision", "full", "--use-cpu", "all", "--api"),
)
PICTURE = {
    "prompt": "a red circle",
    "steps": 4,
    "cfg_scale": 3,
    "width": 64,
    "height": 64,
    "seed": 7,
    "sampler_name": "Euler",
}


#: What the host's own route for training takes, besides the network, the pictures and the steps.
TRAINING = {
    "id_task": "train",
    "learn_rate": "0.01",
    "batch_size": 1,
    "gradient_step": 1,
    "training_width": 64,
    "training_height": 64,
    "varsize": False,
    "clip_grad_mode": "disabled",
    "clip_grad_value": "0.1",
    "shuffle_tags": False,
    "tag_drop_out": 0,
    "latent_sampling_method": "once",
    "use_weight": False,
    "create_image_every": 0,
    "save_hypernetwork_every": 0,
    "template_filename": "hypernetwork.txt",
    "preview_from_txt2img": False,
    "preview_prompt": "",
    "preview_negative_prompt": "",
    "preview_steps": 4,
    "preview_sampler_name": "Euler",
    "preview_cfg_scale": 3,
    "preview_seed": 7,
    "preview_width": 64,
    "preview_height": 64,
}


class ApiError(Exception):
    """The WebUI answered with an error; carries its status and text."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(f"{status}: {text}")
        self.status = status
        self.text = text


class WebUI:
    """One running WebUI.

    Attributes:
        folder: its data folder.
        address: where it answers.
        start_log: what it said until it answered.
    """

    def __init__(self, folder: Path, address: str, log: Path, process: subprocess.Popen[bytes]) -> None:
        self.folder = folder
        self.address = address
        self.start_log = ""
        self._log = log
        self._process = process

    @property
    def log(self) -> str:
        """All it has said so far."""
        return self._log.read_text(encoding="utf-8", errors="replace")

    def call(self, path: str, body: Any = None) -> Any:
        """GET, or POST where there is a body; gives the JSON of the answer, raises ApiError."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.address + path, data=data, headers={"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=SECONDS_TO_ANSWER) as answer:
                return json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as error:
            raise ApiError(error.code, error.read().decode(errors="replace")) from error

    def train(self, name: str, pictures: Path, steps: int, **changes: Any) -> str:
        """Train through the host's own route, as its button does, and return what it says at the end."""
        places = {"data_root": str(pictures), "log_directory": str(self.folder / "logs")}
        settings = {**TRAINING, "hypernetwork_name": name, "steps": steps, **places, **changes}
        return str(self.call("/sdapi/v1/train/hypernetwork", settings)["info"])

    def processor_s(self) -> float:
        """Return the processor seconds that it has taken since it was started."""
        used = psutil.Process(self._process.pid).cpu_times()
        return float(used.user + used.system)

    def picture(self, **changes: Any) -> np.ndarray:
        """Pixels [height, width, 3] of txt2img with a fixed seed."""
        answer = self.call("/sdapi/v1/txt2img", {**PICTURE, **changes})
        return np.asarray(Image.open(io.BytesIO(base64.b64decode(answer["images"][0]))).convert("RGB"))

    def reload(self) -> None:
        """Do what the link "Reload UI" does, and waits until the page is there again."""
        starts = self.log.count(STARTED)
        self.call("/probe/reload", {})
        self.wait(starts + 1)

    def wait(self, starts: int = 1) -> None:
        """Wait until it has started so many times; before it says so, a request would keep it from starting."""
        end = time.monotonic() + SECONDS_TO_START
        while self.log.count(STARTED) < starts:
            assert self._process.poll() is None, f"the WebUI ended by itself:\n{self.log[-3000:]}"
            assert time.monotonic() < end, f"the WebUI does not start:\n{self.log[-3000:]}"
            time.sleep(0.2)
        self.call("/sdapi/v1/options")


def installed() -> Path | None:
    """Return the folder of the WebUI that WEBUI_DIR names."""
    named = os.environ.get("WEBUI_DIR")
    return Path(named) if named else None


@contextmanager
def running(folder: Path, *flags: str, webui: Path | None = None, checkpoint: Path | None = None) -> Iterator[WebUI]:
    """Start the WebUI on a free port with this data folder, and stops it at the end.

    Args:
        flags: of its command line, beside `FLAGS`.
        webui: its own folder; None: that of WEBUI_DIR.
        checkpoint: the checkpoint to load; None: the demo's in the data folder.
    """
    webui = webui or installed()
    assert webui is not None
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    checkpoint = checkpoint or folder / "models" / "Stable-diffusion" / "demo.safetensors"
    command = [_python(webui), str(webui / "launch.py"), *FLAGS, *flags]
    command += ["--port", str(port), "--data-dir", str(folder), "--ckpt", str(checkpoint)]
    command += ["--gradio-allowed-path", str(webui)]  # its scripts and styles, asked for from another folder
    environment = {**os.environ, "GRADIO_ANALYTICS_ENABLED": "False", "HF_HUB_OFFLINE": "1", "PYTHONUNBUFFERED": "1"}
    log = folder / f"webui-{time.time_ns()}.log"
    address = f"http://127.0.0.1:{port}"
    with (
        log.open("w", encoding="utf-8") as out,
        subprocess.Popen(
            command, cwd=folder, env=environment, stdout=out, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL
        ) as process,
    ):
        host = WebUI(folder, address, log, process)
        try:
            host.wait()
            host.start_log = host.log
            yield host
        finally:
            process.kill()


def _python(webui: Path) -> str:
    """Return the Python that the WebUI is installed in: WEBUI_PYTHON, or that of its own `venv`."""
    own = webui / "venv" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    return os.environ.get("WEBUI_PYTHON") or str(own)
