"""The limits and first values of the settings of the data."""

import pytest
from hypernetwork_workbench.hypernetworks.data.settings import DataSettings

from tests.support.limits import check_limits


@pytest.mark.parametrize(
    ("field", "smallest", "largest", "first"),
    [
        ("width", 8, 2048, 512),
        ("height", 8, 2048, 512),
        ("batch_size", 1, 256, 1),
        ("bucket_step", 8, 64, 64),
        ("min_side", 8, 2048, 64),
        ("max_side", 8, 8192, 2048),
        ("keep_tags", 0, 1000, 0),
        ("tag_dropout", 0.0, 1.0, 0.0),
        ("caption_dropout", 0.0, 1.0, 0.0),
        ("caption_dropout_every", 0, 100_000, 0),
        ("repeats", 1, 10_000, 1),
        ("weight", 0.0001, 1000.0, 1.0),
        ("regularisation_weight", 0.0001, 1000.0, 1.0),
        ("cache_limit_mb", 1, 10_000_000, 4096),
    ],
)
def test_limits_are_taken_and_nothing_beyond(field, smallest, largest, first):
    others = {"min_side": 8} if field == "max_side" else {}
    check_limits(DataSettings, field, smallest, largest, folder="pictures", **others)
    assert getattr(DataSettings(folder="pictures"), field) == first


def test_what_is_on_and_off_where_nobody_said():
    settings = DataSettings(folder="pictures")
    assert settings.cache
    assert not any((settings.flip, settings.upscale, settings.shuffle_tags, settings.folder_repeats))
    assert not settings.stop_at_broken
