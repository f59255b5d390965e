"""The proxy itself: each of its modes is the outage that it is said to be."""

from __future__ import annotations

import contextlib
import select
import socket
import struct
import time
from collections.abc import Iterator
from typing import Any

import pytest

from .plugin_proxy import Proxy
from .tasks import until

#: What a client may say first, and the server answers with a single letter, S or N.
SSL_REQUEST = struct.pack("!ii", 8, 80877103)
#: The start of a session: whatever the server says to it is longer than five bytes.
STARTUP = struct.pack("!ii", 23, 196608) + b"user\0postgres\0\0"


@pytest.fixture
def client(proxy: Proxy) -> Iterator[Any]:
    """Connect to the proxy, with sockets that end with the test."""
    with contextlib.ExitStack() as stack:

        def connect() -> socket.socket:
            where = ("127.0.0.1", proxy.port)
            return stack.enter_context(socket.create_connection(where, timeout=30))

        yield connect


def ask(one: socket.socket) -> bytes:
    one.sendall(SSL_REQUEST)
    return one.recv(1)


def is_quiet(one: socket.socket) -> bool:
    """Whether neither an answer nor an end comes; that takes its time to be seen."""
    return not select.select([one], [], [], 0.1)[0]


def is_over(one: socket.socket) -> bool:
    try:
        return one.recv(1) == b""
    except ConnectionResetError:
        return True


def test_it_passes_on_and_counts(proxy: Proxy, client: Any) -> None:
    begun = time.monotonic()
    one, other = client(), client()
    assert ask(one) in (b"S", b"N")
    assert ask(other) in (b"S", b"N")
    connects, open_now, _ = proxy.counts()
    assert (len(connects), open_now) == (2, 2)
    assert begun <= connects[0] <= connects[1] <= time.monotonic()
    one.close()
    until(lambda: proxy.counts().open == 1)


def test_the_end_of_a_session_is_passed_on(proxy: Proxy, client: Any) -> None:
    one = client()
    one.sendall(b"GET / HTTP/1.0\r\n\r\n")  # no length that a server would accept
    while one.recv(1000):
        pass
    until(lambda: proxy.counts().open == 0)


def test_stop_cuts_and_refuses_until_it_starts_again(proxy: Proxy, client: Any) -> None:
    one = client()
    ask(one)
    proxy.stop()
    assert is_over(one)
    assert proxy.counts().open == 0
    for _ in range(3):
        with pytest.raises(ConnectionRefusedError):
            client()
    proxy.start()
    assert ask(client()) in (b"S", b"N")


def test_hang_up_cuts_and_goes_on(proxy: Proxy, client: Any) -> None:
    one = client()
    ask(one)
    proxy.hang_up()
    assert is_over(one)
    assert proxy.counts().open == 0
    assert ask(client()) in (b"S", b"N")


def test_reset_counts_what_it_resets_and_keeps_what_is_open(proxy: Proxy, client: Any) -> None:
    one = client()
    until(lambda: proxy.counts().open == 1)
    proxy.reset()
    for _ in range(3):
        with contextlib.suppress(ConnectionResetError):
            assert is_over(client())
    until(lambda: len(proxy.counts().connects) == 4)
    assert proxy.counts().open == 1
    assert ask(one) in (b"S", b"N")
    proxy.start()
    assert ask(client()) in (b"S", b"N")


def test_deaf_accepts_and_answers_nothing(proxy: Proxy, client: Any) -> None:
    one = client()
    ask(one)
    proxy.deaf()
    other = client()
    for deaf in (one, other):
        deaf.sendall(SSL_REQUEST)
        assert is_quiet(deaf)
    assert (len(proxy.counts().connects), proxy.counts().open) == (2, 2)
    proxy.start()
    assert other.recv(1) in (b"S", b"N")


def test_deaf_does_not_read_for_ever(proxy: Proxy, client: Any) -> None:
    one = client()
    ask(one)
    proxy.deaf()
    one.setblocking(False)
    with pytest.raises(BlockingIOError):
        for _ in range(1000):
            one.send(bytes(65536))


def test_slow_passes_answers_on_in_small_pieces(proxy: Proxy, database: Any) -> None:
    one = database(proxy.settings, MAX_CONNS=1)
    one.query("SELECT 1")
    proxy.slow(1000, 0.01)
    begun = time.monotonic()
    assert one.query("SELECT repeat('x', 20000)") == "x" * 20000
    assert time.monotonic() - begun >= 0.2
    proxy.slow(1, 3600)
    proxy.start()
    assert one.query("SELECT 42") == 42


def test_cut_closes_after_so_many_bytes_of_an_answer(proxy: Proxy, client: Any) -> None:
    before = client()
    until(lambda: proxy.counts().open == 1)
    proxy.cut(5)
    for one in (before, client()):
        one.sendall(STARTUP)
        answer = b""
        with contextlib.suppress(ConnectionResetError):
            while data := one.recv(100):
                answer += data
        assert len(answer) == 5
    until(lambda: proxy.counts().open == 0)
    proxy.start()
    assert ask(client()) in (b"S", b"N")


def test_half_open_ends_sessions_and_tells_no_client(
    proxy: Proxy, client: Any, database: Any
) -> None:
    one, before = database(proxy.settings, MAX_CONNS=1), client()
    ask(before)
    one.query("SELECT 1")
    proxy.half_open()
    until(lambda: not one.sessions())
    before.sendall(SSL_REQUEST)
    assert is_quiet(before)
    assert one.pool.stats().in_use == proxy.counts().open - 1 == 1
    assert ask(client()) in (b"S", b"N")
    before.close()
    until(lambda: proxy.counts().open <= 2)


def test_it_ends_with_its_connections() -> None:
    proxy = Proxy()
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=30) as one:
        ask(one)
        proxy.deaf()
        assert proxy.end() == 0
        assert is_over(one)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", proxy.port), timeout=30)
