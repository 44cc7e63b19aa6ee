"""Settings of other programs that people take for a job or for a dataset file: what each is, and what to do with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Tables = Mapping[str, Any]
KOHYA, ORIGINAL = "kohya", "original"


def flat(tables: Tables) -> dict[str, Any]:
    """Return the values of all tables by their own names, as kohya's trainer reads its file."""
    values: dict[str, Any] = {}
    for name, value in tables.items():
        values |= value if isinstance(value, Mapping) else {name: value}
    return values


def _has(least: int, *names: str) -> Callable[[Tables], bool]:
    return lambda tables: len(set(names) & flat(tables).keys()) >= least


def _each(*names: str) -> Callable[[Tables], bool]:
    """Tell whether the first entries are all tables with one of these names, as a list of pictures or of nodes has."""

    def fits(tables: Tables) -> bool:
        entries = list(tables.values())[:20]
        return bool(entries) and all(isinstance(one, Mapping) and set(names) & one.keys() for one in entries)

    return fits


@dataclass(frozen=True)
class Foreign:
    """A kind of file.

    Attributes:
        sentence: what it is and what to do with it, without its name.
        fits: tells whether tables are of this kind.
        form: `KOHYA` or `ORIGINAL` where a page can load it.
    """

    sentence: str
    fits: Callable[[Tables], bool]
    form: str = ""


_IN_A_JOB = "name it as dataset_config in the [data] of a job"
_DATASET = Foreign(f"is a dataset file of kohya's trainer; {_IN_A_JOB}", lambda tables: "datasets" in tables)
_METADATA = Foreign(
    "is kohya's metadata of pictures; name it as metadata_file in the [data] of a job", _each("caption", "tags")
)
_JOB = Foreign(
    "is a job and no dataset file; give it to train, or write [[datasets]] with [[datasets.subsets]]",
    lambda tables: (
        "general" not in tables
        and any(isinstance(tables.get(name), Mapping) for name in ("data", "schedule", "train", "output"))
    ),
)
_LOADED = "load it in Train Gamma, which takes what it can and names the rest"
_REWRITTEN = "write a job with its folders and rates"
#: The first that fits counts.
_OTHERS = (
    Foreign(
        "is a workflow of ComfyUI, which makes pictures and trains nothing",
        lambda tables: ("nodes" in tables and "links" in tables) or _each("class_type")(tables),
    ),
    Foreign(
        f"is a configuration of OneTrainer, which trains other kinds of networks; {_REWRITTEN}",
        _has(2, "training_method", "base_model_name", "concept_file_name", "concepts", "output_model_format"),
    ),
    Foreign(
        f"is a configuration of EveryDream, which trains whole checkpoints; {_REWRITTEN}",
        _has(2, "resume_ckpt", "max_epochs", "lr_decay_steps", "ed_batch"),
    ),
    Foreign(
        f"is a configuration of the DreamBooth extension, which trains checkpoints; {_REWRITTEN}",
        _has(2, "concepts_list", "model_dir", "lifetime_revision", "has_ema"),
    ),
    Foreign(
        f"is a preset of kohya's GUI, and no job of hypernetworks; {_LOADED}",
        _has(2, "LoRA_type", "stop_text_encoder_training", "model_list", "max_resolution", "epoch"),
        KOHYA,
    ),
    Foreign(
        f"is a configuration of kohya's trainer, and no job of hypernetworks; {_LOADED}",
        _has(
            2,
            *("network_module", "network_dim", "pretrained_model_name_or_path", "train_data_dir", "max_train_steps"),
            *("max_train_epochs", "train_batch_size", "output_name", "lr_scheduler", "optimizer_type", "learning_rate"),
        ),
        KOHYA,
    ),
    Foreign(
        "belongs to a model in the form of diffusers; choose a checkpoint in one file in the WebUI",
        _has(1, "_class_name", "_diffusers_version"),
    ),
    Foreign(
        "holds the settings of the WebUI itself, and no training",
        _has(1, "sd_model_checkpoint", "samples_save", "outdir_samples"),
    ),
    Foreign(
        "holds the values of the WebUI's forms, and no training",
        lambda tables: any(name.startswith(("txt2img/", "img2img/", "customscript/")) for name in tables),
    ),
    Foreign(
        "is what the file of a LoRA tells about its training, and no job",
        lambda tables: any(name.startswith("ss_") for name in flat(tables)),
    ),
    Foreign(
        "is the report of a run; its job is job.toml in the log folder",
        _has(2, "style_distance", "loss_first", "loss_last"),
    ),
    Foreign(
        "holds the settings of the original extension or the WebUI; load it in Train Gamma and save it as a job",
        _has(2, "learn_rate", "training_width", "gradient_step", "tag_drop_out", "latent_sampling_method"),
        ORIGINAL,
    ),
    Foreign(
        "holds the settings of a new network and no training; load it in Create Beta Hypernetwork",
        lambda tables: "create" in tables or _has(2, "save_file_name", "layer_structure", "activation_func")(tables),
    ),
)


def instead_of_job(tables: Tables) -> Foreign | None:
    """Return what tables are that are no job; None if that is not known."""
    return _found(tables, (_DATASET, _METADATA, *_OTHERS))


def instead_of_dataset(tables: Tables) -> Foreign | None:
    """Return what tables are that are no dataset file; None if they may be one."""
    return None if "datasets" in tables else _found(tables, (_JOB, _METADATA, *_OTHERS))


def _found(tables: Tables, kinds: tuple[Foreign, ...]) -> Foreign | None:
    return next((kind for kind in kinds if kind.fits(tables)), None)
