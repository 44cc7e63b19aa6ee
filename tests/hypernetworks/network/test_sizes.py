"""Sizes before anything is made, against sums done by hand."""

import pytest
from hypernetwork_workbench.hypernetworks.base.errors import SettingsError
from hypernetwork_workbench.hypernetworks.network.file_forms import FORMS, SUFFIXES, FileForm, weight_bytes
from hypernetwork_workbench.hypernetworks.network.sizes import MAX_PARAMETERS, check_size, readable_bytes, sizes
from hypernetwork_workbench.hypernetworks.network.structure import Structure


def test_sizes_of_a_small_network():
    # 1 -> 2 -> 1 at width 10: 10*20+20 and 20*10+10, for k and for v.
    parameters = 2 * (220 + 210)
    found = sizes(Structure(), (10,))
    assert found.parameters == parameters
    assert found.file_bytes == {"float32": 4 * parameters, "float16": 2 * parameters, "bfloat16": 2 * parameters}
    assert found.file_bytes == weight_bytes(parameters)
    assert found.training_bytes == 16 * parameters  # weights, gradients, two averages, 4 bytes each


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0.0 kB"),
        (1500, "1.5 kB"),
        (999_949, "999.9 kB"),
        (1_000_000, "1.0 MB"),
        (87_800_000, "87.8 MB"),
        (999_900_000, "999.9 MB"),
        (1_000_000_000, "1.0 GB"),
        (1_234_000_000_000, "1,234.0 GB"),
    ],
)
def test_sizes_are_readable(count, text):
    assert readable_bytes(count) == text


def test_a_size_is_refused_above_the_limit_and_not_at_it(monkeypatch):
    structure = Structure()
    monkeypatch.setattr(f"{check_size.__module__}.MAX_PARAMETERS", structure.parameter_count((10,)))
    check_size(structure, (10,))
    with pytest.raises(SettingsError) as caught:
        check_size(structure, (11,))
    assert caught.value.field == "layer_structure"
    assert caught.value.reason == "makes a network of 4.1 kB, more than the 3.4 kB that are possible"
    assert MAX_PARAMETERS * 4 == 8e9


def test_the_forms_of_a_file():
    assert FileForm(".x") == FileForm(".x", is_portable=False)
    assert {name: (form.suffix, form.is_portable) for name, form in FORMS.items()} == {
        ".pt": (".pt", False),
        ".pt for every reader": (".pt", True),
        ".safetensors": (".safetensors", False),
    }
    assert SUFFIXES == (".pt", ".safetensors")
