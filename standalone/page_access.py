"""Who may use the page: the page itself, under the addresses of this machine and those on the command line."""

from __future__ import annotations

import argparse
import socket
from ipaddress import ip_address

import psutil
from hypernetwork_workbench.hypernetworks.server.gate import Gate
from hypernetwork_workbench.hypernetworks.server.origins import (
    Authority,
    Rules,
    is_address,
    is_loopback,
    parse_origin,
)
from starlette.middleware import Middleware

FLAG = "--allow-origin"


def middleware(options: argparse.Namespace) -> Middleware:
    """Return the middleware that refuses other pages, and makes browsers let none frame this page or embed its files.

    In a frame its buttons could be pressed unseen, and in a network a browser does not say which page embeds a file.
    """
    named = options.allow_origin or []
    frames = " ".join(["frame-ancestors", "'self'", *named])
    headers = [(b"content-security-policy", frames.encode()), (b"cross-origin-resource-policy", b"same-origin")]
    return Middleware(Gate, rules=rules(options.server_name, named), flag=FLAG, headers=headers)


def rules(listen: str, named: list[str]) -> Rules:
    """Return what belongs to the page.

    Args:
        listen: the IP address at which the page is served.
        named: the origins given on the command line.
    """
    origins = {origin for text in named if (origin := parse_origin(text))}
    hosts = {origin.host for origin in origins} | {listen}
    is_everywhere = ip_address(listen).is_unspecified

    def is_own(name: Authority) -> bool:
        if is_loopback(name.host) or name.host in hosts:
            return True
        return is_everywhere and is_address(name.host) and name.host in _own_addresses()

    return Rules(is_own, lambda text: parse_origin(text) in origins)


def _own_addresses() -> set[str]:
    """Return the present addresses of this machine."""
    kinds = (socket.AF_INET, socket.AF_INET6)
    listed = [one.address for several in psutil.net_if_addrs().values() for one in several if one.family in kinds]
    return {str(ip_address(address.partition("%")[0])) for address in listed}
