"""Weights in prompts: `(more)`, `(this much:1.3)`, `[less]`, `\\(` for a plain bracket, and BREAK."""

from __future__ import annotations

import itertools
import re

import torch
from torch import Tensor

#: Share of the mean absolute value that the mean must reach to be worth restoring.
_MEAN_SHARE = 0.02
_ITEM = re.compile(
    r"""\\(?P<plain>.?)
    | (?P<open>[(\[])
    | :\s*(?P<weight>[+-]?(?:\d+\.?\d*|\.\d+))\s*\)
    | (?P<close>[)\]])
    | (?P<text>[^\\()\[\]:]+|:)""",
    re.VERBOSE | re.DOTALL,
)
_BREAK = re.compile(r"\s*\bBREAK\b\s*")
_FACTORS = {"(": 1.1, "[": 1 / 1.1}
_OPENERS = {")": "(", "]": "["}

Part = tuple[str, float]


def parse(prompt: str) -> list[list[Part]]:
    """Return the texts with their weights, by section; BREAK starts a section, which gets chunks of its own.

    What is opened and never closed counts as far as the end; what is closed without being opened is plain text.
    """
    parts: list[Part] = []
    opened: dict[str, list[int]] = {"(": [], "[": []}

    def close(bracket: str, factor: float) -> None:
        start = opened[bracket].pop()
        parts[start:] = [(text, weight * factor) for text, weight in parts[start:]]

    for item in _ITEM.finditer(prompt):
        kind = item.lastgroup
        if kind == "open":
            opened[item["open"]].append(len(parts))
        elif kind == "weight" and opened["("]:
            close("(", float(item["weight"]))
        elif kind == "close" and opened[_OPENERS[item["close"]]]:
            close(_OPENERS[item["close"]], _FACTORS[_OPENERS[item["close"]]])
        else:
            parts.append((item["plain"] if kind == "plain" else item[0], 1.0))
    for bracket, starts in opened.items():
        while starts:
            close(bracket, _FACTORS[bracket])
    return _sections(parts)


def _sections(parts: list[Part]) -> list[list[Part]]:
    sections: list[list[Part]] = [[]]
    for weight, same in itertools.groupby(parts, key=lambda part: part[1]):
        first, *rest = _BREAK.split("".join(text for text, _ in same))
        sections[-1].append((first, weight))
        sections += [[(text, weight)] for text in rest]
    return [[part for part in section if part[0]] for section in sections]


def weighted(hidden: Tensor, weights: Tensor, keeps_mean: bool = True) -> Tensor:
    """Multiply the encoder's output [chunks, tokens, width] by weights [chunks, tokens].

    Each chunk keeps its mean, unless told not to. A mean near 0 says nothing about the size of the
    numbers: there they are not scaled back.
    """
    heavier = hidden * weights[..., None].to(hidden.dtype)
    old, new = (each.float().mean((1, 2), keepdim=True) for each in (hidden, heavier))
    if not keeps_mean:
        return heavier
    has_mean = new.abs() > _MEAN_SHARE * heavier.float().abs().mean((1, 2), keepdim=True)
    return heavier * torch.where(has_mean, old / new, torch.ones_like(new)).to(hidden.dtype)
