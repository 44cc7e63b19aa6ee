"""Pictures and captions, encoded once before the first step and kept on disk for later runs."""

from .cache import Cache
from .latents import EncodedDataset, encode, encode_parts

__all__ = ["Cache", "EncodedDataset", "encode", "encode_parts"]
