"""What a file of weights is, by the names in it."""

from __future__ import annotations

import re

from . import adapters, models
from .kind import Kind, Rule
from .names import Names

_BESIDE = "keep it beside the network that it belongs to, and choose that network"
_STATES: tuple[Rule, ...] = (
    Rule(Kind("the saved state of a training run", _BESIDE), r"^learner$", besides=r"^first_step$"),
)
_OPTIMIZERS = (Rule(Kind("the state of an optimizer", _BESIDE), r"^(optimizer_state_dict|param_groups)$"),)
_RULES = (
    *_STATES,
    *adapters.RULES,
    *models.CHECKPOINTS,
    *models.PARTS,
    *_OPTIMIZERS,
    *models.OTHERS,
)
#: By the libraries whose objects are in a pickle.
_OBJECTS: tuple[Rule, ...] = (
    Rule(
        Kind("a detector (YOLO)", "put it into models/adetailer, for the ADetailer extension"),
        r"^(ultralytics|yolo\w*|models\.(yolo|common))\.",
    ),
)
#: What a pickle of nothing but tensors and plain values asks for.
_PLAIN = re.compile(r"torch(\.cuda)?\.\w+Storage|torch\._utils\._rebuild_\w+|torch\.Size|collections\.OrderedDict")
#: A new word of an embedding of diffusers.
_WORD = re.compile(r"<[^<>\s]{1,60}>")
_MOST_KEYS = 20
_SHOWN = 60


def kind_of(names: Names) -> Kind | None:
    """Return the kind of a file of weights by its names; None where it may be a hypernetwork, or is no such file."""
    if names.is_network:
        return None
    called, texts = "\n".join(names.called), "\n".join(names.texts)
    found = (rule.kind for rules, text in ((_OBJECTS, called), (_RULES, texts)) for rule in rules if rule.fits(text))
    return next(found, None) or _other(names)


def _other(names: Names) -> Kind | None:
    """Return the kind of weights that no rule knows; None where the file has none, or may ask for code."""
    if not names.has_tensors or not all(_PLAIN.fullmatch(one) for one in names.called):
        return None
    keys = names.keys
    if not keys:
        return None
    if len(keys) <= _MOST_KEYS and all(map(_WORD.fullmatch, keys)):
        return adapters.EMBEDDING
    shown = max(keys[:_MOST_KEYS], key=lambda key: key.count("."))[:_SHOWN]
    return Kind(f"a file of other weights (such as {shown})", "look for the network where you got this file")
