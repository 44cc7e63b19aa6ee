"""A chain of networks reduced for one width and one side, k or v, to the fewest multiplications.

Everything here is exact up to rounding and for generation only: no dropout, no gradient.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable
from typing import TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..compose.bound import Apply, Chain, Step, mix
from ..kernels.linear import PackedLinear
from ..network.affine import added_map
from ..network.hypernetwork import HypernetworkModule


class Identity:
    """x -> x."""

    cost = 0

    def __call__(self, x: Tensor) -> Tensor:
        """Return x itself."""
        return x


class Affine:
    """x -> x + x W^T + b.

    Args:
        weight: W [width, width], in float64 where the device has it.
        bias: b [width], of the same dtype.
        thin: networks with a bottleneck that compute the same with fewer multiplications, or None.
    """

    def __init__(self, weight: Tensor, bias: Tensor, thin: tuple[MLP, ...] | None = None) -> None:
        self.weight, self.bias = weight, bias
        self.thin = thin if thin and sum(part.cost for part in thin) < weight.numel() else None

    @property
    def cost(self) -> int:
        """Multiplications for each token."""
        return sum(part.cost for part in self.thin) if self.thin else self.weight.numel()

    @functools.cached_property
    def _rounded(self) -> PackedLinear:
        return PackedLinear(self.weight.float(), self.bias.float())

    def __call__(self, x: Tensor) -> Tensor:
        """Map x [batch, tokens, width] to the same shape and dtype."""
        if self.thin:
            for part in self.thin:
                x = part(x)
            return x
        context = x.to(self._rounded.weight.dtype)
        return self._rounded(context).add_(context).to(x.dtype)

    def after(self, first: Affine) -> Affine:
        """Return the map that does `first` and then this one."""
        weight = first.weight + self.weight + self.weight @ first.weight
        bias = first.bias + self.bias + self.weight @ first.bias
        thin = first.thin + self.thin if first.thin and self.thin else None
        return Affine(weight, bias, thin)

    def scaled(self, share: float) -> Affine:
        """Return the map that adds `share` of what this one adds."""
        thin = (self.thin[0].scaled(share),) if self.thin and len(self.thin) == 1 else None
        return Affine(self.weight * share, self.bias * share, thin)

    def plus(self, other: Affine) -> Affine:
        """Return the map that adds what both add."""
        return Affine(self.weight + other.weight, self.bias + other.bias)


class MLP:
    """One MLP at a strength."""

    def __init__(self, module: HypernetworkModule, strength: float) -> None:
        self.module, self.strength = module, strength
        self.layers = () if module.residual else tuple(_in_place(layer) for layer in module.linear if _does(layer))
        self.cost: int = sum(layer.weight.numel() for layer in module.modules() if isinstance(layer, nn.Linear))

    def scaled(self, share: float) -> MLP:
        """Return the same MLP with `share` of what it adds."""
        return MLP(self.module, self.strength * share)

    def __call__(self, x: Tensor) -> Tensor:
        """Map x [batch, tokens, width] to the same shape and dtype."""
        if not self.layers:
            return self.module(x, self.strength)
        context = x.to(next(self.module.parameters()).dtype)
        return (self._on_cpu if x.device.type == "cpu" else self._elsewhere)(context).to(x.dtype)

    @functools.cached_property
    def _packed(self) -> list[Callable[[Tensor], Tensor]]:
        return [PackedLinear.of(layer) if isinstance(layer, nn.Linear) else layer for layer in self.layers]

    def _on_cpu(self, context: Tensor) -> Tensor:
        hidden = context
        for layer in self._packed:
            hidden = layer(hidden)
        # Every layer returns new memory, or overwrites that of the layer before.
        return torch.add(context, hidden, alpha=self.strength, out=hidden)

    def _elsewhere(self, context: Tensor) -> Tensor:
        """Compute the last linear layer, the strength and the sum in one operation."""
        last, hidden = self.layers[-1], context
        if not isinstance(last, nn.Linear):
            return self.module(context, self.strength)
        for layer in self.layers[:-1]:
            hidden = layer(hidden)
        flat, hidden = context.reshape(-1, context.shape[-1]), hidden.reshape(-1, hidden.shape[-1])
        output = torch.addmm(flat, hidden, last.weight.t(), alpha=self.strength)
        return output.add_(last.bias, alpha=self.strength).reshape(context.shape)


class Composed:
    """Functions applied one after the other."""

    def __init__(self, parts: tuple[Function, ...]) -> None:
        self.parts = parts
        self.cost: int = sum(part.cost for part in parts)

    def __call__(self, x: Tensor) -> Tensor:
        """Map x [batch, tokens, width] to the same shape and dtype."""
        for part in self.parts:
            x = part(x)
        return x


class Sum:
    """x plus the share of what each part adds to it."""

    def __init__(self, parts: tuple[tuple[Function, float], ...]) -> None:
        self.parts = parts
        self.cost: int = sum(part.cost for part, _ in parts)

    def __call__(self, x: Tensor) -> Tensor:
        """Map x [batch, tokens, width] to the same shape and dtype."""
        return mix(x, [(part(x), share) for part, share in self.parts])


Function: TypeAlias = "Identity | Affine | MLP | Composed | Sum"
_NOTHING = Identity()


@torch.no_grad()
def reduce(step: Step, width: int, for_v: bool, device: torch.device) -> Function:
    """Reduce `step` for the inputs of `to_k`, or with `for_v` of `to_v`, of one width.

    Affine networks are multiplied out, in float64 where the device has it, and adjacent ones joined.

    Args:
        step: networks in evaluation mode; those with the width are moved to `device`.
    """
    if isinstance(step, Apply):
        return _one(step, width, for_v, device)
    if isinstance(step, Chain):
        return _in_order([reduce(part, width, for_v, device) for part in step.parts])
    return _side_by_side([(reduce(part, width, for_v, device), share) for part, share in step.parts if share != 0])


def split(function: Function) -> tuple[Function, Affine | None]:
    """Split off an affine map that comes last, so that it can be folded into the linear layer behind it."""
    if isinstance(function, Affine):
        return _NOTHING, function
    if isinstance(function, Composed) and isinstance(function.parts[-1], Affine):
        return _in_order(list(function.parts[:-1])), function.parts[-1]
    return function, None


def _one(step: Apply, width: int, for_v: bool, device: torch.device) -> Function:
    network = step.network
    if width not in network.widths or step.strength == 0:
        return _NOTHING
    module = network.pair(width)[int(for_v)]
    if next(module.parameters()).device != device:
        network.to(device)
    mlp = MLP(module, step.strength)
    added = added_map(module, network.structure)
    if added is None:
        return mlp
    return Affine(added[0] * step.strength, added[1] * step.strength, (mlp,))


def _in_order(parts: list[Function]) -> Function:
    joined: list[Function] = []
    flat = [inner for part in parts for inner in (part.parts if isinstance(part, Composed) else (part,))]
    for part in flat:
        if isinstance(part, Affine) and joined and isinstance(joined[-1], Affine):
            joined[-1] = part.after(joined[-1])
        elif not isinstance(part, Identity):
            joined.append(part)
    if not joined:
        return _NOTHING
    return joined[0] if len(joined) == 1 else Composed(tuple(joined))


def _side_by_side(parts: list[tuple[Function, float]]) -> Function:
    affine: Affine | None = None
    others: list[tuple[Function, float]] = []
    for part, share in parts:
        if isinstance(part, Affine):
            scaled = part.scaled(share)
            affine = affine.plus(scaled) if affine else scaled
        elif isinstance(part, MLP):
            others.append((part.scaled(share), 1.0))
        elif not isinstance(part, Identity):
            others.append((part, share))
    if affine is not None:
        others.append((affine, 1.0))
    if not others:
        return _NOTHING
    return others[0][0] if len(others) == 1 and others[0][1] == 1 else Sum(tuple(others))


def _does(layer: nn.Module) -> bool:
    return not isinstance(layer, (nn.Dropout, nn.Identity))


class _Mish(nn.Module):
    """Mish (Misra 2019), x tanh(ln(1 + e^x)), over its input.

    With n = e^x (e^x + 2) it is x n / (n + 2), which takes one exponential; torch computes three functions on the CPU,
    which takes two to three times as long.
    """

    def forward(self, x: Tensor) -> Tensor:
        if x.device.type != "cpu" or x.dtype not in {torch.float32, torch.float64}:
            return functional.mish(x, inplace=True)
        power = x.clamp(max=20.0).exp_()  # beyond 20 the factor is 1
        half = power.addcmul_(power, power, value=0.5)
        return x.mul_(half.div_(half + 1))


def _in_place(layer: nn.Module) -> nn.Module:
    """Return an activation that overwrites its input, which is always a layer's fresh output, where there is one."""
    if isinstance(layer, nn.Mish):
        return _Mish()
    if not hasattr(layer, "inplace"):
        return layer
    layer = copy.copy(layer)
    layer.inplace = True  # type: ignore[assignment]
    return layer
