"""Fixtures for tests that need the real Kafka or the real Valkey. Both start when a test first asks, once a session."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import pytest
from hypothesis import settings

from hub.local.kafka import KafkaCluster
from hub.local.valkey import Valkey, ValkeyUser

# No example fails for taking long: on a busy machine that says nothing about the code.
settings.register_profile("hub", deadline=None)
settings.load_profile("hub")


@pytest.fixture(scope="session")
def kafka() -> Iterator[KafkaCluster]:
    """The real Apache Kafka, one node, shared by all tests of the session; started when first asked for.

    Mark the test `kafka`. Topics are not made by themselves and nobody but `kafka.admin_user` may do anything: make
    topics, users and ACLs through `kafka.admin()` and give them names of your own (the name of the test and
    `secrets.token_hex(4)`), since others use the same broker. Hub roles connect to `kafka.bootstrap`, tenants to
    `kafka.tenant_bootstrap`; both with SASL_PLAINTEXT and SCRAM-SHA-512. Do not kill or restart it: a test that does
    so makes a `KafkaCluster` of its own.
    """
    with KafkaCluster() as cluster:
        yield cluster


@pytest.fixture(scope="session")
def valkey() -> Iterator[Valkey]:
    """A real Valkey, shared by all tests of the session; started when first asked for, nothing in it.

    `valkey.url("root")` is for redis-py's `from_url`, and may do everything: flush what you need empty
    (`FLUSHDB`), and make further users with `ACL SETUSER` under names of your own. A test that kills it, or that needs
    its users from the start, makes a `Valkey` of its own.
    """
    root = ValkeyUser("root", secrets.token_hex(24), "allkeys allchannels allcommands")
    with Valkey([root]) as server:
        yield server
