"""The networks in the host's folder by name, those too that came after the host made its list."""

from __future__ import annotations

from collections.abc import Mapping

from ...hypernetworks.files import listing


def listed(*wanted: str) -> Mapping[str, str]:
    """Return the host's list of networks, name to path; made anew where it lacks one of `wanted`."""
    from modules import shared  # noqa: PLC0415

    if not all(listing.find(shared.hypernetworks, name) for name in wanted):
        shared.reload_hypernetworks()
    names: Mapping[str, str] = shared.hypernetworks
    return names


def absent(sentence: str, name: str) -> str:
    """Return what to tell of a network that is not listed: `sentence`, and what else in the folder is named so."""
    from modules import shared  # noqa: PLC0415

    instead = listing.instead(shared.cmd_opts.hypernetwork_dir, name)
    if not instead and (alike := listing.alike(shared.hypernetworks, name)):
        instead = f"there is {alike[0]}"
    return f"{sentence} ({instead})" if instead else sentence
