"""The form of a file that every reader gets right, and why a network cannot take it."""

import dataclasses

import torch

from ..network.activations import ACTIVATIONS
from ..network.hypernetwork import HypernetworkModule, Metadata
from ..network.structure import Structure
from .format import State


def portable_problems(structure: Structure, metadata: Metadata) -> list[str]:
    """Return what keeps a network from the portable form, a sentence for each reason; empty where nothing does."""
    problems = []
    if not ACTIVATIONS[structure.activation].is_common:
        problems.append(f"ComfyUI does not know the activation {structure.activation}")
    if structure.skip_connection:
        problems.append("only the original extension knows residual blocks (skip_connection)")
    if structure.layer_norm and structure.activation != "linear" and not structure.activate_output:
        problems.append("ComfyUI puts one activation too many into a network with layer_norm but not activate_output")
    problems += [f"ComfyUI takes the extra key {key!r} for a width" for key in metadata.extra if reads_as_number(key)]
    return problems


def without_dropout(structure: Structure) -> Structure:
    """Return the structure without dropout, which makes no difference outside training."""
    return dataclasses.replace(structure, dropout_structure=(0,) * len(structure.layer_structure))


def renumber(pairs: dict[int, tuple[State, State]], structure: Structure) -> dict[int, tuple[State, State]]:
    """Renumber the weights as if the network had no dropout, whose modules take numbers of their own."""
    renumbered = {}
    for width, (for_k, for_v) in pairs.items():
        with torch.device("meta"):
            names = list(HypernetworkModule(width, without_dropout(structure)).state_dict())
        renumbered[width] = (
            dict(zip(names, for_k.values(), strict=True)),
            dict(zip(names, for_v.values(), strict=True)),
        )
    return renumbered


def reads_as_number(key: object) -> bool:
    """Tell whether Python's `int` accepts a key, which is how ComfyUI finds widths."""
    try:
        int(key)  # type: ignore[call-overload]
    except (TypeError, ValueError, OverflowError):
        return False
    return True
