"""Servers beside the page: another site, and a reverse proxy that gives the page an address of its own."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from tests.browser.conftest import free_port

_CHUNK_BYTES = 1 << 16
_SITE = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


@contextmanager
def another_site() -> Iterator[int]:
    """Serve one empty page on a port of its own, and give the port."""
    with _listening(free_port(), _answer_with_a_page) as port:
        yield port


@contextmanager
def proxy(port: int, upstream: int, keeps_host: bool) -> Iterator[None]:
    """Pass on what comes to a port, WebSockets too; the server sees its own name unless the proxy keeps the other."""
    with _listening(port, partial(_pass_on, upstream=upstream, keeps_host=keeps_host)):
        yield


@contextmanager
def _listening(port: int, meet: Callable[[socket.socket], None]) -> Iterator[int]:
    with socket.create_server(("127.0.0.1", port)) as door:

        def wait() -> None:
            while True:
                try:
                    guest, _ = door.accept()
                except OSError:
                    return  # the door is closed
                threading.Thread(target=meet, args=(guest,), daemon=True).start()

        threading.Thread(target=wait, daemon=True).start()
        yield port
        door.shutdown(socket.SHUT_RDWR)


def _answer_with_a_page(guest: socket.socket) -> None:
    with guest:
        if guest.recv(_CHUNK_BYTES):
            guest.sendall(_SITE)


def _pass_on(guest: socket.socket, upstream: int, keeps_host: bool) -> None:
    with guest, socket.create_connection(("127.0.0.1", upstream)) as server:
        head = b""
        while b"\r\n\r\n" not in head:
            if not (read := guest.recv(_CHUNK_BYTES)):
                return
            head += read
        if not keeps_host:
            head = re.sub(rb"(?im)^host:.*?\r$", b"Host: 127.0.0.1:%d\r" % upstream, head, count=1)
        if b"upgrade: websocket" not in head.lower():
            # One request for each line, so that the head of each is seen here.
            head = re.sub(rb"(?im)^connection:.*?\r$", b"Connection: close\r", head, count=1)
        server.sendall(head)
        back = threading.Thread(target=_pour, args=(server, guest), daemon=True)
        back.start()
        _pour(guest, server)
        back.join()


def _pour(source: socket.socket, target: socket.socket) -> None:
    try:
        while read := source.recv(_CHUNK_BYTES):
            target.sendall(read)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        return  # one side left
