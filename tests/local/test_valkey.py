"""Valkey's users may do what their rules say, and nobody else may do anything."""

from __future__ import annotations

import secrets
import stat
from pathlib import Path

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from hub.errors import UsageError
from hub.local.valkey import Valkey, ValkeyDidNotStart, ValkeyUser


def test_a_user_reads_its_own_keys_and_is_refused_anothers() -> None:
    """The console reads the board; it has no business with the delivery's position."""
    users = [
        ValkeyUser("relay", secrets.token_hex(8), "~* +@all"),
        ValkeyUser("console", secrets.token_hex(8), "~board:* +@read"),
    ]
    with Valkey(users) as server, connected(server, "relay") as relay, connected(server, "console") as console:
        relay.set("board:KSV-07", "orange")
        relay.set("position:0", "17")
        assert console.get("board:KSV-07") == b"orange"
        with pytest.raises(redis.exceptions.NoPermissionError):
            console.get("position:0")
        with pytest.raises(redis.exceptions.NoPermissionError):
            console.set("board:KSV-07", "green")


def test_nobody_enters_without_a_name_or_with_a_wrong_password(valkey: Valkey) -> None:
    """The user `default` is off, so a bare connection may do nothing."""
    at_once = Retry(NoBackoff(), 0)  # redis-py takes a refusal for a weak line and tries for seconds otherwise
    stranger = redis.Redis(host="127.0.0.1", port=valkey.port, retry=at_once)
    with stranger, pytest.raises(redis.AuthenticationError):
        stranger.ping()
    guess = redis.Redis(host="127.0.0.1", port=valkey.port, username="root", password="guessed", retry=at_once)
    with guess, pytest.raises(redis.AuthenticationError):
        guess.ping()


def test_passwords_stand_in_no_file() -> None:
    """The access file holds their SHA-256, and only we may read it."""
    password = secrets.token_hex(24)
    with Valkey([ValkeyUser("root", password, "~* +@all")]) as server:
        files = [file for file in server.folder.iterdir() if file.is_file()]
        assert {"users.acl", "valkey.conf", "valkey.log"} <= {file.name for file in files}
        assert [f for f in files if password.encode() in f.read_bytes()] == []
        assert [f for f in files if stat.S_IMODE(f.stat().st_mode) != 0o600] == []
        assert password not in repr(ValkeyUser("root", password, "+@all"))


def test_after_a_kill_it_comes_back_at_its_port_and_empty() -> None:
    """The read model is built anew; its address stays."""
    with Valkey([ValkeyUser("root", secrets.token_hex(8), "~* +@all")]) as server:
        with connected(server, "root") as client:
            client.set("board:KSV-07", "orange")
        port = server.port
        server.kill()
        assert server.pid is None
        server.restart()
        assert server.port == port
        with connected(server, "root") as client:
            assert client.dbsize() == 0


def test_nothing_is_left_after_the_stop() -> None:
    """Neither the folder nor the process."""
    server = Valkey([ValkeyUser("root", secrets.token_hex(8), "~* +@all")])
    server.start()
    folder, pid = server.folder, server.pid
    server.stop()
    assert not folder.exists()
    assert not Path(f"/proc/{pid}").exists()
    server.stop()  # a second stop is no error


def test_rules_that_valkey_does_not_know_are_named_in_the_error() -> None:
    """The message shows Valkey's own words, and nothing is left behind."""
    with pytest.raises(ValkeyDidNotStart, match="Unknown command or category"):
        Valkey([ValkeyUser("root", "x", "+nosuchcommand")]).start()


@pytest.mark.parametrize(
    ("user", "expected"),
    [
        (ValkeyUser("default", "x", "+@all"), "cannot be a Valkey user"),
        (ValkeyUser("two words", "x", "+@all"), "cannot be a Valkey user"),
        (ValkeyUser("a", "", "+@all"), "empty"),
        (ValkeyUser("a", "p@ss", "+@all"), "escaping in a URL"),
        (ValkeyUser("a", "x", "nopass +@all"), "touch its password"),
        (ValkeyUser("a", "x", "+@all >other"), "touch its password"),
        (ValkeyUser("a", "x", "+@all\nuser b on nopass +@all"), "touch its password|line end"),
    ],
)
def test_a_user_that_would_become_another_is_refused(user: ValkeyUser, expected: str) -> None:
    """The access file is lines of words: what would add a line or a word is refused before it is written."""
    with pytest.raises(UsageError, match=expected):
        Valkey([user])


def connected(server: Valkey, user: str) -> redis.Redis:
    return redis.Redis.from_url(server.url(user))
