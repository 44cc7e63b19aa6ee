"""Makes the subset that the settings describe; those of all sources are made from it."""

from __future__ import annotations

from pathlib import Path

from ..base.errors import SettingsError
from ..base.outside import UnfitTextError, read_text, reason_of
from .buckets import Framing
from .captions import CaptionRules, CaptionSource, extensions
from .settings import DataSettings
from .subsets import Subset

MAX_TEMPLATE_BYTES = 100_000


def base_subset(settings: DataSettings, name: str) -> Subset:
    """Return the subset of `data.folder` as the settings describe it; all others are made from it.

    Args:
        name: the network's name, for `[name]`.

    Raises:
        SettingsError: a file that the settings name cannot be read.
    """
    framing = Framing(
        settings.framing,
        settings.width,
        settings.height,
        settings.bucket_step,
        settings.min_side,
        settings.max_side,
        settings.upscale,
    )
    rules = CaptionRules(
        templates=_templates(settings),
        name=name,
        separator=settings.tag_separator or ",",
        shuffle=settings.shuffle_tags,
        keep_tags=settings.keep_tags,
        keep_separator=settings.keep_separator,
        tag_dropout=settings.tag_dropout,
        dropout=settings.caption_dropout,
        dropout_every=settings.caption_dropout_every,
        prefix=settings.caption_prefix,
        suffix=settings.caption_suffix,
        lines=settings.caption_lines,
    )
    source = CaptionSource(
        extensions=extensions(settings.caption_extension),
        name_regex=settings.filename_regex,
        # A blank, the usual separator of words, cannot be seen in a form.
        name_join=settings.filename_join or " ",
    )
    return Subset(
        Path(settings.folder),
        framing,
        rules,
        source,
        settings.batch_size,
        repeats=settings.repeats,
        weight=settings.weight,
        is_flipped=settings.flip,
        varies_colours=settings.vary_colours,
        face_range=settings.faces,
        crop=settings.crop,
        background=settings.background,
        masks=settings.masks,
    )


def _templates(settings: DataSettings) -> tuple[str, ...]:
    text = settings.template
    if settings.template_file:
        try:
            text = read_text(Path(settings.template_file), MAX_TEMPLATE_BYTES)
        except (OSError, UnfitTextError) as error:
            raise SettingsError("data.template_file", f"cannot be read: {reason_of(error)}") from error
    lines = tuple(line.strip() for line in text.splitlines() if line.strip())
    if not lines:
        raise SettingsError("data.template_file", "holds no line of text")
    return lines
