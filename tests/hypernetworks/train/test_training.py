"""Training runs on a model of a few numbers: what they learn, write, repeat and refuse."""

import dataclasses
import itertools
import json
import re

import pytest
import torch
from hypernetwork_workbench.hypernetworks import files
from hypernetwork_workbench.hypernetworks.base.errors import DatasetError, NonFiniteLossError, SettingsError
from hypernetwork_workbench.hypernetworks.files.create import starting_network
from hypernetwork_workbench.hypernetworks.train.plan import make_plan
from hypernetwork_workbench.hypernetworks.train.run import train
from PIL import Image

from tests.support.fake_ports import FakeDenoiser, fake_ports
from tests.support.runs import make_job, read_log, same, weights


def test_a_run_learns_and_writes_network_log_sheet_and_job(pictures, tmp_path):
    ports = fake_ports(tmp_path)
    result = train(make_job(pictures, train__max_steps=200), ports)
    assert result.steps == 200
    assert result.loss_last < 0.7 * result.loss_first
    assert result.network == ports.network_dir / "fake.pt"
    assert result.sheet is not None
    with Image.open(result.sheet) as sheet:
        assert sheet.width > 500
    rows = read_log(result.log)
    assert [int(row["step"]) for row in rows] == list(range(1, 201))
    assert (result.log.parent / "job.toml").read_text(encoding="utf-8").startswith("[network]")
    network = files.load(result.network)
    assert network.metadata.step == 200
    assert network.metadata.sd_checkpoint == "0123456789"
    assert network.metadata.training["settings"]["train"]["seed"] == 3


def test_one_seed_gives_one_result_whatever_the_previews_and_the_global_generator(pictures, tmp_path):
    first = train(make_job(pictures), fake_ports(tmp_path / "a"))
    torch.randn(100)
    second = train(make_job(pictures, preview__every=3), fake_ports(tmp_path / "b"))
    other = train(make_job(pictures, train__seed=4), fake_ports(tmp_path / "c"))
    assert same(weights(first.network), weights(second.network))
    assert not same(weights(first.network), weights(other.network))
    assert len(second.previews) == 4


def test_training_leaves_the_global_generators_alone(pictures, tmp_path):
    torch.manual_seed(11)
    expected = torch.randn(3)
    torch.manual_seed(11)
    train(make_job(pictures, output__sheet=False), fake_ports(tmp_path))
    assert torch.equal(torch.randn(3), expected)


@pytest.mark.parametrize("length", ["10", "2 epochs"])
@pytest.mark.parametrize(("rate", "end"), [("0.1:4", 4), ("0.1:10", None), ("0.1", None)])
def test_a_schedule_that_ends_before_the_run_is_told(pictures, tmp_path, length, rate, end):
    job = make_job(pictures, train__max_steps=length, data__batch_size=1, schedule__rate=rate)
    told = [line for line in make_plan(job, fake_ports(tmp_path)).lines() if line.startswith("The schedule ends")]
    assert told == ([f"The schedule ends at step {end}, and so does the run."] if end else [])


def test_every_length_may_be_in_epochs(pictures, tmp_path):
    changes = {
        "train__max_steps": "2 epochs",
        "data__batch_size": 1,
        "schedule__rate": "0.01:1 epoch, 0.001",
        "optimizer__clip": "norm",
        "optimizer__clip_limit": "1e9:1 epoch, 1e-9",
    }
    rows = read_log(train(make_job(pictures, **changes), fake_ports(tmp_path)).log)
    assert [float(row["rate"]) for row in rows] == [0.01] * 5 + [0.001] * 5
    plan = make_plan(make_job(pictures, output__name="plan", **changes), fake_ports(tmp_path))
    assert [plan.clip_limits.rate(step) for step in (0, 4, 5, 9)] == [1e9, 1e9, 1e-9, 1e-9]
    warm = make_job(
        pictures,
        output__name="warm",
        **{**changes, "schedule__rate": "0.01"},
        schedule__kind="cosine restarts",
        schedule__warmup="1 epoch",
    )
    rates = [make_plan(warm, fake_ports(tmp_path)).schedule.rate(step) for step in range(10)]
    assert rates.index(max(rates)) == 5


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"train__max_steps": "9999999 epochs"}, "train.max_steps"),
        ({"train__max_steps": "2 epochs", "schedule__rate": "0.1:7, 0.01:1 epoch"}, "schedule.rate"),
        ({"optimizer__clip_limit": "1:7, 0.1:1 epoch"}, "optimizer.clip_limit"),
        (
            {"train__max_steps": "1 epoch", "schedule__kind": "cosine restarts", "schedule__warmup": "3 epochs"},
            "schedule.warmup",
        ),
    ],
)
def test_a_length_in_epochs_that_does_not_fit_the_pictures_is_named(pictures, tmp_path, changes, field):
    job = make_job(pictures, data__batch_size=1, **changes)
    with pytest.raises(SettingsError, match=rf"^{re.escape(field)}: "):
        make_plan(job, fake_ports(tmp_path))


def test_every_picture_is_seen_once_per_epoch_and_weighs_the_same(pictures, tmp_path):
    # 5 pictures in batches of 2, gathered by 2: steps of 4 and 1 pictures.
    result = train(make_job(pictures, train__gradient_accumulation=2, train__max_steps=4), fake_ports(tmp_path))
    rows = read_log(result.log)
    assert [(row["epoch"], row["pictures"]) for row in rows] == [("1", "4"), ("1", "1"), ("2", "4"), ("2", "1")]


def test_each_text_is_encoded_once(pictures, tmp_path):
    ports = fake_ports(tmp_path)
    train(make_job(pictures), ports)
    assert sorted(ports.encoder.encoded_texts) == ["", *(f"picture {'x' * n}".strip() for n in range(5))]
    assert ports.encoder.encoded_pictures == 5


def test_an_interrupt_ends_after_the_step_and_keeps_the_work(pictures, tmp_path):
    result = train(make_job(pictures), fake_ports(tmp_path, stop_after=5))
    assert result.interrupted
    assert result.steps == 5
    assert files.load(result.network).metadata.step == 5


def test_a_second_run_goes_on_with_the_file_and_counts_on(pictures, tmp_path):
    first = train(make_job(pictures), fake_ports(tmp_path))
    job = make_job(pictures, network__file=str(first.network), output__overwrite=True)
    second = train(job, fake_ports(tmp_path))
    assert files.load(second.network).metadata.step == 24


def test_a_loss_that_is_not_finite_names_the_step_and_leaves_the_file_whole(pictures, tmp_path):
    first = train(make_job(pictures), fake_ports(tmp_path))
    before = first.network.read_bytes()
    job = make_job(
        pictures,
        network__file=str(first.network),
        output__overwrite=True,
        schedule__rate="10",
        optimizer__name="SGD",
        train__max_steps=500,
    )
    ports = fake_ports(tmp_path)
    with pytest.raises(NonFiniteLossError, match=r"^step \d+: the loss or its gradient is not finite"):
        train(job, ports)
    assert first.network.read_bytes() == before
    kept = files.load(ports.log_dir / "fake" / "fake-unfinished.pt")
    assert all(torch.isfinite(weight).all() for weight in kept.parameters())


def test_an_existing_name_is_not_replaced_unless_allowed(pictures, tmp_path):
    train(make_job(pictures), fake_ports(tmp_path))
    with pytest.raises(SettingsError, match=r"^output.name: fake.pt exists already"):
        train(make_job(pictures), fake_ports(tmp_path))


def test_a_schedule_that_ends_early_ends_the_run(pictures, tmp_path):
    result = train(make_job(pictures, schedule__rate="0.01:5"), fake_ports(tmp_path))
    assert result.steps == 5
    assert not result.interrupted


@pytest.mark.parametrize("optimizer", ["AdamW", "Adam", "SGD"])
@pytest.mark.parametrize("loss", ["l2", "huber"])
def test_every_optimizer_and_loss_moves_the_weights(pictures, tmp_path, optimizer, loss):
    job = make_job(pictures, optimizer__name=optimizer, loss__kind=loss, schedule__rate="0.0001")
    result = train(job, fake_ports(tmp_path))
    untrained = train(
        make_job(
            pictures,
            train__max_steps=1,
            schedule__rate="0",
            output__name="still",
            optimizer__arguments="weight_decay=0.0",
        ),
        fake_ports(tmp_path),
    )
    assert not same(weights(result.network), weights(untrained.network))


def test_clipping_bounds_the_step(pictures, tmp_path):
    free = train(make_job(pictures, optimizer__name="SGD", train__max_steps=1), fake_ports(tmp_path / "a"))
    clipped = train(
        make_job(
            pictures, optimizer__name="SGD", train__max_steps=1, optimizer__clip="norm", optimizer__clip_limit="1e-4"
        ),
        fake_ports(tmp_path / "b"),
    )
    start = train(
        make_job(pictures, optimizer__name="SGD", train__max_steps=1, schedule__rate="0"), fake_ports(tmp_path / "c")
    )
    origin = weights(start.network)

    def moved(result):
        return sum(((w - origin[n]) ** 2).sum() for n, w in weights(result.network).items()).sqrt().item()

    assert moved(clipped) <= 1e-4 * 0.01 + 1e-7 < moved(free)


def test_rate_and_limit_of_clipping_follow_their_schedules(pictures, tmp_path):
    """With plain SGD the weights move by the rate times the clipped norm, which is the limit of each step."""
    limits = (1e-2, 1e-2, 4e-2, 4e-2, 1e-3)
    rates = (0.5, 0.25, 0.25, 0.25, 1.0)
    job = make_job(
        pictures,
        train__max_steps=5,
        schedule__rate="0.5:1,0.25:4,1.0",
        optimizer__name="SGD",
        optimizer__arguments="momentum=0.0",
        optimizer__clip="norm",
        optimizer__clip_limit="1e-2:2,4e-2:4,1e-3",
        output__save_every="1",
        output__sheet=False,
    )
    result = train(job, fake_ports(tmp_path))
    assert all(float(row["gradient_norm"]) > 4e-2 for row in read_log(result.log))
    copies = [weights(path) for path in sorted(tmp_path.rglob("fake-00000[1-4].pt"))]
    states = [starting_weights(job), *copies, weights(result.network)]
    assert len(states) == 6
    for (before, after), rate, limit in zip(itertools.pairwise(states), rates, limits, strict=True):
        moved = sum(((after[name] - weight) ** 2).sum() for name, weight in before.items()).sqrt().item()
        assert moved == pytest.approx(rate * limit, rel=1e-3)


def starting_weights(job):
    return starting_network(job.network, FakeDenoiser.widths, job.train.seed).state_dict()


def test_nothing_is_written_when_the_dataset_is_wrong(pictures, tmp_path):
    (pictures / "broken.png").write_bytes(b"no picture")
    (pictures / "4.txt").write_bytes(b"\xff\xfe\xfa")
    ports = fake_ports(tmp_path)
    with pytest.raises(DatasetError, match=r"(?s)4\.txt.*broken\.png"):
        train(make_job(pictures, data__stop_at_broken=True), ports)
    for folder in (tmp_path / "nothing", pictures / "empty"):
        folder.mkdir(exist_ok=True)
        with pytest.raises(SettingsError, match=r"data\.folder.*holds no picture"):
            train(make_job(folder), ports)
    with pytest.raises(SettingsError, match=r"data\.folder.*is not a folder"):
        train(make_job(tmp_path / "missing"), ports)
    assert not ports.network_dir.exists()
    assert not ports.log_dir.exists()


def test_a_network_that_fits_no_layer_is_refused(pictures, tmp_path):
    alien = train(make_job(pictures), fake_ports(tmp_path)).network
    network = files.load(alien)
    ports = fake_ports(tmp_path)
    ports = dataclasses.replace(ports, denoiser=_with_widths(ports.denoiser, (99,)))
    job = make_job(pictures, network__file=str(alien), output__name="other")
    with pytest.raises(SettingsError, match=r"^network\.file: its widths \(12,\) fit none"):
        train(job, ports)
    assert network.widths == (12,)


def _with_widths(denoiser, widths):
    denoiser.widths = widths
    return denoiser


def test_the_job_in_the_metadata_is_plain_json(pictures, tmp_path):
    network = files.load(train(make_job(pictures), fake_ports(tmp_path)).network)
    assert json.loads(json.dumps(network.metadata.training)) == network.metadata.training


def test_all_that_does_not_fit_is_reported_at_once(pictures, tmp_path):
    wrong = {
        "data__folder": str(tmp_path / "nowhere"),
        "network__file": str(tmp_path / "none.pt"),
        "optimizer__arguments": "weight_decay=-1.0",
        "train__precision": "fp16",
        "preview__prompt_file": str(tmp_path / "prompts.txt"),
        "schedule__kind": "cosine restarts",
        "schedule__cycle": "1 epoch",
        "schedule__warmup": 5,
    }
    fields = ["train.precision", "optimizer.arguments", "data.folder", "network.file"]
    with pytest.raises(SettingsError) as caught:
        train(make_job(pictures, **wrong), fake_ports(tmp_path))
    # How long the cycle is, nobody knows without the pictures.
    assert [error.field for error in caught.value.errors] == [*fields, "preview.prompt_file"]
    assert not list((tmp_path / "networks").glob("*"))
