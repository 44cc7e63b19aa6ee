"""Whether a request comes from a page's own browser window: the decision, from the request's headers alone.

A browser says with each request by which name it reached the server (Host), and of requests that another page makes
which page that is (Origin, or Sec-Fetch-Site and Referer). No page can forge these. A program that is no browser says
nothing of other pages, and may ask. What is decided here keeps other pages out, it is no password.
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
#: In place of the origin of a request of another site whose page does not say which it is.
HIDDEN = "null"


class Authority(NamedTuple):
    """A name with a port, as in the header Host: the name in lower case, an IPv6 address without its brackets."""

    host: str
    port: int | None


class Origin(NamedTuple):
    """A page's scheme, name and port; the port is that of the scheme where none is written."""

    scheme: str
    host: str
    port: int


@dataclass(frozen=True)
class Rules:
    """What belongs to a page.

    Attributes:
        hosts: tells whether the page may be reached by this name; None: by any, where the names are not known.
        origins: tells whether the user named this origin, given as the browser wrote it.
        behind_proxy: a proxy that nobody named may stand before the server: it may speak https, send X-Forwarded-Host
            (which no page can make a browser send elsewhere), leave the port out of the names it passes on, and give
            the page a name of its own.
    """

    hosts: Callable[[Authority], bool] | None
    origins: Callable[[str], bool]
    behind_proxy: bool = False


class Foreign(NamedTuple):
    """Why a request is refused: its header `host` or `origin`, and what stands there."""

    header: str
    text: str


def parse_authority(text: str) -> Authority | None:
    """Return what a header Host says; None where that is no name with a port."""
    found = _AUTHORITY.fullmatch(text)
    return Authority(_canonical(found["host"]), int(found["port"]) if found["port"] else None) if found else None


def parse_origin(text: str) -> Origin | None:
    """Return what a header Origin says; None for `null` and all else that is no address of a web page."""
    found = _ORIGIN.fullmatch(text)
    if found is None:
        return None
    scheme = found["scheme"].lower()
    return Origin(scheme, _canonical(found["host"]), int(found["port"] or _DEFAULT_PORTS[scheme]))


def is_address(host: str) -> bool:
    """Tell whether a name is an IP address, which no name server can lead elsewhere."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def is_loopback(host: str) -> bool:
    """Tell whether a name always leads to the machine itself."""
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
    """Tell whether a proxy passed a request on, by what no page that borrows a name can make a browser send.

    Such a page was loaded over http, from where a browser sends Sec-Fetch-Site to the machine's own names only; and no
    page can add a header to a WebSocket.
    """
    proofs = _FORWARDED if scope["type"] == "websocket" else (b"sec-fetch-site",)
    return any(_values(scope, name) for name in proofs)


def _hidden_origins(scope: Mapping[str, Any]) -> list[str]:
    """Return what a request without Origin says of the page it comes from; nothing where that is the page itself."""
    sites = _values(scope, b"sec-fetch-site")
    if (sites and set(sites) <= {"same-origin", "none"}) or _opens_page(scope, is_told=bool(sites)):
        return []
    referers = [found[0] if (found := _OF_REFERER.match(text)) else text for text in _values(scope, b"referer")]
    return referers or ([HIDDEN] if sites else [])


def _opens_page(scope: Mapping[str, Any], is_told: bool) -> bool:
    """Tell whether a link was followed: the page opens in a window of its own, which other pages cannot see into.

    Args:
        is_told: the browser says what the answer is for; over http it does so on the machine itself only.
    """
    if scope["type"] != "http" or scope["path"] != "/" or scope["method"] not in ("GET", "HEAD"):
        return False
    is_navigation = _values(scope, b"sec-fetch-mode") == ["navigate"] and _values(scope, b"sec-fetch-dest") == [
        "document"
    ]
    return is_navigation or not is_told


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
