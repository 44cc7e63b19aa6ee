"""Exact shortcuts on the k/v path, for the length of a generation or of one forward in training.

- What networks make of the text is remembered: it is the same in every layer and at every step.
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
from ...hypernetworks.inference.reduced import Function, reduce, split
from ...hypernetworks.inference.text_cache import Memo, is_random, key_of, state_of, version, weights_of
from ...hypernetworks.network.hypernetwork import Hypernetwork
from ..patching import switches
from . import attention_layers
from .folding import Folds, Tails, lora_is_active
from .library import library
from .loaded import Loaded

_log = logging.getLogger(__name__)
_KEPT_REDUCTIONS = 16

Pair = tuple[Tensor, Tensor]
Sides = tuple[Function, Function]


class Shortcuts:
    """The state of the shortcuts; one instance serves the process."""

    def __init__(self) -> None:
        self.memo = Memo()
        self.folds = Folds()
        self._depth = 0
        #: Of the forward in training that runs.
        self.training_memo: Memo | None = None
        self._is_reading = False
        self._reduced: OrderedDict[Hashable, _Reduction] = OrderedDict()
        #: What was reduced in the forward that runs, to be looked up without a look at the weights.
        self._of_this_forward: dict[Hashable, _Reduction] | None = None
        self._folded: tuple[Step, Hashable] | None = None
        self._hooked: weakref.ref[nn.Module] | None = None
        self._hooks: list[Any] = []

    @contextmanager
    def generation(self) -> Iterator[None]:
        """Shortcuts are taken; afterwards nothing of them is left in the model."""
        self._depth += 1
        try:
            yield
        finally:
            self._depth -= 1
            if self._depth == 0:
                self.end()

    @contextmanager
    def one_forward(self) -> Iterator[None]:
        """In training the networks for the text run once for all layers of this forward, with exact gradients.

        Not for layers of re-entrant checkpoints, which run again in the backward pass and must do the same again.
        """
        with self._memo(Memo(limit=2, compares=False), is_reading=False):
            yield

    @contextmanager
    def reading(self, memo: Memo | None) -> Iterator[None]:
        """Tell what `memo` has of the text is taken from there; nothing new enters it.

        For a checkpointed block, which runs twice: what it put in at first it would find, and not compute, later.
        """
        with self._memo(memo, is_reading=True):
            yield

    @contextmanager
    def _memo(self, memo: Memo | None, is_reading: bool) -> Iterator[None]:
        before = self.training_memo, self._is_reading
        self.training_memo, self._is_reading = memo, is_reading
        try:
            yield
        finally:
            self.training_memo, self._is_reading = before

    def transform_text(self, context: Tensor) -> None:
        """In training, computes and remembers what the loaded networks make of the text [batch, tokens, width]."""
        chain = list(shared.loaded_hypernetworks)
        unet = attention_layers.loaded_unet()
        if unet is None or self.training_memo is None or not all(isinstance(each, Loaded) for each in chain):
            return
        networks = tuple(network for each in chain for network in each.networks)
        if context.shape[-1] in attention_layers.of(unet).text_widths and self._applies(networks, context):
            self.transform(chain, context)

    def end(self) -> None:
        """Take everything out of the model, and forgets what only this generation needed."""
        try:
            self.unfold()
        finally:
            self._unwatch()
            self.memo.clear()
            for key, reduction in list(self._reduced.items()):
                if not all(network in library for network in reduction.networks):
                    del self._reduced[key]

    def unfold(self) -> None:
        """Give the U-Net its own weights back; they are folded again when its next forward begins."""
        self._folded = None
        self.folds.undo()

    def plain(self, chain: Sequence[Loaded], context: Tensor) -> Pair:
        """Return the inputs of `to_k` and `to_v`, network by network."""
        self.leave_layer()
        return Chain(tuple(each.step_of_chain for each in chain)).transform(context, context)

    def leave_layer(self) -> None:
        """Take the folded maps out if the layer that runs now has one and is about to go another way."""
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
            return self._remembered(chain, step, context)
        if self.training_memo is not None:
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
            return self._remembered(chain, step, context)
        for_k, for_v = self._reduce(step, networks, context.shape[-1], context.device).whole
        return for_k(context), for_v(context)

    def _remembered(self, chain: Sequence[Loaded], step: Chain, context: Tensor) -> Pair:
        networks, width = tuple(step.networks()), context.shape[-1]
        if self.training_memo is None:
            memo, key = self.memo, (step, key_of(networks, width))
        else:
            # Nothing writes into weights during one forward, and a look at all of them in each layer takes time.
            memo, key = self.training_memo, (step, state_of(networks))
        if self._is_reading:
            known = memo.find(key, context)
            return self.plain(chain, context) if known is None else known
        return memo.get(key, context, lambda: step.transform(context, context), weights_of(networks, width))

    def _applies(self, networks: Sequence[Hypernetwork], context: Tensor) -> bool:
        if not switches.shortcuts_are_on():
            return False
        if self.training_memo is not None:
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
                # Their move to the device gave the weights another place in memory.
                key = (*quick, _weights(networks, width))
                self._reduced[key] = found
                while len(self._reduced) > _KEPT_REDUCTIONS:
                    self._reduced.popitem(last=False)
            self._reduced.move_to_end(key)
            of_this_forward[quick] = found
        return found

    def _watch(self, unet: nn.Module) -> None:
        """From now on folds when a forward of `unet` begins, before any of its layers runs."""
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
        """See that what is folded is the end of the chain with the weights of now; nothing beside a LoRA."""
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
    """Functions for k and v of one width, whole and without the maps that are folded, and what they were made of."""

    def __init__(self, networks: tuple[Hypernetwork, ...], held: list[Tensor], whole: Sides) -> None:
        self.networks, self.held, self.whole = networks, held, whole
        self.heads: Sides = split(whole[0])[0], split(whole[1])[0]


def _weights(networks: tuple[Hypernetwork, ...], width: int) -> Hashable:
    return tuple((weight.data_ptr(), weight.dtype, version(weight)) for weight in weights_of(networks, width))


#: What the patches use.
shortcuts = Shortcuts()
