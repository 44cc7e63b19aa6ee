"""Headers of `.safetensors` files, against the library that defines them."""

import io
import json

import pytest
import torch
from hypernetwork_workbench.hypernetworks.files import safetensors_header
from hypernetwork_workbench.hypernetworks.files.safetensors_header import HeaderError
from hypernetwork_workbench.hypernetworks.kernels.tensors import raw_bytes
from safetensors.torch import load, save

TENSORS = {
    "b": torch.arange(6, dtype=torch.float16).reshape(2, 3),
    "empty": torch.empty(0, 4),
    "a": torch.tensor(2.5, dtype=torch.float64),
    "c": torch.ones(3, dtype=torch.bfloat16),
}
TEXTS = {"title": "夜", "step": "12"}


def read(data, most_bytes=1 << 20):
    return safetensors_header.read(io.BytesIO(data), len(data), most_bytes)


def written(order=1):
    entries = list(safetensors_header.placed(TENSORS).items())[::order]
    return safetensors_header.to_bytes(dict(entries), TEXTS) + b"".join(map(raw_bytes, TENSORS.values()))


@pytest.mark.parametrize("data", [save(TENSORS, TEXTS), written(), written(-1)])
def test_what_either_writes_both_read(data):
    header = read(data)
    assert header.texts == TEXTS
    theirs = load(data)
    assert set(theirs) == set(header.entries) == set(TENSORS)
    for name, tensor in TENSORS.items():
        ours = header.tensor(io.BytesIO(data), name)
        assert ours.dtype == theirs[name].dtype == tensor.dtype
        assert torch.equal(ours, tensor)
        assert torch.equal(theirs[name], tensor)


def test_a_header_may_be_as_long_as_is_said_and_no_longer():
    data = written()
    length = int.from_bytes(data[:8], "little")
    assert read(data, length).entries
    with pytest.raises(HeaderError, match="far too large"):
        read(data, length - 1)


def test_a_file_that_is_cut_after_a_look_at_its_header_is_refused():
    data = written()
    with pytest.raises(HeaderError, match="cut short"):
        read(data).tensor(io.BytesIO(data[:-1]), "c")


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        (
            b'{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}',
            "damaged",
        ),
        (json.dumps({"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 1]}}).encode(), "damaged"),
        (json.dumps({"a": {"dtype": "U8", "shape": [-1], "data_offsets": [0, 1]}}).encode(), "damaged"),
        (json.dumps({"a": {"dtype": "U8", "shape": [1], "data_offsets": [1, 0]}}).encode(), "damaged"),
        (json.dumps({"a": {"dtype": "U8", "shape": [1], "data_offsets": [-1, 1]}}).encode(), "damaged"),
        (json.dumps({"a": {"dtype": "U8", "shape": [1]}}).encode(), "damaged"),
        (b"[]", "damaged"),
        (b"\xff\xff", "damaged"),
    ],
)
def test_damaged_headers_are_refused(header, reason):
    with pytest.raises(HeaderError, match=reason):
        read(len(header).to_bytes(8, "little") + header + b"\0")


@pytest.mark.parametrize(("axes", "fits"), [(8, True), (9, False)])
def test_a_tensor_has_eight_axes_at_most(axes, fits):
    data = save({"a": torch.ones([1] * axes)})
    if fits:
        assert read(data).entries["a"].shape == (1,) * 8
        return
    with pytest.raises(HeaderError, match="its header is damaged"):
        read(data)
