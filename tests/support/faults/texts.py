"""Texts that people and programs enter: job files, compositions, rates, options, prompts, dataset files, requests."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import torch
from hypernetwork_workbench.hypernetworks import compose
from hypernetwork_workbench.hypernetworks.base.errors import WorkbenchError
from hypernetwork_workbench.hypernetworks.data.scan import read_dataset
from hypernetwork_workbench.hypernetworks.jobs import create_files, train_files
from hypernetwork_workbench.hypernetworks.merge import blocks
from hypernetwork_workbench.hypernetworks.network.settings import CreateSettings
from hypernetwork_workbench.hypernetworks.ports import PictureRequest
from hypernetwork_workbench.hypernetworks.train.optim import optimizers, schedules
from hypernetwork_workbench.hypernetworks.train.settings.job import DataSettings, Job
from hypernetwork_workbench.hypernetworks.train.settings.job_file import apply_overrides, read_tables
from hypernetwork_workbench.hypernetworks.train.tracking import prompt_files
from PIL import Image

from . import Case, NotHandledError

_DRAWN = 15

#: What each kind of text is read by.
Reader = Callable[[str, Path], Any]


def cases() -> Iterator[Case]:
    """Yield each text with what reads it, and texts drawn at random from the signs that mean something to it."""
    for kind, (read, texts) in _TEXTS.items():
        for name, text in texts.items():
            yield Case(f"{kind}: {name}", partial(_refused, read, text))
    for kind, (read, signs) in _SIGNS.items():
        for number in range(_DRAWN):
            yield Case(f"{kind}: signs at random {number}", partial(_drawn, read, signs, f"14 {kind} {number}"))


def _refused(read: Reader, text: str, folder: Path) -> str:
    try:
        read(text, folder)
    except WorkbenchError as error:
        if len(str(error)) > 3000:
            raise NotHandledError(f"a sentence of {len(str(error))} characters") from error
        return str(error)
    raise NotHandledError("the text was taken")


def _drawn(read: Reader, signs: list[str], seed: str, folder: Path) -> str:
    draw = random.Random(seed)
    text = "".join(draw.choice(signs) for _ in range(draw.choice((3, 12, 60, 400))))
    try:
        read(text, folder)
    except WorkbenchError as error:
        return str(error)
    return "it means something"


def _job(text: str, folder: Path) -> Any:
    path = folder / "job.toml"
    path.write_text(text, encoding="utf-8")
    return Job.from_mapping(read_tables(path))


def _override(text: str, folder: Path) -> Any:
    tables: dict[str, Any] = {"data": {"folder": "x"}, "output": {"name": "x"}}
    apply_overrides(tables, [text])
    return Job.from_mapping(tables)


def _create(text: str, folder: Path) -> Any:
    return CreateSettings.from_mapping({"name": "x", "layer_structure": text})


def _loaded(ending: str, text: str, folder: Path) -> Any:
    for read in (train_files.read, create_files.read):
        loaded = read(text.encode(), f"x{ending}")
        if not loaded.errors:
            raise NotHandledError("the file was taken")
        str(loaded.errors)
    raise loaded.errors[0]


def _prompts(text: str, folder: Path, ending: str = ".txt") -> Any:
    path = folder / f"prompts{ending}"
    path.write_text(text, encoding="utf-8")
    return prompt_files.read(path, PictureRequest("", "", 1, 64, 64, "Euler a", 2, 7.0))


def _optimizer(text: str, folder: Path) -> Any:
    optimizers.check_arguments("AdamW", text)
    return optimizers.build([torch.nn.Parameter(torch.ones(2))], "AdamW", text)


def _dataset(text: str, folder: Path, **more: Any) -> Any:
    (folder / "dataset.toml").write_text(text, encoding="utf-8")
    return _read(folder, dataset_config=str(folder / "dataset.toml"), **more)


def _read(folder: Path, **settings: Any) -> Any:
    pictures = folder / "pictures"
    pictures.mkdir(exist_ok=True)
    Image.new("RGB", (64, 64)).save(pictures / "a.png")
    data = DataSettings.from_mapping(
        {"folder": str(pictures), "width": 64, "height": 64, "stop_at_broken": True, **settings}
    )
    return read_dataset(data, "x")


def _metadata(text: str, folder: Path) -> Any:
    (folder / "meta.json").write_text(text, encoding="utf-8")
    return _read(folder, metadata_file=str(folder / "meta.json"))


def _template(text: str, folder: Path) -> Any:
    (folder / "template.txt").write_text(text, encoding="utf-8")
    return _read(folder, template_file=str(folder / "template.txt"))


_DEEP = 100_000
_JSON = {
    "deep lists": "[" * _DEEP,
    "deep tables": '{"a":' * _DEEP,
    "digits": '{"a": ' + "9" * 5000 + "}",
    "more digits": '{"learn_rate": ' + "9" * 900_000 + "}",
    "a list": "[1, 2]",
    "nothing": "",
    "a constant": "NaN",
}
_TOML = {
    "parts of a key": "a." * 20_000 + "b = 1",
    "parts of a table": "[" + "a." * 20_000 + "b]",
    "parts within a table": "x = {" + "a." * 20_000 + "b = 1}",
    "quoted parts": '"a".' * 20_000 + "b = 1",
    "deep lists": "a = " + "[" * _DEEP,
    "deep tables": "a = " + "{a=" * _DEEP,
    "digits": "[train]\nmax_steps = " + "9" * 5000,
    "fewer digits": "[train]\nmax_steps = " + "9" * 390,
    "a number in sixteens": "[train]\nmax_steps = 0x" + "f" * 390,
    "a rate of 390 digits": "[loss]\nmin_snr_gamma = " + "9" * 390,
    "an endless number": "[loss]\nmin_snr_gamma = inf",
    "no number": "[loss]\nmin_snr_gamma = nan",
    "many keys": "[train]\n" + "".join(f"a.b.k{number} = 1\n" for number in range(20_000)),
    "a table in place of a number": "[train]\nmax_steps = {a = 1}",
    "nested in place of a text": "[output]\nname = " + "[" * 50 + "]" * 50,
    "no texts": '[data]\nfolder = "a\\u0000b"\n[output]\nname = "x"',
    "an open text": 'a = "' + "x" * 900_000,
    "a long word": "a" * 900_000 + " = 1",
    "many long numbers": "a = [" + ("9" * 390 + ", ") * 2000 + "]",
    "many quotes": 'a = "' + '\\"' * 400_000,
    "a long list": "[network]\nlayer_structure = [" + "1," * 300_000 + "1]",
    "larger than a job": "#" * (5 << 20),
}
_TEXTS: dict[str, tuple[Reader, dict[str, str]]] = {
    "job file": (_job, {**_TOML, "a section that is text": "train = 'x'"}),
    "settings on a page": (partial(_loaded, ".toml"), {k: v for k, v in _TOML.items() if k != "no texts"}),
    "the original's settings": (partial(_loaded, ".json"), _JSON),
    "override": (
        _override,
        {
            "digits": "train.max_steps=" + "9" * 5000,
            "deep lists": "network.layer_structure=" + "[" * _DEEP,
            "parts of a key": "train.max_steps={" + "a." * 20_000 + "b=1}",
            "no form": "train",
            "a NUL": "data.folder=a\0b",
        },
    ),
    "layers": (
        _create,
        {
            "many": "1," * 500_000 + "1",
            "digits": "1, " + "9" * 5000 + ", 1",
            "a large number": "1, 1e300, 1",
            "letters": "1, x, 1",
            "no number": "1, nan, 1",
        },
    ),
    "composition": (
        lambda text, folder: compose.parse(text),
        {
            "a long sequence": "a>" * 50_000 + "a",
            "many side by side": "+".join(f"a{number}" for number in range(40_000)),
            "deep brackets": "(" * 90_000 + "a" + ")" * 90_000,
            "a long list": "[" + '"a",' * 45_000 + '"a"]',
            "deep lists": "[" * 90_000 + '"a"' + "]" * 90_000,
            "deep within": "[1," * 90 + '"a"' + "]" * 90,
            "signs": '("a", ' + "-" * 150_000 + "1)",
            "sums": '("a", ' + "1+" * 80_000 + "1)",
            "digits": '("a", ' + "9" * 150_000 + ")",
            "a bare number of digits": "a:" + "9" * 150_000,
            "powers": '("a", 9' + "**9" * 40_000 + ")",
            "open quotes": '["a' + "\\" * 150_000,
            "blanks": "a" + " " * 190_000 + ">",
            "too long": "a" * 300_000,
            "a NUL": '["a\0b", "c"',
            "nothing": "",
        },
    ),
    "rates": (
        lambda text, folder: schedules.parse(text, max_steps=10_000_000),
        {
            "many": ",".join(f"1e-5:{number}" for number in range(1, 100_000)),
            "letters": "x" * 900_000,
            "digits": "1e-5:" + "9" * 5000,
            "an endless rate": "inf",
            "no rate": "nan",
            "below 0": "-1",
        },
    ),
    "block weights": (
        lambda text, folder: blocks.parse(text, "weighted_sum", 2, (8, 16)),
        {
            "many": ",".join(["8=0.5"] * 100_000),
            "many numbers": "8=" + "/".join(["0.5"] * 100_000),
            "letters": "8=" + "x" * 900_000,
            "digits": "8=" + "9" * 5000,
            "another width": "999999=1",
        },
    ),
    "optimizer": (
        _optimizer,
        {
            "two steps at once": "fused=True, foreach=True",
            "text": "weight_decay='x'",
            "one beta": "betas=(0.9,)",
            "no betas": "betas=None",
            "betas of texts": "betas=('a', 'b')",
            "no number": "eps=1e999-1e999",
            "deep": "betas=" + "(" * 500 + ")" * 500,
            "signs": "eps=" + "-" * 1500 + "1",
            "a key of a list": "betas={[]: 1}",
            "a NUL": "eps=1\0",
            "a call": "eps=1)(2",
            "digits": "eps=" + "9" * 5000,
            "long": "eps=" + "1" * 900_000,
            "its own": "maximize=True",
        },
    ),
    "prompts": (
        _prompts,
        {
            "many": "a prompt\n" * 100_000,
            "one of many blanks": "a" + " " * 900_000 + "b --s x",
            "digits": "a --w " + "9" * 5000,
            "a wide picture": "a --w 80000000",
            "no scale": "a --l nan",
            "an endless scale": "a --l inf",
            "many steps": "a --s 1000000000",
            "a seed below 0": "a --d -5",
            "only comments": "# a\n" * 1000,
        },
    ),
    "prompts in JSON": (partial(_prompts, ending=".json"), {**_JSON, "a deep prompt": '[{"prompt": ' + "[" * _DEEP}),
    "prompts in TOML": (partial(_prompts, ending=".toml"), _TOML),
    "dataset file": (
        _dataset,
        {
            "parts of a key": "a." * 20_000 + "b = 1",
            "deep lists": "a = " + "[" * _DEEP,
            "digits": "[general]\nbatch_size = " + "9" * 5000,
            "many digits": "[general]\nbatch_size = " + "9" * 390,
            "many subsets": "[[datasets]]\n" + '[[datasets.subsets]]\nimage_dir = "x"\n' * 5000,
            "many datasets": "[[datasets]]\n" * 5000,
            "a NUL": '[[datasets]]\n[[datasets.subsets]]\nimage_dir = "a\\u0000b"',
            "a long path": f'[[datasets]]\n[[datasets.subsets]]\nimage_dir = "{"d" * 5000}"',
            "a folder as metadata": '[[datasets]]\n[[datasets.subsets]]\nmetadata_file = "."',
            "a number as path": "[[datasets]]\n[[datasets.subsets]]\nimage_dir = [1]",
        },
    ),
    "metadata": (
        _metadata,
        {
            **{name: text for name, text in _JSON.items() if name not in ("nothing",)},
            "a long caption": '{"a": {"caption": "' + "x" * 10_000_000 + '"}}',
            "a deep path": '{"' + "a/" * 50_000 + '": {"caption": "x"}}',
            "a caption that is a number": '{"a": {"caption": 1}}',
            "a weight of many digits": '{"a": {"caption": "x", "weight": ' + "9" * 390 + "}}",
            "a weight that is a list": '{"a": {"caption": "x", "weight": []}}',
        },
    ),
    "templates": (_template, {"long": "[filewords]\n" * 50_000, "nothing": "\n\n"}),
    "more folders": (
        lambda text, folder: _read(folder, more_folders=text),
        {
            "many": "x\n" * 100_000,
            "a NUL": "a\0b",
            "a long name": "d" * 5000,
            "open quotes": 'x | caption_prefix="' + '"a' * 50_000,
            "digits": "x | num_repeats=" + "9" * 5000,
        },
    ),
}
_SIGNS: dict[str, tuple[Reader, list[str]]] = {
    "job file": (
        _job,
        ["[", "]", "train", "data", ".", "=", "\n", "1", '"', "'", "{", "}", ",", "#", "max_steps", "\\"],
    ),
    "composition": (lambda text, folder: compose.parse(text), list("ab[](){}:+>,'\"\\ 1.\n-e")),
    "rates": (lambda text, folder: schedules.parse(text, max_steps=100), list("1e-5:,. \n0x")),
    "block weights": (lambda text, folder: blocks.parse(text, "weighted_sum", 2, (8,)), list("8kv.=/,;\n 15e-")),
    "optimizer": (
        _optimizer,
        ["eps", "betas", "True", *"=1(),'[]-{}:\n"],
    ),
    "prompts": (_prompts, ["a", " ", "--", "w", "s", "d", "l", "n", "\n", "8", "#", ".", "-"]),
}
