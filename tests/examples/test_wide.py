"""Pictures in looks of every kind, and the autoencoder that learnt to hold them."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypernetwork_workbench.benchmarks.learning import styles
from hypernetwork_workbench.examples.shapes import captions, checkpoint, data, draw, models, wide
from hypernetwork_workbench.examples.shapes import train_autoencoder as training

FILE = Path(__file__).resolve().parents[2] / "examples" / "demo.safetensors"
SHORT = training.WideningPlan(steps=2, pictures=16)


@pytest.mark.parametrize("size", [(64, 64), (96, 64), (40, 72)])
def test_a_seed_fixes_the_pictures_and_no_two_are_alike(size: tuple[int, int]) -> None:
    made = wide.wide_pictures(12, 1, size)
    assert made.shape == (12, 3, size[1], size[0])
    assert made.dtype == torch.uint8
    assert torch.equal(made, wide.wide_pictures(12, 1, size))
    assert len({one.numpy().tobytes() for one in (*made, *wide.wide_pictures(12, 2, size))}) == 24


def test_widening_leaves_the_autoencoder_that_it_begins_with() -> None:
    torch.manual_seed(0)
    before = models.Autoencoder()
    weights = {name: one.clone() for name, one in before.state_dict().items()}
    wider = training.widen_autoencoder(before, SHORT).state_dict()
    assert all(torch.equal(one, before.state_dict()[name]) for name, one in weights.items())
    assert any(not torch.equal(one, wider[name]) for name, one in weights.items())


def test_known_latents_that_move_cost_what_the_plan_says() -> None:
    """The mean of every latent moves by a step: its square times the weight is all that two weights differ by."""
    torch.manual_seed(0)
    before, moved = models.Autoencoder(), models.Autoencoder()
    moved.load_state_dict(before.state_dict())
    step = 2.0
    with torch.no_grad():
        moved.quant_conv.bias[: models.LATENT_CHANNELS] += step
    pictures = data.as_input(data.draw_many(8, draw.PLAIN, 1).pictures)
    losses = []
    for pin in (0.0, 3.0):
        torch.manual_seed(1)
        with torch.no_grad():
            loss, change = training._widening_loss(moved, before, pictures, replace(SHORT, pin=pin, known=5))
        losses.append(float(loss))
    expected = (step * models.SCALE_FACTOR) ** 2
    assert float(change) == pytest.approx(expected, rel=0.02)
    assert losses[1] - losses[0] == pytest.approx(3 * expected, rel=0.02)


@pytest.mark.parametrize("style", styles.STYLES, ids=lambda style: style.name)
def test_pictures_in_styles_never_seen_are_still_read_after_decoding(style: styles.Style) -> None:
    autoencoder = checkpoint.load_checkpoint(FILE).autoencoder
    pictures, texts = style.fresh(), [captions.caption(subject) for subject in captions.held_out() * 4]
    given = data.as_input(torch.stack([data.to_tensor(picture) for picture in pictures]))
    with torch.no_grad():
        decoded = torch.cat([autoencoder.decode(autoencoder.encode(part)) for part in given.split(16)])
    read = [style.follows(*pair) for pair in zip(data.to_pictures(decoded), texts, strict=True)]
    assert sum(read) >= 0.85 * len(read)
    assert math.sqrt((decoded - given).square().mean()) * 127.5 < 24
