"""What the Generate button does."""

from __future__ import annotations

import html
from typing import Any

from modules import processing, scripts, shared

FIELDS = (
    "prompt",
    "negative_prompt",
    "steps",
    "sampler_name",
    "scheduler",
    "cfg_scale",
    "seed",
    "width",
    "height",
    "n_iter",
    "batch_size",
)


def txt2img(id_task: str, *args: Any) -> tuple[list[Any], str, str, str]:
    """Pictures, their data as JSON, their infotext and the notes as HTML; args are FIELDS, then the scripts' values.

    Raises:
        SettingsError: a field has a value that it cannot have.
    """
    shared.state.textinfo = "Loading the checkpoint"
    settings = dict(zip(FIELDS, args, strict=False))
    p = processing.StableDiffusionProcessingTxt2Img(sd_model=shared.sd_model, **settings)
    shared.state.textinfo = None
    p.scripts = scripts.scripts_txt2img
    p.script_args = list(args[len(FIELDS) :])
    try:
        processed = processing.process_images(p)
    finally:
        p.close()
    # A saved picture is shown from its file, which carries the infotext.
    pictures = [getattr(image, "already_saved_as", image) for image in processed.images]
    infotext = html.escape(processed.info).replace("\n", "<br>\n")
    notes = f"<p class='comments'>{html.escape(processed.comments)}</p>" if processed.comments else ""
    return pictures, processed.js(), f"<p>{infotext}</p>", notes
