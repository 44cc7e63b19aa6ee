"""Looks of many kinds: what they are made of, how they are drawn, and a U-Net that learns them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypernetwork_workbench.examples.looks import training
from hypernetwork_workbench.examples.looks.drawing import _pattern, draw_look
from hypernetwork_workbench.examples.looks.look import APART, KINDS, Look, every_part, random_look
from hypernetwork_workbench.examples.shapes import captions, checkpoint, draw, evaluate, models, sample
from hypernetwork_workbench.examples.shapes.draw import Subject
from hypernetwork_workbench.examples.shapes.train_denoiser import Denoiser, DenoiserPlan

FILE = Path(__file__).resolve().parents[2] / "examples" / "demo.safetensors"
SHORT = training.LooksPlan(DenoiserPlan(steps=1, captions=4, pictures=64, seed=7), captions=6, looks=40)
SUBJECT = Subject("red", "circle", "beige")
BEIGE, RED = np.array((226, 206, 174)), np.array((222, 30, 36))
MIDDLE, CORNER = (32, 32), (1, 1)


def drawn(look: Look, seed: int = 5) -> np.ndarray:
    return np.asarray(draw_look(np.random.default_rng(seed), SUBJECT, look, (64, 64)), dtype=np.float64)


def levels(look: Look, place: tuple[int, int]) -> np.ndarray:
    """Return the levels of one place in 24 pictures of a look: [24, 3]."""
    return np.stack([drawn(look, seed)[place] for seed in range(24)])


def test_looks_have_one_to_three_parts_and_each_kind_occurs() -> None:
    rng = np.random.default_rng(0)
    looks = [random_look(rng) for _ in range(3000)]
    assert {len(look.parts()) for look in looks} == {1, 2, 3}
    for name, kinds in KINDS.items():
        assert {getattr(look, name) for look in looks} == {"", *kinds}


def test_no_look_is_a_style_that_is_judged() -> None:
    """Print is pale, with patterns, rim and frame; neon is hollow and glows; night is dark, with rim and stripes."""
    rng = np.random.default_rng(1)
    looks = [random_look(rng).parts() for _ in range(3000)]
    for apart in APART:
        assert not any(apart <= parts for parts in looks)
    for judged in ({"tone", "ground", "inside", "rim", "frame"}, {"body", "glow"}, {"tone", "inside", "rim"}):
        assert any(apart <= judged for apart in APART)


def test_each_part_is_named_behind_the_caption() -> None:
    assert Look().words() == ""
    assert Look(tone="pale", rim="light", frame="dim").words() == ", pale, with a light rim, in a dim frame"
    named = Look(tint="tinted", ground="dotted", inside="striped", glow="glowing", body="hollow").words()
    assert named == ", tinted, on a dotted ground, striped inside, glowing, hollow"
    words = [look.words() for look in every_part()]
    assert len(set(words)) == len(words) == sum(len(kinds) for kinds in KINDS.values())


@pytest.mark.parametrize("size", [(64, 64), (96, 64)])
def test_without_parts_the_picture_is_the_plain_one(size: tuple[int, int]) -> None:
    one, plain = np.random.default_rng(3), np.random.default_rng(3)
    assert draw_look(one, SUBJECT, Look(), size).tobytes() == draw.random_picture(plain, SUBJECT, size).tobytes()


def test_tones_and_tints_change_both_colours() -> None:
    for place, plain in ((MIDDLE, RED), (CORNER, BEIGE)):
        assert np.allclose(levels(Look(), place), plain, atol=2)
        assert (levels(Look(tone="pale"), place).sum(axis=1) > plain.sum()).all()
        assert (levels(Look(tone="dark"), place).sum(axis=1) < plain.sum()).all()
        assert (np.abs(levels(Look(tint="tinted"), place) - plain).sum(axis=1) > 4).all()


@pytest.mark.parametrize("kind", KINDS["ground"])
def test_patterns_are_where_they_are_said_to_be(kind: str) -> None:
    plain = drawn(Look())
    is_shape = np.abs(plain - RED).sum(axis=2) < 3
    is_ground = np.abs(plain - BEIGE).sum(axis=2) < 3
    for look, has, has_not in ((Look(ground=kind), is_ground, is_shape), (Look(inside=kind), is_shape, is_ground)):
        assert drawn(look)[has].std(axis=0).max() > 4
        assert np.array_equal(drawn(look)[has_not], plain[has_not])


@pytest.mark.parametrize(("kind", "is_along"), [("striped", True), ("checked", False), ("dotted", False)])
def test_stripes_alone_run_one_way(kind: str, is_along: bool) -> None:
    for seed in range(8):
        found = _pattern(np.random.default_rng(seed), (64, 64), kind)
        assert 0.15 < found.mean() < 0.85
        moved = [found[1:], found[:, 1:], found[1:, 1:], found[1:, :-1]]
        still = [found[:-1], found[:, :-1], found[:-1, :-1], found[:-1, 1:]]
        changes = [np.abs(one - other).mean() for one, other in zip(moved, still, strict=True)]
        assert bool(min(changes) < 0.01) is is_along


def test_lines_lie_where_they_are_said_to_be() -> None:
    for kind, is_right in (("light", lambda found: found.min() > 200), ("dim", lambda found: found.max() < 70)):
        assert is_right(levels(Look(frame=kind), CORNER))
        assert np.allclose(levels(Look(frame=kind), MIDDLE), RED, atol=2)
        changed = np.abs(drawn(Look(rim=kind)) - drawn(Look())).sum(axis=2) > 60
        assert 200 < changed.sum() < 2500
        assert not changed[MIDDLE]
        assert not changed[CORNER]
        assert is_right(np.median(drawn(Look(rim=kind))[changed], axis=0))


def test_a_hollow_shape_shows_the_ground_and_a_glow_lies_around_it() -> None:
    assert np.allclose(levels(Look(body="hollow"), MIDDLE), BEIGE, atol=2)
    assert (np.abs(drawn(Look(body="hollow")) - RED).sum(axis=2) < 3).sum() > 100
    plain, glowing = drawn(Look()), drawn(Look(glow="glowing"))
    changed = np.abs(glowing - plain).sum(axis=2) > 15
    assert changed.sum() > 200
    between = (glowing - BEIGE)[changed] @ (RED - BEIGE) / np.square(RED - BEIGE).sum()
    assert 0 < np.median(between) < 0.7
    assert np.allclose(glowing[MIDDLE], RED, atol=2)


@pytest.fixture(scope="module")
def untrained() -> models.Autoencoder:
    torch.manual_seed(0)
    return models.Autoencoder().requires_grad_(False)


@pytest.fixture(scope="module")
def shelf(untrained: models.Autoencoder) -> training.Shelf:
    return training.fill_shelf(untrained, SHORT)


def test_the_shelf_has_no_subject_that_is_held_out(shelf: training.Shelf) -> None:
    assert shelf.latents.shape == (40, 3, 4, 8, 8)
    assert {captions.parse(text) for text in shelf.texts}.isdisjoint(captions.held_out())
    assert all(text.count(",") for text in shelf.texts)


def test_squares_have_looks_behind_them_and_other_sizes_have_not(shelf: training.Shelf) -> None:
    known = [(torch.zeros(12, 4, 8, 8), ["known"] * 4), (torch.ones(15, 4, 8, 12), ["wide"] * 5)]
    square, wide = training.batches(iter(known), shelf, SHORT)
    assert wide[0] is known[1][0]
    assert wide[1] == ["wide"] * 5
    latents, texts = square
    assert latents.shape == (12 + 18, 4, 8, 8)
    assert texts[:4] == ["known"] * 4
    assert not latents[:12].any()
    for number, text in enumerate(texts[4:]):
        ours = latents[12 + 3 * number : 15 + 3 * number]
        alike = [row for row, other in enumerate(shelf.texts) if text in ("", other)]
        assert any(torch.equal(ours, shelf.latents[row]) for row in alike)


def test_a_share_of_looks_has_no_caption(shelf: training.Shelf) -> None:
    many = replace(SHORT, captions=2000)
    ((_, texts),) = training.batches(iter([(torch.zeros(3, 4, 8, 8), ["known"])]), shelf, many)
    assert texts.count("") == pytest.approx(200, abs=60)


def test_widening_begins_with_what_was_known_and_leaves_it(untrained: models.Autoencoder) -> None:
    torch.manual_seed(1)
    before = Denoiser()
    weights = {name: one.clone() for name, one in before.state_dict().items()}
    slow = replace(SHORT, known=replace(SHORT.known, rate=1e-7))
    wider = training.widen_denoiser(before, untrained, slow)
    assert all(torch.equal(one, before.state_dict()[name]) for name, one in weights.items())
    assert wider.text.known == training.tokens_with_looks()
    assert set(before.text.known) < set(wider.text.known)
    table = "text.model.text_model.embeddings.token_embedding.weight"
    rows = [wider.text.known.index(token) for token in before.text.known]
    for name, one in wider.state_dict().items():
        assert torch.allclose(one[rows] if name == table else one, weights[name], atol=1e-5), name


def test_new_words_begin_near_the_others_and_none_is_like_another() -> None:
    torch.manual_seed(2)
    full, wider = Denoiser().text.full_model(), Denoiser(training.tokens_with_looks())
    wider.text.take(full)
    table = wider.text.full_model().get_input_embeddings().weight.detach()
    before = full.get_input_embeddings().weight.detach()
    is_new = (before == 0).all(dim=1) & (table != 0).any(dim=1)
    assert 10 <= int(is_new.sum()) <= 20
    assert torch.equal(table[~is_new], before[~is_new])
    assert len(torch.unique(table[is_new], dim=0)) == int(is_new.sum())
    assert 0.2 < table[is_new].std() / before[before != 0].std() < 1


@pytest.fixture(scope="module")
def demo() -> sample.Demo:
    return checkpoint.load_checkpoint(FILE)


def made(demo: sample.Demo, look: Look) -> list[np.ndarray]:
    """Return six pictures of a red square on beige in a look, as the demo model makes them: levels [64, 64, 3]."""
    text = captions.caption(Subject("red", "square", "beige")) + look.words()
    pictures = evaluate.pictures_for(demo, [text] * 6, sample.Sampling(steps=12))
    return [np.asarray(picture, dtype=np.float64) for picture in pictures]


@pytest.mark.parametrize(("look", "is_red"), [(Look(body="hollow"), False), (Look(), True)], ids=["hollow", "plain"])
def test_the_demo_model_knows_a_hollow_shape_by_its_word(demo: sample.Demo, look: Look, is_red: bool) -> None:
    inner = [_middle(picture) for picture in made(demo, look)]
    found = [np.abs(one - RED).sum() < np.abs(one - BEIGE).sum() for one in inner]
    assert found.count(is_red) >= 5


@pytest.mark.parametrize(
    ("look", "place", "least", "most"),
    [
        (Look(), "ground", 185, 220),
        (Look(tone="pale"), "ground", 208, 255),
        (Look(tone="dark"), "ground", 0, 185),
        (Look(frame="dim"), "corner", 0, 90),
        (Look(frame="light"), "corner", 215, 255),
    ],
    ids=lambda value: value.words() if isinstance(value, Look) else str(value),
)
def test_the_demo_model_knows_tones_and_frames_by_their_words(
    demo: sample.Demo, look: Look, place: str, least: float, most: float
) -> None:
    """Beige has a mean level of 202."""
    where = (slice(0, 2), slice(0, 2)) if place == "corner" else (slice(8, 56), slice(8, 12))
    found = [np.median(picture[where], axis=(0, 1)).mean() for picture in made(demo, look)]
    assert sum(least <= level <= most for level in found) >= 5, found


def _middle(picture: np.ndarray) -> np.ndarray:
    """Return the median colour around the middle of what is not the ground."""
    rows, columns = np.nonzero(np.abs(picture - BEIGE).sum(axis=2) > 120)
    row, column = int(rows.mean()), int(columns.mean())
    return np.median(picture[row - 2 : row + 3, column - 2 : column + 3].reshape(-1, 3), axis=0)
