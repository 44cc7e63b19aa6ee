"""`<name:argument:...>` in prompts: found, taken out, and handed to whoever registered the name."""

from __future__ import annotations

import logging
import re
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

log = logging.getLogger("workbench.host")
_MENTION = re.compile(r"<(\w+):([^>]+)>")
extra_network_registry: dict[str, ExtraNetwork] = {}


@dataclass
class ExtraNetworkParams:
    """The arguments of one mention."""

    items: list[Any]


class ExtraNetwork:
    """A kind of extra network."""

    def __init__(self, name: str) -> None:
        self.name = name

    def activate(self, p: Any, params_list: list[ExtraNetworkParams]) -> None:
        """Make the networks of these mentions, and no others, take effect; called for each batch, also with none."""
        raise NotImplementedError


def initialize() -> None:
    """Forget all kinds."""
    extra_network_registry.clear()


def register_extra_network(extra_network: ExtraNetwork) -> None:
    """Add a kind under its name."""
    extra_network_registry[extra_network.name] = extra_network


def activate(p: Any, extra_network_data: dict[str, list[ExtraNetworkParams]]) -> None:
    """Activate each kind with its mentions; an error is logged."""
    for name, kind in extra_network_registry.items():
        mentions = extra_network_data.get(name, [])
        try:
            kind.activate(p, mentions)
        except Exception:
            log.exception("Error activating extra network %s with %s", name, [params.items for params in mentions])


def parse_prompt(prompt: str) -> tuple[str, dict[str, list[ExtraNetworkParams]]]:
    """Return the prompt without mentions, and the mentions by name."""
    found: dict[str, list[ExtraNetworkParams]] = defaultdict(list)
    for match in _MENTION.finditer(prompt):
        found[match[1]].append(ExtraNetworkParams(items=match[2].split(":")))
    return _MENTION.sub("", prompt), found


def parse_prompts(prompts: list[str]) -> tuple[list[str], dict[str, list[ExtraNetworkParams]]]:
    """Return the prompts without mentions, and the mentions of the first prompt, which count for the whole batch."""
    parsed = [parse_prompt(prompt) for prompt in prompts]
    return [prompt for prompt, _ in parsed], parsed[0][1]
