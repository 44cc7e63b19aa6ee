"""How many faults of files and texts are handled: a named error, one sentence, or made again, within seconds."""

from __future__ import annotations

from typing import Any

import torch

from tests.support import faults

from .machine import describe


def measure(_rounds: int) -> dict[str, Any]:
    """Try every case of the corpus once; return how many there are, and how many are handled, of each kind too."""
    found: dict[str, dict[str, Any]] = {}
    for kind, cases in faults.kinds().items():
        outcomes = {case.name: faults.outcome(case) for case in cases()}
        unhandled = {name: one.problem for name, one in outcomes.items() if one.problem}
        found[kind] = {
            "tried": len(outcomes),
            "handled": len(outcomes) - len(unhandled),
            "slowest_s": round(max((one.seconds for one in outcomes.values()), default=0.0), 3),
            **({"unhandled": unhandled} if unhandled else {}),
        }
    return {
        "machine": describe(torch.device("cpu")),
        "tried": sum(one["tried"] for one in found.values()),
        "handled": sum(one["handled"] for one in found.values()),
        "kinds": found,
    }
