"""Two thousand prompts with tags as people write them: each tag is used as it was meant, or told of in one sentence.

The prompts are put together from pieces whose meaning is known when they are made, so nothing here reads a tag.
"""

from __future__ import annotations

import random
import types
from dataclasses import dataclass, field

import pytest

from tests.patches.model.test_library import write
from tests.patches.test_on_host import save_network

PROMPTS = 2000
NAMES = ("night", "夜空", "v1.5", "Re：2", "my style", "mix")
UNKNOWN = ("gone", "Night", "朝", "night2", "v1", "ｎｉｇｈｔ")


@dataclass
class Piece:
    """A part of a prompt.

    Attributes:
        text: what is typed.
        used: name and strength of the network that it asks for.
        told: what must be in the one sentence about it; empty where there is none.
        kept: a tag of another kind, as kind and arguments.
        words: what it leaves in the prompt.
    """

    text: str
    used: list[tuple[str, float]] = field(default_factory=list)
    told: tuple[str, ...] = ()
    kept: list[tuple[str, str]] = field(default_factory=list)
    words: str = ""


def wide(text):
    return "".join(chr(ord(sign) + 0xFEE0) if "!" <= sign <= "~" else sign for sign in text)


def number(draw):
    """Return a strength as typed, and as a number."""
    value = draw.choice([0.6, 1.0, -0.25, 0.0, 2.0, 0.05])
    percent = f"{round(value * 100)}%"
    typed = draw.choice([str(value), f"+{value}" if value >= 0 else str(value), percent, f" {value} ", f"{value:e}"])
    return (wide(typed) if draw.random() < 0.3 else typed), value


def words(draw):
    text = draw.choice(
        ["a red circle", "1girl, solo", "(blue:1.2)", "夜の絵、", "[a:b:0.5]", " 3 < 4", "\n", "\\(x\\)"]
    )
    return Piece(text, words=text)


def other(draw):
    kind, inner = draw.choice(
        [("lora", "style:0.8"), ("lora", "夜:te=0.5:unet=1"), ("lyco", "x"), ("lora", "hypernet:1")]
    )
    return Piece(f"<{kind}:{inner}>", kept=[(kind, inner)])


def good(draw):
    name = draw.choice(NAMES)
    typed = name + draw.choice(["", "", "", "(9f86d081)", {"mix": ".hns"}.get(name, ".pt")])
    if draw.random() < 0.2:
        return Piece(f"<hypernet:{typed}>", [(typed, 1.0)])
    strength, value = number(draw)
    return Piece(f"<hypernet:{typed}:{strength}>", [(typed, value)])


def good_in_another_form(draw):
    name, (strength, value) = draw.choice(NAMES), number(draw)
    opening, closing = draw.choice(["<>", "＜＞", "《》", "〈〉", "＜>", "<＞", ("&lt;", "&gt;")])
    kind = draw.choice(["hypernet", "Hypernet", "HYPERNET", "hypernetwork", "ｈｙｐｅｒｎｅｔ", " hypernet "])
    colon, second = draw.choice([":", "：", " : "]), draw.choice([":", "："])
    return Piece(f"{opening}{kind}{colon}{name}{second}{strength}{closing}", [(name, value)])


def wrong_strength(draw):
    name = draw.choice(NAMES)
    typed = draw.choice(
        ["0,6", "０，６", "1.1.", "strong", "強め", "nan", "1e400", "-inf", "", "0.5 day", "te=0.5", "--1"]
    )
    return Piece(f"<hypernet:{name}:{typed}>", told=(f"Hypernetwork {name} was not used: ", repr(typed)))


def unknown(draw):
    name = draw.choice(UNKNOWN)
    return Piece(
        f"<hypernet:{name}:{number(draw)[0]}>", told=(f"Hypernetwork {name} was not used: there is no hypernetwork",)
    )


def too_many(draw):
    name, (strength, value) = draw.choice(NAMES), number(draw)
    rest = draw.choice(["0.5", "unet=1", "1:2", ""])
    told = (f"Hypernetwork {name} has one strength, and '{rest}' behind it",)
    return Piece(f"<hypernet:{name}:{strength}:{rest}>", [(name, value)], told)


def no_name(draw):
    text = draw.choice(
        ["<hypernet:>", "<hypernet::0.6>", "<hypernet: >", "＜hypernet：＞", "<hypernet>", "<Hypernet::>"]
    )
    return Piece(text, told=(f"The hypernetwork tag {text!r} was not used: ",))


def no_colon(draw):
    text = draw.choice(["<hypernet night:0.6>", "<hypernet=night>", "<hypernet-夜空:1>", "＜hypernet　night＞"])
    return Piece(text, told=(f"The hypernetwork tag {text!r} was not used: a tag has the form <hypernet:",))


def no_end(draw):
    head = draw.choice(["<hypernet:night:0.6", "<hypernet:夜空", "＜hypernet：night：1", "<hypernet:", "<hypernet"])
    after = draw.choice([", b ", " a cat ", "\n"])
    return Piece(head + after, told=(f"The hypernetwork tag '{head}' was not used: it has no end, a >.",), words=after)


def no_brackets(draw):
    text = draw.choice(["(hypernet:night:0.6)", "[hypernet:night]", "{hypernet:夜空:1}", "【hypernet：夜空：1】"])
    return Piece(text, told=(f"The hypernetwork tag '{text}' was not used: a tag has the form",), words=text)


def nested(draw):
    inner = good(draw)
    if draw.random() < 0.5:
        return Piece(f"<{inner.text}>", inner.used, words="<>")
    told = ("The hypernetwork tag '<hypernet:' was not used: it has no end",)
    return Piece(f"<hypernet:{inner.text}:1>", inner.used, told, words=":1>")


def composed(draw):
    text = draw.choice(["night + v1.5：3", "night：0.25 ＞ my style", "(night > v1.5) + 夜空".replace(">", "＞")])
    return Piece(f"<hypernet:{text}>", [(text, 1.0)])


def twice(draw):
    first, second = good(draw), good(draw)
    return Piece(first.text + second.text + first.text, first.used + second.used + first.used)


KINDS = {
    words: 5,
    other: 2,
    good: 4,
    good_in_another_form: 4,
    wrong_strength: 2,
    unknown: 1,
    too_many: 1,
    no_name: 1,
    no_colon: 1,
    no_end: 1,
    no_brackets: 1,
    nested: 1,
    composed: 1,
    twice: 1,
}


def prompt(seed):
    draw = random.Random(f"tags {seed}")
    pieces = []
    for kind in draw.choices(list(KINDS), list(KINDS.values()), k=draw.randint(1, 7)):
        pieces += [kind(draw), Piece(" ", words=" ")]
    return pieces


class Job:
    """What the host's activation needs of a job."""

    def __init__(self, text):
        self.prompt = text
        self.negative_prompt = ""
        self.all_prompts = [text]
        self.extra_generation_params = {}
        self.comments = []

    def comment(self, text):
        self.comments.append(text)


@pytest.fixture
def host_with_networks(patched):
    for seed, name in enumerate(NAMES[:-1]):
        save_network(patched, name, seed=seed)
    write(patched, "mix", "[{('night', 0.45): 0.5, ('夜空', 0.45): 0.5}, 'v1.5']")
    return types.SimpleNamespace(
        shared=patched.module("shared"), extra_networks=patched.module("extra_networks"), module=patched.module
    )


def test_every_tag_is_used_as_meant_or_told_of(host_with_networks):
    from hypernetwork_workbench.patches.rows import entries

    shared, extra_networks = host_with_networks.shared, host_with_networks.extra_networks
    for seed in range(PROMPTS):
        pieces = prompt(seed)
        text = "".join(piece.text for piece in pieces)
        job = Job(text)
        (cleaned,), found = extra_networks.parse_prompts([text])
        extra_networks.activate(job, found)

        loaded = [(each.name, each.multiplier) for each in shared.loaded_hypernetworks]
        assert loaded == [one for piece in pieces for one in piece.used], text
        wanted = {piece.told for piece in pieces if piece.told}
        idle = [entries.named_by(name) for piece in pieces for name, strength in piece.used if not strength]
        wanted |= {(f"Hypernetwork {name} was not used: its strength is 0.",) for name in idle}
        for told in wanted:
            assert len({one for one in job.comments if all(part in one for part in told)}) == 1, (text, told)
        for comment in job.comments:
            assert any(all(part in comment for part in told) for told in wanted), (text, comment)
        others = [(kind, ":".join(tag.items)) for kind in found if kind != "hypernet" for tag in found[kind]]
        assert sorted(others) == sorted(one for piece in pieces for one in piece.kept), text
        assert cleaned == "".join(piece.words for piece in pieces), text
