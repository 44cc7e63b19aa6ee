"""Patches of the host: objects that can be undone, in sets that are on or off as a whole."""

from .patch import Patch, PatchSet, Reversible, UnsupportedHostError, patch_set, signature_with

__all__ = ["Patch", "PatchSet", "Reversible", "UnsupportedHostError", "patch_set", "signature_with"]
