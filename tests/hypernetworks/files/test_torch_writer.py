"""What the writer of torch files takes, and how deep."""

import io

import numpy as np
import pytest
import torch
from hypernetwork_workbench.hypernetworks.base.errors import HypernetworkFileError
from hypernetwork_workbench.hypernetworks.files import torch_reader, torch_writer


def nested(depth, value=1):
    for _ in range(depth):
        value = [value]
    return value


def test_what_is_written_is_not_too_deep_to_be_read():
    file = io.BytesIO()
    torch_writer.write(file, nested(32))
    assert torch_reader.read_zip(file, len(file.getvalue()))[0] == nested(32)
    with pytest.raises(HypernetworkFileError, match="is cyclic or nested too deep to be written"):
        torch_writer.write(io.BytesIO(), nested(33))
    cyclic = {}
    cyclic["self"] = cyclic
    with pytest.raises(HypernetworkFileError, match=r"^\['self'\].* is cyclic"):
        torch_writer.write(io.BytesIO(), cyclic)


@pytest.mark.parametrize(
    "value", [nested(30, {"a": (1, 2.5)}), {"x": np.float64(0.5), 1: np.int64(3), "b": np.bool_(True)}]
)
def test_depth_counts_tables_and_rows_alike_and_numbers_of_numpy_are_plain(value):
    torch_writer.check(value)
    if isinstance(value, list):
        with pytest.raises(HypernetworkFileError, match="nested too deep"):
            torch_writer.check([value])
        return
    file = io.BytesIO()
    torch_writer.write(file, value)
    found = torch_reader.read_zip(file, len(file.getvalue()))[0]
    assert found == {"x": 0.5, 1: 3, "b": True}
    assert [type(one) for one in found.values()] == [float, int, bool]


@pytest.mark.parametrize(
    ("value", "place"),
    [
        ({"a": [1, {2}]}, r"\['a'\]\[1\] is a set, which a file cannot hold"),
        (object(), "the value is a object, which a file cannot hold"),
        ({"a": torch.ones(2, dtype=torch.complex64)}, r"\['a'\] is a tensor of a kind that cannot be written"),
        ({"a": torch.ones(2, 2).to_sparse()}, r"\['a'\] is a tensor of a kind that cannot be written"),
    ],
)
def test_what_a_file_cannot_hold_is_named_with_its_place(value, place):
    with pytest.raises(HypernetworkFileError, match=f"^{place}"):
        torch_writer.check(value)


@pytest.mark.parametrize("count", [0, 1, 5, 64, 1000])
def test_the_numbers_of_each_tensor_begin_at_a_multiple_of_64(count):
    file = io.BytesIO()
    wanted = torch.arange(float(count))
    torch_writer.write(
        file, {"pad" * count: wanted, "b": torch.ones(3), "part": torch.arange(12.0).reshape(3, 4).t()[1:]}
    )
    data = file.getvalue()
    assert data.index(torch.ones(3).numpy().tobytes()) % 64 == 0
    file.seek(0)
    loaded = torch.load(file, weights_only=True)
    assert torch.equal(loaded["pad" * count], wanted)
    assert torch.equal(loaded["part"], torch.arange(12.0).reshape(3, 4).t()[1:])
