"""Run by ComfyUI's own Python, in its folder: loads the nodes as it does, and samples with them from random weights.

    python walk.py NODES NETWORKS

NODES is the folder of the nodes; NETWORKS has a.pt (affine), b.pt and c.safetensors, of widths 32, 64 and the text's.
Prints JSON: for each family of models and each way of applying, the largest difference from the plain definition, as a
share of the largest value.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import torch

TEXT = {"SD1": 24, "SD2": 28, "SDXL": 40}
WAYS = ("one", "strength 0", "chain", "nodes in a row", "composition", "file")


def made(family: str, comfy: Any) -> Any:
    """Return ComfyUI's model patcher of a small U-Net with random weights."""
    config = {
        "image_size": 32,
        "in_channels": 4,
        "out_channels": 4,
        "model_channels": 32,
        "num_res_blocks": [1, 1],
        "channel_mult": (1, 2),
        "transformer_depth": [1, 1],
        "transformer_depth_middle": 1,
        "transformer_depth_output": [1, 1, 1, 1],
        "context_dim": TEXT[family],
        "use_spatial_transformer": True,
        "use_linear_in_transformer": family != "SD1",
        "legacy": False,
        "use_temporal_attention": False,
    }
    kinds = comfy.supported_models
    if family == "SDXL":
        config |= {"num_classes": "sequential", "adm_in_channels": 1280 + 6 * 256}
    model_config = {"SD1": kinds.SD15, "SD2": kinds.SD20, "SDXL": kinds.SDXL}[family](config)
    model_config.unet_config |= {"num_heads": -1, "num_head_channels": 16}
    model_config.set_inference_dtype(torch.float32, None)
    torch.manual_seed(1)
    kind = comfy.model_base.SDXL if family == "SDXL" else comfy.model_base.BaseModel
    types = comfy.model_base.ModelType
    model = kind(model_config, model_type=types.V_PREDICTION if family == "SD2" else types.EPS, device="cpu")
    for weight in model.diffusion_model.parameters():
        torch.nn.init.normal_(weight, std=0.08) if weight.ndim > 1 else torch.nn.init.normal_(weight, 0.5, 0.1)
    return comfy.model_patcher.ModelPatcher(model.eval(), torch.device("cpu"), torch.device("cpu"))


@torch.inference_mode()
def sampled(model: Any, family: str, comfy: Any) -> torch.Tensor:
    """Return the latents of three steps, as ComfyUI's own node samples them."""
    torch.manual_seed(2)
    condition = lambda: [[torch.randn(1, 77, TEXT[family]), {"pooled_output": torch.randn(1, 1280)}]]  # noqa: E731
    noise, latent = torch.randn(1, 4, 8, 8), torch.zeros(1, 4, 8, 8)
    positive, negative = condition(), condition()
    return comfy.sample.sample(model, noise, 3, 4.0, "euler", "normal", positive, negative, latent, seed=3)


def by_definition(model: Any, rows: list[tuple[Any, float]], family: str, comfy: Any) -> torch.Tensor:
    """Return the same with x + m mlp(x) before every `to_k` and `to_v`, from the bare weights, without the nodes."""
    hooks = []
    for module in model.model.diffusion_model.modules():
        for side, name in enumerate(("to_k", "to_v")):
            projection = getattr(module, name, None)
            if projection is not None:

                def hook(_module: Any, inputs: Any, side: int = side) -> Any:
                    x = inputs[0]
                    for network, strength in rows:
                        x = x + strength * mlp(network, x, side)
                    return x

                hooks.append(projection.register_forward_pre_hook(hook))
    try:
        return sampled(model, family, comfy)
    finally:
        for hook in hooks:
            hook.remove()


def mlp(network: Any, x: torch.Tensor, side: int) -> torch.Tensor:
    layers = [layer for layer in network.pair(x.shape[-1])[side].linear if hasattr(layer, "weight")]
    hidden = x @ layers[0].weight.T + layers[0].bias
    if network.structure.activation == "relu":
        hidden = hidden.relu()
    return hidden @ layers[1].weight.T + layers[1].bias


def differences(family: str, comfy: Any, nodes: Any, folder: Path) -> dict[str, float]:
    load, compose = (nodes.NODE_CLASS_MAPPINGS[f"HypernetworkWorkbench{name}"]() for name in ("Load", "Composition"))
    core = sys.modules["hypernetwork_workbench.hypernetworks.files"]
    a, b, c = (core.load(folder / name) for name in ("a.pt", "b.pt", "c.safetensors"))
    model = made(family, comfy)
    plain = sampled(model, family, comfy)

    def rows(*pairs: tuple[str, float]) -> dict[str, Any]:
        pairs += (("None", 1.0),) * (4 - len(pairs))
        return {
            key: value
            for number, (name, strength) in enumerate(pairs, 1)
            for key, value in ((f"network_{number}", name), (f"strength_{number}", strength))
        }

    def far(changed: Any, *wanted: tuple[Any, float]) -> float:
        hand = by_definition(model, list(wanted), family, comfy) if wanted else plain
        found = sampled(changed[0], family, comfy)
        loaded = [type(each.model.model).__name__ for each in comfy.model_management.current_loaded_models]
        assert torch.equal(sampled(model, family, comfy), plain), "the model itself has changed"
        largest = plain.abs().max()
        assert not wanted or (found - plain).abs().max() > 1e-2 * largest, "nothing was applied"
        assert not wanted or loaded.count("_Holder") == len(wanted), f"the manager has only {loaded}"
        return float((found - hand).abs().max() / largest)

    with torch.inference_mode():  # as ComfyUI runs its nodes
        first = load.apply(model, **rows(("b", 0.7)))
        return {
            "one": far(first, (b, 0.7)),
            "strength 0": far(load.apply(model, **rows(("b", 0.0)))),
            "chain": far(load.apply(model, **rows(("a", 0.5), ("b", 0.7), ("c", -0.6))), (a, 0.5), (b, 0.7), (c, -0.6)),
            "nodes in a row": far(load.apply(first[0], **rows(("c", 0.4))), (b, 0.7), (c, 0.4)),
            "composition": far(compose.apply(model, "a:0.5 > b:0.7", "None", 1.0), (a, 0.5), (b, 0.7)),
            "file": far(compose.apply(model, "", "both", 1.0), (b, 0.3), (c, 1.0)),
        }


def main(place: str, networks: str) -> None:
    """Load the nodes by ComfyUI's own loader, and print what they do."""
    sys.argv = [sys.argv[0], "--cpu"]
    import comfy.options

    comfy.options.enable_args_parsing()
    import comfy.model_base
    import comfy.model_management
    import comfy.model_patcher
    import comfy.sample
    import comfy.supported_models
    import folder_paths
    import nodes

    folder = Path(networks)
    (folder / "both.hns").write_text('[("b", 0.3), ("c", 1.0)]', encoding="utf-8")
    folder_paths.add_model_folder_path("hypernetworks", networks)
    assert asyncio.run(nodes.load_custom_node(place)), "ComfyUI did not take the nodes"
    told = {family: differences(family, comfy, nodes, folder) for family in TEXT}
    inspect = nodes.NODE_CLASS_MAPPINGS["HypernetworkWorkbenchInspect"]()
    fields = nodes.NODE_CLASS_MAPPINGS["HypernetworkWorkbenchLoad"].INPUT_TYPES()["required"]["network_1"][0]
    sys.stdout.write(json.dumps({"far": told, "inspect": inspect.inspect("b")["result"][0], "names": fields}))


if __name__ == "__main__":
    main(*sys.argv[1:3])
