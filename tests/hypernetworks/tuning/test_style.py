"""The distance between the style of pictures and of a dataset."""

import pytest
import torch
from hypernetwork_workbench.hypernetworks.tuning.style import frechet_distance


def test_the_frechet_distance_is_that_of_normal_distributions() -> None:
    generator = torch.Generator().manual_seed(0)
    first = torch.randn(64, 4, 8, 8, generator=generator)
    assert frechet_distance(first, first) == pytest.approx(0, abs=1e-9)
    assert frechet_distance(first, first + 2) == pytest.approx(16, rel=1e-6)
    # Spreads s and 3 s differ by (3 s - s)² in each of four independent channels.
    spread = float(first.permute(1, 0, 2, 3).flatten(1).var(dim=1).sum())
    assert frechet_distance(first, first * 3) == pytest.approx(
        4 * spread + float((2 * first.mean(dim=(0, 2, 3))).square().sum()), rel=1e-6
    )
    other = torch.randn(64, 4, 8, 8, generator=generator)
    assert frechet_distance(first, other) == pytest.approx(frechet_distance(other, first), rel=1e-6)
