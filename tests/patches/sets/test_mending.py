"""The small patch sets that mend a part of the WebUI."""

from __future__ import annotations

import zipfile

import pytest
import torch
from hypernetwork_workbench.patches.sets import embedding_batches
from torch import nn


def check(host, names):
    host.module("safe").check_zip_filenames("x.pt", names)


def test_files_of_this_torch_pass_the_safe_unpickler(patched, tmp_path):
    path = tmp_path / "new.pt"
    torch.save({"weight": torch.zeros(2)}, path)
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
    check(patched, names)


@pytest.mark.parametrize(
    "name",
    [
        "x/code.py",
        "x/data/../../evil",
        "x/.format_version/evil.pkl",
        "x/y/.format_version",
        ".format_version",
        "x/.format_versions",
        "x/constants.pkl",
        "x/.data/serialization_id.pkl",
        "x/.storage_alignment\n.pkl",
    ],
)
def test_no_other_member_passes(patched, name):
    with pytest.raises(ValueError, match="bad file inside"):
        check(patched, ["x/data.pkl", "x/version", name])


def test_checkpointing_gives_gradients_where_the_inputs_need_none(patched):
    checkpointing = patched.module("sd_hijack_checkpoint")

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.bend = nn.Linear(4, 4)

        def _forward(self, x, context=None):
            return self.bend(x).square()

    for name in ("BasicTransformerBlock_forward", "ResBlock_forward", "AttentionBlock_forward"):
        block = Block()
        getattr(checkpointing, name)(block, torch.ones(1, 4)).sum().backward()
        assert block.bend.weight.grad.abs().sum() > 0


class Pictures(list):
    def __init__(self, *sizes):
        numbers = iter(range(sum(sizes)))
        self.groups = [[next(numbers) for _ in range(size)] for size in sizes]
        super().__init__(range(sum(sizes)))


@pytest.mark.skipif(not embedding_batches.sampler_refuses_data(), reason="this torch takes the dataset")
@pytest.mark.parametrize(
    ("sizes", "batch_size", "base", "chances"),
    [
        ((5,), 2, [2], [0]),
        ((3, 3), 2, [1, 1], [0.5, 0.5]),
        ((7, 2), 3, [2, 0], [1 / 3, 2 / 3]),
        ((4, 4), 1, [4, 4], [0, 0]),
    ],
)
def test_the_sampler_of_the_host_shares_batches_out_by_size(patched, sizes, batch_size, base, chances):
    sampler = patched.module("textual_inversion.dataset").GroupedBatchSampler(Pictures(*sizes), batch_size)
    assert (sampler.len, sampler.base, sampler.batch_size) == (sum(sizes) // batch_size, base, batch_size)
    assert sampler.n_rand_batches == sampler.len - sum(base)
    assert sampler.probs == pytest.approx(chances)
