"""The processes, called ranks, that take the steps of a run together: one alone, or several."""

from .one import ALONE, Ranks

__all__ = ["ALONE", "Ranks"]
