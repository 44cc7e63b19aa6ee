"""The hypernetwork: for each attention width two small MLPs, one for the input of `to_k`, one for that of `to_v`."""

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import nn

from ..base.errors import SettingsError
from ..kernels.linear import LayerNorm, Linear
from .activations import make_activation
from .layers import ResidualBlock, initialise
from .structure import Structure

__all__ = ["Hypernetwork", "HypernetworkModule", "Metadata", "Structure"]

MAX_SEED = 2**63 - 1


@dataclasses.dataclass
class Metadata:
    """What a file holds besides structure and weights.

    Attributes:
        name: the network's name; None where the file has none.
        step: optimizer steps trained so far.
        sd_checkpoint: short hash of the checkpoint it was trained on.
        sd_checkpoint_name: name of that checkpoint.
        optional_info: free text.
        training: settings, dataset, seed, time and the like of the training, plain values only.
        extra: keys of the file that the format does not know; kept and written back.
    """

    name: str | None = None
    step: int = 0
    sd_checkpoint: str | None = None
    sd_checkpoint_name: str | None = None
    optional_info: str | None = None
    training: dict[str, Any] = dataclasses.field(default_factory=dict)
    extra: dict[str, Any] = dataclasses.field(default_factory=dict)


class HypernetworkModule(nn.Module):
    """One MLP that transforms the input of `to_k` or `to_v` for one attention width."""

    def __init__(self, width: int, structure: Structure) -> None:
        super().__init__()
        self.width = width
        self.residual = structure.skip_connection
        self.linear = nn.Sequential(*_residual_layers(width, structure) if self.residual else _layers(width, structure))

    def forward(self, x: torch.Tensor, strength: float = 1.0) -> torch.Tensor:
        """Transform `x` [..., width] by `strength` (always 1 in training mode); same shape, dtype and device out.

        Strength 0 outside training gives `x` itself.
        """
        if self.training:
            strength = 1.0
        elif strength == 0:
            return x
        weight = next(self.parameters())
        # Files may be fp16 while the model runs in fp32, and vice versa.
        context = x.to(weight.dtype)
        if not self.residual:
            change = self.linear(context)
            return (context + (change if strength == 1 else change * strength)).to(x.dtype)
        output = self.linear(context)
        if not self.training:
            output = context + (output - context) * strength
        return output.to(x.dtype)


class Hypernetwork(nn.Module):
    """A pair of MLPs for each attention width, with its structure and metadata.

    The constructor leaves the weights as torch makes them; use `create` for a new network and `files.load` for a
    saved one. Both give a network in evaluation mode; `train()` and `eval()` switch dropout and strength.
    """

    def __init__(self, structure: Structure, widths: Iterable[int], metadata: Metadata | None = None) -> None:
        super().__init__()
        self.structure = structure
        self.metadata = metadata or Metadata()
        self.widths: tuple[int, ...] = structure.check_widths(tuple(widths))
        self.pairs = nn.ModuleDict(
            {
                str(width): nn.ModuleList([HypernetworkModule(width, structure), HypernetworkModule(width, structure)])
                for width in self.widths
            }
        )

    @classmethod
    def create(cls, structure: Structure, widths: Iterable[int], seed: int | None = None) -> "Hypernetwork":
        """Return a new network, float32 on the CPU; its first weights depend on `seed` (a random one where None).

        The global random state is not touched; the seed used is kept as `metadata.training["seed"]`.

        Raises:
            SettingsError: no width, a wrong width or a wrong seed.
        """
        widths = tuple(widths)
        if not widths:
            raise SettingsError("widths", "at least one attention width is needed")
        generator = torch.Generator()
        if seed is None:
            seed = generator.seed() & MAX_SEED
        if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed <= MAX_SEED:
            raise SettingsError("seed", f"must be a whole number from 0 to {MAX_SEED}, not {seed!r}")
        generator.manual_seed(seed)
        with torch.device("meta"):
            network = cls(structure, widths, Metadata(training={"seed": seed}))
        network.to_empty(device="cpu")
        for module in network._modules_in_order():
            initialise(module, structure.weight_init, structure.init_std, generator)
            if structure.zero_last_layer:
                _silence(module)
        return network.eval()

    @classmethod
    def from_tensors(
        cls,
        structure: Structure,
        pairs: Mapping[int, tuple[Mapping[str, torch.Tensor], Mapping[str, torch.Tensor]]],
        metadata: Metadata | None = None,
    ) -> "Hypernetwork":
        """Return a network with the tensors of `pairs` (width to the k and v state), which are not copied.

        Raises:
            SettingsError: a wrong width.
            RuntimeError: names or shapes of the tensors do not fit the structure.
        """
        with torch.device("meta"):
            network = cls(structure, pairs, metadata)
        for width, states in pairs.items():
            for module, state in zip(network.pair(width), states, strict=True):
                module.load_state_dict(state, strict=True, assign=True)
        return network.eval()

    def pair(self, width: int) -> tuple[HypernetworkModule, HypernetworkModule]:
        """Return the MLPs of `width` for `to_k` and `to_v`; raises KeyError for a width the network lacks."""
        pair = self.pairs[str(width)]
        return pair[0], pair[1]  # type: ignore[index]

    def transform(self, context: torch.Tensor, strength: float = 1.0) -> tuple[torch.Tensor, torch.Tensor]:
        """Transform `context` [batch, tokens, width] into the inputs of `to_k` and `to_v`, both of the same shape.

        With a width that the network lacks, or strength 0 outside training, `context` itself is returned twice. In
        training mode the strength is always 1.
        """
        width = context.shape[-1]
        if width not in self.widths:
            return context, context
        for_k, for_v = self.pair(width)
        return for_k(context, strength), for_v(context, strength)

    def _modules_in_order(self) -> list[HypernetworkModule]:
        return [module for width in self.widths for module in self.pair(width)]

    def extra_repr(self) -> str:
        """Return a description of the network in one line."""
        return f"name={self.metadata.name!r}, widths={self.widths}, step={self.metadata.step}"


def _layers(width: int, structure: Structure) -> list[nn.Module]:
    """Return plain layers in the format's order; every module takes an index, so this order decides the key numbers."""
    layers: list[nn.Module] = []
    sizes = structure.layer_widths(width)
    last = len(sizes) - 1
    for index in range(1, len(sizes)):
        layers.append(Linear(sizes[index - 1], sizes[index]))
        if structure.activation != "linear" and (index < last or structure.activate_output):
            layers.append(make_activation(structure.activation))
        if structure.layer_norm:
            layers.append(LayerNorm(sizes[index]))
        if structure.dropout_structure[index] > 0:
            layers.append(nn.Dropout(structure.dropout_structure[index]))
    return layers


def _residual_layers(width: int, structure: Structure) -> list[nn.Module]:
    sizes = structure.layer_widths(width)
    return [
        ResidualBlock(
            (sizes[index - 1], sizes[index]),
            structure.activation,
            structure.layer_norm,
            structure.dropout_structure[index],
            structure.upsample_linear,
        )
        for index in range(1, len(sizes))
    ]


@torch.no_grad()
def _silence(module: HypernetworkModule) -> None:
    """Zero the last layer, so that the MLP starts by adding nothing.

    A LayerNorm at the end would scale the smallest output up to 1 after the first step; there its own weight starts
    at 0 instead.
    """
    last = [layer for layer in module.linear if isinstance(layer, (nn.Linear, nn.LayerNorm))][-1]
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)
