"""The progress of the work before the first step is shown, and ended by hand."""

import pytest
from hypernetwork_workbench.hypernetworks.base.errors import DatasetError
from hypernetwork_workbench.hypernetworks.data.progress import report
from hypernetwork_workbench.hypernetworks.data.scan import read_dataset
from hypernetwork_workbench.hypernetworks.train.settings.job import DataSettings
from PIL import Image

from tests.support.fake_ports import FakeProgress, fake_ports


def test_it_is_shown_or_ends_the_work():
    progress = FakeProgress()
    report(progress, 2, 5, "Encoding pictures")
    assert progress.texts == ["Encoding pictures, 2 of 5"]
    with pytest.raises(DatasetError, match=r"^stopped by hand before the first step: Encoding pictures, 3 of 5$"):
        report(FakeProgress(stop_after=0), 3, 5, "Encoding pictures")


def test_every_twentieth_picture_that_is_read_is_told(tmp_path):
    for number in range(21):
        Image.new("RGB", (8, 8)).save(tmp_path / f"{number:02}.png")
    ports = fake_ports(tmp_path)
    read_dataset(DataSettings(folder=str(tmp_path), width=64, height=64, upscale=True), "n", ports=ports)
    assert ports.progress.texts == ["Reading pictures, 0 of 21", "Reading pictures, 20 of 21"]
