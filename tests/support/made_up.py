"""Members that no registry has: a file each, as the package would have it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypernetwork_workbench.hypernetworks.merge.method import METHODS
from hypernetwork_workbench.hypernetworks.train.optim.cosine_restarts import CosineRestarts
from hypernetwork_workbench.hypernetworks.train.optim.losses import LOSSES, loss
from hypernetwork_workbench.hypernetworks.train.optim.optimizers import KINDS
from hypernetwork_workbench.hypernetworks.train.optim.schedule import SCHEDULES, schedule

from tests.support import rooms

MERGE = '''
"""The middle."""

import math

from ...base.errors import MergeError
from ..expected import ExpectedOutput
from ..method import merge_method
from ..method_options import DENSITY
from ..structures import shared_structure
from ..tensorwise import Tensors, tensor_by_tensor
from ..weights import FromBase


def _structure(inputs):
    for name, network in zip(inputs.names, inputs.networks, strict=True):
        if network.structure.layer_norm:
            raise MergeError(f"{name} has LayerNorm, and the middle has none")
    return shared_structure(inputs)


def _between(networks, context, weights):
    first, *others = (network(context, 1.0) - context for network in networks)
    return first + sum(0.5 * (other - first) * weight for other, weight in zip(others, weights[1:], strict=True))


@merge_method(
    "middle",
    label="Middle (half the way)",
    summary="goes half the way",
    order=45,
    counts=(2, math.inf),
    weights=FromBase(),
    options=(DENSITY,),
    expected=ExpectedOutput("what lies between them", _between),
    structure=_structure,
)
@tensor_by_tensor
def middle(inputs: Tensors):
    """Go as far as twice the density."""
    return inputs.tensors[0] + sum(2 * inputs.options.density * part * weight for part, weight in inputs.differences())
'''

MERGE_WITH_AN_OPTION = '''
"""A merge with an option that no other has."""

from ...base.options import setting
from ..expected import WEIGHTED_SUM
from ..method import merge_method
from ..method_options import OwnOption, is_number
from ..tensorwise import Tensors, tensor_by_tensor
from ..weights import Weights

SLIDE = OwnOption(
    "slide",
    setting(0.5, "Slide", "Where between the networks.", minimum=0, maximum=1),
    lambda value: is_number(value) and 0 <= value <= 1,
    "a number from 0 to 1",
)


@merge_method(
    "slide",
    label="Slide (between the networks)",
    summary="slides from one network to the other",
    order=99,
    counts=(2, 2),
    weights=Weights(),
    options=(SLIDE,),
    expected=WEIGHTED_SUM,
)
@tensor_by_tensor
def slide(inputs: Tensors):
    """Slide."""
    return inputs.tensors[0].lerp(inputs.tensors[1], inputs.options.slide)
'''

OPTIMIZER = '''
"""Steps of one size."""

import torch

from .optimizers import KINDS, OptimizerKind


class Sign(torch.optim.Optimizer):
    """Go one rate against the sign of the gradient, and more with `zeal`."""

    def __init__(self, params, lr, zeal=1.0):
        super().__init__(params, {"lr": lr, "zeal": zeal})

    @torch.no_grad()
    def step(self, closure=None):
        """Step."""
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is not None:
                    weight.sub_(weight.grad.sign(), alpha=group["lr"] * group["zeal"])


KINDS.add("Sign", OptimizerKind(__name__, "Sign"))
'''

SCHEDULE = '''
"""A rate that falls by the same share every step."""

from dataclasses import dataclass

from ...base.options import setting
from .schedule import RATE, WARMUP, schedule


@dataclass(frozen=True)
class Falling:
    """Falls to `left` of the rate."""

    max_rate: float
    min_rate: float
    steps: int
    left: float
    end_step: None = None

    def rate(self, step):
        """Return the rate of `step`."""
        return max(self.max_rate * self.left ** (step / self.steps), self.min_rate)

    def is_end_of_cycle(self, step):
        """Tell whether it is the last one."""
        return step == self.steps - 1


OPTIONS = {
    "left": setting(0.5, "Rate left", "Share of the rate at the end.", group=RATE, minimum=0, maximum=1),
    "falling": setting("0", "Falls for", "Steps or epochs; 0 takes the whole run.", group=RATE),
}


@schedule("falling", order=15, options={**WARMUP, **OPTIONS}, lengths=("falling",))
def falling(request):
    """Fall."""
    settings = request.settings
    return Falling(request.max_rate, settings.min_rate, request.length("falling") or request.steps, settings.left)
'''

LOSS = '''
"""The logarithm of the hyperbolic cosine."""

import torch

from ...base.options import setting
from .losses import LOSS, loss

SCALE = setting(2.0, "Log-cosh scale", "Where it turns from square to straight.", group=LOSS, above=0)


@loss("log cosh", order=15, options={"log_cosh_scale": SCALE})
def log_cosh(residuals, settings):
    """Give the distance."""
    return torch.log(torch.cosh(residuals.differences / settings.log_cosh_scale)) * settings.log_cosh_scale**2
'''

SOURCE = '''
"""A list of pictures, one a line."""

from dataclasses import replace
from pathlib import Path

from ...base.errors import SettingsError
from ...base.options import setting
from ..source import FOLDERS, source

OPTIONS = {
    "list_file": setting("", "List of pictures", "A text file with a picture a line.", group=FOLDERS, is_path=True),
    "list_repeats": setting(1, "Repeats of the list", "How often each is seen.", group=FOLDERS, minimum=1),
}


def pictures(path):
    """Give the pictures that the file names."""
    return [path.parent / line for line in path.read_text(encoding="utf-8").splitlines()]


@source("list_file", order=25, options=OPTIONS, names_paths=pictures)
def list_file(settings, base):
    """Give one subset of all pictures."""
    path = Path(settings.list_file)
    try:
        files = tuple(pictures(path))
    except OSError as error:
        raise SettingsError("data.list_file", f"{path} cannot be read: {error.strerror}") from error
    return [replace(base, folder=path.parent, files=files, repeats=settings.list_repeats, setting="list_file")]
'''

DESCRIPTION = '''
"""A table of captions."""

import csv
from dataclasses import replace

from ...base.options import setting
from ..captions import CaptionMetadata
from ..source import CAPTIONS, description

TABLE = setting("", "Caption table", "A .csv of names and captions.", group=CAPTIONS, is_path=True)


@description("caption_table", order=20, options={"caption_table": TABLE})
def caption_table(settings, base):
    """Take the captions."""
    with open(settings.caption_table, encoding="utf-8", newline="") as file:
        entries = {name: {"caption": caption} for name, caption in csv.reader(file)}
    return replace(base, source=replace(base.source, metadata=CaptionMetadata(entries)))
'''


def merge_method(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Add the merge method `middle` for one test."""
    rooms.keep(METHODS, monkeypatch)
    room = f"{rooms.PACKAGE}.merge.methods"
    rooms.put_in(room, MERGE, folder / "middle.py", monkeypatch)


def training_members(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Add the optimizer `Sign`, the schedule `plain` and the loss `l1` for one test."""
    for registry in (KINDS, SCHEDULES, LOSSES):
        rooms.keep(registry, monkeypatch)
    rooms.put_in(f"{rooms.PACKAGE}.train.optim", OPTIMIZER, folder / "sign.py", monkeypatch)
    schedule("plain", order=25)(lambda request: CosineRestarts(request.steps, max_rate=request.max_rate))
    loss("l1", order=5)(lambda residuals, settings: residuals.differences.abs())
