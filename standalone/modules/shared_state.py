"""What the host is busy with: one job at a time, its progress and its latest picture."""

from __future__ import annotations

import datetime
import importlib
import logging
import threading
import time
from typing import Any

from PIL import Image

log = logging.getLogger("workbench.host")


class State:
    """The running job; fields and methods as the WebUI's `shared.state`."""

    def __init__(self) -> None:
        self.skipped = self.interrupted = self.stopping_generation = False
        self.job = ""
        self.job_no = self.job_count = 0
        self.job_timestamp = "0"
        self.sampling_step = self.sampling_steps = 0
        self.current_latent: Any = None
        self.current_image: Image.Image | None = None
        self.current_image_sampling_step = 0
        self.id_live_preview = 0
        self.textinfo: str | None = None
        self.time_start = self.server_start = time.time()
        self._command: str | None = None
        self._signal = threading.Event()

    @property
    def server_command(self) -> str | None:
        """What the server's main loop should do next: "stop" or "restart"."""
        return self._command

    @server_command.setter
    def server_command(self, value: str | None) -> None:
        self._command = value
        self._signal.set()

    def wait_for_server_command(self, timeout: float | None = None) -> str | None:
        """Waits for a server command and takes it; None after `timeout` seconds."""
        if not self._signal.wait(timeout):
            return None
        self._signal.clear()
        command, self._command = self._command, None
        return command

    def request_restart(self) -> None:
        """Asks the running job to stop and the page to be built anew."""
        self.interrupt()
        self.server_command = "restart"

    def skip(self) -> None:
        """Asks for the current picture to be left."""
        self.skipped = True

    def interrupt(self) -> None:
        """Asks the running job to stop."""
        self.interrupted = True

    def stop_generating(self) -> None:
        """Asks the job to stop after the current picture."""
        self.stopping_generation = True

    def nextjob(self) -> None:
        """One of `job_count` parts is done."""
        self.job_no += 1
        self.sampling_step = 0
        self.current_image_sampling_step = 0

    def begin(self, job: str | None = "(unknown)") -> None:
        """A job starts: everything about the last one is forgotten."""
        self.skipped = self.interrupted = self.stopping_generation = False
        self.sampling_step = self.job_no = self.current_image_sampling_step = self.id_live_preview = 0
        self.job_count = -1
        self.time_start = time.time()
        self.job_timestamp = datetime.datetime.now().strftime("%Y%m%d%H%M%S")
        self.current_latent = self.current_image = self.textinfo = None
        self.job = job or ""

    def end(self) -> None:
        """The job is over."""
        log.info("Job %s took %.1f seconds", self.job, time.time() - self.time_start)
        self.job = ""
        self.job_count = 0

    def dict(self) -> dict[str, Any]:
        """The numbers that a progress display needs."""
        names = ("skipped", "interrupted", "stopping_generation", "job", "job_count", "job_timestamp", "job_no")
        return {name: getattr(self, name) for name in (*names, "sampling_step", "sampling_steps")}

    def set_current_image(self) -> None:
        """Makes a preview of the latent if enough steps went by since the last one."""
        opts = importlib.import_module("modules.shared").opts
        if self.sampling_step - self.current_image_sampling_step >= opts.show_progress_every_n_steps:
            self.do_set_current_image()

    def do_set_current_image(self) -> None:
        """Makes a preview of the latent."""
        latent, step = self.current_latent, self.sampling_step
        if latent is not None:
            self.assign_current_image(importlib.import_module("modules.sd_samplers").sample_to_image(latent))
            self.current_image_sampling_step = step

    def assign_current_image(self, image: Image.Image) -> None:
        """Shows a picture as the live preview."""
        self.current_image = image
        self.id_live_preview += 1
