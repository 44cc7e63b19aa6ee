"""Hypernetworks in pipelines of diffusers give what the definition says, and leave nothing behind."""

from __future__ import annotations

import copy
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from hypernetwork_workbench.adapters import diffusers as adapter
from hypernetwork_workbench.hypernetworks import compose
from hypernetwork_workbench.hypernetworks.base.errors import AdapterError, CompositionError, SettingsError
from hypernetwork_workbench.hypernetworks.network.hypernetwork import Hypernetwork, Structure
from torch import Tensor, nn
from torch.nn import functional

from tests.support import long

tiny = pytest.importorskip("tests.support.tiny_pipelines", reason="diffusers is not installed")
pytestmark = pytest.mark.slow

SAME = 1e-5


def _network(widths: tuple[int, ...], seed: int, activation: str = "relu") -> Hypernetwork:
    network = Hypernetwork.create(Structure((1, 2, 1), activation, init_std=0.2), widths, seed)
    network.metadata.name = f"net{seed}"
    return network


def _by_hand(network: Hypernetwork, x: Tensor, side: int, strength: float) -> Tensor:
    """x + m mlp(x) with the bare weights of the file."""
    layers = [layer for layer in network.pair(x.shape[-1])[side].linear if isinstance(layer, nn.Linear)]
    hidden = x @ layers[0].weight.T + layers[0].bias
    if network.structure.activation == "relu":
        hidden = functional.relu(hidden)
    return x + strength * (hidden @ layers[1].weight.T + layers[1].bias)


@pytest.fixture(params=long.thinned(tiny.FAMILIES[::-1], len(tiny.FAMILIES)))
def family(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def pipe(family: str) -> Any:
    return tiny.make(family)


@pytest.fixture
def networks(family: str) -> list[Hypernetwork]:
    """Two with an activation, and an affine one, which is multiplied out."""
    widths = tiny.widths(family)
    return [_network(widths, 1), _network(widths, 2, "linear"), _network(widths, 3)]


def _differs(one: Tensor, other: Tensor) -> float:
    return (one - other).abs().max().item()


def test_a_network_a_chain_and_a_composition_are_what_the_definition_says(pipe: Any, networks: list[Hypernetwork]):
    a, b, c = networks
    composition = compose.parse("a:3 + b:1 > c")

    def one(x: Tensor, side: int) -> Tensor:
        return _by_hand(a, x, side, 0.7)

    def chain(x: Tensor, side: int) -> Tensor:
        return _by_hand(b, _by_hand(c, _by_hand(a, x, side, 1.0), side, -0.5), side, 1.5)

    def composed(x: Tensor, side: int) -> Tensor:
        both = 0.75 * _by_hand(a, x, side, 1.0) + 0.25 * _by_hand(b, x, side, 1.0)
        return x + 0.6 * (_by_hand(c, both, side, 1.0) - x)

    def weakened(x: Tensor, side: int) -> Tensor:
        return x + 0.6 * (chain(x, side) - x)

    before = tiny.picture(pipe)
    cases = [
        (one, (a,), {"strength": 0.7}),
        (chain, ([a, (c, -0.5), (b, 1.5)],), {}),
        (weakened, ([a, (c, -0.5), (b, 1.5)],), {"strength": 0.6}),
        (composed, (composition,), {"strength": 0.6, "networks": {"a": a, "b": b, "c": c}}),
    ]
    for change, given, more in cases:
        plain = tiny.with_plain(pipe, change)
        wanted = tiny.picture(plain)
        assert _differs(wanted, before) > 1e-3
        with adapter.apply(pipe, *given, **more):
            assert _differs(tiny.picture(pipe), wanted) < SAME
            assert _differs(tiny.picture(pipe, 4), tiny.picture(plain, 4)) < SAME
        assert torch.equal(tiny.picture(pipe), before)


def test_strength_0_is_the_pipelines_own_and_remove_leaves_nothing(pipe: Any, networks: list[Hypernetwork]):
    before, state = tiny.picture(pipe), copy.deepcopy(pipe.unet.state_dict())
    adapter.apply(pipe, networks, strength=0)
    assert torch.equal(tiny.picture(pipe), before)
    adapter.remove(pipe)
    applied = adapter.apply(pipe, networks)
    assert _differs(tiny.picture(pipe), before) > 1e-3
    assert pipe.unet.state_dict().keys() == state.keys()
    adapter.remove(pipe)
    adapter.remove(pipe)
    applied.remove()
    assert torch.equal(tiny.picture(pipe), before)
    assert all(torch.equal(value, state[name]) for name, value in pipe.unet.state_dict().items())
    assert not any(module._forward_pre_hooks for module in pipe.unet.modules())


class _Lora(nn.Module):
    """What a LoRA puts in place of a linear layer, as peft does."""

    def __init__(self, base_layer: nn.Linear) -> None:
        super().__init__()
        self.base_layer = base_layer
        draw = torch.Generator().manual_seed(5)
        self.down = nn.Parameter(torch.randn(2, base_layer.in_features, generator=draw) / 3)
        self.up = nn.Parameter(torch.randn(base_layer.out_features, 2, generator=draw) / 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.base_layer(x) + x @ self.down.T @ self.up.T


def _load_lora(unet: nn.Module) -> None:
    for name, module in list(unet.named_modules()):
        if name.endswith(("attn1", "attn2")):
            module.to_k, module.to_v = _Lora(module.to_k), _Lora(module.to_v)


def _unload_lora(unet: nn.Module) -> None:
    for name, module in list(unet.named_modules()):
        if name.endswith(("attn1", "attn2")):
            module.to_k, module.to_v = module.to_k.base_layer, module.to_v.base_layer


@pytest.fixture
def sd1() -> Any:
    return tiny.make("SD1")


@pytest.fixture
def network() -> Hypernetwork:
    return _network(tiny.widths("SD1"), 1)


def _wanted(pipe: Any, network: Hypernetwork) -> Tensor:
    return tiny.picture(tiny.with_plain(pipe, lambda x, side: _by_hand(network, x, side, 1.0)))


def test_a_lora_may_come_and_go(sd1: Any, network: Hypernetwork):
    without, own = _wanted(sd1, network), tiny.picture(sd1)
    adapter.apply(sd1, network)
    tiny.picture(sd1)
    _load_lora(sd1.unet)
    beside = tiny.picture(sd1)
    adapter.remove(sd1)
    wanted = _wanted(sd1, network)
    assert _differs(wanted, without) > 1e-3
    assert _differs(beside, wanted) < SAME
    adapter.apply(sd1, network)
    assert _differs(tiny.picture(sd1), wanted) < SAME
    _unload_lora(sd1.unet)
    assert _differs(tiny.picture(sd1), without) < SAME
    adapter.remove(sd1)
    assert torch.equal(tiny.picture(sd1), own)


@pytest.mark.parametrize("kind", ["AttnProcessor", "SlicedAttnProcessor", "PAG"])
def test_other_processors_keep_their_own_attention(sd1: Any, network: Hypernetwork, kind: str):
    from diffusers.models import attention_processor as processors

    adapter.apply(sd1, network)
    tiny.picture(sd1)
    if kind == "PAG":
        pag = processors.PAGIdentitySelfAttnProcessor2_0()
        sd1.unet.down_blocks[1].attentions[0].transformer_blocks[0].attn1.set_processor(pag)
    else:
        arguments = (1,) if kind == "SlicedAttnProcessor" else ()
        sd1.unet.set_attn_processor(getattr(processors, kind)(*arguments))
    beside = tiny.picture(sd1)
    adapter.remove(sd1)
    assert _differs(beside, _wanted(sd1, network)) < SAME


def test_the_text_is_transformed_once_a_prompt(sd1: Any, network: Hypernetwork, monkeypatch: pytest.MonkeyPatch):
    texts = []
    for_k, _ = network.pair(tiny.widths("SD1")[-1])
    for_k.register_forward_pre_hook(lambda _module, inputs: texts.append(inputs[0]))
    adapter.apply(sd1, network)
    tiny.picture(sd1)
    assert len(texts) == 1
    tiny.picture(sd1, 4)
    assert len(texts) == 2


def test_a_network_that_is_changed_is_computed_anew(sd1: Any):
    network = _network(tiny.widths("SD1"), 2, "linear")
    adapter.apply(sd1, network)
    before = tiny.picture(sd1)
    with torch.no_grad():
        for weight in network.parameters():
            weight.mul_(1.5)
    changed = tiny.picture(sd1)
    adapter.remove(sd1)
    assert _differs(before, changed) > 1e-3
    assert _differs(changed, _wanted(sd1, network)) < SAME


def test_gradients_reach_the_network(sd1: Any, network: Hypernetwork):
    adapter.apply(sd1, network)
    draw = torch.Generator().manual_seed(1)
    x, text = torch.randn(1, 4, 4, 4, generator=draw), torch.randn(1, 3, tiny.widths("SD1")[-1], generator=draw)
    sd1.unet(x, torch.tensor(3), text).sample.sum().backward()
    assert all(weight.grad is not None and weight.grad.any() for weight in network.parameters())


def test_a_copy_of_the_unet_has_networks_of_its_own(sd1: Any, network: Hypernetwork):
    own = tiny.picture(sd1)
    adapter.apply(sd1, network)
    changed = tiny.picture(sd1)
    other = copy.copy(sd1)
    other.unet = copy.deepcopy(sd1.unet)
    adapter.remove(sd1)
    assert torch.equal(tiny.picture(sd1), own)
    assert _differs(tiny.picture(other), changed) < SAME
    adapter.remove(other)
    assert torch.equal(tiny.picture(other), own)


def test_compiled_blocks_are_compiled_anew(network: Hypernetwork):
    """Without that torch goes on with the graph it has, in which there are no hooks."""
    unet = tiny.make_unet("SD1")
    block = unet.mid_block.attentions[0].transformer_blocks[0]
    draw = torch.Generator().manual_seed(1)
    x, text = torch.randn(1, 4, 32, generator=draw), torch.randn(1, 3, tiny.widths("SD1")[-1], generator=draw)

    def run() -> Tensor:
        with torch.no_grad():
            return block(x, encoder_hidden_states=text)

    own = run()
    with adapter.apply(SimpleNamespace(unet=unet), network):
        wanted = run()
    assert _differs(wanted, own) > 1e-3
    block.compile(backend="eager", fullgraph=True)
    assert _differs(run(), own) < SAME
    with adapter.apply(SimpleNamespace(unet=torch.compile(unet, backend="eager")), network):
        assert _differs(run(), wanted) < SAME
    assert _differs(run(), own) < SAME


def test_a_lora_that_comes_to_a_compiled_unet_is_refused(network: Hypernetwork):
    unet = tiny.make_unet("SD1")
    applied = adapter.apply(SimpleNamespace(unet=unet), network)
    compiled = torch.compile(lambda: applied._before_forward(unet, ()), backend="eager")
    compiled()
    _load_lora(unet)
    with pytest.raises(AdapterError, match="the layers of a compiled U-Net were replaced"):
        compiled()


@pytest.mark.parametrize(
    ("given", "more", "error", "sentence"),
    [
        ([], {}, SettingsError, "networks: there is none to apply"),
        ("a.pt", {}, SettingsError, "a file name, load it first"),
        ([3], {}, SettingsError, "networks: must be networks, .* not int"),
        (None, {}, SettingsError, "networks: must be networks, .* not NoneType"),
        ("network", {"strength": float("nan")}, SettingsError, "strength: must be a finite number, not nan"),
        ("network", {"strength": True}, SettingsError, "strength: must be a finite number, not True"),
        ("row", {}, SettingsError, "strength of network 1: must be a finite number, not '1'"),
        ("network", {"networks": {}}, SettingsError, "networks: are for a composition"),
        (compose.parse("a > b"), {}, CompositionError, "there is no network named 'a'"),
        ("foreign", {}, AdapterError, "net9 was made for another family .* the width 99, the U-Net has 16, 24, 32$"),
        ("foreign", {"strength": 0}, AdapterError, "another family"),
    ],
)
def test_what_cannot_be_applied_is_told(sd1: Any, network: Hypernetwork, given: Any, more: Any, error: Any, sentence):
    named = {"network": network, "row": [(network, "1")], "foreign": _network((16, 99), 9)}
    what = named.get(given, given) if isinstance(given, str) else given
    with pytest.raises(error, match=sentence):
        adapter.apply(sd1, what, **more)
    assert not any(module._forward_pre_hooks for module in sd1.unet.modules())


def test_more_or_fewer_widths_of_the_family_are_right(sd1: Any):
    for widths in ((24,), (16, 32), (16, 24, 32, 99)):
        with adapter.apply(sd1, _network(widths, 1)):
            pass


def test_a_second_time_is_refused(sd1: Any, network: Hypernetwork):
    adapter.apply(sd1, network)
    with pytest.raises(AdapterError, match="applied to this U-Net already: remove"):
        adapter.apply(sd1, network)


def test_a_model_without_such_a_unet_is_refused(network: Hypernetwork):
    for pipe in (SimpleNamespace(transformer=nn.Linear(1, 1)), SimpleNamespace(unet=None)):
        with pytest.raises(AdapterError, match="SimpleNamespace has no U-Net"):
            adapter.apply(pipe, network)
    with pytest.raises(AdapterError, match="SimpleNamespace has a Linear: hypernetworks are for the U-Nets"):
        adapter.remove(SimpleNamespace(unet=nn.Linear(1, 1)))


def test_processors_with_projections_of_their_own_are_refused_by_name(sd1: Any, network: Hypernetwork):
    from diffusers.models import attention_processor as processors

    class Foreign:
        def __call__(self, attn: Any, hidden_states: Tensor, **_: Any) -> Tensor:
            return hidden_states

    layer = sd1.unet.mid_block.attentions[0].transformer_blocks[0].attn2
    own = layer.processor
    wrong = [
        processors.CustomDiffusionAttnProcessor2_0(hidden_size=32, cross_attention_dim=24),
        processors.AttnAddedKVProcessor2_0(),
        Foreign(),
    ]
    for processor in wrong:
        layer.set_processor(processor)
        with pytest.raises(AdapterError, match=rf"mid_block\S+attn2 runs {type(processor).__name__}, which makes keys"):
            adapter.apply(sd1, network)
        layer.set_processor(own)
    assert not any(module._forward_pre_hooks for module in sd1.unet.modules())
    adapter.apply(sd1, network)
    layer.set_processor(wrong[-1])
    with pytest.raises(AdapterError, match="runs Foreign"):
        tiny.picture(sd1)
    layer.set_processor(own)
    tiny.picture(sd1)
    sd1.fuse_qkv_projections()
    with pytest.raises(AdapterError, match=r"fused projections .* call pipe\.unfuse_qkv_projections"):
        tiny.picture(sd1)
    sd1.unfuse_qkv_projections()
    tiny.picture(sd1)
