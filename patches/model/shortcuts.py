"""Exact shortcuts on the k/v path, for the length of a generation or of one forward in training.

- What networks make of the text is cached: it is the same in every layer and at every step.
- Affine networks at the end of the chain are folded into the self-attention layers, and need no work at all.
- Affine networks elsewhere are multiplied out and joined.

Whatever does not fit takes the plain path.
"""

from __future__ import annotations

import logging
import weakref
from collections import OrderedDict
from collections.abc import Hashable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from modules import shared
from torch import Tensor, nn

from ...hypernetworks.compose.bound import Chain, Step
from ...hypernetworks.inference import Function, TextCache, is_random, key_of, reduce, split, state_of, weights_of
from ...hypernetworks.inference.library import library
from ...hypernetworks.kernels.tensors import version
from ...hypernetworks.network.hypernetwork import Hypernetwork
from ..patching import switches
from . import attention_layers
from .folding import Folds, Tails, lora_is_active
from .loaded import Loaded

_log = logging.getLogger(__name__)
_KEPT_REDUCTIONS = 16

Pair = tuple[Tensor, Tensor]
Sides = tuple[Function, Function]


class Shortcuts:
    """The state of the shortcuts; one instance serves the process."""

    def __init__(self) -> None:
        self.text_cache = TextCache()
        self.folds = Folds()
        self._depth = 0
        #: The cache of the running forward in training.
        self.training_cache: TextCache | None = None
        self._is_read_only = False
        self._reduced: OrderedDict[Hashable, _Reduction] = OrderedDict()
        #: Reductions of the running forward, which are found without looking at the weights.
        self._of_this_forward: dict[Hashable, _Reduction] | None = None
        self._folded: tuple[Step, Hashable] | None = None
        self._hooked: weakref.ref[nn.Module] | None = None
        self._hooks: list[Any] = []

    @contextmanager
    def generation(self) -> Iterator[None]:
        """Take shortcuts for the length of a `with`; afterwards nothing of them is left in the model."""
        self._depth += 1
        try:
            yield
        finally:
            self._depth -= 1
            if self._depth == 0:
                self.end()

    @contextmanager
    def one_forward(self) -> Iterator[None]:
        """Run networks on the text once for all layers of one forward in training, with exact gradients.

        Not for layers of re-entrant checkpoints, which run again in the backward pass and must do the same again.
        """
        with self._using(TextCache(limit=2, compares=False), is_read_only=False):
            yield

    @contextmanager
    def read_only(self, cache: TextCache | None) -> Iterator[None]:
        """Take the text from `cache` where it is there, and put nothing into it.

        For a checkpointed block, which runs twice: what it cached the first time it would not compute the second.
        """
        with self._using(cache, is_read_only=True):
            yield

    @contextmanager
    def _using(self, cache: TextCache | None, is_read_only: bool) -> Iterator[None]:
        before = self.training_cache, self._is_read_only
        self.training_cache, self._is_read_only = cache, is_read_only
        try:
            yield
        finally:
            self.training_cache, self._is_read_only = before

    def transform_text(self, context: Tensor) -> None:
        """Compute and cache, in training, what the loaded networks make of the text [batch, tokens, width]."""
        chain = list(shared.loaded_hypernetworks)
        unet = attention_layers.loaded_unet()
        if unet is None or self.training_cache is None or not all(isinstance(each, Loaded) for each in chain):
            return
        networks = tuple(network for each in chain for network in each.networks)
        if context.shape[-1] in attention_layers.of(unet).text_widths and self._applies(networks, context):
            self.transform(chain, context)

    def end(self) -> None:
        """Take everything out of the model, and forget what only this generation needed."""
        try:
            self.unfold()
        finally:
            self._unwatch()
            self.text_cache.clear()
            for key, reduction in list(self._reduced.items()):
                if not all(network in library for network in reduction.networks):
                    del self._reduced[key]

    def unfold(self) -> None:
        """Give the U-Net its own weights back; they are folded again when its next forward begins."""
        self._folded = None
        self.folds.undo()

    def plain(self, chain: Sequence[Loaded], context: Tensor) -> Pair:
        """Return the inputs of `to_k` and `to_v`, computed network by network."""
        self.leave_layer()
        return Chain(tuple(each.step_of_chain for each in chain)).transform(context, context)

    def leave_layer(self) -> None:
        """Unfold everything if the running layer has a folded map but is about to take another path."""
        if self.folds.current is not None:
            self.unfold()

    def transform(self, chain: Sequence[Loaded], context: Tensor) -> Pair:
        """Return the inputs of `to_k` and `to_v` for an attention input [batch, tokens, width]."""
        step = Chain(tuple(each.step_of_chain for each in chain))
        networks = tuple(step.networks())
        unet = attention_layers.loaded_unet()
        if unet is None or not self._applies(networks, context):
            return self.plain(chain, context)
        if context.shape[-1] in attention_layers.of(unet).text_widths:
            return self._cached(chain, step, context)
        if self.training_cache is not None:
            return self.plain(chain, context)
        if self._folded is not None and self._folded[0] != step:
            self.leave_layer()
        self._watch(unet)
        reduction = self._reduce(step, networks, context.shape[-1], context.device)
        for_k, for_v = reduction.heads if self.folds.current is not None else reduction.whole
        return for_k(context), for_v(context)

    def transform_hooked(self, chain: Sequence[Loaded], context: Tensor, is_text: bool) -> Pair:
        """Do what `transform` does where the host says which inputs are the text and keeps its weights to itself."""
        step = Chain(tuple(each.step_of_chain for each in chain))
        networks = tuple(step.networks())
        if not self._applies(networks, context):
            return step.transform(context, context)
        if is_text:
            return self._cached(chain, step, context)
        if self.training_cache is not None:
            return step.transform(context, context)
        for_k, for_v = self._reduce(step, networks, context.shape[-1], context.device).whole
        return for_k(context), for_v(context)

    def _cached(self, chain: Sequence[Loaded], step: Chain, context: Tensor) -> Pair:
        networks, width = tuple(step.networks()), context.shape[-1]
        if self.training_cache is None:
            cache, key = self.text_cache, (step, key_of(networks, width))
        else:
            # Nothing writes into weights during one forward, and checking all of them in each layer takes time.
            cache, key = self.training_cache, (step, state_of(networks))
        if self._is_read_only:
            found = cache.find(key, context)
            return self.plain(chain, context) if found is None else found
        return cache.get(key, context, lambda: step.transform(context, context), weights_of(networks, width))

    def _applies(self, networks: Sequence[Hypernetwork], context: Tensor) -> bool:
        if not switches.shortcuts_are_on():
            return False
        if self.training_cache is not None:
            return not any(is_random(network) for network in networks)
        if self._depth == 0 or any(network.training for network in networks):
            return False
        return not torch.is_grad_enabled() or not (
            context.requires_grad or any(weight.requires_grad for net in networks for weight in net.parameters())
        )

    def _reduce(self, step: Step, networks: tuple[Hypernetwork, ...], width: int, device: torch.device) -> _Reduction:
        quick = (step, width, device)
        of_this_forward = {} if self._of_this_forward is None else self._of_this_forward
        found = of_this_forward.get(quick)
        if found is None:
            key = (*quick, _weights(networks, width))
            found = self._reduced.get(key)
            if found is None:
                whole = reduce(step, width, False, device), reduce(step, width, True, device)
                held = [weight.detach() for weight in weights_of(networks, width)]
                found = _Reduction(networks, held, whole)
                # Moving the weights to the device changed their addresses.
                key = (*quick, _weights(networks, width))
                self._reduced[key] = found
                while len(self._reduced) > _KEPT_REDUCTIONS:
                    self._reduced.popitem(last=False)
            self._reduced.move_to_end(key)
            of_this_forward[quick] = found
        return found

    def _watch(self, unet: nn.Module) -> None:
        """Fold whenever a forward of `unet` begins, before any of its layers runs."""
        if self._hooked is None or self._hooked() is not unet:
            self._unwatch()
            self._hooked = weakref.ref(unet)
            self._hooks = [
                unet.register_forward_pre_hook(self._before_forward),
                unet.register_forward_hook(self._after_forward, always_call=True),
            ]

    def _unwatch(self) -> None:
        while self._hooks:
            self._hooks.pop().remove()
        self._hooked = self._of_this_forward = None

    def _after_forward(self, _unet: nn.Module, _inputs: Any, _output: Any) -> None:
        self._of_this_forward = None

    def _before_forward(self, unet: nn.Module, _inputs: Any) -> None:
        """Fold the end of the chain, with its present weights, unless it is folded already; nothing beside a LoRA."""
        self._of_this_forward = {}
        chain = list(shared.loaded_hypernetworks)
        if not chain or not all(isinstance(each, Loaded) for each in chain) or lora_is_active():
            self.unfold()
            return
        step = Chain(tuple(each.step_of_chain for each in chain))
        networks = tuple(step.networks())
        layers = attention_layers.of(unet).own
        if self._folded == (step, self._state(networks, layers)):
            return
        self.unfold()
        if not switches.shortcuts_are_on() or any(network.training for network in networks):
            return
        devices = {layer.to_k.in_features: layer.to_k.weight.device for layer in layers}

        def tails(width: int) -> Tails:
            whole = self._reduce(step, networks, width, devices[width]).whole
            return split(whole[0])[1], split(whole[1])[1]

        try:
            self.folds.fold(layers, tails)
        except torch.cuda.OutOfMemoryError:
            _log.warning("There is too little GPU memory to fold hypernetworks in; they run in every layer.")
        self._folded = step, self._state(networks, layers)

    @staticmethod
    def _state(networks: tuple[Hypernetwork, ...], layers: tuple[Any, ...]) -> Hashable:
        widths = sorted({layer.to_k.in_features for layer in layers})
        return tuple(_weights(networks, width) for width in widths)


class _Reduction:
    """Functions for k and v of one width, whole and without the folded maps, and what they were made from."""

    def __init__(self, networks: tuple[Hypernetwork, ...], held: list[Tensor], whole: Sides) -> None:
        self.networks, self.held, self.whole = networks, held, whole
        self.heads: Sides = split(whole[0])[0], split(whole[1])[0]


def _weights(networks: tuple[Hypernetwork, ...], width: int) -> Hashable:
    return tuple((weight.data_ptr(), weight.dtype, version(weight)) for weight in weights_of(networks, width))


#: The one instance, which the patches use.
shortcuts = Shortcuts()
