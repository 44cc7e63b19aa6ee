"""The fields of a dataset in folds, as every tab that has them lays them out."""

from __future__ import annotations

#: Rows of fields, each with its section.
Rows = tuple[tuple[str, tuple[str, ...]], ...]
#: Title, id, and rows of a fold; a row without names takes all that no other row has.
Fold = tuple[str, str, Rows]

FOLDS: tuple[Fold, ...] = (
    (
        "Framing and buckets",
        "framing",
        (
            ("data", ("framing", "crop", "flip")),
            ("data", ("bucket_step", "min_side", "max_side", "upscale")),
            ("data", ("background", "masks")),
        ),
    ),
    (
        "Captions",
        "captions",
        (
            ("data", ("template", "template_file")),
            ("data", ("shuffle_tags", "keep_tags", "tag_dropout")),
            ("data", ("caption_dropout", "caption_dropout_every")),
            ("data", ("caption_prefix", "caption_suffix")),
            ("data", ("caption_extension", "metadata_file")),
            ("data", ("filename_regex", "filename_join")),
            ("data", ("tag_separator", "keep_separator")),
        ),
    ),
    (
        "Folders, repeats and weights",
        "folders",
        (
            ("data", ("repeats", "folder_repeats", "weight")),
            ("data", ("more_folders", "dataset_config")),
            ("data", ("regularisation_folder", "regularisation_weight")),
        ),
    ),
)
