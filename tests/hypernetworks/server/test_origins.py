"""Whose requests pass: a table of what browsers, other pages and programs send."""

from __future__ import annotations

import pytest
from hypernetwork_workbench.hypernetworks.server import origins
from hypernetwork_workbench.hypernetworks.server.origins import Authority, Foreign, Origin, Rules

HERE = "127.0.0.1:7860"
PROXY = "https://draw.example"


def own(name: Authority) -> bool:
    return origins.is_loopback(name.host) or name.host in ("192.168.1.5", "draw.example")


PAGE = Rules(own, lambda text: text == PROXY)
#: In a network, behind a proxy that nobody named.
OPEN = Rules(None, lambda text: text == PROXY, behind_proxy=True)


def check(rules=PAGE, path="/queue/join", method="GET", kind="http", **headers):
    """Return what is foreign about a request with these headers; several values are several headers."""
    sent = []
    for name, values in {"host": HERE, **headers}.items():
        for value in [values] if isinstance(values, str) else values or []:
            sent.append((name.replace("_", "-").encode(), value.encode("latin-1")))
    return origins.foreign({"type": kind, "path": path, "method": method, "headers": sent}, rules)


OWN = {
    "program": {},
    "program_by_name": {"host": "localhost:7860"},
    "any_loopback": {"host": "127.8.9.1:7860"},
    "ipv6": {"host": "[::1]:7860", "origin": "http://[::1]:7860"},
    "ipv6_written_out": {"host": "[0:0:0:0:0:0:0:1]:7860", "origin": "http://[::1]:7860"},
    "own_page": {"origin": "http://127.0.0.1:7860"},
    "own_page_by_another_name_of_the_machine": {"origin": "http://localhost:7860"},
    "upper_case": {"host": "LocalHost:7860", "origin": "HTTP://LOCALHOST:7860"},
    "forwarded_port": {"host": "localhost:8000", "origin": "http://localhost:8000"},
    "port_80": {"host": "localhost", "origin": "http://localhost"},
    "port_80_written_out": {"host": "localhost:80", "origin": "http://localhost"},
    "in_the_network": {"host": "192.168.1.5:7860", "origin": "http://192.168.1.5:7860"},
    "proxy_keeps_host": {"host": "draw.example", "origin": PROXY},
    "proxy_changes_host": {"origin": PROXY},
    "proxy_and_a_picture": {"sec_fetch_site": "same-origin", "host": "draw.example"},
    "picture": {"sec_fetch_site": "same-origin"},
    "address_typed_in": {"sec_fetch_site": "none"},
    "own_referer": {"referer": "http://127.0.0.1:7860/?x=http://evil.example/"},
    "named_referer": {"referer": PROXY + "/x", "sec_fetch_site": "cross-site"},
    "proxy_says_who_asks": {"x_forwarded_host": "evil.example"},
}
FOREIGN = {
    "page": {"origin": "http://evil.example"},
    "page_of_another_port": {"origin": "http://127.0.0.1:7861"},
    "page_of_port_80": {"origin": "http://127.0.0.1"},
    "page_of_another_scheme": {"origin": "https://127.0.0.1:7860"},
    "no_address": {"origin": "null"},
    "empty": {"origin": ""},
    "file": {"origin": "file://"},
    "extension": {"origin": "chrome-extension://abcdef"},
    "userinfo": {"origin": "http://127.0.0.1:7860@evil.example"},
    "userinfo_before": {"origin": "http://evil.example@127.0.0.1:7860"},
    "with_a_path": {"origin": "http://127.0.0.1:7860/"},
    "starts_alike": {"origin": "http://127.0.0.1:7860.evil.example"},
    "localhost_below": {"origin": "http://localhost.evil.example:7860"},
    "resolves_to_us": {"origin": "http://127.0.0.1.nip.io:7860"},
    "trailing_dot": {"origin": "http://evil.example.:7860"},
    "several": {"origin": ["http://127.0.0.1:7860", "http://evil.example"]},
    "listed": {"origin": "http://127.0.0.1:7860, http://evil.example"},
    "named_with_another_scheme": {"origin": "http://draw.example"},
    "named_with_another_port": {"origin": "https://draw.example:444"},
    "below_the_named": {"origin": "https://www.draw.example"},
    "other_digits": {"origin": "http://127.0.0.1:\xb27860"},
    "picture": {"sec_fetch_site": "cross-site", "sec_fetch_mode": "no-cors", "sec_fetch_dest": "image"},
    "picture_of_another_port": {"sec_fetch_site": "same-site"},
    "picture_twice": {"sec_fetch_site": ["same-origin", "cross-site"]},
    "picture_with_its_page": {"sec_fetch_site": "cross-site", "referer": "http://evil.example/"},
    "referer": {"referer": "http://evil.example/http://127.0.0.1:7860/"},
    "referer_with_userinfo": {"referer": "http://127.0.0.1:7860@evil.example/"},
    "referer_of_another_port": {"referer": "http://127.0.0.1:7861/"},
    "forwarded_host": {"origin": "http://evil.example", "x_forwarded_host": "evil.example"},
    "form": {"origin": "http://evil.example", "content_type": "text/plain"},
    "rebound_page_says_it_is_ours": {"origin": "http://evil.example", "sec_fetch_site": "same-origin"},
}
OTHER_NAMES = {
    "rebound": "evil.example:7860",
    "none": None,
    "empty": "",
    "several": ["127.0.0.1:7860", "evil.example"],
    "same_twice": ["127.0.0.1:7860", "127.0.0.1:7860"],
    "listed": "127.0.0.1:7860, evil.example",
    "userinfo": "127.0.0.1:7860@evil.example",
    "localhost_below": "localhost.evil.example:7860",
    "above_localhost": "evil.localhost:7860",
    "resolves_to_us": "127.0.0.1.nip.io:7860",
    "trailing_dot": "evil.example.:7860",
    "another_address": "192.168.1.6:7860",
    "address_as_a_number": "2130706433:7860",
    "address_in_brackets": "[127.0.0.1]:7860",
    "ipv6_without_brackets": "::1",
    "another_ipv6": "[::2]:7860",
    "no_port": "127.0.0.1:",
    "below_the_named": "www.draw.example",
    "with_a_path": "127.0.0.1:7860/",
    "space_inside": "127.0.0.1 evil.example",
}


@pytest.mark.parametrize("kind", ["http", "websocket"])
@pytest.mark.parametrize("headers", OWN.values(), ids=OWN)
def test_the_page_itself_passes(headers, kind):
    assert check(kind=kind, **headers) is None


@pytest.mark.parametrize("kind", ["http", "websocket"])
@pytest.mark.parametrize("headers", FOREIGN.values(), ids=FOREIGN)
def test_another_page_is_foreign(headers, kind):
    found = check(kind=kind, **headers)
    assert found is not None
    assert found.header == "origin"


@pytest.mark.parametrize("host", OTHER_NAMES.values(), ids=OTHER_NAMES)
def test_another_name_is_foreign_whoever_asks(host):
    assert check(host=host, path="/").header == "host"
    named = host if isinstance(host, str) else "evil.example"
    assert check(host=host, origin=f"http://{named}", sec_fetch_site="same-origin").header == "host"
    assert check(host=host, origin=PROXY).header == "host"
    assert check(host=host, x_forwarded_host=HERE).header == "host"


def test_what_is_foreign_is_reported():
    assert check(origin="http://evil.example") == Foreign("origin", "http://evil.example")
    assert check(referer="http://evil.example/a?b#c") == Foreign("origin", "http://evil.example")
    assert check(sec_fetch_site="cross-site") == Foreign("origin", origins.HIDDEN)
    assert check(host="evil.example") == Foreign("host", "evil.example")


FOLLOWED = {"sec_fetch_site": "cross-site", "sec_fetch_mode": "navigate", "sec_fetch_dest": "document"}


@pytest.mark.parametrize("more", [{}, {"referer": "http://evil.example/"}])
def test_a_link_to_the_page_may_be_followed(more):
    assert check(path="/", **FOLLOWED, **more) is None
    assert check(path="/", method="HEAD", **more) is None
    assert check(path="/", host="evil.example", **FOLLOWED, **more).header == "host"


@pytest.mark.parametrize(
    "other",
    [
        {"path": "/file=/outputs/a.png"},
        {"method": "POST"},
        {"kind": "websocket"},
        {"sec_fetch_dest": "iframe"},
        {"sec_fetch_dest": "object"},
        {"sec_fetch_mode": "no-cors"},
        {"sec_fetch_dest": ["document", "iframe"]},
        {"origin": "http://evil.example"},
    ],
)
def test_no_other_request_passes_as_a_followed_link(other):
    assert check(**{"path": "/", **FOLLOWED, **other}) is not None


BEHIND = {
    "own": {"origin": "http://127.0.0.1:7860"},
    "https": {"host": "sd.example", "origin": "https://sd.example"},
    "https_on_its_port": {"host": "sd.example:8443", "origin": "https://sd.example:8443"},
    "port_left_out": {"host": "sd.example", "origin": "https://sd.example:8443"},
    "forwarded": {"origin": "https://sd.example", "x_forwarded_host": "sd.example"},
    "forwarded_twice": {"origin": "https://sd.example", "x_forwarded_host": "sd.example, inner:80"},
    "named": {"origin": PROXY},
    "share": {"host": "ab12.gradio.live", "origin": "https://ab12.gradio.live"},
    "no_host": {"host": None},
}
NOT_BEHIND = {
    "another": {"host": "sd.example", "origin": "https://evil.example"},
    "no_address": {"host": "sd.example", "origin": "null"},
    "no_host": {"host": None, "origin": "http://evil.example"},
    "another_port_of_the_machine": {"origin": "http://127.0.0.1:7861"},
    "another_port_of_the_machine_on_port_80": {"host": "localhost", "origin": "http://localhost:7861"},
    "another_port": {"host": "sd.example:7860", "origin": "http://sd.example:7861"},
    "forwarded_another": {"origin": "https://evil.example", "x_forwarded_host": "sd.example"},
    "forwarded_second": {"origin": "https://evil.example", "x_forwarded_host": "sd.example, evil.example"},
    "forwarded_unreadable": {"origin": "https://evil.example", "x_forwarded_host": "a@evil.example"},
    "picture": {"sec_fetch_site": "cross-site"},
}


@pytest.mark.parametrize("headers", BEHIND.values(), ids=BEHIND)
def test_behind_a_proxy_that_nobody_named_the_page_passes(headers):
    assert check(OPEN, **headers) is None


@pytest.mark.parametrize("headers", NOT_BEHIND.values(), ids=NOT_BEHIND)
def test_behind_a_proxy_that_nobody_named_another_page_is_foreign(headers):
    assert check(OPEN, **headers).header == "origin"


#: On the machine only, where a proxy may stand that nobody named.
LOCAL = Rules(own, lambda text: False, behind_proxy=True)


def test_a_name_that_a_proxy_gave_passes_and_a_borrowed_one_does_not():
    name = {"host": "sd.example", "origin": "https://sd.example"}
    https, added = {"sec_fetch_site": "same-origin"}, {"x_forwarded_for": "10.0.0.1"}
    assert check(LOCAL, **name, **https) is None
    assert check(LOCAL, kind="websocket", **name, **added) is None
    assert check(LOCAL, **{**name, "origin": "https://evil.example"}, **https).header == "origin"
    # A page can add this to what it fetches, and a browser sends neither for it.
    assert check(LOCAL, **name, **added).header == "host"
    assert check(LOCAL, **name).header == "host"
    assert check(LOCAL, kind="websocket", **name).header == "host"
    assert check(LOCAL, x_forwarded_host="localhost:7860", **name).header == "host"


def test_addresses_are_read():
    assert origins.parse_origin("HTTPS://Draw.Example") == Origin("https", "draw.example", 443)
    assert origins.parse_origin("http://[0:0::1]:9") == Origin("http", "::1", 9)
    assert origins.parse_authority("[::1]") == Authority("::1", None)
    assert origins.parse_authority("A.b:08") == Authority("a.b", 8)
    for wrong in ("", "a b", "http://", "ftp://a", "http://a:b", "http://a:123456", "http://a\n"):
        assert origins.parse_origin(wrong) is None
