"""What a job changed, measured on generated pictures: the `[evaluation]` table of a job file.

Only the demo's world of shapes can be judged so; other jobs leave the table out.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from hypernetwork_workbench.hypernetworks import files
from hypernetwork_workbench.hypernetworks.base.options import Settings, from_tables, setting
from hypernetwork_workbench.hypernetworks.data.images import to_tensor
from hypernetwork_workbench.hypernetworks.ports import Encoder, PictureRequest, Previewer
from hypernetwork_workbench.hypernetworks.train.settings.job import Job
from hypernetwork_workbench.hypernetworks.tuning.style import frechet_distance
from PIL import Image

_log = logging.getLogger(__name__)
_SECTION = "evaluation"
_STRENGTHS = {"before": 0.0, "half": 0.5, "after": 1.0}
_ENCODED_AT_ONCE = 32
_FRESH_SEED = 90_210


@dataclass(frozen=True)
class EvaluationSettings(Settings):
    """Which measures to take, and on how many pictures."""

    measures: str = setting("none", "Measures", "shapes judges the demo's coloured shapes.", choices=("none", "shapes"))
    pictures: int = setting(64, "Pictures", "Generated pictures at each strength.", minimum=8, maximum=1024)
    seed: int = setting(1000, "Seed", "Of the first generated picture.", minimum=0, maximum=2**31)

    @classmethod
    def of_tables(cls, tables: dict[str, Any]) -> EvaluationSettings:
        """Take the table out of a job file's tables.

        Raises:
            SettingsError: names each wrong field as `evaluation.key`.
        """
        made: EvaluationSettings = from_tables({_SECTION: cls}, tables)[_SECTION]
        tables.pop(_SECTION, None)
        return made

    def measure(
        self, job: Job, network_path: Path, judges: Callable[[], tuple[Encoder, Previewer]]
    ) -> dict[str, dict[str, float]]:
        """Return style distance, outline contrast and share of followed captions at strength 0, 0.5 and 1.

        The pictures show subjects that the demo model never saw in training; they are compared with fresh drawings
        of the same subjects in the style. Captions have the words that were trained, but not at strength 0; words alone
        have no half strength.

        Args:
            judges: returns what the pictures are made and looked at with, where there is something to measure.
        """
        if self.measures == "none":
            return {}
        if job.words and job.output.dir:
            _log.info("Nothing is measured: prompts know embeddings in the folder of embeddings alone.")
            return {}
        from examples.shapes import captions, draw, measures  # noqa: PLC0415 (only the demo needs it)

        subjects = captions.held_out()
        chosen = [subjects[index % len(subjects)] for index in range(self.pictures)]
        texts = [captions.caption(subject) for subject in chosen]
        rng = np.random.default_rng(_FRESH_SEED)
        size = (job.data.width, job.data.height)
        fresh = [draw.random_picture(rng, subject, size, draw.NIGHT_STYLE) for subject in chosen * 4]

        (encoder, previewer), network = judges(), None
        if job.embedding.trains_network:
            network = files.load(network_path)
        style_latents = _latents(encoder, fresh)
        report: dict[str, dict[str, float]] = {"style_distance": {}, "outline_contrast": {}, "captions_followed": {}}
        for name, strength in _STRENGTHS.items():
            if network is None and name == "half":
                continue
            shown = [f"{text}, {job.word_name}" for text in texts] if job.words and strength else texts
            pictures = previewer.generate(_requests(job, shown, self.seed), network, strength)
            report["style_distance"][name] = frechet_distance(_latents(encoder, pictures), style_latents)
            report["outline_contrast"][name] = measures.outline_contrast(pictures)
            report["captions_followed"][name] = measures.share_followed(pictures, texts)
        report["outline_contrast"]["style"] = measures.outline_contrast(fresh)
        return report


def _requests(job: Job, texts: list[str], seed: int) -> list[PictureRequest]:
    first = PictureRequest(
        prompt="",
        seed=seed,
        width_px=job.data.width,
        height_px=job.data.height,
        negative_prompt=job.preview.negative_prompt,
        sampler=job.preview.sampler,
        steps=job.preview.sampling_steps,
        cfg_scale=job.preview.cfg_scale,
    )
    return [replace(first, prompt=text, seed=seed + number) for number, text in enumerate(texts)]


def _latents(encoder: Any, pictures: list[Image.Image]) -> torch.Tensor:
    """Return latents [pictures, 4, height / 8, width / 8]."""
    tensors = [to_tensor(picture.convert("RGB")) for picture in pictures]
    chunks = [tensors[start : start + _ENCODED_AT_ONCE] for start in range(0, len(tensors), _ENCODED_AT_ONCE)]
    return torch.cat([encoder.encode_pictures(torch.stack(chunk)) for chunk in chunks])
