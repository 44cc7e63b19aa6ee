"""What a plan says before anything is done."""

from types import SimpleNamespace

import pytest
from hypernetwork_workbench.hypernetworks.data.batches import BatchKind
from hypernetwork_workbench.hypernetworks.train import plan
from hypernetwork_workbench.hypernetworks.train.plan import make_plan
from hypernetwork_workbench.hypernetworks.train.run import train
from hypernetwork_workbench.hypernetworks.train.tracking import remarks

from tests.support.fake_ports import fake_ports
from tests.support.runs import make_job


def lines(pictures, folder, **changes):
    return make_plan(make_job(pictures, **changes), fake_ports(folder)).lines()


def test_a_plan_tells_pictures_steps_weights_and_rates(pictures, tmp_path):
    found = lines(pictures, tmp_path, train__gradient_accumulation=2)
    start = found.index("5 pictures, framed to 32 x 32 (5); 0 held out for validation.")
    # Batches of 2, 2 and 1, two of them a step.
    steps = "2 steps per epoch (batch size 2, gradient accumulation 2); 12 steps are 6 epochs."
    assert found[start + 1] == steps
    # Of width 12, k and v have layers of 12 * 24 + 24 and 24 * 12 + 12 weights each.
    assert found[start + 2] == "1,224 weights for the widths 12."
    assert found[start + 4] == "The learning rate starts at 0.01 and ends at 0.01."


@pytest.mark.parametrize(("steps", "last"), [(11, 0.005), (12, 0.00146)])
def test_the_last_rate_is_that_of_the_last_step(steps, last, pictures, tmp_path):
    # In cycles of four steps the rate of the third is half the peak, and that of the fourth (1 + cos(3 pi / 4)) / 2.
    changes = {"schedule__kind": "cosine restarts", "schedule__cycle": "4", "train__max_steps": steps}
    assert f"The learning rate starts at 0.01 and ends at {last}." in lines(pictures, tmp_path, **changes)


def test_a_schedule_that_ends_before_the_run_is_told(pictures, tmp_path):
    sentence = "The schedule ends at step 5, and so does the run."
    assert sentence in lines(pictures, tmp_path, schedule__rate="0.01:5")
    assert sentence not in lines(pictures, tmp_path, schedule__rate="0.01:5", train__max_steps=5)


def test_where_nothing_can_be_held_out_the_plan_says_so(pictures, tmp_path):
    sentence = "No picture is held out for validation: that takes at least two to train on."
    assert sentence not in lines(pictures, tmp_path, train__validation_share=0.4)
    assert "5 pictures, framed to 32 x 32 (3); 2 held out for validation." in lines(
        pictures, tmp_path, train__validation_share=0.4
    )
    for path in sorted(pictures.glob("*.png"))[1:]:
        path.unlink()
    assert sentence in lines(pictures, tmp_path, train__validation_share=0.4)
    assert sentence not in lines(pictures, tmp_path)


def test_a_plan_to_continue_tells_from_where(pictures, tmp_path):
    train(make_job(pictures, output__sheet=False), fake_ports(tmp_path, stop_after=5))
    job = make_job(pictures, output__sheet=False)
    assert "The run continues from step 5." in make_plan(job, fake_ports(tmp_path), resume=True).lines()
    train(job, fake_ports(tmp_path), resume=True).network.unlink()
    done = make_plan(job, fake_ports(tmp_path), resume=True)
    assert "All 12 steps are done; the results that are missing are written." in done.lines()
    assert not [line for line in done.lines() if "continues" in line]


def dataset(*kinds, count=None):
    """Return what has pictures of these sizes in its epochs, and `count` pictures."""

    class Dataset(SimpleNamespace):
        def __len__(self):
            return len(kinds) if count is None else count

    return Dataset(kinds=[BatchKind(*kind, 1) for kind in kinds])


@pytest.mark.parametrize(
    ("pictures_of", "text"),
    [
        (dataset((8, 8), (8, 16), (8, 16)), "framed to 8 x 16 (2), 8 x 8 (1)"),
        (dataset((8, 8), (8, 8), count=1), "shown 2 times an epoch, framed to 8 x 8 (2)"),
        (dataset(*((8, 8 * n) for n in range(1, 9))), ", 8 x 64 (1)"),
        (dataset(*((8, 8 * n) for n in range(1, 10))), ", 8 x 64 (1) and 1 other sizes"),
    ],
)
def test_the_eight_most_common_sizes_are_told(pictures_of, text):
    assert plan._sizes(pictures_of).endswith(text)


@pytest.mark.parametrize(("text_width", "width", "is_said"), [(2048, 720, True), (2048, 736, False), (768, 16, False)])
def test_pictures_far_below_the_size_that_sdxl_knows_are_told(text_width, width, is_said):
    pictures = SimpleNamespace(kinds=[BatchKind(64, 64, 8), BatchKind(width, 720, 1)])
    said = remarks._too_small(SimpleNamespace(widths=(text_width, 640)), pictures)
    expected = (
        f"SDXL knows pictures of about 1024 x 1024 pixels, and these have at most {width} x 720: raise data.width and "
        "data.height.",
    )
    assert said == (expected if is_said else ())


def test_the_plan_says_so_where_pictures_are_too_small(pictures, tmp_path, monkeypatch):
    monkeypatch.setattr(remarks, "_too_small", lambda *_: ("They are too small.",))
    assert "They are too small." in lines(pictures, tmp_path)
