"""Decides from the headers of a request whether it comes from the page itself or from another one.

A browser sends with each request the name by which it reached the server (Host), and with requests of another page
which page that is (Origin, or Sec-Fetch-Site and Referer). No page can forge these. A program that is no browser names
no other page, and is let in. This keeps other pages out; it does not replace a password.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any, NamedTuple

_HOST = r"(?P<host>[a-z0-9._-]{1,253}|\[[0-9a-f:.]*:[0-9a-f:.]*\])(?::(?P<port>[0-9]{1,5}))?"
_AUTHORITY = re.compile(_HOST, re.IGNORECASE | re.ASCII)
_ORIGIN = re.compile(rf"(?P<scheme>https?)://{_HOST}", re.IGNORECASE | re.ASCII)
_OF_REFERER = re.compile(r"[^/]*//[^/?#]*")
_DEFAULT_PORTS = {"http": 80, "https": 443}
_FORWARDED = (b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto", b"forwarded")
#: Stands for the origin of a request of another site that does not name its page.
HIDDEN = "null"


class Authority(NamedTuple):
    """A name with a port, from the header Host: the name in lower case, an IPv6 address without its brackets."""

    host: str
    port: int | None


class Origin(NamedTuple):
    """A page's scheme, name and port; without a port, that of the scheme."""

    scheme: str
    host: str
    port: int


@dataclass(frozen=True)
class Rules:
    """What belongs to a page.

    Attributes:
        hosts: tells whether the page may be reached by a name; None: by any, as its names are unknown.
        origins: tells whether the user has allowed an origin, given as the browser wrote it.
        behind_proxy: a proxy that nobody named may stand before the server: it may speak https, send X-Forwarded-Host
            (which no page can make a browser send elsewhere), leave the port out of the names it passes on, and give
            the page a name of its own.
    """

    hosts: Callable[[Authority], bool] | None
    origins: Callable[[str], bool]
    behind_proxy: bool = False


class Foreign(NamedTuple):
    """Why a request is refused: its header `host` or `origin`, and the text of that."""

    header: str
    text: str


def parse_authority(text: str) -> Authority | None:
    """Return the content of a header Host; None where that is no name with a port."""
    found = _AUTHORITY.fullmatch(text)
    return Authority(_canonical(found["host"]), int(found["port"]) if found["port"] else None) if found else None


def parse_origin(text: str) -> Origin | None:
    """Return the content of a header Origin; None for `null` and anything else that is no address of a web page."""
    found = _ORIGIN.fullmatch(text)
    if found is None:
        return None
    scheme = found["scheme"].lower()
    return Origin(scheme, _canonical(found["host"]), int(found["port"] or _DEFAULT_PORTS[scheme]))


def is_address(host: str) -> bool:
    """Tell whether a name is an IP address, which no name server can redirect."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def is_loopback(host: str) -> bool:
    """Tell whether a name always means the machine itself."""
    return host == "localhost" or (is_address(host) and ip_address(host).is_loopback)


def foreign(scope: Mapping[str, Any], rules: Rules) -> Foreign | None:
    """Return what is foreign about a request; None where it may pass.

    Args:
        scope: the request's ASGI scope, of the type http or websocket.
    """
    hosts = _values(scope, b"host")
    reached = parse_authority(hosts[0]) if len(hosts) == 1 else None
    is_named = rules.hosts is None or (reached is not None and rules.hosts(reached))
    if not is_named and not (rules.behind_proxy and _came_by_proxy(scope)):
        return Foreign("host", ", ".join(hosts))
    origins = _values(scope, b"origin") or _hidden_origins(scope)
    if not origins or (len(origins) == 1 and _is_own(origins[0], reached, scope, rules)):
        return None
    return Foreign("origin", ", ".join(origins))


def _came_by_proxy(scope: Mapping[str, Any]) -> bool:
    """Tell whether a proxy passed a request on, by headers that no page under a borrowed name can make a browser send.

    Such a page was loaded over http, from which a browser sends Sec-Fetch-Site only to the machine's own names; and no
    page can add a header to a WebSocket.
    """
    proofs = _FORWARDED if scope["type"] == "websocket" else (b"sec-fetch-site",)
    return any(_values(scope, name) for name in proofs)


def _hidden_origins(scope: Mapping[str, Any]) -> list[str]:
    """Return the origins of a request without Origin, by its other headers; empty where that is the page itself."""
    sites = _values(scope, b"sec-fetch-site")
    if (sites and set(sites) <= {"same-origin", "none"}) or _is_followed_link(scope, has_sites=bool(sites)):
        return []
    referers = [found[0] if (found := _OF_REFERER.match(text)) else text for text in _values(scope, b"referer")]
    return referers or ([HIDDEN] if sites else [])


def _is_followed_link(scope: Mapping[str, Any], has_sites: bool) -> bool:
    """Tell whether a link was followed: the page opens in its own window, whose content other pages cannot read.

    Args:
        has_sites: whether the browser sends Sec-Fetch-*, which over http it does only to the machine itself.
    """
    if scope["type"] != "http" or scope["path"] != "/" or scope["method"] not in ("GET", "HEAD"):
        return False
    is_navigation = _values(scope, b"sec-fetch-mode") == ["navigate"] and _values(scope, b"sec-fetch-dest") == [
        "document"
    ]
    return is_navigation or not has_sites


def _is_own(text: str, reached: Authority | None, scope: Mapping[str, Any], rules: Rules) -> bool:
    if rules.origins(text):
        return True
    origin = parse_origin(text)
    if origin is None:
        return False
    if not rules.behind_proxy:
        return reached is not None and origin.scheme == "http" and _is_same(origin, reached)
    forwarded = [text.partition(",")[0].strip() for text in _values(scope, b"x-forwarded-host")[:1]]
    names = [reached, *map(parse_authority, forwarded)]
    return any(name is not None and (_is_same(origin, name) or _is_same_without_port(origin, name)) for name in names)


def _is_same(origin: Origin, name: Authority) -> bool:
    port = _DEFAULT_PORTS[origin.scheme] if name.port is None else name.port
    is_same_host = origin.host == name.host or (is_loopback(origin.host) and is_loopback(name.host))
    return is_same_host and origin.port == port


def _is_same_without_port(origin: Origin, name: Authority) -> bool:
    return name.port is None and origin.host == name.host and not is_loopback(name.host)


def _canonical(host: str) -> str:
    host = host.lower().strip("[]")
    return str(ip_address(host)) if is_address(host) else host


def _values(scope: Mapping[str, Any], name: bytes) -> list[str]:
    return [value.decode("latin-1").strip() for key, value in scope["headers"] if key.lower() == name]
