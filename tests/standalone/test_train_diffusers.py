"""`launch.py train --diffusers FOLDER`: trains as a checkpoint does, and says in one sentence what is wrong."""

from __future__ import annotations

import json
import pickle
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from hypernetwork_workbench.adapters.pipelines.ports import ports_on
from hypernetwork_workbench.adapters.pipelines.weights import fill
from hypernetwork_workbench.hypernetworks import files
from hypernetwork_workbench.hypernetworks.base.errors import AdapterError
from hypernetwork_workbench.hypernetworks.kernels.tensors import digest
from safetensors.torch import load_file, save_file

from tests.support import pictures
from tests.support.fake_ports import FakeProgress

folders = pytest.importorskip("tests.support.pipeline_folders", reason="diffusers is not installed")
pytestmark = pytest.mark.slow

JOB = """
[data]
folder = "pictures"
width = 64
height = 64
batch_size = 2

[optimizer]
name = "SGD"

[schedule]
rate = 0.5

[train]
max_steps = 4

[preview]
every = 2
sampling_steps = 2

[output]
name = "small"
"""
HEADS_OF_DEMO = 4
UNET, TEXT, INDEX = "unet/config.json", "text_encoder/config.json", "model_index.json"
SCHEDULER = "scheduler/scheduler_config.json"


@pytest.fixture
def job(tmp_path: Path) -> Path:
    """Return a job file beside a folder of three pictures."""
    pictures.captioned(tmp_path / "job" / "pictures")
    path = tmp_path / "job" / "job.toml"
    path.write_text(JOB)
    return path


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a small model like SD1, which tests copy."""
    return folders.write(tmp_path_factory.mktemp("small") / "model", "SD1")


def _trained(command: Any, job: Path, data_dir: Path, *model: object) -> tuple[dict[str, Any], Any]:
    report = data_dir / "report.json"
    data_dir.mkdir()
    result = command(job, *model, "--data-dir", data_dir, "--report", report)
    assert result.returncode == 0, result.stderr
    found = json.loads(report.read_text(encoding="utf-8"))
    return found, files.load(found["files"]["network"])


def test_the_demo_trains_to_the_same_network_as_in_the_embedded_host(command: Any, job: Path, tmp_path: Path):
    folder = folders.write_demo(tmp_path / "demo", HEADS_OF_DEMO)
    here, ours = _trained(command, job, tmp_path / "here", "--diffusers", folder)
    there, theirs = _trained(command, job, tmp_path / "there", "--ckpt", folders.DEMO)
    assert here["loss_first"] == pytest.approx(there["loss_first"], rel=1e-4)
    assert here["loss_last"] == pytest.approx(there["loss_last"], rel=1e-4)
    one, other = ours.state_dict(), theirs.state_dict()
    assert one.keys() == other.keys()
    assert max((one[name] - weight).abs().max() for name, weight in other.items()) <= 1e-5
    assert max(weight.abs().max() for name, weight in other.items() if name.endswith("bias")) > 1e-4  # they begin at 0
    assert ours.metadata.sd_checkpoint_name == "demo"
    assert all(Path(path).is_file() for path in here["files"].values())


def _opened(folder: Path, place: Path) -> Any:
    return ports_on(folder, FakeProgress(), place / "networks", place / "logs", torch.device("cpu"))


def test_weights_are_read_in_every_form(tmp_path: Path):
    forms: list[dict[str, Any]] = [
        {},
        {"variant": "fp16"},
        {"safe_serialization": False},
        {"max_shard_size": "200KB"},
        {"max_shard_size": "200KB", "variant": "fp16"},
    ]
    found = []
    for number, form in enumerate(forms):
        folder = folders.write(tmp_path / f"model{number}", "SDXL", **form)
        assert not form or not (folder / "unet" / "diffusion_pytorch_model.safetensors").exists()
        ports = _opened(folder, tmp_path)
        found.append((ports.encoder.picture_fingerprint(), ports.encoder.text_fingerprint(), _digest(ports.denoiser)))
    assert len(set(found)) == 1


def _digest(denoiser: Any) -> str:
    return digest(denoiser._unet.state_dict())


def test_a_vae_with_the_names_of_old_files_is_read(tmp_path: Path, small: Path):
    folder = tmp_path / "model"
    shutil.copytree(small, folder)
    path = folder / "vae" / "diffusion_pytorch_model.safetensors"
    old = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}
    named = load_file(path)
    for new, name in old.items():
        named = {key.replace(f".{new}.", f".{name}."): each for key, each in named.items()}
    assert named.keys() != load_file(path).keys()
    save_file(named, path)
    one, other = _opened(small, tmp_path), _opened(folder, tmp_path)
    assert one.encoder.picture_fingerprint() == other.encoder.picture_fingerprint()


@pytest.mark.parametrize(("named", "written"), [("text_model.fc", "fc"), ("fc", "text_model.fc")])
def test_text_encoders_with_the_names_of_other_versions_are_read(named: str, written: str):
    """transformers 5 calls the tensors of a CLIP text model without the prefix that its files have."""
    module = torch.nn.ModuleDict({"fc": torch.nn.Linear(2, 2, device="meta")})
    if named != "fc":
        module = torch.nn.ModuleDict({"text_model": module})
    given = {f"{written}.weight": torch.ones(2, 2), f"{written}.bias": torch.ones(2)}
    fill(module, "text_encoder", given, torch.float32)
    assert all(torch.equal(each, torch.ones_like(each)) for each in module.parameters())


def test_a_folder_with_tokenizers_in_one_file_alone_is_read(tmp_path: Path, small: Path):
    """transformers 5 writes no other, and names the class as ever."""
    folder = tmp_path / "model"
    shutil.copytree(small, folder)
    place = folder / "tokenizer"
    transformers.CLIPTokenizerFast.from_pretrained(place).save_pretrained(place)
    for name in ("vocab.json", "merges.txt"):
        (place / name).unlink()
    assert (place / "tokenizer.json").is_file()
    prompts = ["a red circle, isn't it?", "été 夜  (two:1.3) \n lines", "x" * 90]
    one, other = (_opened(each, tmp_path).encoder.encode_texts(prompts) for each in (small, folder))
    assert all(torch.equal(mine.text, theirs.text) for mine, theirs in zip(one, other, strict=True))


@pytest.mark.parametrize("kind", ["ControlNet", "PAG", "Inpaint"])
def test_folders_of_pipelines_with_the_usual_parts_are_read(tmp_path: Path, small: Path, kind: str):
    folder = tmp_path / "model"
    shutil.copytree(small, folder)
    _write(folder, INDEX, _class_name=f"StableDiffusion{kind}Pipeline")
    assert _digest(_opened(folder, tmp_path).denoiser) == _digest(_opened(small, tmp_path).denoiser)


@pytest.mark.long("test_the_demo_trains_to_the_same_network_as_in_the_embedded_host")
def test_a_rate_is_found_and_a_run_continues(command: Any, job: Path, tmp_path: Path, small: Path):
    arguments = ["--diffusers", small, "--data-dir", tmp_path / "data"]
    result = command(job, *arguments, "--find-rate", "--set", "train.max_steps=6")
    assert result.returncode == 0, result.stderr
    result = command(job, *arguments)
    assert result.returncode == 0, result.stderr
    result = command(job, *arguments, "--resume", "--set", "train.max_steps=6")
    assert result.returncode == 0, result.stderr
    assert "6 steps" in result.stdout


def _write(folder: Path, name: str, **changes: Any) -> None:
    path = folder / name
    found = json.loads(path.read_text(encoding="utf-8")) | changes
    path.write_text(json.dumps({key: each for key, each in found.items() if each != "gone"}), encoding="utf-8")


def _pickled(folder: Path) -> None:
    (folder / "unet" / "diffusion_pytorch_model.safetensors").unlink()
    with (folder / "unet" / "diffusion_pytorch_model.bin").open("wb") as file:
        pickle.dump(Path("evil"), file)


def _cut(folder: Path) -> None:
    path = folder / "unet" / "diffusion_pytorch_model.safetensors"
    path.write_bytes(path.read_bytes()[:-1000])


def _without_a_tensor(folder: Path) -> None:
    path = folder / "vae" / "diffusion_pytorch_model.safetensors"
    save_file({name: each for name, each in load_file(path).items() if name != "quant_conv.bias"}, path)


def _in_whole_numbers(folder: Path) -> None:
    path = folder / "unet" / "diffusion_pytorch_model.safetensors"
    save_file({name: each.to(torch.int8) for name, each in load_file(path).items()}, path)


WRONG: list[tuple[Callable[[Path], Any], str]] = [
    (shutil.rmtree, "{folder} is not there: it must be a folder on this computer, nothing is downloaded"),
    (lambda at: (at / INDEX).unlink(), "{folder} has no model_index.json"),
    (lambda at: (at / INDEX).write_text("{"), "model_index.json cannot be read: "),
    (lambda at: (at / INDEX).write_text("[]"), "model_index.json is no table of values"),
    (lambda at: _write(at, INDEX, _class_name="FluxPipeline"), "FluxPipeline is no pipeline of SD1, SD2 or SDXL"),
    (
        lambda at: _write(at, INDEX, _class_name=["pipe", "Own"]),
        "model_index.json names a pipeline with code of its own",
    ),
    (lambda at: _write(at, INDEX, unet=["own_unet", "UNet2DConditionModel"]), "unet is own_unet.UNet2DConditionModel"),
    (lambda at: _write(at, INDEX, vae=["diffusers", "AutoencoderTiny"]), "vae is diffusers.AutoencoderTiny"),
    (lambda at: _write(at, INDEX, vae=[None, None]), "vae is missing in {folder}"),
    (
        lambda at: _write(
            at,
            INDEX,
            _class_name="StableDiffusionXLImg2ImgPipeline",
            text_encoder=[None, None],
            text_encoder_2=["transformers", "CLIPTextModelWithProjection"],
        ),
        "it is SDXL's refiner",
    ),
    (lambda at: shutil.rmtree(at / "tokenizer"), "tokenizer is missing in {folder}"),
    (lambda at: (at / "tokenizer" / "vocab.json").write_text("{"), "tokenizer cannot be read: "),
    (lambda at: shutil.rmtree(at / "scheduler"), "scheduler/scheduler_config.json is missing in {folder}"),
    (lambda at: _write(at, UNET, in_channels=9), "its U-Net takes a picture beside the text (9 channels)"),
    (lambda at: _write(at, UNET, time_cond_proj_dim=8), "its U-Net takes more than SD1's, SD2's or SDXL's"),
    (lambda at: _write(at, UNET, block_out_channels=[24, 32]), "of unet has the shape"),
    (
        lambda at: _write(at, UNET, down_block_types=["None2D"] * 2),
        "unet/config.json describes no UNet2DConditionModel",
    ),
    (lambda at: _write(at, TEXT, quantization_config={"bits": 4}), "text_encoder has quantised weights"),
    (lambda at: _write(at, "vae/config.json", latent_channels=16), "its VAE is none of SD1's"),
    (
        lambda at: _write(at, "scheduler/scheduler_config.json", prediction_type="sample"),
        "its scheduler is DDIMScheduler with prediction_type 'sample'",
    ),
    (
        lambda at: _write(at, "scheduler/scheduler_config.json", beta_schedule="own"),
        "scheduler/scheduler_config.json has no schedule of noise",
    ),
    (lambda at: (at / "unet" / "diffusion_pytorch_model.safetensors").unlink(), "unet has no weights"),
    (_cut, "unet/diffusion_pytorch_model.safetensors is broken: "),
    (_pickled, "unet/diffusion_pytorch_model.bin holds more than weights, and is not read"),
    (lambda at: _write(at, "vae/config.json", block_out_channels=8), "its VAE is none of SD1's"),
    (
        lambda at: _write(at, "vae/config.json", scaling_factor=None),
        "scaling_factor in vae/config.json must be a number",
    ),
    (lambda at: _write(at, "vae/config.json", scaling_factor=0), "must be a number above 0, not 0"),
    (lambda at: _write(at, UNET, layers_per_block=100_000), "unet/config.json asks for more than 100 layers"),
    (
        lambda at: _write(at, UNET, transformer_layers_per_block=[1, [1, 100_000]]),
        "unet/config.json asks for more than 100 layers, so it",
    ),
    (
        lambda at: _write(at, SCHEDULER, prediction_type=["epsilon"]),
        "with prediction_type ['epsilon']: it must predict",
    ),
    (lambda at: _write(at, SCHEDULER, num_train_timesteps=0), "no schedule of noise: its shares of signal do not fall"),
    (lambda at: _write(at, SCHEDULER, beta_end=float("nan")), "shares of signal do not fall"),
    (lambda at: _write(at, SCHEDULER, trained_betas=[-0.5] * 9), "its shares of signal do not"),
    (lambda at: (at / "tokenizer" / "merges.txt").unlink(), "tokenizer has neither vocab.json and merges.txt nor"),
    (lambda at: (at / "tokenizer" / "vocab.json").write_text("[]"), "tokenizer cannot be read: 'list' object"),
    (_in_whole_numbers, "of unet has numbers of the kind int8, quantised"),
    (_without_a_tensor, "the weights of vae lack 1 of "),
]


@pytest.mark.parametrize(("spoil", "sentence"), WRONG, ids=[sentence for _, sentence in WRONG])
def test_a_folder_that_cannot_be_trained_on_is_one_sentence(
    tmp_path: Path, small: Path, spoil: Callable[[Path], Any], sentence: str
):
    folder = tmp_path / "model"
    shutil.copytree(small, folder)
    spoil(folder)
    with pytest.raises(AdapterError) as caught:
        _opened(folder, tmp_path)
    assert sentence.format(folder=folder) in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("missing", ["diffusers", "transformers"])
def test_without_the_libraries_it_says_what_to_install(
    tmp_path: Path, small: Path, missing: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setitem(sys.modules, missing, None)
    kept = re.escape(f'"diffusers>=0.35" transformers=={transformers.__version__}')
    with pytest.raises(AdapterError, match=f"{missing} is not installed: run .* -m pip install {kept}$"):
        _opened(small, tmp_path)


def test_the_command_names_its_argument_and_writes_nothing(command: Any, job: Path, tmp_path: Path, small: Path):
    folder = tmp_path / "model"
    shutil.copytree(small, folder)
    _pickled(folder)
    before = sorted(job.parent.rglob("*"))
    result = command(job, "--diffusers", folder, "--data-dir", tmp_path / "data")
    assert result.returncode == 2
    assert result.stderr == "--diffusers: unet/diffusion_pytorch_model.bin holds more than weights, and is not read\n"
    assert sorted(job.parent.rglob("*")) == before
    assert not list((tmp_path / "data").rglob("*.pt"))


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--ckpt", "{job}"], "argument --ckpt: not allowed with argument --diffusers"),
        (["--diffusers", "{job}"], "--diffusers: {job} is not a folder: checkpoints in one file are for --ckpt"),
        (["--set", "preview.sampler=DPM++ 3M SDE"], "preview.sampler: must be one of Euler a, Euler, "),
        (["--set", "embedding.trains=embedding"], "embedding.trains: embeddings cannot be trained in this host"),
        (["--set", "train.unet_storage=fp8"], "train.unet_storage: this host keeps its own weights"),
        (["--set", "train.compile_unet=true"], "train.compile_unet: this host's U-Net cannot be compiled"),
        (["--data-dir", "{job}/below"], "--data-dir: {job}/below cannot be used: "),
    ],
)
def test_what_does_not_go_with_a_folder_is_one_sentence(
    command: Any, job: Path, tmp_path: Path, small: Path, arguments: list[str], sentence: str
):
    given = [word.format(job=job) for word in arguments]
    data = [] if "--data-dir" in given else ["--data-dir", tmp_path / "data"]
    result = command(job, "--diffusers", small, *data, *given)
    assert result.returncode == 2, result.stdout + result.stderr
    said = [line for line in result.stderr.splitlines() if not line.startswith(("Pictures: ", "Captions: "))]
    assert len(said) == 1, result.stderr
    assert sentence.format(job=job) in said[0]
