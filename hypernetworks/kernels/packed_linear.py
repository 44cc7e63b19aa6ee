"""Linear layers for generation on a CPU: their weights are laid out for oneDNN once and never copied again."""

from __future__ import annotations

from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn
from torch.nn import functional

from . import onednn
from .tensors import version

#: Address, device and count of writes of each weight of a layer.
_Mark = list[tuple[int, torch.device, "int | None"]]


class PackedLinear:
    """x -> x W^T + b; through oneDNN on a CPU in float32 where torch has it, else as torch does it.

    Args:
        weight: W [outputs, inputs]; must not change while this is in use.
        bias: b [outputs] or None.
    """

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        self.weight, self.bias = weight, bias
        self._packed: Tensor | None = None

    @classmethod
    def of(cls, layer: nn.Linear) -> PackedLinear:
        """Return a layer of torch as a packed one, shared by all who ask for it as long as its weights stay."""
        weights = [layer.weight] if layer.bias is None else [layer.weight, layer.bias]
        mark: _Mark = [(tensor.data_ptr(), tensor.device, version(tensor)) for tensor in weights]
        known = _known.get(layer)
        if known is None or known[0] != mark or any(tensor.is_inference() for tensor in weights):
            known = _known[layer] = mark, cls(layer.weight, layer.bias)
        return known[1]

    def __call__(self, x: Tensor) -> Tensor:
        """Map x [..., inputs] to [..., outputs]; no gradient goes through."""
        if not onednn.takes(self.weight, x):
            return functional.linear(x, self.weight, self.bias)
        if self._packed is None:
            self._packed = onednn.lay_out_linear(self.weight.detach())
        bias = None if self.bias is None else self.bias.detach()
        return onednn.linear(x.detach(), self._packed, bias)


_known: WeakKeyDictionary[nn.Linear, tuple[_Mark, PackedLinear]] = WeakKeyDictionary()
