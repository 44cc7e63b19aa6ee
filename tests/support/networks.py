"""Small networks with weights large enough that every part of them shows in the output."""

import torch
from hypernetwork_workbench.hypernetworks.network.hypernetwork import Hypernetwork, Structure


def random_network(seed: int, widths: tuple[int, ...] = (8,), name: str | None = None, **flags) -> Hypernetwork:
    """Make a network of a structure given by its fields, all weights random by `seed`."""
    network = Hypernetwork.create(Structure(**flags), widths, seed)
    generator = torch.Generator().manual_seed(seed)
    for tensor in network.state_dict().values():
        tensor.normal_(0, 0.4, generator=generator)
    network.metadata.name = name
    return network
