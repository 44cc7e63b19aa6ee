"""Changes of nested tables and tensors, from which faults are made."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

import torch

Content = dict[str, Any]
Address = tuple[Any, ...]


def addresses(value: Any, above: Address = ()) -> Iterator[Address]:
    """Yield the address of every part that has a name, and of the parts of lists that are no numbers."""
    if isinstance(value, dict):
        for key, part in value.items():
            yield (*above, key)
            yield from addresses(part, (*above, key))
    elif isinstance(value, list):
        for index, part in enumerate(value):
            yield from addresses(part, (*above, index))


def at(content: Any, address: Address) -> Any:
    """Return what is at an address."""
    for key in address:
        content = content[key]
    return content


def drop(address: Address, content: Content) -> None:
    """Remove what is at an address."""
    del at(content, address[:-1])[address[-1]]


def put(address: Address, value: Any, content: Content) -> None:
    """Put `value` at an address."""
    at(content, address[:-1])[address[-1]] = value


def changed(address: Address, change: Callable[[torch.Tensor], torch.Tensor]) -> Callable[[Content], None]:
    """Return a change of the tensor at an address."""
    return lambda content: put(address, change(at(content, address)), content)


def with_number(number: float) -> Callable[[torch.Tensor], torch.Tensor]:
    """Return a change of one number of a tensor."""

    def changed(tensor: torch.Tensor) -> torch.Tensor:
        tensor = tensor.clone()
        tensor.view(-1)[-1] = number
        return tensor

    return changed


def deep(depth: int) -> Any:
    """Return a list in a list, `depth` times."""
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


def another_type(value: Any, draw: random.Random) -> Any:
    """Return something that is of another type than `value`, or for a whole number far too large."""
    if type(value) is int and draw.random() < 0.2:
        return 2**79
    kinds = [[], "many", {"a": 1}, True, b"bytes", [[[[[[1]]]]]]]
    return draw.choice([one for one in kinds if type(one) is not type(value)])
