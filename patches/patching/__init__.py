"""What a patch of the host is: an object that can be taken back, in a set that is on or off as a whole."""

from .patch import Patch, PatchSet, Reversible, UnsupportedHostError, patch_set, signature_with

__all__ = ["Patch", "PatchSet", "Reversible", "UnsupportedHostError", "patch_set", "signature_with"]
