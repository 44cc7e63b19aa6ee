"""Reports the progress of a job to the page, and takes its request to stop."""

import base64
import time
from collections import OrderedDict
from io import BytesIO
from typing import Any

from pydantic import BaseModel

from modules import shared

MAX_REMEMBERED = 16
current_task: str | None = None
pending_tasks: OrderedDict[str, float] = OrderedDict()
finished_tasks: list[str] = []
recorded_results: list[tuple[str, Any]] = []


def add_task_to_queue(id_task: str) -> None:
    """Note that a job waits."""
    pending_tasks[id_task] = time.time()


def start_task(id_task: str | None) -> None:
    """Note that a job runs."""
    global current_task  # noqa: PLW0603 - the WebUI's name is a module variable
    current_task = id_task
    if id_task:
        pending_tasks.pop(id_task, None)


def finish_task(id_task: str | None) -> None:
    """Note that a job is over, well or not."""
    global current_task  # noqa: PLW0603 - the WebUI's name is a module variable
    if current_task == id_task:
        current_task = None
    if id_task:
        finished_tasks.append(id_task)
        del finished_tasks[:-MAX_REMEMBERED]


def record_results(id_task: str | None, result: Any) -> None:
    """Keep the results of the last two jobs, for a page that was reloaded meanwhile."""
    if id_task:
        recorded_results.append((id_task, result))
        del recorded_results[:-2]


class ProgressRequest(BaseModel):
    """The id of a job, and the preview that the page already has."""

    id_task: str | None = None
    id_live_preview: int = -1
    live_preview: bool = True


class ProgressResponse(BaseModel):
    """How far the job is: progress 0 to 1, seconds left, a preview as a data URI."""

    active: bool
    queued: bool
    completed: bool
    progress: float | None = None
    eta: float | None = None
    live_preview: str | None = None
    id_live_preview: int | None = None
    textinfo: str | None = None


def fraction() -> float:
    """Return how much of the current job is done, 0 to 1."""
    state = shared.state
    if state.job_count <= 0:
        return 0.0
    part = state.sampling_step / state.sampling_steps if state.sampling_steps > 0 else 0.0
    return min(1.0, (state.job_no + part) / state.job_count)


def progressapi(request: ProgressRequest) -> ProgressResponse:
    """Answer the page's question about a job."""
    active = request.id_task is not None and request.id_task == current_task
    queued = request.id_task in pending_tasks
    response = ProgressResponse(active=active, queued=queued, completed=request.id_task in finished_tasks)
    if not active:
        place = next((n for n, task in enumerate(pending_tasks, 1) if task == request.id_task), 0)
        response.textinfo = f"In queue: {place}/{len(pending_tasks)}" if place else "Waiting..."
        response.id_live_preview = -1
        return response
    response.progress = fraction()
    response.textinfo = shared.state.textinfo
    response.id_live_preview = request.id_live_preview
    if response.progress > 0:
        response.eta = (time.time() - shared.state.time_start) * (1 / response.progress - 1)
    if request.live_preview and shared.opts.live_previews_enable:
        shared.state.set_current_image()
        image = shared.state.current_image
        if image is not None and shared.state.id_live_preview != request.id_live_preview:
            buffer = BytesIO()
            image.save(buffer, format="PNG")
            response.live_preview = "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
            response.id_live_preview = shared.state.id_live_preview
    return response


def interrupt() -> dict[str, Any]:
    """Ask the running job to stop."""
    shared.state.interrupt()
    return {}


def setup_progress_api(app: Any) -> None:
    """Add the routes."""
    app.add_api_route("/internal/progress", progressapi, methods=["POST"], response_model=ProgressResponse)
    app.add_api_route("/internal/interrupt", interrupt, methods=["POST"])
