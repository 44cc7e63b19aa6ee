"""VAE, text encoder and settings of texts that a run has in place of those that the host has chosen."""

from .chosen import aside, chosen, in_place
from .text_options import applied
from .weights import forget_prompts

__all__ = ["applied", "aside", "chosen", "forget_prompts", "in_place"]
