"""`<hypernet:name:strength>` in prompts, and the setting that adds one to every prompt."""

from __future__ import annotations

from typing import Any

from modules import extra_networks, shared
from modules.hypernetworks import hypernetwork


class ExtraNetworkHypernet(extra_networks.ExtraNetwork):
    """Loads the mentioned hypernetworks."""

    def __init__(self) -> None:
        super().__init__("hypernet")

    def activate(self, p: Any, params_list: list[extra_networks.ExtraNetworkParams]) -> None:
        """Put the mentioned hypernetworks, and the one of the setting, in use."""
        extra = shared.opts.sd_hypernetwork
        strength = shared.opts.extra_networks_default_multiplier
        if extra != "None" and extra in shared.hypernetworks and all(x.items[0] != extra for x in params_list):
            p.all_prompts = [f"{prompt}<hypernet:{extra}:{strength}>" for prompt in p.all_prompts]
            params_list.append(extra_networks.ExtraNetworkParams(items=[extra, strength]))
        names = [params.items[0] for params in params_list]
        strengths = [float(params.items[1]) if len(params.items) > 1 else 1.0 for params in params_list]
        hypernetwork.load_hypernetworks(names, strengths)
