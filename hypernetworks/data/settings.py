"""Settings of the dataset."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..base.errors import SettingsError
from ..base.options import Group, Settings, setting
from ..base.outside import shown
from ..base.registry import gather, rule, with_options
from .buckets import BUCKETS, MODES, Framing, bucket_problem
from .captions import ALL_LINES, LINES
from .images import is_colour
from .pictures.face_range import face_range
from .source import CAPTIONS, DESCRIPTIONS, FOLDERS, SOURCES

FRAMING = Group("framing", "Framing and buckets")
ENCODING = Group("latents", "Latents and broken pictures")

CROPS = ("centre", "random", "subject")
MASKS = ("off", "alpha", "file")
LATENTS = ("deterministic", "once", "random")


_BY_USE = sorted(SOURCES.values(), key=lambda one: (not one.is_taught, not one.is_held_out))


@dataclass(frozen=True)
@with_options(gather(one.options for one in _BY_USE), after="weight")
@with_options(gather(one.options for one in DESCRIPTIONS.values()), after="caption_extension")
class DataSettings(Settings):
    """Pictures and their captions."""

    folder: str = setting(
        "", "Dataset folder", "Folder with pictures; captions in .txt or .caption files beside them.", is_path=True
    )
    width: int = setting(
        512,
        "Picture width",
        "In pixels, a multiple of 8; pictures are scaled and cropped.",
        starts_row=True,
        minimum=8,
        maximum=2048,
    )
    height: int = setting(512, "Picture height", "In pixels, a multiple of 8.", minimum=8, maximum=2048)
    batch_size: int = setting(1, "Batch size", "Pictures that the model processes at once.", minimum=1, maximum=256)

    framing: str = setting(
        "square",
        "Framing",
        "square crops to width x height; buckets keeps every ratio within this number of pixels; keep every "
        "size scales the long side to the longer of the two and crops nothing.",
        group=FRAMING,
        choices=MODES,
    )
    crop: str = setting(
        "centre",
        "Crop",
        "The part of a picture that is kept: the centre, a random part for each picture and repeat, or the "
        "subject (a face if OpenCV is installed, otherwise what stands out).",
        group=FRAMING,
        choices=CROPS,
    )
    flip: bool = setting(False, "Flip", "Shows the mirrored picture about half of the time.", group=FRAMING)
    vary_colours: bool = setting(
        False, "Vary colours", "Shows a picture a third of the time with other hues or brightness.", group=FRAMING
    )
    face_range: str = setting(
        "",
        "Crop around faces",
        "Sides of a crop in sides of the face, at least and at most, such as 2, 4; drawn each time. Empty is off.",
        group=FRAMING,
    )
    bucket_step: int = setting(
        64,
        "Bucket step",
        "Sides of buckets are multiples of it; a multiple of 8.",
        group=FRAMING,
        starts_row=True,
        minimum=8,
        maximum=64,
    )
    min_side: int = setting(64, "Smallest side", "Of a bucket, in pixels.", group=FRAMING, minimum=8, maximum=2048)
    max_side: int = setting(2048, "Largest side", "Of a bucket, in pixels.", group=FRAMING, minimum=8, maximum=8192)
    upscale: bool = setting(
        False,
        "Upscale small pictures",
        "Otherwise buckets and kept sizes leave small pictures as small as they are.",
        group=FRAMING,
    )
    background: str = setting(
        "white",
        "Background",
        "Colour under transparent parts, such as white or #808080.",
        group=FRAMING,
        starts_row=True,
    )
    masks: str = setting(
        "off",
        "Masks",
        "Where the loss counts: in the picture's alpha channel, or in NAME-mask.png beside NAME; black or transparent "
        "parts are not learned.",
        group=FRAMING,
        choices=MASKS,
    )

    template: str = setting(
        "[filewords]",
        "Caption template",
        "[filewords] is the picture's caption, [name] the network's name; of several lines one is chosen at "
        "random each time.",
        group=CAPTIONS,
        lines=2,
    )
    template_file: str = setting(
        "",
        "Template file",
        "A text file of templates, one per line, instead of the template.",
        group=CAPTIONS,
        is_path=True,
    )
    shuffle_tags: bool = setting(
        False,
        "Shuffle tags",
        "Shows the tags of a caption in another order each epoch.",
        group=CAPTIONS,
        starts_row=True,
    )
    keep_tags: int = setting(
        0,
        "Keep first tags",
        "This number of tags stays at the front and is never dropped.",
        group=CAPTIONS,
        minimum=0,
        maximum=1000,
    )
    tag_dropout: float = setting(
        0.0, "Tag dropout", "Share of the tags that are left out each time.", group=CAPTIONS, minimum=0.0, maximum=1.0
    )
    caption_dropout: float = setting(
        0.0,
        "Caption dropout",
        "Share of pictures that are shown with an empty caption.",
        group=CAPTIONS,
        starts_row=True,
        minimum=0.0,
        maximum=1.0,
    )
    caption_dropout_every: int = setting(
        0,
        "Epochs between empty captions",
        "Once in this number of epochs all captions are empty; 0 is never.",
        group=CAPTIONS,
        minimum=0,
        maximum=100_000,
    )
    caption_prefix: str = setting("", "Caption prefix", "Put before every caption.", group=CAPTIONS, starts_row=True)
    caption_suffix: str = setting("", "Caption suffix", "Put after every caption.", group=CAPTIONS)
    caption_extension: str = setting(
        ".txt, .caption",
        "Caption files",
        "Endings of caption files, in any case; the first one found counts. Of cat.png it is cat.txt, or cat.png.txt.",
        group=CAPTIONS,
        starts_row=True,
    )
    caption_lines: str = setting(
        ALL_LINES,
        "Several lines",
        "What the lines of a caption file are: all of them one text, each a tag, only the first one used, or one "
        "drawn each time.",
        group=CAPTIONS,
        choices=LINES,
    )
    filename_regex: str = setting(
        "",
        "File name regex",
        "Selects the parts of a file name that make the caption if there is no caption file.",
        group=CAPTIONS,
        starts_row=True,
    )
    filename_join: str = setting(
        "", "File name join string", "Text between these parts; empty is a blank.", group=CAPTIONS, keeps_blanks=True
    )
    tag_separator: str = setting(
        ",",
        "Tag separator",
        "The text between tags. A comma also stands for ， and 、.",
        group=CAPTIONS,
        starts_row=True,
    )
    keep_separator: str = setting(
        "",
        "Keep separator",
        "A text such as ||| in the captions that ends the tags to keep; a second one starts tags to keep at the end.",
        group=CAPTIONS,
    )

    repeats: int = setting(
        1, "Repeats", "How often each picture is shown in an epoch.", group=FOLDERS, minimum=1, maximum=10_000
    )
    folder_repeats: bool = setting(
        False,
        "Repeats from folder names",
        "A folder named 10_cats in the dataset folder is shown 10 times an epoch; its pictures without a "
        "caption are captioned cats.",
        group=FOLDERS,
    )
    weight: float = setting(
        1.0,
        "Picture weight",
        "Weight of the pictures in the loss; a weight in the metadata file multiplies it.",
        group=FOLDERS,
        minimum=0.0001,
        maximum=1000.0,
    )
    regularisation_weight: float = setting(
        1.0,
        "Regularisation weight",
        "Weight of these pictures in the loss.",
        group=FOLDERS,
        minimum=0.0001,
        maximum=1000.0,
    )

    latents: str = setting(
        "deterministic",
        "Latent sampling",
        "The VAE gives a mean and a spread: deterministic takes the mean, once samples one time for each "
        "picture, random samples every time it is shown.",
        group=ENCODING,
        choices=LATENTS,
    )
    cache: bool = setting(
        True, "Keep latents on disk", "The next run on the same pictures need not encode them.", group=ENCODING
    )
    cache_limit_mb: int = setting(
        4096,
        "Latents on disk, MB",
        "Beyond this, those unused for longest are deleted.",
        group=ENCODING,
        minimum=1,
        maximum=10_000_000,
    )
    stop_at_broken: bool = setting(
        False,
        "Stop at broken pictures",
        "Otherwise pictures that cannot be used are named and left out.",
        group=ENCODING,
    )

    @rule(*(one.name for one in _BY_USE if one.is_taught))
    def _has_pictures(self) -> None:
        if not any(getattr(self, one.name) for one in SOURCES.values() if one.is_taught):
            raise SettingsError("folder", "name the folder that holds the pictures")

    @rule("width", "height", "bucket_step", each=True)
    def _fits_latents(self, name: str) -> None:
        if getattr(self, name) % 8:
            raise SettingsError(name, f"must be a multiple of 8, not {getattr(self, name)}")

    @rule("framing", "width", "height", "bucket_step", "min_side", "max_side")
    def _has_buckets(self) -> None:
        if self.framing != BUCKETS:
            return
        problem = bucket_problem(
            Framing(BUCKETS, self.width, self.height, self.bucket_step, self.min_side, self.max_side)
        )
        if problem:
            raise SettingsError("min_side", problem)

    @rule("template", "template_file")
    def _has_template(self) -> None:
        if not self.template and not self.template_file:
            raise SettingsError("template", "must not be empty; [filewords] alone uses each picture's caption")

    @property
    def faces(self) -> tuple[float, float] | None:
        """The limits of `face_range`; raises SettingsError."""
        return face_range("face_range", self.face_range)

    @rule("face_range")
    def _faces_can_be_read(self) -> None:
        _ = self.faces

    @rule("background")
    def _background_is_colour(self) -> None:
        if not is_colour(self.background):
            raise SettingsError(
                "background", f"must be a colour such as white or #808080, not {shown(self.background)}"
            )

    @rule("filename_regex")
    def _regex_can_be_read(self) -> None:
        try:
            re.compile(self.filename_regex)
        except (re.error, RecursionError, OverflowError) as error:
            raise SettingsError("filename_regex", f"is no regular expression: {shown(str(error))}") from error
