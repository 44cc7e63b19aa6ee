"""The demo, as the README promises it: a style learnt from 16 pictures in under three minutes."""

import json
import os
import subprocess
import time

import pytest
import torch
from hypernetwork_workbench.examples.shapes import checkpoint

from tests import sources
from tests.support import commands

#: The most that the demo takes, in steps of the bare U-Net: some three for each of its 600, as pictures are made too.
MOST_BARE_STEPS = 1900
PICTURES = 32

train = commands.quick("standalone.train_command")


def bare_step_s(steps: int = 30) -> float:
    """Return the processor's time for a step of the frozen U-Net alone, there and back, on one core of this machine."""
    unet = checkpoint.load_checkpoint(sources.ROOT / "examples" / "demo.safetensors").unet.requires_grad_(False)
    latents, context = torch.randn(8, 4, 8, 8), torch.randn(8, 77, 96, requires_grad=True)
    threads, before = torch.get_num_threads(), time.process_time()
    torch.set_num_threads(1)
    try:
        for _ in range(steps):
            unet(latents, torch.full((8,), 500), context).sum().backward()
    finally:
        torch.set_num_threads(threads)
    return (time.process_time() - before) / steps


def test_a_short_demo_learns_its_style(tmp_path):
    """The job itself in a tenth of its steps, as a user shortens it."""
    report = tmp_path / "report.json"
    shorter = {"train.max_steps": 50, "preview.every": 0, "preview.sampling_steps": 12, "evaluation.pictures": 8}
    words = [word for name, value in shorter.items() for word in ("--set", f"{name}={value}")]
    job = sources.ROOT / "examples" / "demo.toml"
    ended = train(job, "--data-dir", tmp_path / "host", "--report", report, *words)
    assert ended.returncode == 0, ended.stderr
    found = json.loads(report.read_text(encoding="utf-8"))
    assert found["style_distance"]["after"] <= found["style_distance"]["before"] / 3
    assert found["outline_contrast"]["before"] < 0.05 < found["outline_contrast"]["style"]
    assert found["outline_contrast"]["after"] > found["outline_contrast"]["before"]
    assert found["captions_followed"]["before"] >= 0.9
    assert found["captions_followed"]["after"] >= 0.5
    assert found["files"]["network"] == str(tmp_path / "host" / "models" / "hypernetworks" / "night.pt")


@pytest.mark.long("test_a_short_demo_learns_its_style")
@pytest.mark.slow
def test_the_demo_learns_its_style_and_still_follows_captions(tmp_path):
    report = tmp_path / "report.json"
    arguments = [sources.ROOT / "examples" / "demo.toml", "--data-dir", tmp_path / "host", "--report", report]
    arguments += ["--set", f"evaluation.pictures={PICTURES}"]
    bare_s = [bare_step_s()]
    before = os.times()
    with commands.start("standalone.train_command", *arguments, stderr=subprocess.PIPE, encoding="utf-8") as training:
        _, told = training.communicate()
    assert training.returncode == 0, told
    after = os.times()
    # The time of one core: a clock would also count what else the machine is doing.
    spent_s = after.children_user + after.children_system - before.children_user - before.children_system
    bare_s.append(bare_step_s())
    assert spent_s < MOST_BARE_STEPS * sum(bare_s) / 2, (spent_s, bare_s)
    found = json.loads(report.read_text(encoding="utf-8"))
    distance, outlines, followed = (found[n] for n in ("style_distance", "outline_contrast", "captions_followed"))
    assert distance["after"] <= distance["before"] / 4
    assert distance["after"] < distance["half"] < distance["before"]
    assert outlines["after"] >= (outlines["before"] + outlines["style"]) / 2
    assert outlines["before"] < 0.05 < outlines["style"]  # the measure tells plain pictures from outlined ones
    assert followed["before"] >= 0.9
    assert followed["after"] >= 0.5
    assert found["files"]["network"] == str(tmp_path / "host" / "models" / "hypernetworks" / "night.pt")
