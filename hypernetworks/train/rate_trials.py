"""Trials of learning rates: the same first weights, batches and noise for each, and the same samples measured after."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ..base.randomness import derived_seed
from ..data.dataset import Dataset
from ..data.encoding import EncodedDataset
from ..kernels.devices import to_device
from ..ports import Denoiser
from .loss import picture_losses
from .noise import NoiseProcess, NoisyBatch
from .optim.schedules import Schedule, StepSchedule
from .rate_search import Trial
from .tracking.metrics import StepResult
from .trainer import Trainer
from .validation import batches_of_one_size

_PICTURES, _SAMPLES = 16, 64
#: Steps during which the scale of the loss may still be searched, in fp16.
_MOST_SETTLING = 200
_TIMED = 2
#: The rates of what rests while those of something else are tried.
_REST = StepSchedule(((0.0, 1),))
#: The golden ratio: it shifts the timesteps of one picture against those of the next most evenly.
_SHIFT = 0.618034


@dataclass(frozen=True)
class ShortenedSchedule:
    """The schedule of a whole run, gone through in fewer steps.

    Attributes:
        whole: the schedule, with 1 as its highest rate.
        share: steps of the run for each step here.
        highest: the highest rate.
    """

    whole: Schedule
    share: float
    highest: float

    def rate(self, step: int) -> float:
        """Return the rate of `step`."""
        return self.highest * self.whole.rate(int((step + 0.5) * self.share))

    def is_end_of_cycle(self, step: int) -> bool:
        """Return False: nothing is made at the ends of cycles here."""
        return False

    @property
    def end_step(self) -> None:
        """It goes on for as many steps as are taken."""
        return


class RateTrials:
    """Tries rates on the network of a trainer, whose first state comes back, bit for bit, before each trial.

    Args:
        trainer: in its first state; its schedule has 1 as the highest rate, and so has that of words.
        run_steps: optimizer steps of the whole run.
        measured: the pictures on which the loss is measured.
        on_step: called with the rate before each step; it may raise to end the trials.

    Attributes:
        step_s, measurement_s: how long each takes, in seconds.
    """

    def __init__(
        self, trainer: Trainer, run_steps: int, measured: EncodedDataset, on_step: Callable[[float], None]
    ) -> None:
        self._trainer, self._run_steps, self._on_step = trainer, run_steps, on_step
        self._whole, self._whole_of_words = trainer.schedule, trainer.word_rates
        self._first, self._measured = trainer.state.capture(), measured
        self.step_s = self.measurement_s = 0.0

    @contextmanager
    def working(self) -> Iterator[Tensor]:
        """Prepare for trials, which run inside; yield the losses of the samples with the first weights, [samples]."""
        with self._trainer.working():
            self._settle()
            start = time.monotonic()
            losses = self._losses()
            self.measurement_s = time.monotonic() - start
            yield losses

    def measure(self, rate: float, steps: int, of_words: bool = False) -> Trial:
        """Train from the first weights on for some steps, and return the losses of the samples afterwards.

        Args:
            of_words: whether the rate is that of words which have one of their own; the network rests then, as they
                do while its rates are tried.
        """
        share = self._run_steps / steps
        if of_words and self._whole_of_words is not None:
            self._restore(_REST, ShortenedSchedule(self._whole_of_words, share, rate))
        else:
            self._restore(ShortenedSchedule(self._whole, share, rate), self._whole_of_words and _REST)
        for batches in self._trainer.batches(0, steps):
            self._on_step(rate)
            if not self._goes_on(self._trainer.step(batches).read()):
                return Trial(rate, steps, None)
        losses = self._losses()
        return Trial(rate, steps, losses if losses.isfinite().all() else None)

    def _settle(self) -> None:
        """Find the scale that the loss takes in fp16, which is no matter of the rate, and time the steps."""
        self._restore(_REST, self._whole_of_words and _REST)
        taken = 0
        for batches in self._trainer.batches(0, _MOST_SETTLING):
            self._on_step(0.0)
            start = time.monotonic()
            result = self._trainer.step(batches).read()
            self.step_s = time.monotonic() - start
            taken += result.is_finite
            if taken == _TIMED or not self._goes_on(result):
                break
        self._first["precision"] = self._trainer.state.capture()["precision"]
        self._restore(self._whole, self._whole_of_words)

    def _goes_on(self, result: StepResult) -> bool:
        """Tell whether a step was taken, or left out only because of the scale of the loss."""
        return result.is_finite or (result.is_loss_finite and self._trainer.state.precision.is_searching_scale)

    def _restore(self, schedule: Schedule, of_words: Schedule | None) -> None:
        self._trainer.state.restore(self._first)
        self._trainer.schedule, self._trainer.word_rates = schedule, of_words

    @torch.no_grad()
    def _losses(self) -> Tensor:
        """Return the losses of the samples with the present weights, [samples], float64, on the CPU."""
        trainer = self._trainer
        network, parts = trainer.state.network, []
        with trainer.state.weights_to_show():
            network.eval()
            try:
                # Anew each time: texts with words that learn are no longer what they were.
                for sample in _samples(self._measured, trainer.denoiser, trainer.noise, trainer.job.train.seed):
                    with trainer.state.precision.autocast():
                        parts.append(picture_losses(trainer.denoiser, sample, trainer.job.loss))
            finally:
                network.train()
        return torch.cat(parts).double().cpu()


def measured_part(dataset: Dataset) -> Dataset:
    """Return a few of the pictures, each with its whole caption, to measure the loss on."""
    taught = dataset.taught
    chosen = sorted(random.Random(dataset.seed).sample(taught, min(len(taught), _PICTURES)))
    samples = tuple(dataset.samples[number] for number in chosen)
    return replace(dataset, samples=samples, is_deterministic=True, sampling="deterministic")


def _samples(data: EncodedDataset, denoiser: Denoiser, noise: NoiseProcess, seed: int) -> Iterator[NoisyBatch]:
    """Yield every picture at timesteps that are spread evenly over those of the run, with fixed noise."""
    low, high = noise.timestep_range(0)
    levels = -(-_SAMPLES // len(data))
    # No more at once than a step takes, since that is known to fit.
    most = min(kind.batch_size for kind in data.dataset.kinds)
    for items in batches_of_one_size(data, most):
        batch = data.batch(items, 0)
        latents = to_device(batch.latents, denoiser.device)
        conditioning = batch.conditioning.map(lambda part: to_device(part, denoiser.device))
        for level in range(levels):
            shares = torch.tensor([(level + item * _SHIFT % 1) / levels for item in items])
            timesteps = to_device(low + (shares * (high - low + 1)).long(), denoiser.device)
            generator = torch.Generator().manual_seed(derived_seed(seed, "rate", level, *items))
            noisy = noise.apply(latents, conditioning, timesteps, noise.noise(latents, generator))
            yield noisy if batch.weights is None else replace(noisy, weights=to_device(batch.weights, denoiser.device))
