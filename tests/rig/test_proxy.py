"""The bad network is as bad as its rules say, and no worse: else a run against it would show nothing."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.rig.proxy import CLIENT, Proxy, Rule, owners


@contextmanager
def echo() -> Iterator[int]:
    """A server that sends back what it gets; its port."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                wire, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=reply, args=(wire,), daemon=True).start()

    def reply(wire: socket.socket) -> None:
        with wire:
            try:
                while data := wire.recv(65536):
                    wire.sendall(data)
            except OSError:
                return

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.close()


@pytest.fixture
def link() -> Iterator[tuple[Proxy, int]]:
    """A proxy, and the port of a link to an echo."""
    with echo() as behind, Proxy() as proxy:
        yield proxy, proxy.link("echo", "ONLY", behind)


def dial(port: int, timeout: float = 5.0) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=timeout)


def asks(wire: socket.socket, what: bytes) -> bytes:
    wire.sendall(what)
    got = b""
    while len(got) < len(what):
        if not (more := wire.recv(65536)):
            break
        got += more
    return got


def test_without_rules_everything_passes_both_ways(link: tuple[Proxy, int]) -> None:
    """Also more than fits into any buffer on the way."""
    _, port = link
    big = bytes(range(256)) * 20_000
    with dial(port) as wire:
        assert asks(wire, b"hello") == b"hello"
        sender = threading.Thread(target=wire.sendall, args=(big,))
        sender.start()
        got = b""
        while len(got) < len(big):
            got += wire.recv(1 << 20)
        sender.join()
        assert got == big


def test_a_delay_makes_everything_late_and_keeps_the_order(link: tuple[Proxy, int]) -> None:
    """There and back is twice the delay."""
    proxy, port = link
    with dial(port) as wire:
        assert asks(wire, b"x") == b"x"
        assert proxy.rule(Rule("delay", to="echo", ms=100)) == 1
        began = time.monotonic()
        assert asks(wire, b"abcdef") == b"abcdef"
        assert time.monotonic() - began >= 0.2
        wire.sendall(b"1")
        proxy.rule()
        wire.sendall(b"2")
        got = b""
        while len(got) < 2:
            got += wire.recv(10)
        assert got == b"12"


def test_what_a_stall_held_arrives_when_it_is_over(link: tuple[Proxy, int]) -> None:
    """As when lost packets are sent again: the connection lives and nothing is missing."""
    proxy, port = link
    with dial(port, timeout=0.3) as wire:
        assert asks(wire, b"before") == b"before"
        proxy.rule(Rule("stall", to="echo"))
        wire.sendall(b"during")
        with pytest.raises(TimeoutError):
            wire.recv(10)
        proxy.rule()
        wire.settimeout(5)
        assert wire.recv(10) == b"during"


def test_a_connection_made_during_a_stall_goes_on_afterwards(link: tuple[Proxy, int]) -> None:
    """Its first bytes wait, too."""
    proxy, port = link
    proxy.rule(Rule("stall", to="echo"))
    with dial(port, timeout=0.3) as wire:
        wire.sendall(b"early")
        with pytest.raises(TimeoutError):
            wire.recv(10)
        proxy.rule()
        wire.settimeout(5)
        assert wire.recv(10) == b"early"


def test_a_muted_link_takes_requests_swallows_answers_and_ends_in_a_reset(link: tuple[Proxy, int]) -> None:
    """A stream with a hole in it must not go on as if it were whole."""
    proxy, port = link
    with dial(port, timeout=0.3) as wire:
        assert asks(wire, b"before") == b"before"
        proxy.rule(Rule("mute", to="echo"))
        wire.sendall(b"lost")
        with pytest.raises(TimeoutError):
            wire.recv(10)
        proxy.rule()
        wire.settimeout(5)
        with pytest.raises(ConnectionError):
            wire.recv(10)


def test_a_reset_hits_open_connections_and_new_ones(link: tuple[Proxy, int]) -> None:
    """Until the rule goes."""
    proxy, port = link
    with dial(port) as wire:
        assert asks(wire, b"x") == b"x"
        proxy.rule(Rule("reset", to="echo"))
        with pytest.raises(ConnectionError):
            asks(wire, b"y") and asks(wire, b"z")
    assert is_cut(port)
    proxy.rule()
    with dial(port) as again:
        assert asks(again, b"x") == b"x"


def is_cut(port: int) -> bool:
    """Whether a new connection dies: while it is made, while it is used, or as an end without bytes."""
    try:
        with dial(port) as wire:
            return asks(wire, b"x") == b""
    except ConnectionError:
        return True


def test_a_rule_for_one_link_leaves_the_others_alone(link: tuple[Proxy, int]) -> None:
    """Named by where it leads, by listener, or by who opened it."""
    proxy, port = link
    with dial(port) as wire:
        for rule in (Rule("stall", to="other"), Rule("stall", listener="OTHER"), Rule("stall", source="3")):
            assert proxy.rule(rule, nodes={3: proxy.pid}) == 0
            assert asks(wire, b"passes") == b"passes"
        assert proxy.rule(Rule("delay", source=CLIENT, ms=1)) == 1


def test_the_owner_of_a_connection_is_found_by_its_socket(link: tuple[Proxy, int]) -> None:
    """This test holds it; the proxy does not."""
    import os

    proxy, port = link
    with dial(port) as wire:
        here = wire.getsockname()[1]
        assert owners({"1": proxy.pid, "2": os.getpid()})[here, port] == "2"
        assert (here, port) not in owners({"1": proxy.pid})


def test_a_rule_for_a_source_also_meets_connections_made_under_it(link: tuple[Proxy, int]) -> None:
    """The many that come back at once after a reset, too."""
    import os

    proxy, port = link
    proxy.rule(Rule("reset", source="2"), nodes={1: proxy.pid, 2: os.getpid()})
    for _ in range(50):
        with dial(port) as refused, pytest.raises(ConnectionError):
            assert asks(refused, b"x") == b"x", "a reset may also show as an end without bytes"
            raise ConnectionError
    proxy.rule(Rule("reset", source=CLIENT), nodes={2: os.getpid()})
    with dial(port) as ours:
        assert asks(ours, b"x") == b"x"
