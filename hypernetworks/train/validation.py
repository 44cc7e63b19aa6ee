"""The validation loss: always the same pictures, noise and timesteps, so that runs can be compared."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import torch

from ..base.forms import STEPS, Maybe, Number, Record, Row
from ..base.randomness import derived_seed
from ..data.encoding import EncodedDataset
from ..ports import Denoiser
from .loss import diffusion_loss
from .noise import NoiseProcess, NoisyBatch
from .settings.loss import LossSettings
from .state import TrainState
from .tracking.metrics import StepRecord

_TIMESTEPS = 4
_AT_ONCE = 8
#: What Continue needs, in a file; a measurement may have gone wrong.
FORM = Record(
    {"latest": Maybe(Row((STEPS, Number(is_finite=False)))), "best": Number(is_finite=False)},
)


class Validation:
    """Measures the plain square loss on held-out pictures at intervals.

    Attributes:
        latest: (step, loss) of the last measurement.
        best: lowest loss so far.
    """

    def __init__(self, data: EncodedDataset, denoiser: Denoiser, state: TrainState, every: int) -> None:
        self._data = data
        self._denoiser = denoiser
        self._state = state
        self._every = every
        self._noise = NoiseProcess(denoiser.alphas_cumprod, denoiser.prediction, LossSettings())
        self._groups = batches_of_one_size(data, _AT_ONCE)
        self.latest: tuple[int, float] | None = None
        self.best = math.inf

    def is_due(self, step: int) -> bool:
        """Tell whether it measures after `step`."""
        return bool(len(self._data)) and step % self._every == 0

    def after_step(self, record: StepRecord) -> None:
        """Measure where it is due."""
        if not self.is_due(record.step):
            return
        loss = self.measure()
        self.latest = (record.step, loss)
        self.best = min(self.best, loss)

    def state(self) -> dict[str, Any]:
        """Return the history to continue with."""
        return {"latest": list(self.latest) if self.latest else None, "best": self.best}

    def restore(self, state: dict[str, Any]) -> None:
        """Restore the history."""
        self.latest = (state["latest"][0], state["latest"][1]) if state["latest"] else None
        self.best = state["best"]

    def is_best(self, step: int) -> bool:
        """Tell whether `step` was measured and is the best so far."""
        return self.latest is not None and self.latest == (step, self.best)

    @torch.no_grad()
    def measure(self) -> float:
        """Return the mean loss over the held-out pictures at fixed noise and timesteps."""
        network = self._state.network
        was_training = network.training
        total = 0.0
        with self._state.weights_to_show():
            network.eval()
            try:
                with self._state.precision.autocast():
                    for batch in self._batches():
                        total += diffusion_loss(self._denoiser, batch, LossSettings()).item() * len(batch.noisy)
            finally:
                network.train(was_training)
        return total / (len(self._data) * _TIMESTEPS)

    def _batches(self) -> Iterator[NoisyBatch]:
        device = self._denoiser.device
        count = len(self._denoiser.alphas_cumprod)
        for number in range(_TIMESTEPS):
            timestep = int((number + 0.5) / _TIMESTEPS * count)
            start = 0
            for items in self._groups:
                batch = self._data.batch(items, 0)
                generator = torch.Generator().manual_seed(derived_seed(0, "validation", number, start))
                noise = torch.randn(batch.latents.shape, generator=generator).to(device)
                timesteps = torch.full((len(items),), timestep, device=device)
                conditioning = batch.conditioning.map(lambda part: part.to(device))
                noisy = self._noise.apply(batch.latents.to(device), conditioning, timesteps, noise)
                yield noisy if batch.weights is None else replace(noisy, weights=batch.weights.to(device))
                start += len(items)


def batches_of_one_size(data: EncodedDataset, most: int) -> list[list[int]]:
    """Return the numbers of the items, at most `most` of one size at a time."""
    sizes: dict[tuple[int, int], list[int]] = {}
    for item, kind in enumerate(data.dataset.kinds):
        sizes.setdefault((kind.width_px, kind.height_px), []).append(item)
    return [group[start : start + most] for group in sizes.values() for start in range(0, len(group), most)]
