"""Compositions on the embedded host: by name in prompts, read once, and told about where they are wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypernetwork_workbench.hypernetworks import compose

from tests.patches.test_on_host import generate, save_network


@pytest.fixture
def networks(patched):
    for seed, name in enumerate(("Aa", "Ab", "B")):
        save_network(patched, name, seed=seed, activation="mish" if name == "B" else "linear")
    return patched


def write(host, name, text):
    shared = host.module("shared")
    path = Path(shared.cmd_opts.hypernetwork_dir) / f"{name}.hns"
    path.write_text(text, encoding="utf-8")
    shared.reload_hypernetworks()
    return path


def loaded(host, name, strength=1.0):
    host.module("hypernetworks.hypernetwork").load_hypernetworks([name], [strength])
    (only,) = host.module("shared").loaded_hypernetworks
    return only


def test_a_composition_is_listed_and_does_what_it_says(networks):
    write(networks, "mix", "{\"{'Aa': 0.2, 'Ab': 0.8}\": 0.8, 'B': 0.2}")
    assert "mix" in networks.module("shared").hypernetworks
    mixed = loaded(networks, "mix", 0.7)
    inner = {network.metadata.name or "": network for network in mixed.networks}
    assert len(inner) == 3
    library = {name: loaded(networks, name).network for name in ("Aa", "Ab", "B")}
    context = torch.randn(2, 5, 24)
    expected = compose.parse("{\"{'Aa': 0.2, 'Ab': 0.8}\": 0.8, 'B': 0.2}").transform(context, library, 0.7)
    for got, want in zip(mixed.transform(context, context), expected, strict=True):
        torch.testing.assert_close(got, want)
    assert torch.equal(mixed.layers[24][0](context), mixed.transform(context, context)[0])


def test_the_prompts_strength_scales_it(networks):
    write(networks, "mix", '["Aa", ("B", 0.5)]')
    pictures = [generate(networks, f"a red circle<hypernet:mix:{strength}>")[0] for strength in (0, 0.5, 1)]
    assert np.array_equal(pictures[0], generate(networks, "a red circle")[0])
    assert not np.array_equal(pictures[1], pictures[0])
    assert not np.array_equal(pictures[1], pictures[2])


def test_a_composition_may_name_another_one(networks):
    write(networks, "inner", '{"Aa": 1, "Ab": 3}')
    write(networks, "outer", '["inner", "B"]')
    write(networks, "flat", "[{'Aa': 1, 'Ab': 3}, 'B']")
    context = torch.randn(1, 4, 32)
    one, other = (loaded(networks, name).transform(context, context) for name in ("outer", "flat"))
    assert torch.equal(one[0], other[0])
    assert torch.equal(one[1], other[1])


def test_nothing_is_read_again_while_unchanged(networks, monkeypatch):
    from hypernetwork_workbench.hypernetworks.inference import library

    inner = write(networks, "inner", '{"Aa": 1, "Ab": 3}')
    write(networks, "outer", '["inner", "B"]')
    first = loaded(networks, "outer")
    texts, files = [], []
    text, load = library._text, library.files.load
    monkeypatch.setattr(library, "_text", lambda path, listed: texts.append(path) or text(path, listed))
    monkeypatch.setattr(library.files, "load", lambda path: files.append(path) or load(path))
    again = loaded(networks, "outer", 0.3)
    assert (texts, files) == ([], [])
    assert again.networks == first.networks
    inner.write_text('{"Aa": 1, "Ab": 4}', encoding="utf-8")
    changed = loaded(networks, "outer")
    assert len(texts) == 2
    assert files == []
    assert changed.composition.resolve["inner"].root.weights == (1, 4)
    save_network(networks, "B", seed=9)
    assert len(set(loaded(networks, "outer").networks) - set(first.networks)) == 1
    assert len(files) == 1


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('["Aa", "gone"]', "line 1, column 8: there is no network named 'gone'"),
        ('["Aa", ', "line 1, column 1: the text is broken here"),
        ('["Aa", "mix"]', "the compositions name each other in a circle ('mix' > 'mix')"),
        ('["other", "B"]', "in other: line 1, column 1: the text is broken here"),
        ('["Aa", "bad"]', "bad.pt"),
        ("", "the text is empty"),
    ],
)
def test_what_is_wrong_is_reported_under_the_picture(networks, text, reason):
    write(networks, "other", "{")
    path = save_network(networks, "bad")
    path.write_bytes(path.read_bytes()[:500])
    write(networks, "mix", text)
    plain, _ = generate(networks, "a red circle")
    picture, processed = generate(networks, "a red circle<hypernet:mix:1>")
    assert np.array_equal(plain, picture)
    assert "Hypernetwork mix was not used: " in processed.comments
    assert reason in processed.comments


def test_a_file_in_another_encoding_is_named(networks):
    path = write(networks, "mix", "")
    path.write_bytes('["Aa", "星"]'.encode("cp932"))
    comments = generate(networks, "a<hypernet:mix:1>")[1].comments
    assert "mix.hns cannot be read: it is not UTF-8" in comments


@pytest.mark.parametrize("codec", ["cp932", "gbk", "utf-16"])
def test_a_file_in_the_encoding_of_its_system_is_read(networks, codec):
    save_network(networks, "夜空", seed=7)
    path = write(networks, "mix", "")
    path.write_bytes("[{('Aa', 0.5): 1, ('夜空', 0.5): 3}, 'B']".encode(codec))
    mixed = loaded(networks, "mix")
    assert mixed.composition.as_text() == "(Aa:0.5) + (夜空:0.5):3 > B"
    assert len(mixed.networks) == 3


def test_one_name_twice_is_a_chain_of_both_strengths(networks):
    networks.module("hypernetworks.hypernetwork").load_hypernetworks(["B", "B"], [0.2, 0.9])
    chain = networks.module("shared").loaded_hypernetworks
    assert [each.multiplier for each in chain] == [0.2, 0.9]
    assert chain[0].network is chain[1].network


def test_unused_networks_are_forgotten_beyond_the_number_in_the_settings(networks):
    from hypernetwork_workbench.hypernetworks.inference.library import library
    from hypernetwork_workbench.patches.patching import switches

    from hypernetwork_workbench import patches

    shared = networks.module("shared")
    assert switches.networks_kept() == 4
    patches.register_switches()
    shared.opts.data[switches.KEPT] = 1
    try:
        first = loaded(networks, "Aa").network
        assert first in library
        assert loaded(networks, "Aa").network is first
        second = loaded(networks, "Ab").network
        assert first not in library
        assert second in library
        write(networks, "mix", '["Aa", "Ab", "B"]')
        assert all(network in library for network in loaded(networks, "mix").networks)
    finally:
        del shared.opts.data[switches.KEPT], shared.opts.data_labels[switches.KEPT]
        del shared.opts.data[switches.SHORTCUTS], shared.opts.data_labels[switches.SHORTCUTS]
