"""`<name:argument:...>` in prompts: found, taken out, and handed to whoever registered the name."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import Any

from modules import errors

extra_network_registry: dict[str, ExtraNetwork] = {}
extra_network_aliases: dict[str, ExtraNetwork] = {}


class ExtraNetworkParams:
    """The arguments of one mention; `key=value` arguments are also in `named`, the others in `positional`."""

    def __init__(self, items: list[Any] | None = None) -> None:
        self.items = items or []
        self.positional: list[Any] = []
        self.named: dict[str, str] = {}
        for item in self.items:
            key, equals, value = item.partition("=") if isinstance(item, str) else (item, "", "")
            if equals:
                self.named[key] = value
            else:
                self.positional.append(item)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ExtraNetworkParams) and self.items == other.items

    __hash__ = None  # type: ignore[assignment]


class ExtraNetwork:
    """A kind of extra network; `activate` is called for each batch, with no mentions too."""

    def __init__(self, name: str) -> None:
        self.name = name

    def activate(self, p: Any, params_list: list[ExtraNetworkParams]) -> None:
        """Makes the networks of these mentions, and no others, take effect."""
        raise NotImplementedError

    def deactivate(self, p: Any) -> None:
        """Cleans up at the end of a job."""
        raise NotImplementedError


def initialize() -> None:
    """Forgets all kinds."""
    extra_network_registry.clear()
    extra_network_aliases.clear()


def register_extra_network(extra_network: ExtraNetwork) -> None:
    """Adds a kind under its name."""
    extra_network_registry[extra_network.name] = extra_network


def register_extra_network_alias(extra_network: ExtraNetwork, alias: str) -> None:
    """Adds a second name for a kind."""
    extra_network_aliases[alias] = extra_network


def _mentions(data: dict[str, list[ExtraNetworkParams]]) -> dict[ExtraNetwork, list[ExtraNetworkParams]]:
    result: dict[ExtraNetwork, list[ExtraNetworkParams]] = {}
    for name, mentions in data.items():
        kind = extra_network_registry.get(name) or extra_network_aliases.get(name)
        if kind is not None:
            result.setdefault(kind, []).extend(mentions)
    return result


def activate(p: Any, extra_network_data: dict[str, list[ExtraNetworkParams]]) -> None:
    """Activates each kind with its mentions, the unmentioned ones with none."""
    mentioned = _mentions(extra_network_data)
    others: dict[ExtraNetwork, list[ExtraNetworkParams]] = {
        kind: [] for kind in extra_network_registry.values() if kind not in mentioned
    }
    for kind, mentions in {**mentioned, **others}.items():
        try:
            kind.activate(p, mentions)
        except Exception as error:
            errors.display(error, f"activating extra network {kind.name} with {[m.items for m in mentions]}")


def deactivate(p: Any, extra_network_data: dict[str, list[ExtraNetworkParams]]) -> None:
    """Lets each kind clean up."""
    for kind in {*_mentions(extra_network_data), *extra_network_registry.values()}:
        try:
            kind.deactivate(p)
        except Exception as error:
            errors.display(error, f"deactivating extra network {kind.name}")


_MENTION = re.compile(r"<(\w+):([^>]+)>")


def parse_prompt(prompt: str) -> tuple[str, dict[str, list[ExtraNetworkParams]]]:
    """The prompt without mentions, and the mentions by name."""
    found: dict[str, list[ExtraNetworkParams]] = defaultdict(list)
    for match in _MENTION.finditer(prompt):
        found[match[1]].append(ExtraNetworkParams(items=match[2].split(":")))
    return _MENTION.sub("", prompt), found


def parse_prompts(prompts: list[str]) -> tuple[list[str], dict[str, list[ExtraNetworkParams]]]:
    """The prompts without mentions, and the mentions of the first one: they hold for the whole batch."""
    parsed = [parse_prompt(prompt) for prompt in prompts]
    return [prompt for prompt, _ in parsed], parsed[0][1] if parsed else {}
