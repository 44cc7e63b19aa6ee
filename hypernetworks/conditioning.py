"""What a denoiser takes besides latents and timesteps, as one value."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True, eq=False)
class Conditioning:
    """The conditioning of a picture; that of a batch has one more dimension in front, in every part.

    Attributes:
        text: the encoded caption, [tokens, width].
        vector: the caption as a whole, [width]: what SDXL's second text encoder pools; None where a model takes none.
        sizes: height and width of the picture as it was, top and left of its crop, and height and width of that, in
            pixels, [6], after Podell et al., "SDXL: Improving Latent Diffusion Models for High-Resolution Image
            Synthesis" (2023); None where a model takes no vector.
    """

    text: Tensor
    vector: Tensor | None = None
    sizes: Tensor | None = None

    @property
    def parts(self) -> tuple[Tensor, ...]:
        """The parts that there are."""
        return tuple(part for part in (self.text, self.vector, self.sizes) if part is not None)

    @property
    def nbytes(self) -> int:
        """The bytes of all parts."""
        return sum(part.nbytes for part in self.parts)

    def map(self, change: Callable[[Tensor], Tensor]) -> Conditioning:
        """Return it with every part changed, for instance moved or cut."""
        vector, sizes = (None if part is None else change(part) for part in (self.vector, self.sizes))
        return Conditioning(change(self.text), vector, sizes)

    def is_finite(self) -> bool:
        """Tell whether all its numbers are finite."""
        return all(bool(part.isfinite().all()) for part in self.parts)
