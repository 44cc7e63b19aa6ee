"""Latents and conditionings: encoded once, drawn as asked, and kept for the next run."""

import os
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from hypernetwork_workbench.hypernetworks.base.errors import TrainingError
from hypernetwork_workbench.hypernetworks.base.forms import Array, Record
from hypernetwork_workbench.hypernetworks.data.encoding.cache import Cache
from hypernetwork_workbench.hypernetworks.data.encoding.conditionings import padded
from hypernetwork_workbench.hypernetworks.data.encoding.latents import encode
from hypernetwork_workbench.hypernetworks.data.scan import read_dataset
from hypernetwork_workbench.hypernetworks.train.run import train
from hypernetwork_workbench.hypernetworks.train.settings.job import DataSettings
from PIL import Image

from tests.support.fake_ports import FakeEncoder, FakeProgress, fake_ports
from tests.support.runs import make_job, same, weights


def encoded(folder, encoder=None, cache=None, seed=0, **changes):
    settings = DataSettings(folder=str(folder), width=32, height=32, **changes)
    return encode(read_dataset(settings, "n", seed), encoder or FakeEncoder(), FakeProgress(), cache)


def test_deterministic_latents_are_equal_random_ones_are_not_and_their_mean_is_near(pictures):
    mean = encoded(pictures).batch([0], 0).latents
    assert torch.equal(mean, encoded(pictures).batch([0], 7).latents)
    data = encoded(pictures, latents="random")
    drawn = torch.cat([data.batch([0], epoch).latents for epoch in range(200)])
    assert torch.equal(drawn[:1], data.batch([0], 0).latents)
    assert len({tuple(row.flatten().tolist()) for row in drawn}) == 200
    assert (drawn.mean(0) - mean[0]).abs().max() < 0.1 * 4 / 200**0.5
    assert drawn.std(0).mean().item() == pytest.approx(0.1, rel=0.1)


def test_once_draws_a_single_time(pictures):
    data = encoded(pictures, latents="once")
    first = data.batch([0, 1], 0).latents
    assert torch.equal(first, data.batch([0, 1], 5).latents)
    assert torch.equal(first, encoded(pictures, latents="once").batch([0, 1], 0).latents)
    assert not torch.equal(first, encoded(pictures, latents="once", seed=1).batch([0, 1], 0).latents)
    assert not torch.equal(first, encoded(pictures).batch([0, 1], 0).latents)


class Overflowing(FakeEncoder):
    """Gives no finite numbers for the second picture, in its latents or in how far they scatter."""

    def __init__(self, part):
        super().__init__()
        self.part = part

    def encode_posterior(self, pictures):
        found = super().encode_posterior(pictures)
        if len(pictures) > 1:
            found[self.part][1, 0, 0, 0] = float("inf")
        return found


@pytest.mark.parametrize("part", [0, 1])
def test_a_picture_that_is_too_much_for_the_vae_is_named(pictures, tmp_path, part):
    second = sorted(path.name for path in pictures.glob("*.png"))[1]
    cache = Cache(tmp_path / "cache", 100)
    with pytest.raises(TrainingError, match=f"no finite numbers for .*{second}; choose another one, or start"):
        encoded(pictures, Overflowing(part), cache)
    assert len(list((tmp_path / "cache").iterdir())) == 1, "it is not kept"


class Slanted(FakeEncoder):
    """Sees the left and the right of a picture with different eyes, as a real VAE does."""

    def encode_posterior(self, pictures):
        mean, std = super().encode_posterior(pictures)
        return mean + torch.linspace(0, 1, mean.shape[-1]), std


def test_flipped_pictures_are_encoded_not_mirrored(tmp_path):
    picture = Image.new("RGB", (32, 32), "red")
    picture.paste("blue", (0, 0, 16, 32))
    picture.save(tmp_path / "a.png")
    encoder = Slanted()
    data = encoded(tmp_path, encoder, flip=True)
    assert encoder.encoded_pictures == 2
    seen = [data.batch([0], epoch).latents for epoch in range(40)]
    plain = encoded(tmp_path, Slanted()).batch([0], 0).latents
    flipped = [latents for latents in seen if not torch.equal(latents, plain)]
    assert 8 < len(flipped) < 32
    assert not torch.equal(flipped[0], plain.flip(-1))
    slant = torch.linspace(0, 1, 4)
    assert torch.allclose(flipped[0] - slant, (plain - slant).flip(-1))


def test_random_crops_are_drawn_for_each_repeat(tmp_path):
    Image.linear_gradient("L").resize((32, 96)).save(tmp_path / "a.png")
    data = encoded(tmp_path, crop="random", repeats=6)
    latents = [data.batch([item], 0).latents.mean().item() for item in range(6)]
    assert len({round(value, 4) for value in latents}) == 6
    assert encoded(tmp_path, crop="random", repeats=6, seed=3).batch([0], 0).latents.mean().item() != latents[0]


def test_pictures_of_many_sizes_are_encoded_by_size(tmp_path):
    for number, size in enumerate([(64, 32), (32, 64), (64, 32), (48, 48)]):
        Image.new("RGB", size, (60 * number, 0, 0)).save(tmp_path / f"{number}.png")
    data = encoded(tmp_path, framing="buckets", bucket_step=8, min_side=8)
    sizes = [tuple(data.batch([item], 0).latents.shape[2:]) for item in range(4)]
    assert sizes[0] == sizes[2] == sizes[1][::-1]
    assert sizes[3] == (4, 4)
    reds = [data.batch([item], 0).latents[0, 0].mean().item() for item in range(4)]
    assert reds == sorted(reds)


def test_a_second_start_needs_no_encoder_and_gives_the_same(pictures, tmp_path):
    first, second = fake_ports(tmp_path), fake_ports(tmp_path)
    one = train(make_job(pictures, train__validation_share=0.3), first)
    two = train(make_job(pictures, train__validation_share=0.3, output__name="again"), second)
    assert first.encoder.encoded_pictures == 5
    assert (second.encoder.encoded_pictures, second.encoder.encoded_texts) == (0, [])
    assert same(weights(one.network), weights(two.network))
    without = fake_ports(tmp_path / "without")
    assert same(
        weights(train(make_job(pictures, train__validation_share=0.3, data__cache=False), without).network),
        weights(one.network),
    )
    assert not (without.log_dir / "latents").exists()


def test_a_changed_picture_is_encoded_again_alone(pictures, tmp_path):
    train(make_job(pictures), fake_ports(tmp_path))
    Image.new("RGB", (40, 48), "red").save(pictures / "0.png")
    ports = fake_ports(tmp_path)
    train(make_job(pictures, output__name="again"), ports)
    assert (ports.encoder.encoded_pictures, ports.encoder.encoded_texts) == (1, [])


@pytest.mark.parametrize(
    "change", [{"data__width": 40}, {"data__background": "black"}, {"data__flip": True}, {"data__masks": "alpha"}]
)
def test_what_changes_the_latents_makes_others(pictures, tmp_path, change):
    train(make_job(pictures), fake_ports(tmp_path))
    ports = fake_ports(tmp_path)
    train(make_job(pictures, output__name="again", **change), ports)
    assert ports.encoder.encoded_pictures == 5


def test_another_vae_or_text_encoder_makes_others(pictures, tmp_path):
    train(make_job(pictures), fake_ports(tmp_path))
    ports = fake_ports(tmp_path)
    ports.encoder.picture_fingerprint = lambda: "another"
    train(make_job(pictures, output__name="again"), ports)
    assert (ports.encoder.encoded_pictures, ports.encoder.encoded_texts) == (5, [])
    ports = fake_ports(tmp_path)
    ports.encoder.text_fingerprint = lambda: "another"
    train(make_job(pictures, output__name="third"), ports)
    assert (ports.encoder.encoded_pictures, len(ports.encoder.encoded_texts)) == (0, 6)


def test_files_that_broke_are_made_again(pictures, tmp_path, caplog):
    cache = Cache(tmp_path, 100)
    whole = encoded(pictures, cache=cache).batch([0, 1, 2], 0)
    files = sorted(tmp_path.glob("*.safetensors"))
    files[0].write_bytes(b"no tensors")
    files[1].write_bytes(files[1].read_bytes()[:40])
    again = encoded(pictures, cache=cache).batch([0, 1, 2], 0)
    assert torch.equal(again.latents, whole.latents)
    assert torch.equal(again.conditioning.text, whole.conditioning.text)
    assert caplog.text.count("cannot be read and are made again") == 2
    encoder = FakeEncoder()
    encoded(pictures, encoder, cache)
    assert (encoder.encoded_pictures, encoder.encoded_texts) == (0, [])


def test_runs_at_once_on_one_cache_spoil_nothing(pictures, tmp_path):
    expected = encoded(pictures).batch(range(5), 0)
    with ThreadPoolExecutor(4) as pool:
        runs = [pool.submit(lambda: encoded(pictures, cache=Cache(tmp_path, 1)).batch(range(5), 0)) for _ in range(8)]
    for run in runs:
        assert torch.equal(run.result().latents, expected.latents)
        assert torch.equal(run.result().conditioning.text, expected.conditioning.text)
    assert not list(tmp_path.glob(".*"))  # no part is left behind
    encoder = FakeEncoder()
    encoded(pictures, encoder, Cache(tmp_path, 1))
    assert encoder.encoded_pictures == 0


def test_the_cache_stays_below_its_limit_and_keeps_what_is_used(tmp_path):
    old = Cache(tmp_path, 1)
    for number in range(6):
        old.store(f"old{number}", {"mean": torch.zeros(64, 1024)})  # 256 kB
        os.utime(tmp_path / f"old{number}.safetensors", (number, number))
    new = Cache(tmp_path, 1)
    assert new.load("old0", Record({"mean": Array((64, 1024), torch.float32)})) is not None
    new.store("new", {"mean": torch.zeros(64, 1024)})
    assert new.prune() == 4
    assert sorted(path.stem for path in tmp_path.glob("*.safetensors")) == ["new", "old0", "old5"]


def test_a_disk_that_refuses_costs_one_warning(pictures, tmp_path, caplog):
    (tmp_path / "file").write_text("in the way")
    data = encoded(pictures, cache=Cache(tmp_path / "file" / "latents", 1))
    assert len(data) == 5
    assert caplog.text.count("Latents are not kept") == 1


def test_captions_that_vary_are_encoded_in_one_go_per_epoch(pictures, tmp_path):
    for number in range(5):
        (pictures / f"{number}.txt").write_text(", ".join(f"tag{number}{'x' * n}" for n in range(6)))
    ports = fake_ports(tmp_path)
    calls = []
    original = ports.encoder.encode_texts
    ports.encoder.encode_texts = lambda texts: calls.append(len(texts)) or original(texts)
    train(make_job(pictures, data__shuffle_tags=True, data__caption_dropout=0.5, train__max_steps=12), ports)
    assert calls == [6] * 4  # 3 steps an epoch: 4 epochs, all five texts and the empty one
    assert len(set(ports.encoder.encoded_texts)) == 4 * 5 + 1
    assert len(list((ports.log_dir / "latents").glob("*.safetensors"))) == 5  # pictures, no texts


def test_a_run_with_everything_random_goes_on_to_the_same_weights(pictures, tmp_path):
    Image.new("RGB", (90, 40), "red").save(pictures / "wide.png")
    (pictures / "wide.txt").write_text("a, b, c, d")
    changes = {
        "data__framing": "buckets",
        "data__bucket_step": 8,
        "data__min_side": 8,
        "data__shuffle_tags": True,
        "data__tag_dropout": 0.3,
        "data__caption_dropout": 0.2,
        "data__flip": True,
        "data__latents": "random",
        "data__crop": "random",
        "data__repeats": 2,
        "data__template": "[filewords]\n[name], [filewords]",
        "train__max_steps": 30,
        "train__gradient_accumulation": 2,
        "train__validation_share": 0.3,
        "output__sheet": False,
    }
    whole = train(make_job(pictures, **changes), fake_ports(tmp_path / "whole"))
    train(make_job(pictures, **changes), fake_ports(tmp_path / "halves", stop_after=13))
    rest = train(make_job(pictures, **changes), fake_ports(tmp_path / "halves"), resume=True)
    assert same(weights(whole.network), weights(rest.network))


def test_long_texts_are_met_by_empty_parts():
    empty, short, long = torch.zeros(3, 2), torch.ones(3, 2), torch.full((9, 2), 2.0)
    both = padded([short, long], empty)
    assert both.shape == (2, 9, 2)
    assert both[0, :, 0].tolist() == [1] * 3 + [0] * 6
    assert torch.equal(both[1], long)
