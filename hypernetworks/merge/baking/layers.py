"""Bakes an affine hypernetwork into a checkpoint, which then makes the network's pictures by itself."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

from ...base.errors import MergeError
from ...files.format import is_finite
from ...network.affine import check_affine, multiply_out
from ...network.hypernetwork import Hypernetwork

_TO_K = re.compile(r"(model\.diffusion_model\..+\.attn[12])\.to_k\.weight")


@dataclasses.dataclass(frozen=True)
class Layer:
    """An attention layer of a checkpoint.

    Attributes:
        name: its key up to `.to_k`.
        width: width of its attention input, in `attn2` that of the text.
        carries_bias: whether its `to_out` has a bias, to which what is added to all values of v can be moved.
    """

    name: str
    width: int
    carries_bias: bool


def attention_layers(shapes: Mapping[str, tuple[int, ...]]) -> tuple[Layer, ...]:
    """Return the attention layers of the U-Net, found by the names that ldm and sgm give their weights.

    Args:
        shapes: the shapes of all tensors of the checkpoint, by name.
    """
    found = []
    for name, shape in shapes.items():
        match = _TO_K.fullmatch(name)
        if match and len(shape) == 2 and f"{match[1]}.to_v.weight" in shapes:  # noqa: PLR2004 - a matrix
            found.append(Layer(match[1], shape[1], f"{match[1]}.to_out.0.bias" in shapes))
    return tuple(found)


class Baking(Mapping[str, Tensor]):
    """The tensors of a checkpoint that a network changes, each computed when it is read, in its own dtype.

    With x + s (W x + b) for its input, `to_k` becomes M (1 + s W), and so does `to_v`. Both lack a bias. That of k,
    s M b, shifts all scores of a query alike, which the softmax removes again. That of v is added to whatever the
    attention returns, since its shares sum to 1, and so moves through `to_out` into its bias. Only rounding differs.

    Args:
        state: the tensors of the checkpoint by name; read only when needed.
        shapes: the shapes of all its tensors.
        network: an affine network.
        strength: the strength, as at generation.

    Raises:
        MergeError: the network is not affine, shares no width with the checkpoint, or a bias cannot be carried.
    """

    def __init__(
        self, state: Mapping[str, Tensor], shapes: Mapping[str, tuple[int, ...]], network: Hypernetwork, strength: float
    ) -> None:
        self._state, self._strength = state, strength
        self.layers = changed_layers(network, shapes)
        self._maps = {
            width: [multiply_out(module) for module in network.pair(width)]
            for width in {layer.width for layer in self.layers}
        }
        self._owners = dict(self._names())

    def _names(self) -> Iterator[tuple[str, Layer]]:
        for layer in self.layers:
            yield f"{layer.name}.to_k.weight", layer
            yield f"{layer.name}.to_v.weight", layer
            bias = self._strength * self._maps[layer.width][1][1]
            if not bias.any():
                continue
            if not layer.carries_bias:
                size = f"{float(bias.abs().max()):.3g}"
                raise MergeError(
                    f"{layer.name} has no bias in to_out that could carry the network's, whose values reach {size}"
                )
            yield f"{layer.name}.to_out.0.bias", layer

    def __iter__(self) -> Iterator[str]:
        return iter(self._owners)

    def __len__(self) -> int:
        return len(self._owners)

    @torch.no_grad()
    def __getitem__(self, name: str) -> Tensor:
        """Return one tensor; raises MergeError where it does not fit into its dtype."""
        layer = self._owners[name]
        for_v = not name.endswith("to_k.weight")
        weight, bias = self._maps[layer.width][int(for_v)]
        old = self._state[name]
        matrix = self._state[f"{layer.name}.to_{'v' if for_v else 'k'}.weight"].double()
        if name.endswith(".weight"):
            new = matrix + self._strength * (matrix @ weight)
        else:
            through = self._state[f"{layer.name}.to_out.0.weight"].double()
            new = old.double() + self._strength * (through @ (matrix @ bias))
        baked = new.to(old.dtype)
        if not is_finite(baked):
            raise MergeError(f"{name} does not fit into {str(old.dtype).removeprefix('torch.')} any more")
        return baked


def changed_layers(network: Hypernetwork, shapes: Mapping[str, tuple[int, ...]]) -> tuple[Layer, ...]:
    """Return the attention layers that a network changes, found from its structure and the checkpoint's shapes alone.

    Raises:
        MergeError: the network is not affine, or shares no width with the checkpoint.
    """
    check_affine(network.structure)
    layers = attention_layers(shapes)
    if not layers:
        raise MergeError("the checkpoint has no attention layers under the names of SD1, SD2 and SDXL")
    changed = tuple(layer for layer in layers if layer.width in network.widths)
    if not changed:
        widths = sorted({layer.width for layer in layers})
        both = f"the network has the widths {list(network.widths)} and the checkpoint {widths}"
        raise MergeError(f"{both}, so nothing would change")
    return changed
