"""What optimizers keep: each one's own state passes, and goes on bit for bit; that of another one is refused."""

import copy
import itertools
from functools import partial

import pytest
import torch
from hypernetwork_workbench.hypernetworks.base.forms import UnfitError
from hypernetwork_workbench.hypernetworks.train.offload import OptimizerOnCpu
from hypernetwork_workbench.hypernetworks.train.optim import optimizer_state, optimizers
from hypernetwork_workbench.hypernetworks.train.optim.optimizer_state import OptimizerForm, put_back

from tests.support.optimizers import case

#: With what changes the parts of a state.
ARGUMENTS = {
    "AdamW": "amsgrad=True",
    "SGD": "momentum=0.9",
    "RMSprop": "centered=True, momentum=0.5",
    "Adagrad": "initial_accumulator_value=0.1",
    "AdaFactor": "relative_step=True, scale_parameter=True, warmup_init=True",
    "Prodigy": "safeguard_warmup=True, bias_correction=True",
    "ScheduleFreeAdamW": "ams_bound=True, warmup_steps=4",
    "CAME": "ams_bound=True",
}
KINDS = [case(name, arguments) for name in optimizers.KINDS for arguments in sorted({"", ARGUMENTS.get(name, "")})]
SHAPES = [(80, 64), (80,), (64, 80), (64,)] * 2


class OptimizedWeights:
    """Weights with an optimizer, which takes steps along gradients that depend on a seed and the step alone."""

    def __init__(self, name, arguments, on_cpu=False):
        self.weights = [torch.nn.Parameter(part) for part in numbers(7)]
        build = partial(optimizers.build, name=name, arguments=arguments)
        self.optimizer = OptimizerOnCpu(self.weights, build) if on_cpu else build(self.weights)
        self.form = OptimizerForm.of([self.weights[:4], self.weights[4:]], build, torch.device("cpu"))

    def step(self, number):
        for weight, gradient in zip(self.weights, numbers(100 + number), strict=True):
            weight.grad = gradient * 10.0 ** (number % 7 - 3)
        self.optimizer.param_groups[0]["lr"] = 0.0 if number < 2 else 1e-3
        self.optimizer.step()

    def saved(self):
        return copy.deepcopy(self.optimizer.state_dict())

    def go_on_from(self, other):
        with torch.no_grad():
            for weight, source in zip(self.weights, other.weights, strict=True):
                weight.copy_(source)
        state = self.form.take(other.saved())
        if isinstance(self.optimizer, OptimizerOnCpu):
            self.optimizer.load_state_dict(state)
        else:
            put_back(self.optimizer, state)
        return self


def numbers(seed):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(shape, generator=generator) for shape in SHAPES]


@pytest.mark.parametrize(("name", "arguments"), KINDS)
@pytest.mark.parametrize("on_cpu", [False, pytest.param(True, marks=pytest.mark.long)])
def test_a_state_passes_at_every_step_and_goes_on_bit_for_bit(name, arguments, on_cpu):
    whole = OptimizedWeights(name, arguments, on_cpu=on_cpu)
    halves = OptimizedWeights(name, arguments, on_cpu=on_cpu)
    whole.form.take(whole.saved())
    for number in range(12):
        whole.step(number)
        halves.step(number)
        whole.form.take(whole.saved())
        if number in (0, 5):
            halves = OptimizedWeights(name, arguments, on_cpu=on_cpu).go_on_from(halves)
    assert all(itertools.starmap(torch.equal, zip(whole.weights, halves.weights, strict=True)))
    assert all(part.isfinite().all() for part in whole.weights)


@pytest.mark.parametrize(("name", "moments"), [("AdamW8bit", 2), ("Lion8bit", 1)])
def test_8_bit_optimizers_keep_a_byte_for_each_number_of_a_large_weight(name, moments):
    optimized = OptimizedWeights(name, "")
    optimized.step(5)
    for weight, kept in zip(optimized.weights, optimized.saved()["state"].values(), strict=True):
        parts = optimizer_state._flat(kept).values()
        sizes = [part.element_size() for part in parts if getattr(part, "shape", None) == weight.shape]
        assert sizes == [1 if weight.numel() >= 4096 else 4] * moments


@pytest.mark.parametrize(("name", "arguments"), KINDS)
def test_a_state_comes_back_to_an_optimizer_that_went_on(name, arguments):
    one, other = OptimizedWeights(name, arguments), OptimizedWeights(name, arguments)
    saved, weights = one.saved(), [weight.detach().clone() for weight in one.weights]
    for number in range(5):
        one.step(number)
    put_back(one.optimizer, saved)
    with torch.no_grad():
        for weight, before in zip(one.weights, weights, strict=True):
            weight.copy_(before)
    for number in range(3):
        one.step(number)
        other.step(number)
    assert all(itertools.starmap(torch.equal, zip(one.weights, other.weights, strict=True)))


@pytest.mark.parametrize(("name", "other"), [*itertools.permutations(("AdamW", "NAdam", "Lion", "Prodigy", "CAME"), 2)])
def test_a_state_of_another_optimizer_is_refused(name, other):
    one, source = OptimizedWeights(name, ""), OptimizedWeights(other, "")
    source.step(5)
    with pytest.raises(UnfitError):
        one.form.take(source.saved())


def test_counts_may_be_plain_numbers_as_older_versions_of_torch_have_them():
    one, source = OptimizedWeights("AdamW", ""), OptimizedWeights("AdamW", "")
    source.step(5)
    saved = source.saved()
    for entry in saved["state"].values():
        entry["step"] = 1
    taken = one.form.take(saved)["state"][3]["step"]
    assert taken.dtype == torch.float32
    assert taken == 1


def test_weights_that_never_learn_need_no_state_and_those_beside_ones_that_do_need_theirs():
    one = OptimizedWeights("AdamW", "")
    one.step(5)
    saved = one.saved()
    for number in range(4):
        del saved["state"][number]
    assert sorted(one.form.take(saved)["state"]) == [4, 5, 6, 7]
    del saved["state"][6]
    with pytest.raises(UnfitError, match="state lacks weight 6"):
        one.form.take(saved)


def test_options_of_a_file_are_not_taken_over():
    one, source = OptimizedWeights("AdamW", "weight_decay=0.5"), OptimizedWeights("AdamW", "weight_decay=0.1")
    source.step(5)
    one.go_on_from(source)
    assert one.optimizer.param_groups[0]["weight_decay"] == 0.5
