"""What encoders gave, kept on disk: quick starts, several runs at once, folders that refuse."""

import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from hypernetwork_workbench.hypernetworks.base.errors import DatasetError
from hypernetwork_workbench.hypernetworks.data.encoding.cache import Cache
from hypernetwork_workbench.hypernetworks.data.encoding.latents import encode, encode_parts
from hypernetwork_workbench.hypernetworks.data.scan import read_dataset
from hypernetwork_workbench.hypernetworks.train.plan import make_plan
from hypernetwork_workbench.hypernetworks.train.settings.job import DataSettings
from PIL import Image

from tests.support.fake_ports import FakeEncoder, FakeProgress, fake_ports
from tests.support.runs import make_job

ROOT = Path(__file__).resolve().parents[4]


class SlowEncoder(FakeEncoder):
    """Takes as long for a picture or a text as a real one on a small GPU."""

    def encode_posterior(self, pictures):
        time.sleep(0.03 * len(pictures))
        return super().encode_posterior(pictures)

    def encode_texts(self, texts):
        time.sleep(0.03 * len(texts))
        return super().encode_texts(texts)


def start(folder, log_dir):
    """Everything before the first step; the encoder, the seconds it took, and those of them on the processor."""
    ports = fake_ports(log_dir)
    object.__setattr__(ports, "encoder", SlowEncoder())
    job = make_job(folder)
    began, began_cpu = time.perf_counter(), time.process_time()
    plan = make_plan(job, ports)
    encode_parts((plan.training, plan.held_out), ports, plan.cache)
    return ports.encoder, time.perf_counter() - began, time.process_time() - began_cpu


def test_a_second_start_asks_no_encoder_and_is_ten_times_faster(tmp_path):
    for number in range(20):
        Image.new("RGB", (48, 48), (12 * number, 90, 0)).save(tmp_path / f"picture{'x' * number}.png")
    first, first_s, _ = start(tmp_path, tmp_path / "ports")
    second, _, second_cpu_s = start(tmp_path, tmp_path / "ports")
    assert (first.encoded_pictures, len(first.encoded_texts)) == (20, 21)
    assert (second.encoded_pictures, second.encoded_texts) == (0, [])
    assert first_s >= 10 * second_cpu_s  # other work on the machine must not fail it
    Image.new("RGB", (48, 48), "white").save(tmp_path / "picture.png")
    third, *_ = start(tmp_path, tmp_path / "ports")
    assert (third.encoded_pictures, third.encoded_texts) == (1, [])


CHILD = """
import sys
import hypernetwork_workbench
import torch
from hypernetwork_workbench.hypernetworks.data.encoding.cache import Cache
from hypernetwork_workbench.hypernetworks.data.encoding.latents import encode, encode_parts
from hypernetwork_workbench.hypernetworks.data.scan import read_dataset
from hypernetwork_workbench.hypernetworks.train.settings.job import DataSettings
from tests.support.fake_ports import FakeEncoder, FakeProgress

pictures, folder = sys.argv[1:]
dataset = read_dataset(DataSettings(folder=pictures, width=128, height=128), "n")
expected = encode(dataset, FakeEncoder(), FakeProgress()).batch(range(len(dataset)), 0)
for round_ in range(9):
    cache = Cache(__import__("pathlib").Path(folder), 1)
    cache.limit_mb = 0 if round_ % 3 == 2 else 1  # now and then all that is not in use here goes
    found = encode(dataset, FakeEncoder(), FakeProgress(), cache).batch(range(len(dataset)), 0)
    assert torch.equal(found.latents, expected.latents)
    assert torch.equal(found.conditioning.text, expected.conditioning.text)
    cache.remember_pictures({sample.digest: sample.size for sample in dataset.samples})
    cache.used.clear()
    cache.prune()
"""


def test_processes_at_once_on_one_cache_spoil_nothing(tmp_path):
    pictures, cache = tmp_path / "pictures", tmp_path / "cache"
    pictures.mkdir()
    for number in range(30):
        Image.new("RGB", (128, 128), (8 * number, 90, 0)).save(pictures / f"y{'x' * number}.png")
    command = [sys.executable, "-W", "error", "-c", CHILD, str(pictures), str(cache)]
    children = [subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    said = [child.communicate(timeout=600)[1] for child in children]
    assert [child.returncode for child in children] == [0, 0], said
    assert all("cannot be read" not in text for text in said), said
    assert not [path for path in cache.iterdir() if path.suffix == ".part"]
    dataset = read_dataset(DataSettings(folder=str(pictures), width=128, height=128), "n")
    kept = encode(dataset, FakeEncoder(), FakeProgress(), Cache(cache, 100)).batch(range(30), 0)
    assert torch.equal(kept.latents, encode(dataset, FakeEncoder(), FakeProgress()).batch(range(30), 0).latents)


def test_a_folder_that_can_only_be_read_serves(pictures, tmp_path, monkeypatch, caplog):
    job, ports = make_job(pictures), fake_ports(tmp_path)
    plan = make_plan(job, ports)
    encode_parts((plan.dataset,), ports, plan.cache)

    def refuse(*_args, **_kwargs):
        raise PermissionError(13, "read-only")

    monkeypatch.setattr("os.utime", refuse)
    monkeypatch.setattr(Path, "unlink", refuse)
    again = fake_ports(tmp_path)
    encode_parts((plan.dataset,), again, make_plan(job, again).cache)
    assert (again.encoder.encoded_pictures, again.encoder.encoded_texts) == (0, [])
    assert Cache(tmp_path / "logs" / "latents", 0).prune() == 0
    assert not caplog.records


def start_of(job, ports):
    plan = make_plan(job, ports)
    encode_parts((plan.dataset,), ports, plan.cache)


class Stopping(FakeProgress):
    """Asks for the end at once, or once some text was shown."""

    def __init__(self, at=""):
        super().__init__()
        self.at = at

    def is_interrupted(self):
        return any(text.startswith(self.at) for text in ["", *self.texts])


@pytest.mark.parametrize(
    ("at", "text"), [("", "Reading pictures"), ("Reading", "Encoding pictures"), ("Encoding p", "Encoding captions")]
)
def test_the_time_before_the_first_step_can_be_stopped(pictures, tmp_path, at, text):
    ports = fake_ports(tmp_path)
    object.__setattr__(ports, "progress", Stopping(at))
    job = make_job(pictures)
    with pytest.raises(DatasetError, match=f"stopped by hand before the first step: {text}, 0 of"):
        start_of(job, ports)
