"""The memory that a run will take, estimated beforehand, and the checkpointing that fits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ..data.batches import BatchKind
from ..kernels import stored_layers
from ..kernels.memory import CHECKPOINTING, MB, Activations, PeakMemory, free_bytes
from ..network.hypernetwork import Hypernetwork
from ..ports import Computing, Denoiser
from .optim.precision import Precision
from .settings.training import TrainSettings

#: Share of the free memory that the steps may take; allocators waste some, and previews need a little.
_USABLE = 0.85
#: How far an estimate may be from what was measured, as a share of that.
_TOLERANCE = 0.3
#: Below this many MiB the memory of a process rises and falls by more than an estimate of the steps is worth.
_LEAST_TOLD_MB, _LESS_THAN_MB = 256, 512
_FLOAT_BYTES = 4
_TRAINED_COPIES = 3  # gradients and two moments, as AdamW has them
_GUARDED_COPIES = 3  # weights and two moments to roll back to, always in main memory


@dataclass(frozen=True)
class MemoryPlan:
    """What the steps take besides model and network.

    Attributes:
        computing: the attention and checkpointing to use.
        activations: what the largest batch keeps; None where that is unknown.
        state_bytes: gradients and optimizer state, and the copy for roll-backs where that is in the same memory.
        free: free bytes, less those that the rest of the model needs.
        is_exact: whether what the steps take can be measured, as on a GPU, without the rest of the process.
        remedies: where that is more than is free, the settings with which it fits; none where none suffice.
    """

    computing: Computing
    activations: Activations | None
    state_bytes: int
    free: int
    is_exact: bool = True
    remedies: tuple[str, ...] = ()

    @property
    def estimated_mb(self) -> float | None:
        """MiB that the steps take at most; None where that is unknown."""
        if self.activations is None:
            return None
        return (self.activations.of(self.computing.checkpointing) + self.state_bytes) / MB

    def line(self) -> str:
        """Return the estimate as a sentence."""
        computed = {
            "none": "nothing is computed twice",
            "attention": "transformer blocks are computed again in the backward pass",
            "all": "all blocks are computed again in the backward pass",
        }[self.computing.checkpointing]
        if self.estimated_mb is None:
            return f"The memory that the steps take cannot be estimated for this model; {computed}."
        if not self.is_exact and self.estimated_mb < _LEAST_TOLD_MB < _LESS_THAN_MB < self.free / MB:
            return f"The steps take less than {_LESS_THAN_MB} MB in addition to model and network; {computed}."
        warning = ""
        if self.estimated_mb * MB > self.free:
            warning = " That is more than is free: take smaller pictures or batches."
            if self.remedies:
                warning = f" That is more than is free; it fits with {', '.join(self.remedies)}."
        return (
            f"The steps take about {self.estimated_mb:.0f} MB in addition to model and network, of "
            f"{self.free / MB:.0f} MB that are free; {computed}.{warning}"
        )


def plan_memory(
    settings: TrainSettings,
    network: Hypernetwork,
    denoiser: Denoiser,
    kinds: Sequence[BatchKind],
    ranks: int = 1,
    encoder_bytes: int = 0,
) -> MemoryPlan:
    """Plan the steps of a run over batches of these `kinds`, with the chosen checkpointing or one that fits.

    Args:
        ranks: number of processes that share each batch, and the memory of the machine.
        encoder_bytes: what VAE and text encoder take on the GPU until they are unloaded.
    """
    largest = max(kinds, key=lambda kind: kind.width_px * kind.height_px * kind.batch_size)
    with Precision(settings.precision, denoiser.device, denoiser.dtype).autocast():
        pictures = -(-largest.batch_size // ranks)
        activations = denoiser.activations(network, (pictures, largest.width_px, largest.height_px))
    weights = sum(parameter.numel() for parameter in network.parameters()) * _FLOAT_BYTES
    is_shared = denoiser.device.type == "cpu"
    copies = _TRAINED_COPIES + _GUARDED_COPIES if is_shared else 1 if settings.optimizer_on_cpu else _TRAINED_COPIES
    freed = encoder_bytes if settings.unload_encoders else 0
    can_store = stored_layers.is_wanted(stored_layers.FP8, denoiser.device)
    storable = denoiser.storable_bytes() or 0 if can_store else 0
    stored = storable if settings.unet_storage != stored_layers.AS_LOADED else 0
    there = free_bytes(denoiser.device) + freed + stored - denoiser.offloaded_bytes()
    free = max(0, there) // (ranks if is_shared else 1)
    kind = settings.checkpointing
    if kind == "auto":
        kind = _fitting(activations, free * _USABLE - copies * weights)
    computing = Computing(settings.attention, kind, settings.unet_storage, settings.compile_unet)
    plan = MemoryPlan(computing, activations, copies * weights, free, not is_shared)
    savings = {
        "train.checkpointing=all": activations.of(kind) - activations.all if activations else 0,
        "train.unload_encoders=true": encoder_bytes - freed,
        "train.optimizer_on_cpu=true": 0 if is_shared else (copies - 1) * weights,
        "train.unet_storage=fp8": storable - stored,
    }
    return replace(plan, remedies=_remedies(plan, savings))


def _remedies(plan: MemoryPlan, savings: Mapping[str, int]) -> tuple[str, ...]:
    """Return the first of the settings that together save enough bytes."""
    missing = (plan.estimated_mb or 0) * MB - plan.free
    found: list[str] = []
    for name, bytes_ in savings.items():
        if missing > 0 and bytes_ > 0:
            found.append(name)
            missing -= bytes_
    return tuple(found) if missing <= 0 else ()


def to_tell(estimated_mb: float | None, memory: PeakMemory) -> tuple[float | None, float | None]:
    """Return the estimate and the measured MiB of the steps, each None where it would mislead.

    A process that finds memory from before seems to take less than it does, on Continue even none.
    """
    measured = memory.above_start_mb()
    if not memory.is_exact and measured < max(estimated_mb or 0.0, _LEAST_TOLD_MB):
        return None, None
    is_near = estimated_mb is not None and abs(estimated_mb - measured) <= _TOLERANCE * measured
    return estimated_mb if is_near else None, measured


def _fitting(activations: Activations | None, room: float) -> str:
    if activations is None:
        return CHECKPOINTING[0]
    return next((kind for kind in CHECKPOINTING if activations.of(kind) <= room), CHECKPOINTING[-1])
