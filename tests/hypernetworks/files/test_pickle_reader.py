"""The limits of the reader of pickles, and what is said of what is beyond them."""

import pickle

import pytest
from hypernetwork_workbench.hypernetworks.base.errors import HypernetworkFileError
from hypernetwork_workbench.hypernetworks.files import pickle_reader
from hypernetwork_workbench.hypernetworks.files.pickle_reader import read


def test_a_description_has_eight_mb_at_most(monkeypatch):
    assert pickle_reader.MAX_PICKLE_BYTES == 8 << 20
    data = pickle.dumps("a" * 1000, protocol=2)
    monkeypatch.setattr(pickle_reader, "MAX_PICKLE_BYTES", len(data))
    assert read(data) == ("a" * 1000, len(data))
    monkeypatch.setattr(pickle_reader, "MAX_PICKLE_BYTES", 3 << 20)
    with pytest.raises(HypernetworkFileError, match="its description is larger than 3 MB"):
        read(pickle.dumps("a" * (3 << 20), protocol=2))


@pytest.mark.parametrize("key", [2**48 - 1, 1 - 2**48, 2**48, -(2**48)])
def test_a_key_is_a_small_whole_number_or_a_text(key):
    fits = abs(key) < 2**48
    data = pickle.dumps({key: 1}, protocol=2)
    if fits:
        assert read(data)[0] == {key: 1}
        return
    with pytest.raises(HypernetworkFileError):
        read(data)


@pytest.mark.parametrize(("bits", "fits"), [(80, True), (81, False)])
def test_a_whole_number_has_as_many_bits_as_the_oldest_files_need(bits, fits):
    data = pickle.dumps(2**bits - 1, protocol=2)
    if fits:
        assert read(data)[0] == 2**bits - 1
        return
    with pytest.raises(HypernetworkFileError):
        read(data)


def test_pickles_stand_behind_each_other():
    first, second = (pickle.dumps(value, protocol=2) for value in ([1, (2, "a")], {"b": None}))
    value, end = read(first + second)
    assert (value, end) == ([1, (2, "a")], len(first))
    assert read(first + second, end) == ({"b": None}, len(first + second))
