"""Looks that a picture may be drawn in, made of a few parts each, and the words that name the parts."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

PATTERNS = ("checked", "striped", "dotted")
EDGES = ("light", "dim")
#: What each part may be.
KINDS: dict[str, tuple[str, ...]] = {
    "tone": ("pale", "dark"),
    "tint": ("tinted",),
    "ground": PATTERNS,
    "inside": PATTERNS,
    "rim": EDGES,
    "frame": EDGES,
    "glow": ("glowing",),
    "body": ("hollow",),
}
#: How often each part is chosen, beside the others.
_OFTEN = {"tone": 2.0, "tint": 1.0, "ground": 1.5, "inside": 1.5, "rim": 1.5, "frame": 1.0, "glow": 1.2, "body": 1.2}
MOST_PARTS = 3
#: Parts that never come together: those of neon, what a hollow shape cannot have, most of print, and those of night,
#: whose colours a tint may still come near.
APART = ({"body", "glow"}, {"body", "inside"}, {"ground", "inside", "rim"}, {"tone", "inside", "rim"})


@dataclass(frozen=True)
class Look:
    """The parts of a look, each "" where it is not there; their strength is another one in each picture.

    Attributes:
        tone: colours nearer to paper, or to black.
        tint: colours nearer to any one colour.
        ground, inside: a pattern of the background, and of the shape.
        rim, frame: a line around the shape, and around the picture.
        glow: a halo in the shape's colour.
        body: the shape's edge alone is drawn.
    """

    tone: str = ""
    tint: str = ""
    ground: str = ""
    inside: str = ""
    rim: str = ""
    frame: str = ""
    glow: str = ""
    body: str = ""

    def parts(self) -> set[str]:
        """Return the names of the parts that are there."""
        return {field.name for field in fields(self) if getattr(self, field.name)}

    def words(self) -> str:
        """Return what stands behind a plain caption, such as ", pale, with a light rim"."""
        named = (
            self.tone,
            self.tint,
            self.ground and f"on a {self.ground} ground",
            self.inside and f"{self.inside} inside",
            self.rim and f"with a {self.rim} rim",
            self.frame and f"in a {self.frame} frame",
            self.glow,
            self.body,
        )
        return "".join(f", {words}" for words in named if words)


def every_part() -> list[Look]:
    """Return looks of one part: each kind of each part once."""
    return [Look(**{name: kind}) for name, kinds in KINDS.items() for kind in kinds]


def random_look(rng: np.random.Generator) -> Look:
    """Return a look of one to three parts."""
    names, often = list(_OFTEN), np.array(list(_OFTEN.values()))
    while True:
        count = int(rng.integers(1, MOST_PARTS + 1))
        chosen = [str(name) for name in rng.choice(names, size=count, replace=False, p=often / often.sum())]
        if not any(apart <= set(chosen) for apart in APART):
            return Look(**{name: KINDS[name][rng.integers(len(KINDS[name]))] for name in chosen})
