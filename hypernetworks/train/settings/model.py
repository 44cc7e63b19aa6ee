"""Settings of the parts of the model around the U-Net: for one run, whatever the host has chosen."""

from __future__ import annotations

from dataclasses import dataclass

from ...base.options import Group, Settings, setting

MODEL = Group("model", "VAE and text encoder")
#: What the host has chosen counts.
OF_HOST = "of the WebUI"
EMPHASES = (OF_HOST, "original", "no norm", "ignore", "none")


@dataclass(frozen=True)
class ModelSettings(Settings):
    """VAE and text encoder of a run."""

    vae: str = setting(
        "",
        "VAE",
        "A file of a VAE, or a checkpoint, for this run. Empty: the VAE of the WebUI.",
        group=MODEL,
        is_path=True,
    )
    text_model: str = setting(
        "",
        "CLIP text model",
        "A file or folder of another text encoder of this shape, or a checkpoint with one, for this run. Empty: that "
        "of the WebUI.",
        group=MODEL,
        is_path=True,
    )
    clip_skip: int = setting(
        0,
        "Clip skip",
        "1 takes the text encoder's last layer, 2 the one before it; 0 is the setting of the WebUI.",
        group=MODEL,
        starts_row=True,
        minimum=0,
        maximum=12,
    )
    emphasis: str = setting(
        OF_HOST,
        "Emphasis",
        "What (words:1.2) of a caption do: original weighs them, no norm too but keeps no mean, ignore drops the "
        "weights, none reads brackets as they stand.",
        group=MODEL,
        choices=EMPHASES,
    )
