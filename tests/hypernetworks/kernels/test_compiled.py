"""Compiled blocks: the numbers of the plain ones, code for each shape once, and a compiler that fails."""

from __future__ import annotations

import logging
import types

import pytest
import torch
from hypernetwork_workbench.hypernetworks.kernels import compiled
from torch import nn
from torch.utils.checkpoint import checkpoint

pytestmark = [  # of torch's own compiler
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings(r"ignore:The \.grad attribute of a Tensor:UserWarning"),
]
CHANNELS, OUTPUTS, GROUPS = 8, 16, 4
NORMS = {"groups": (GROUPS, GROUPS), "eps": (1e-5, 1e-6)}
GPU = torch.device("cuda")


@pytest.fixture(autouse=True)
def nothing_is_made_yet(monkeypatch):
    monkeypatch.setattr(compiled, "_MADE", {})


class Residual(nn.Module):
    """A residual block as the U-Nets have them, in torch's own layers."""

    def __init__(self, outputs=OUTPUTS):
        super().__init__()
        self.layers = nn.ModuleList(
            [
                nn.GroupNorm(GROUPS, CHANNELS, 1e-5),
                nn.Conv2d(CHANNELS, outputs, 3, padding=1),
                nn.Linear(12, outputs),
                nn.GroupNorm(GROUPS, outputs, 1e-6),
                nn.Conv2d(outputs, outputs, 3, padding=1),
                *([nn.Conv2d(CHANNELS, outputs, 1)] if outputs != CHANNELS else []),
            ]
        ).requires_grad_(False)
        for layer in self.layers:  # norms have no weights of their own at first
            nn.init.normal_(layer.weight, 0.0, 0.3)
            nn.init.normal_(layer.bias, 0.0, 0.3)

    def forward(self, x, embedding):
        norm, convolution, linear, second_norm, second, *beside = self.layers
        silu = nn.functional.silu
        found = convolution(silu(norm(x))) + linear(silu(embedding))[..., None, None]
        found = second(silu(second_norm(found)))
        return found + (beside[0](x) if beside else x)


class FeedForward(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(CHANNELS, 48), nn.Linear(24, CHANNELS)]).requires_grad_(False)

    def forward(self, x):
        passed, gate = self.layers[0](x).chunk(2, dim=-1)
        return self.layers[1](passed * nn.functional.gelu(gate))


def blocks():
    """Yield each kind of block with its function, its numbers and inputs of one of its shapes."""
    torch.manual_seed(0)
    picture, embedding = torch.randn(2, CHANNELS, 6, 4), torch.randn(2, 12)
    yield Residual(), compiled.residual, NORMS, (picture, embedding)
    yield Residual(CHANNELS), compiled.residual, NORMS, (picture, embedding)
    yield FeedForward(), compiled.feed_forward, {}, (torch.randn(2, 5, CHANNELS),)


def passes(forward, inputs):
    """Return what a block makes of inputs, and the gradient of the first one."""
    first = inputs[0].clone().requires_grad_()
    found = forward(first * 1.0, *inputs[1:])  # within the U-Net it is computed, too
    (gradient,) = torch.autograd.grad(found.square().sum(), first)
    return found.detach(), gradient


def assert_near(found, expected):
    for one, other in zip(found, expected, strict=True):
        assert (one - other).norm() <= 1e-5 * other.norm()


def compare(compiler):
    for block, function, numbers, inputs in blocks():
        made = compiled.CompiledBlock(compiler, function, tuple(block.layers), numbers, block.forward)
        assert_near(passes(made, inputs), passes(block.forward, inputs))


def test_both_passes_give_the_numbers_of_the_plain_block(monkeypatch):
    monkeypatch.setattr(compiled, "BACKEND", "aot_eager")
    compiler = compiled.Compiler()
    compare(compiler)
    assert (compiler.compiled, compiler.is_off) == (3, False)


@pytest.mark.long("test_both_passes_give_the_numbers_of_the_plain_block")
def test_both_passes_give_the_numbers_of_the_plain_block_in_real_code():
    compiler = compiled.Compiler()
    compare(compiler)
    if compiler.is_off:
        pytest.skip("no C++ compiler is here that torch's compiler can use")
    assert compiler.compiled == 3


def counting(monkeypatch):
    """Let torch.compile count what it is given, and run it as it is."""
    compiles = []

    def compiling(function, **_options):
        compiles.append(function)
        return function

    monkeypatch.setattr(torch, "compile", compiling)
    return compiles


def test_each_shape_is_compiled_once_and_for_gradients_only(monkeypatch):
    compiles = counting(monkeypatch)
    block = FeedForward()
    made = compiled.CompiledBlock(compiled.Compiler(), compiled.feed_forward, tuple(block.layers), {}, block.forward)
    with torch.no_grad():
        made(torch.randn(2, 5, CHANNELS))
    assert not compiles
    for batch in (2, 3, 2, 3):
        made(torch.randn(batch, 5, CHANNELS, requires_grad=True))
    assert len(compiles) == 2
    twin = FeedForward()
    other = compiled.CompiledBlock(made._compiler, compiled.feed_forward, tuple(twin.layers), {}, twin.forward)
    other(torch.randn(2, 5, CHANNELS, requires_grad=True))
    assert len(compiles) == 2, "blocks of the same shape share their code"
    assert compiles[0].__code__ is not compiles[1].__code__, "torch keeps few pieces of code for each function"


def test_a_later_run_takes_the_code_of_an_earlier_one(monkeypatch):
    compiles = counting(monkeypatch)
    first = compiled.Compiler()
    compare(first)
    second = compiled.Compiler()
    compare(second)
    assert (len(compiles), first.compiled, second.compiled) == (3, 3, 0)
    monkeypatch.setattr(compiled, "BACKEND", "another")
    compare(second)
    assert second.compiled == 3


def test_code_is_of_its_device_and_of_the_switches_it_was_made_under(monkeypatch):
    compiles = counting(monkeypatch)
    compiler, device = compiled.Compiler(), torch.device("cpu")

    def made():
        x, first, second = torch.ones(1, 5, 8), torch.ones(48, 8), torch.ones(8, 24)
        tensors = (x, first, torch.ones(48), second, torch.ones(8))
        assert compiler.made(compiled.feed_forward, tuple(one.to(device) for one in tensors), {}) is not None
        return len(compiles)

    assert (made(), made()) == (1, 1)
    device = torch.device("meta")
    assert (made(), made()) == (2, 2)
    monkeypatch.setattr(torch, "are_deterministic_algorithms_enabled", lambda: True)
    assert (made(), made()) == (3, 3)


def test_the_trial_leaves_a_checkpoint_around_it_and_random_numbers_alone(monkeypatch):
    monkeypatch.setattr(compiled, "BACKEND", "aot_eager")
    block, function, numbers, inputs = next(blocks())
    made = compiled.CompiledBlock(compiled.Compiler(), function, tuple(block.layers), numbers, block.forward)
    state = torch.get_rng_state()

    def checkpointed(*given):
        return checkpoint(made, *given, use_reentrant=False)

    assert_near(passes(checkpointed, inputs), passes(block.forward, inputs))
    assert torch.equal(torch.get_rng_state(), state)


def test_a_compiler_that_fails_is_told_of_once_and_not_asked_again(monkeypatch, caplog):
    asked = []

    def failing(function, **_options):
        asked.append(function)
        raise RuntimeError("no compiler here\nand many lines on why")

    monkeypatch.setattr(torch, "compile", failing)
    compiler = compiled.Compiler()
    compare(compiler)
    told = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert told == ["Blocks of the U-Net that are not compiled yet stay as they are: no compiler here"]
    assert len(asked) == 1
    assert compiler.is_off


def test_what_a_checkpoint_computed_as_code_is_code_again_though_another_block_failed_meanwhile(monkeypatch):
    monkeypatch.setattr(compiled, "BACKEND", "aot_eager")
    compiler, forwards = compiled.Compiler(), []
    for block, function, numbers, _ in blocks():
        forwards.append(compiled.CompiledBlock(compiler, function, tuple(block.layers), numbers, block.forward))
    widening, keeping, _ = forwards
    _, _, _, (picture, embedding) = next(blocks())
    first = picture.clone().requires_grad_()
    found = checkpoint(keeping, first * 1.0, embedding, use_reentrant=False)
    monkeypatch.setattr(torch, "compile", None)
    found = checkpoint(widening, found, embedding, use_reentrant=False)
    assert (compiler.compiled, compiler.is_off) == (1, True)
    (gradient,) = torch.autograd.grad(found.square().sum(), first)
    plain = first.detach().clone().requires_grad_()
    expected = widening._plain(keeping._plain(plain, embedding), embedding)
    assert_near([gradient], torch.autograd.grad(expected.square().sum(), plain))


def test_a_full_gpu_is_no_failure_of_the_compiler(monkeypatch):
    def full(function, **_options):
        raise torch.cuda.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(torch, "compile", full)
    with pytest.raises(torch.cuda.OutOfMemoryError):
        compare(compiled.Compiler())


def test_what_a_backend_says_is_told_and_not_what_torch_wraps_it_in(monkeypatch, caplog):
    def failing(_graph, _inputs):
        raise RuntimeError("no compiler here\nand many lines on why")

    monkeypatch.setattr(compiled, "BACKEND", failing)
    compare(compiled.Compiler())
    told = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert told == ["Blocks of the U-Net that are not compiled yet stay as they are: no compiler here"]


def test_a_gpu_that_is_full_within_a_backend_is_no_failure_of_the_compiler_either(monkeypatch):
    def full(_graph, _inputs):
        raise torch.cuda.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(compiled, "BACKEND", full)
    with pytest.raises(torch.cuda.OutOfMemoryError):
        compare(compiled.Compiler())


def test_where_the_host_casts_by_itself_its_own_forwards_run(monkeypatch):
    compiles = counting(monkeypatch)
    block = FeedForward().to(torch.bfloat16)
    plain = []
    made = compiled.CompiledBlock(compiled.Compiler(), compiled.feed_forward, tuple(block.layers), {}, plain.append)
    x = torch.randn(1, 5, CHANNELS, requires_grad=True)
    made(x)
    assert plain == [x]
    assert not compiles
    with torch.autocast("cpu", torch.bfloat16):
        made(x)
    assert (len(plain), len(compiles)) == (1, 1)


@pytest.mark.parametrize(
    ("has_triton", "capability", "hip", "reason"),
    [
        (True, (8, 6), None, ""),
        (False, (8, 6), None, "the package triton, which torch's compiler needs, is not installed"),
        (True, (6, 1), None, "torch's compiler knows no GPU as old as this"),
        (True, (6, 1), "6.2", ""),
    ],
)
def test_what_stands_in_the_way_is_named(monkeypatch, has_triton, capability, hip, reason):
    found = types.SimpleNamespace() if has_triton else None
    monkeypatch.setattr(compiled.importlib.util, "find_spec", lambda name: found if name == "triton" else None)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    monkeypatch.setattr(torch.version, "hip", hip)
    assert compiled.obstacle(GPU) == reason
