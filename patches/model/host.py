"""The host's side of the core's ports: model, sampler, progress and folders of the running WebUI."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import torch
from markupsafe import Markup
from modules import devices, paths, sd_hijack_checkpoint, shared
from PIL import Image
from torch import Tensor, nn

from ...hypernetworks.base.errors import TrainingError
from ...hypernetworks.conditioning import Conditioning
from ...hypernetworks.inference import has_dropout
from ...hypernetworks.kernels import attention as attention_kernels
from ...hypernetworks.kernels import compiled, stored_layers
from ...hypernetworks.kernels.devices import autocast_dtype
from ...hypernetworks.kernels.memory import Activations
from ...hypernetworks.network.hypernetwork import Hypernetwork
from ...hypernetworks.pages import sentences
from ...hypernetworks.ports import Checkpoint, Computing, Ports, Progress
from ...hypernetworks.train.noise import zero_terminal_snr
from .. import backend, parts
from ..patching import patch_set, switches
from . import activation_memory, attention_layers, compiled_blocks, lean_layers, recomputing, temporary, unet_attention
from .conditioning import check, for_model, vector_width
from .encoders import HostEncoder
from .previews import HostPreviewer, find_sampler
from .shortcuts import shortcuts
from .subject import find_subject

_PREDICTIONS = {name: prediction for prediction, name in temporary.PARAMETERIZATIONS.items()}


def unet() -> nn.Module:
    """Return the U-Net of the loaded checkpoint.

    Raises:
        TrainingError: no checkpoint is loaded.
    """
    found = attention_layers.loaded_unet()
    if found is None:
        raise TrainingError("no checkpoint is loaded; choose one first")
    return found


def require_checkpoint() -> None:
    """Load the chosen checkpoint where the host leaves that to the first picture; raise TrainingError without one."""
    if backend.is_here():
        backend.load_chosen()
    unet()


def check_path() -> None:
    """Raise TrainingError where the host's attention would not use the network that is trained."""
    if not switches.is_on():
        raise TrainingError(f"training is not possible: {switches.OFF}")
    path = patch_set("attention")
    if not path.is_installed:
        reason = path.problem or "the patch set is switched off"
        raise TrainingError(f"the host's attention does not run through this extension: {reason}")


def casts_by_itself() -> bool:
    """Tell whether the host puts casts into the forwards of torch's classes instead of using autocast."""
    return not isinstance(devices.autocast(), (torch.autocast, nullcontext))


def model_widths() -> tuple[int, ...]:
    """Return the attention widths of the checkpoint, which Forge loads for that; empty where none is loaded.

    Raises:
        TrainingError: the chosen checkpoint cannot be loaded.
    """
    if backend.is_here():
        backend.load_chosen()
    found = attention_layers.loaded_unet()
    return () if found is None else attention_layers.widths(found)


class HostDenoiser:
    """U-Net of the loaded checkpoint."""

    can_compile = True

    def __init__(self) -> None:
        model = shared.sd_model
        check(model)
        self.widths = attention_layers.widths(unet())
        self.vector_width = vector_width(model)
        self.device = torch.device(devices.device)
        self.dtype = devices.dtype_unet
        self.alphas_cumprod = _schedule(model).to(self.device, torch.float32)
        self.prediction = _PREDICTIONS.get(model.parameterization, model.parameterization)
        # The attention in training; previews use the host's own.
        self._attention: Callable[[], AbstractContextManager[None]] = nullcontext
        #: One for the run: where compiling has failed it stays off when a picture of somebody else has interrupted it.
        self._compiler = compiled.Compiler()

    @contextmanager
    def training(
        self,
        network: Hypernetwork,
        computing: Computing = Computing(),  # noqa: B008 - it cannot change
    ) -> Iterator[None]:
        """Freeze the U-Net and let `network` alone, at strength 1, transform its attention inputs.

        Raises:
            TrainingError: the k/v path is switched off.
            SettingsError: the chosen attention is not available, or weights cannot be stored.
        """
        check_path()
        kernel = attention_kernels.kernel(computing.attention, self.device)
        model, before = unet(), self._attention
        self._attention = partial(unet_attention.on_kernel, model, kernel)
        recomputation = recomputing.Recomputation(self._surroundings, preserves_rng=has_dropout(network))
        try:
            with (
                temporary.training(model, network),
                lean_layers.lean(model, self.device.type),
                lean_layers.stored(model, computing.storage, self.device),
                compiled_blocks.compiling(model, self._compiler if computing.compiles else None, self.device),
                recomputing.checkpointed(model, computing.checkpointing, recomputation),
            ):
                yield
        finally:
            self._attention = before

    def offloaded_bytes(self) -> int:
        """Return the bytes of weights in main memory, as with --medvram, that come to the GPU with the first step."""
        return sum(weight.nbytes for weight in unet().parameters() if weight.device.type != self.device.type)

    def storable_bytes(self) -> int | None:
        """Return the bytes on the GPU that storing weights in fp8 frees there."""
        return stored_layers.freed_bytes(lean_layers.storable(unet()))

    def activations(self, network: Hypernetwork, batch: tuple[int, int, int]) -> Activations | None:
        """Return what a step on a batch (pictures, width and height in pixels) keeps; None where that is unknown."""
        with self._casting():
            autocast = autocast_dtype(self.device) if self.device.type == "cuda" else None
        return activation_memory.count(unet(), network, batch, self.device.type, autocast)

    def predict(self, noisy: Tensor, timesteps: Tensor, conditioning: Conditioning) -> Tensor:
        """Return the prediction, shaped like `noisy` [batch, 4, height, width]."""
        # The host's own checkpoints run layers again in the backward pass, where they must compute the same again.
        once = nullcontext() if getattr(sd_hijack_checkpoint, "stored", ()) else shortcuts.one_forward()
        with self._surroundings(), once:
            return shared.sd_model.apply_model(
                noisy.to(devices.dtype_unet),
                timesteps,
                for_model(shared.sd_model, conditioning, devices.dtype_unet),
            )

    @contextmanager
    def _surroundings(self) -> Iterator[None]:
        """Set up what a forward of the U-Net runs in, and each block that is computed again in the backward pass."""
        with self._casting(), self._attention():
            yield

    @contextmanager
    def _casting(self) -> Iterator[None]:
        """Compute in fewer bits in the host's way; for some GPUs that is not autocast, which must be off then."""
        is_other = self.device.type == "cuda" and casts_by_itself()
        with torch.autocast("cuda", enabled=False) if is_other else nullcontext(), devices.autocast():
            yield


def _schedule(model: Any) -> Tensor:
    """Return the checkpoint's share of signal at each timestep, as the host's settings want it.

    What `model.alphas_cumprod` holds is that of the last picture, which may have had settings of its own, and may be
    rounded to half precision to repeat old seeds.
    """
    original = getattr(model, "alphas_cumprod_original", model.alphas_cumprod).float()
    wanted = getattr(shared.opts, temporary.SCHEDULE_OPTION, "")
    return zero_terminal_snr(original) if wanted == temporary.ZERO_SNR else original


class HostProgress:
    """The WebUI's progress bar, live preview and Interrupt button; the page asks for them as long as the job runs."""

    def __init__(self) -> None:
        self._chart = Markup()

    def report(self, done: int, total: int, text: str) -> None:
        """Show that `done` of `total` steps are over."""
        shared.state.job_count = total
        shared.state.job_no = done
        # The host puts a text of one line into the bar as it is; ours is HTML for the page's script.
        shared.state.textinfo = sentences.progress(text, self._chart)

    def draw(self, chart: Markup) -> None:
        """Show the curves of the run under the text."""
        self._chart = chart

    def show(self, picture: Image.Image) -> None:
        """Show a preview picture."""
        shared.state.assign_current_image(picture)

    def is_interrupted(self) -> bool:
        """Tell whether the user pressed Interrupt."""
        return bool(shared.state.interrupted)


def ports(progress: Progress | None = None, denoiser: HostDenoiser | None = None) -> Ports:
    """Return all ports on the running host.

    Args:
        denoiser: another one than the host's own way.

    Raises:
        TrainingError: no checkpoint is loaded.
    """
    denoiser = denoiser or HostDenoiser()
    info = shared.sd_model.sd_checkpoint_info
    return Ports(
        encoder=HostEncoder(),
        denoiser=denoiser,
        previewer=HostPreviewer(),
        progress=progress or HostProgress(),
        checkpoint=Checkpoint(info.model_name, info.shorthash or "", parts.in_place()),
        network_dir=network_dir(),
        log_dir=Path(paths.data_path) / "outputs" / "training",
        find_subject=find_subject,
        find_sampler=find_sampler,
        has_parts=True,
    )


def network_dir() -> Path:
    """Return the host's folder of hypernetworks."""
    return Path(shared.cmd_opts.hypernetwork_dir)
