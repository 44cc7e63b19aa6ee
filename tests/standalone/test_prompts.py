"""Prompts as people write them: weights, any length, BREAK, and layers left out."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

LONG = "red circle and blue star, " * 16


@pytest.fixture(scope="module")
def parser(host):
    return host.module("prompt_parser")


# The WebUI documents the first five.
@pytest.mark.parametrize(
    ("prompt", "parts"),
    [
        ("normal text", [("normal text", 1.0)]),
        ("an (important) word", [("an ", 1.0), ("important", 1.1), (" word", 1.0)]),
        ("(unbalanced", [("unbalanced", 1.1)]),
        (r"\(literal\]", [("(literal]", 1.0)]),
        ("(unnecessary)(parens)", [("unnecessaryparens", 1.1)]),
        ("(abc:1.3)", [("abc", 1.3)]),
        ("(abc:.5)", [("abc", 0.5)]),
        ("((a)) [b]", [("a", 1.21), (" ", 1.0), ("b", 1 / 1.1)]),
        ("((a:2) b)", [("a", 2.2), (" b", 1.1)]),
        ("a) b:1.3) c]", [("a) b:1.3) c]", 1.0)]),
        ("10:30, a: b", [("10:30, a: b", 1.0)]),
        ("[a:b:0.5]", [("a:b:0.5", 1 / 1.1)]),
        ("(a:1.2.3)", [("a:1.2.3", 1.1)]),
        ("", []),
    ],
)
def test_weights_are_read_as_the_webui_reads_them(parser, prompt, parts):
    (found,) = parser.parse(prompt)
    assert [text for text, _ in found] == [text for text, _ in parts]
    assert [weight for _, weight in found] == pytest.approx([weight for _, weight in parts])


def test_break_starts_a_section_inside_brackets_too(parser):
    assert parser.parse("a BREAK b") == [[("a", 1.0)], [("b", 1.0)]]
    assert parser.parse("(a BREAK b:2) c") == [[("a", 2.0)], [("b", 2.0), (" c", 1.0)]]
    assert parser.parse("BREAKFAST") == [[("BREAKFAST", 1.0)]]


@given(st.text("ab ,()[]\\:.12BREAK", max_size=40))
def test_any_text_is_read_and_keeps_its_letters(host, text):
    sections = host.module("prompt_parser").parse(text)
    kept = "".join(part for section in sections for part, _ in section)
    assert kept.count("a") == text.count("a")
    assert kept.count("b") == text.count("b")


def test_tokens_carry_the_weight_of_their_word(host):
    ids, weights = host.model.cond_stage_model.tokenize(["a (red:1.5) circle"])
    plain, _ = host.model.cond_stage_model.tokenize(["a red circle"])
    assert torch.equal(ids, plain)
    assert weights[0, 0, :6].tolist() == [1.0, 1.0, 1.5, 1.0, 1.0, 1.0]


@pytest.mark.parametrize(("words", "chunks"), [(1, 1), (75, 1), (76, 2), (150, 2), (151, 3), (225, 3)])
def test_a_chunk_takes_75_tokens(host, words, chunks):
    model = host.model.cond_stage_model
    assert model.tokenize([" ".join(["red"] * words)])[0].shape == (1, chunks, 77)
    assert model.tokenize(["red BREAK " * 2])[0].shape == (1, 2, 77)


def encode(host, *prompts):
    with torch.no_grad():
        return host.model.get_learned_conditioning(list(prompts))


def test_a_weight_changes_its_words_and_keeps_the_mean(host):
    text = host.module("sd_text")
    hidden = torch.randn(2, 77, 8, generator=torch.Generator().manual_seed(0)) + 1
    weights = torch.ones(2, 77)
    weights[1, 3] = 1.5
    found = text.weighted(hidden, weights)
    assert torch.equal(found[0], hidden[0])  # one prompt does not change another
    assert found[1].mean().item() == pytest.approx(hidden[1].mean().item(), rel=1e-5)
    assert (found[1, 3] / found[1, 4]).div(hidden[1, 3] / hidden[1, 4]).allclose(torch.tensor(1.5), rtol=1e-4)


def test_a_mean_of_nothing_makes_no_nan(host):
    text = host.module("sd_text")
    hidden = torch.tensor([1.0, -1.0]).expand(1, 77, 2)
    weights = torch.ones(1, 77)
    weights[0, 3] = 1.5
    assert torch.equal(text.weighted(hidden, weights), hidden * weights[..., None])
    assert torch.isfinite(text.weighted(torch.zeros(1, 77, 2), weights)).all()


def test_weights_reach_the_picture_and_plain_brackets_do_not(host):
    assert torch.equal(encode(host, "(a red:1) circle"), encode(host, "a red circle"))
    assert not torch.equal(encode(host, "a (red:1.4) circle"), encode(host, "a red circle"))
    assert torch.equal(encode(host, r"\(red\)")[0, :4], encode(host, r"\(red\) circle")[0, :4])


def test_clip_skip_leaves_layers_out(host, monkeypatch):
    opts = host.module("shared").opts
    model = host.model.cond_stage_model
    usual = encode(host, "a red circle")
    monkeypatch.setitem(opts.data, "CLIP_stop_at_last_layers", 2)
    skipped = encode(host, "a red circle")
    text_model = model.transformer.text_model
    with torch.no_grad():
        output = model.transformer(model.tokenize(["a red circle"])[0][0], output_hidden_states=True)
        expected = text_model.final_layer_norm(output.hidden_states[-2])
    assert torch.allclose(skipped, expected, atol=1e-6)
    assert not torch.equal(skipped, usual)
    monkeypatch.setitem(opts.data, "CLIP_stop_at_last_layers", 12)  # more than the model has
    assert encode(host, "a red circle").shape == usual.shape


def test_the_infotext_names_clip_skip(host, monkeypatch):
    from tests.standalone.test_processing import make

    assert "Clip skip" not in make(host, steps=1).info
    monkeypatch.setitem(host.module("shared").opts.data, "CLIP_stop_at_last_layers", 2)
    assert "Clip skip: 2" in make(host, steps=1).info
