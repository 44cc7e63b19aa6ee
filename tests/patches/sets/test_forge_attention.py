"""On Forge and its kin: networks through the hooks of its blocks."""

from __future__ import annotations

import inspect

import pytest
import torch
from hypernetwork_workbench.hypernetworks.compose.bound import Apply, Chain
from hypernetwork_workbench.hypernetworks.network.hypernetwork import Hypernetwork, Structure
from hypernetwork_workbench.patches.patching import capabilities
from hypernetwork_workbench.patches.sets import attention, forge_attention
from torch import nn

from hypernetwork_workbench import patches
from tests.patches.test_on_host import save_network
from tests.support import forge_parts

WIDTHS = (forge_parts.TEXT_WIDTH, forge_parts.WIDTH)


@pytest.fixture
def forge(host, monkeypatch):
    """Return the embedded host as Forge, with a checkpoint as it holds one and all patch sets on."""
    shared = host.module("shared")
    with forge_parts.added():
        torch.manual_seed(0)
        checkpoint = forge_parts.Checkpoint()
        monkeypatch.setattr(shared, "sd_model", checkpoint)
        assert shared.sd_model is checkpoint
        patches.install_all()
        yield checkpoint.forge_objects.unet.model
        patches.uninstall_all()
        shared.loaded_hypernetworks.clear()


def load(host, *links):
    """Put networks where the tags of a prompt put them."""
    from hypernetwork_workbench.patches.model.loaded import LoadedNetwork

    for network, strength in links:
        loaded = LoadedNetwork(network, "one")
        loaded.set_multiplier(strength)
        host.module("shared").loaded_hypernetworks.append(loaded)


def network(seed, activation):
    created = Hypernetwork.create(Structure(init_std=0.15, activation=activation), WIDTHS, seed)
    return created.eval().requires_grad_(False)


def inputs():
    torch.manual_seed(1)
    return torch.randn(2, 9, forge_parts.WIDTH), torch.zeros(2), torch.randn(2, 7, forge_parts.TEXT_WIDTH)


def called(model, options=None):
    x, t, context = inputs()
    return model.apply_model(x, t, c_crossattn=context, transformer_options={} if options is None else options)


def expected(model, links):
    """Tell what attention layers give that ask for networks themselves."""
    chain = Chain(tuple(Apply(*link) for link in links))
    x, _, context = inputs()
    for block in model.diffusion_model.blocks:
        x = x + block.attn1(x, *chain.transform(x, x))
        x = x + block.attn2(x, *chain.transform(context, context))
    return x


@pytest.mark.parametrize("is_quick", [False, True])
def test_a_chain_changes_both_kinds_of_attention_as_on_the_path_of_the_webui(forge, host, is_quick):
    from hypernetwork_workbench.patches.model.shortcuts import shortcuts

    links = [(network(1, "relu"), 0.7), (network(2, "linear"), 0.4)]
    load(host, *links)
    if is_quick:
        with torch.inference_mode(), shortcuts.generation():
            found = called(forge)
            assert len(shortcuts.text_cache) == 1, "the text is transformed once for all layers"
    else:
        found = called(forge)
    assert torch.allclose(found, expected(forge, links), atol=1e-5)
    assert not torch.allclose(found, expected(forge, []), atol=1e-2)


def test_the_tag_of_a_prompt_and_its_strength_reach_the_hooks(forge, host):
    path = save_network(host, "tagged")
    made = host.module("extra_networks").ExtraNetworkParams(items=["tagged", "0.6"])
    try:
        host.module("extra_networks_hypernet").ExtraNetworkHypernet().activate(_Job(), [made])
        (loaded,) = host.module("shared").loaded_hypernetworks
        assert torch.allclose(called(forge), expected(forge, [(loaded.networks[0], 0.6)]), atol=1e-5)
    finally:
        path.unlink()


class _Job:
    """What the host hands to extra networks."""

    all_prompts: tuple[str, ...] = ()
    extra_generation_params: dict[str, str] = {}  # noqa: RUF012

    def comment(self, text):
        raise AssertionError(text)


def test_hooks_of_others_run_first_and_ours_take_what_they_give(forge, host):
    link = network(1, "relu"), 1.0
    chain = Apply(*link)
    load(host, link)

    def louder(q_in, k_in, v_in, _options):
        return q_in, 2 * k_in, 3 * v_in

    found = called(forge, {"patches": {"attn2_patch": [louder]}})
    x, _, context = inputs()
    for block in forge.diffusion_model.blocks:
        x = x + block.attn1(x, *chain.transform(x, x))
        x = x + block.attn2(x, *chain.transform(2 * context, 3 * context))
    assert torch.allclose(found, x, atol=1e-5)


def test_nothing_is_left_in_the_options_not_even_after_an_error(forge, host):
    load(host, (network(1, "relu"), 1.0))

    def fail(*_inputs):
        raise KeyboardInterrupt

    options = {"patches": {"attn1_patch": [fail]}, "sigmas": 1}
    with pytest.raises(KeyboardInterrupt):
        called(forge, options)
    assert options == {"patches": {"attn1_patch": [fail]}, "sigmas": 1}
    host.module("shared").loaded_hypernetworks.clear()
    assert torch.equal(called(forge), expected(forge, []))


def test_the_patch_goes_in_once_and_comes_out_as_it_went_in(forge):
    ours = inspect.getattr_static(forge_parts.KModel, "apply_model")
    patches.install_all()
    assert inspect.getattr_static(forge_parts.KModel, "apply_model") is ours
    assert attention.patch_set.is_installed
    patches.uninstall_all()
    assert inspect.getattr_static(forge_parts.KModel, "apply_model") is ours.__wrapped__


def test_other_hosts_are_never_searched_for_forge(host):
    assert not forge_attention.patch.is_needed
    assert capabilities.attention_asks_for_networks()


def test_widths_are_read_from_where_forge_holds_the_u_net(forge):
    from hypernetwork_workbench.patches.model import attention_layers
    from hypernetwork_workbench.patches.model import host as ports

    assert ports.model_widths() == attention_layers.loaded_widths() == WIDTHS


def test_a_host_that_has_not_loaded_a_checkpoint_yet_has_no_widths(forge, host, monkeypatch):
    from hypernetwork_workbench.patches.model import attention_layers

    monkeypatch.setattr(host.module("shared"), "sd_model", object())
    assert attention_layers.loaded_widths() == ()


def test_networks_loaded_while_a_picture_is_made_are_of_use_afterwards(forge, host):
    path = save_network(host, "kept")
    hypernetwork = host.module("hypernetworks.hypernetwork")
    with torch.inference_mode():
        hypernetwork.load_hypernetworks(["kept"])
    (loaded,) = host.module("shared").loaded_hypernetworks
    path.unlink()
    loaded.networks[0].to(torch.float64).to(torch.float32)
    assert isinstance(loaded.networks[0], nn.Module)
    assert called(forge).isfinite().all()
