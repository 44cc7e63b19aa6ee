"""The memory that tensors take, counted exactly: the same number in every run, whatever else the process holds."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map_only

MB = 1 << 20


class TensorPeak(TorchDispatchMode):
    """Counts the bytes of all storages that are made while it is entered, until they are freed.

    What a kernel takes for itself while it computes is not seen.
    """

    def __init__(self) -> None:
        super().__init__()
        self._sizes: dict[int, int] = {}
        self._present = self._peak = 0

    @property
    def peak_mb(self) -> float:
        """The most MiB at one time."""
        return self._peak / MB

    def __torch_dispatch__(
        self,
        func: Callable[..., Any],
        _types: Any,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        named = kwargs or {}
        tree_map_only(Tensor, lambda given: self._see(given, is_new=False), (args, named))
        return tree_map_only(Tensor, lambda made: self._see(made, is_new=True), func(*args, **named))

    def _see(self, tensor: Tensor, is_new: bool) -> Tensor:
        """Take note of a storage; what functions are given and had not been made before counts as nothing."""
        # Tensors in a layout of oneDNN have no storage that could be asked for.
        held: Any = tensor if tensor.is_mkldnn else tensor.untyped_storage()
        key = id(held) if tensor.is_mkldnn else held._cdata
        if key not in self._sizes:
            whole = tensor.numel() * tensor.element_size() if tensor.is_mkldnn else held.nbytes()
            self._sizes[key] = size = whole if is_new else 0
            self._present += size
            self._peak = max(self._peak, self._present)
            weakref.finalize(held, self._free, key)
        return tensor

    def _free(self, key: int) -> None:
        self._present -= self._sizes.pop(key)
