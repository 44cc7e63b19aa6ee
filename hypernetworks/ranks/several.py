"""Several processes that take the steps of a run together, over torch.distributed (Li et al., 2020).

What a step needs is small: the gradients of the hypernetwork, added up once after all of its pictures. Everything after
the sum is the same in all processes, so nothing else of a run has to travel.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from socket import if_nameindex

import torch
import torch.distributed as dist
from torch import Tensor, nn

from ..base.errors import RanksLostError, TrainingError
from .one import Ranks

#: The others wait while the first process saves, makes previews or measures; one that has ended is noticed at once.
_INTERFACE = "GLOO_SOCKET_IFNAME"
_PATIENCE = timedelta(days=30)
#: Before, one that has ended is not noticed: all are waited for where each can be told of it.
_MEETING_S, _POLL_S = 1800.0, 0.2


def why_not() -> str | None:
    """Return why the installed torch cannot connect processes; None where it can."""
    if not dist.is_available() or not dist.is_gloo_available():
        return "the installed torch cannot connect processes, as it has no gloo"
    return None


@contextmanager
def on_this_machine() -> Iterator[None]:
    """Let processes that meet in a file talk over the loopback alone, so that no network can reach them."""
    loopback = {"lo", "lo0"} & {name for _, name in if_nameindex()}
    if not loopback or _INTERFACE in os.environ:
        yield
        return
    os.environ[_INTERFACE] = min(loopback)
    try:
        yield
    finally:
        del os.environ[_INTERFACE]


@contextmanager
def joined(
    rank: int, size: int, meeting: str, over_cpu: bool = False, check: Callable[[], None] = lambda: None
) -> Iterator[Ranks]:
    """Connect this process with the others of a run until the end of the block.

    Args:
        meeting: where they find one another, an `init_method` of torch.distributed such as `env://`.
        over_cpu: whether gradients on a GPU travel over the CPU too: the end of another process is noticed there.
        check: called again and again while the others are waited for; what it raises ends that.

    Raises:
        TrainingError: torch cannot connect processes, or the others cannot be found.
    """
    if (reason := why_not()) is not None:
        raise TrainingError(reason)
    # Gradients on a GPU go from GPU to GPU, all else from CPU to CPU.
    is_fast = not over_cpu and torch.cuda.is_available() and dist.is_nccl_available()
    backend = "cpu:gloo,cuda:nccl" if is_fast else "gloo"
    try:
        store, rank, size = next(dist.rendezvous(meeting, rank, size))
        _meet(dist.PrefixStore("meeting", store), rank, size, check)
        run = dist.PrefixStore("run", store)
        dist.init_process_group(backend, store=run, rank=rank, world_size=size, timeout=_PATIENCE)
    except (RuntimeError, ValueError, OSError) as error:
        raise TrainingError(f"process {rank + 1} of {size} cannot find the others: {error}") from error
    try:
        ranks = Several(rank, size, ("cpu", "cuda") if is_fast else ("cpu",))
        if ranks.agreed(is_fast) != is_fast:
            raise TrainingError("some of the processes have no GPU; start as many as there are GPUs")
        yield ranks
    finally:
        dist.destroy_process_group()


def _meet(store: dist.Store, rank: int, size: int, check: Callable[[], None]) -> None:
    """Wait until all processes are there; raises RuntimeError where some of them do not come."""
    until = time.monotonic() + _MEETING_S
    store.set(str(rank), "here")
    while True:
        check()
        try:
            store.wait([str(number) for number in range(size)], timedelta(seconds=_POLL_S))
        except RuntimeError:
            if time.monotonic() > until:
                raise
            time.sleep(_POLL_S)
        else:
            return


class Several(Ranks):
    """The processes of the default group of torch.distributed.

    Args:
        carriers: types of the devices whose tensors travel as they are; others go over the CPU.
    """

    def __init__(self, rank: int, size: int, carriers: tuple[str, ...]) -> None:
        self.rank, self.size = rank, size
        self._carriers = carriers

    def add_up(self, weights: Iterable[nn.Parameter], loss: Tensor) -> Tensor:
        """Give all processes the sum of their gradients, and return the sum of `loss` [], their losses.

        A weight that no process has a gradient of keeps none, so that the optimizer leaves it alone.

        Raises:
            RanksLostError: another process has ended.
        """
        weights = list(weights)
        used = torch.tensor([weight.grad is not None for weight in weights], dtype=torch.uint8)
        _reduce(used, dist.ReduceOp.MAX)
        trained = [weight for weight, is_used in zip(weights, used.tolist(), strict=True) if is_used]
        parts = [torch.zeros_like(one) if one.grad is None else one.grad for one in trained]
        flat = torch.cat([loss.reshape(1), *(part.reshape(-1) for part in parts)])
        if flat.device.type in self._carriers:
            _reduce(flat, dist.ReduceOp.SUM)
        else:
            carried = flat.cpu()
            _reduce(carried, dist.ReduceOp.SUM)
            flat = carried.to(flat.device)
        total, *sums = flat.split([1, *(weight.numel() for weight in trained)])
        for weight, gradient in zip(trained, sums, strict=True):
            weight.grad = gradient.view_as(weight)
        return total.view_as(loss)

    def agreed(self, flag: bool) -> bool:
        """Tell whether any process says so, once all have been asked; raises RanksLostError."""
        said = torch.tensor([flag], dtype=torch.uint8)
        _reduce(said, dist.ReduceOp.MAX)
        return bool(said)

    def of_first(self, text: str) -> str:
        """Return the text of the first process; raises RanksLostError."""
        content = text.encode() if self.is_first else b""
        length = torch.tensor([len(content)])
        _reduce(length, dist.ReduceOp.MAX)  # to the zeros of the others: the first one's
        letters = torch.frombuffer(bytearray(content.ljust(int(length), b"\0")), dtype=torch.uint8)
        _reduce(letters, dist.ReduceOp.MAX)
        return letters.numpy().tobytes().decode()

    @contextmanager
    def first_goes_ahead(self) -> Iterator[None]:
        """Let the first process run the block, and the others after it; raises RanksLostError."""
        if not self.is_first:
            self.agreed(False)
        yield
        if self.is_first:
            self.agreed(False)


def _reduce(tensor: Tensor, how: dist.ReduceOp.RedOpType) -> None:
    try:
        dist.all_reduce(tensor, how)
    except RuntimeError as error:
        raise RanksLostError from error
