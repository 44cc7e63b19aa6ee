"""A data folder for the real WebUI: the demo checkpoint, its text encoder's files and the extensions to load."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
PROBE = Path(__file__).parent / "probe"
OURS = "hypernetwork-workbench"
TEXT_ENCODER = "openai/clip-vit-large-patch14"
"""Where the WebUI looks for SD1's text encoder: a folder of that name below the working directory comes first."""
BERT_WORDS = 30522
#: An extension that tells the WebUI's `open_clip` of shapes of text encoders, before a checkpoint is loaded.
_TELLING = "import pathlib, open_clip\nopen_clip.add_model_config(pathlib.Path(__file__).parents[1] / 'shapes')\n"


def make(folder: Path) -> Path:
    """Fill the folder with all the WebUI needs to start offline with the demo checkpoint; returns it."""
    models = folder / "models" / "Stable-diffusion"
    models.mkdir(parents=True)
    (folder / "extensions").mkdir()
    shutil.copy(ROOT / "examples" / "demo.safetensors", models)
    config = yaml.safe_load((ROOT / "examples" / "demo.yaml").read_text(encoding="utf-8"))
    text = config["model"]["params"]["cond_stage_config"].pop("params")
    (models / "demo.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    _write_text_encoder(folder / TEXT_ENCODER, text)
    _write_words(folder / "bert-base-uncased")
    settings = {"sd_checkpoint_hash": "", "samples_save": False, "grid_save": False, "show_progress_every_n_steps": -1}
    (folder / "config.json").write_text(json.dumps(settings), encoding="utf-8")
    return folder


def take_other(folder: Path, open_clip: Mapping[str, object], clip: Mapping[str, object] | None = None) -> Path:
    """Take the demo checkpoint out of a folder for one with other text encoders; returns the folder for that.

    Args:
        open_clip: shapes of text encoders in the words of `open_clip`, by the names that the checkpoint's config has.
        clip: the shape of the first text encoder of SDXL, in the words of `transformers`.
    """
    models = folder / "models" / "Stable-diffusion"
    for path in models.iterdir():
        path.unlink()
    if clip:
        config = {"model_type": "clip_text_model", "architectures": ["CLIPTextModel"], **clip}
        (folder / TEXT_ENCODER / "config.json").write_text(json.dumps(config), encoding="utf-8")
    settings = folder / "config.json"
    # The WebUI would download a model that makes its live previews.
    changed = {**json.loads(settings.read_text(encoding="utf-8")), "live_previews_enable": False}
    settings.write_text(json.dumps(changed), encoding="utf-8")
    files = {"scripts/telling.py": _TELLING}
    files |= {f"shapes/{name}.json": json.dumps(shape) for name, shape in open_clip.items()}
    for name, text in files.items():
        path = folder / "extensions" / "hnw-shapes" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return models


def add_extension(folder: Path, name: str = OURS) -> Path:
    """Copy what git knows of this repository, and what it does not ignore, into the extensions of the folder."""
    target = folder / "extensions" / name
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    for relative in filter(None, listed.stdout.decode().split("\0")):
        if (ROOT / relative).is_file():
            (target / relative).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / relative, target / relative)
    return target


def beside() -> list[Path]:
    """Folders of other extensions to load at the same time, which WEBUI_BESIDE names."""
    return [Path(name) for name in os.environ.get("WEBUI_BESIDE", "").split(os.pathsep) if name]


def add_others(folder: Path) -> None:
    """Copy the other extensions."""
    for other in beside():
        shutil.copytree(other, folder / "extensions" / other.name, ignore=shutil.ignore_patterns(".git"))


def add_probe(folder: Path) -> None:
    """Add the extension that tells from the inside what stands in the host's attributes."""
    shutil.copytree(PROBE, folder / "extensions" / "hnw-probe", ignore=shutil.ignore_patterns("__pycache__"))


def _write_words(folder: Path) -> None:
    """Write the vocabulary of BLIP's captions, of made-up words, where transformers looks before it downloads."""
    folder.mkdir()
    marks = {0: "[PAD]", 100: "[UNK]", 101: "[CLS]", 102: "[SEP]", 103: "[MASK]"}
    words = [marks.get(number, f"word{number}") for number in range(BERT_WORDS)]
    (folder / "vocab.txt").write_text("\n".join(words) + "\n", encoding="utf-8")


def _write_text_encoder(folder: Path, params: dict[str, object]) -> None:
    if str(ROOT) not in sys.path:
        sys.path.insert(0, str(ROOT))
    from hypernetwork_workbench.standalone import clip_tokenizer

    import hypernetwork_workbench  # noqa: F401

    folder.mkdir(parents=True)
    clip_tokenizer.load_tokenizer().save_vocabulary(str(folder))
    marks = {"bos_token": clip_tokenizer.START, "eos_token": clip_tokenizer.END, "pad_token": clip_tokenizer.END}
    tokenizer = {**marks, "unk_token": clip_tokenizer.END, "model_max_length": 77, "tokenizer_class": "CLIPTokenizer"}
    (folder / "tokenizer_config.json").write_text(json.dumps(tokenizer), encoding="utf-8")
    config = {"model_type": "clip_text_model", "architectures": ["CLIPTextModel"], **params}
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
