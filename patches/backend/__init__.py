"""What Forge and reForge keep around a checkpoint, by their own names; elsewhere nothing of this exists."""

from .checkpoint import (
    chosen,
    is_chosen_loaded,
    is_here,
    kept_checkpoint,
    load_chosen,
    originals,
    with_choice,
    without_changes,
)
from .memory import encoders_away, encoders_needed, is_settled, load, picture

__all__ = [
    "chosen",
    "encoders_away",
    "encoders_needed",
    "is_chosen_loaded",
    "is_here",
    "is_settled",
    "kept_checkpoint",
    "load",
    "load_chosen",
    "originals",
    "picture",
    "with_choice",
    "without_changes",
]
