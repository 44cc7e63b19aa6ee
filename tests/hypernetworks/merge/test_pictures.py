"""The settings of pictures that show a merge."""

from __future__ import annotations

import pytest
from hypernetwork_workbench.hypernetworks.base.errors import SettingsError
from hypernetwork_workbench.hypernetworks.merge.pictures import PictureSettings
from hypernetwork_workbench.hypernetworks.ports import PictureRequest


def test_every_value_reaches_the_picture():
    settings = PictureSettings("p", "n", "euler", 7, 3.5, 11, 128, 192)
    assert settings.request(str.title) == PictureRequest("p", 11, 128, 192, "n", "Euler", 7, 3.5)


def test_a_seed_is_drawn_for_minus_one_alone():
    drawn = [PictureSettings(seed=-1).request(str).seed for _ in range(3)]
    assert len(set(drawn)) == 3
    assert all(0 <= seed < 2**32 for seed in drawn)
    assert PictureSettings(seed=0).request(str).seed == 0


def test_what_cannot_be_made_is_refused():
    with pytest.raises(SettingsError) as caught:
        PictureSettings(width=68, height=100)
    assert [str(one) for one in caught.value.errors] == [
        "width: must be a multiple of 8, not 68",
        "height: must be a multiple of 8, not 100",
    ]

    def find(name: str) -> str:
        raise SettingsError("preview.sampler", f"there is no {name}")

    with pytest.raises(SettingsError, match=r"^sampler: there is no x$"):
        PictureSettings(sampler="x").request(find)
