"""The catalogue: one place for who may say what, and no way around it."""

import re

import pytest
import yaml

from hub.contracts import catalogue as c
from hub.contracts import render
from hub.domain.facts import ReceiptIssued
from hub.domain.identifiers import TenantId
from hub.domain.reference import Role
from tests.contracts.world import REFERENCE

TOPICS = {t.name: t for t in c.topics_for(REFERENCE)}


def test_only_its_tenant_writes_an_inbox() -> None:
    """The topic name is the sender, so no other principal may write it."""
    for row in REFERENCE.tenants:
        if (topic := TOPICS.get(c.inbox(row.tenant))) is not None:
            assert topic.writers == (row.tenant,)


def test_only_intake_writes_the_logs_and_only_the_folds_write_facts() -> None:
    """One principal per hub role."""
    assert TOPICS[c.REGION_LOG].writers == TOPICS[c.IDENTITY_LOG].writers == (c.INTAKE,)
    assert TOPICS[c.REGION_FACTS].writers == (c.REGION,)
    assert TOPICS[c.LINKS].writers == (c.DUPLICATES,)


def test_encodings_are_readable_by_the_match_fold_and_the_auditor_alone() -> None:
    """Whoever could read them could mine them."""
    for name in (c.IDENTITY_LOG, c.MATCH_SNAPSHOTS):
        assert set(TOPICS[name].readers) == {c.DUPLICATES, c.AUDITOR}


def test_no_tenant_reads_a_topic_of_another_tenant() -> None:
    """Competitors share a broker, not topics."""
    tenants = {row.tenant for row in REFERENCE.tenants}
    for topic in TOPICS.values():
        if topic.name.startswith(("inbox.", "out.")):
            owner = TenantId(topic.name.removesuffix(".dlq").rsplit(".", 1)[-1])
            assert tenants & set(topic.readers) <= {owner}


def test_a_dead_letter_may_be_larger_than_what_it_holds() -> None:
    """Original bytes plus the headers that say why."""
    assert TOPICS[c.dead_letters(TenantId("pkg-a"))].bytes_max > TOPICS[c.inbox(TenantId("pkg-a"))].bytes_max


def test_every_fan_out_type_has_writers_of_one_role() -> None:
    """A fan-out may depend only on earlier records of its own inbox, so its type has one kind of sender."""
    for row in c.INPUTS.values():
        if row.destination is c.Destination.EVERY_REGION:
            assert len(row.writers) == 1


@pytest.mark.parametrize("role", [r for r in Role if r not in (Role.BO, Role.VSV)])
def test_whoever_publishes_gets_receipts(role: Role) -> None:
    """Exactly one receipt for every record, so every sender has a place for it."""
    if any(role in row.writers for row in c.INPUTS.values()):
        assert role in c.OUTPUTS[ReceiptIssued].roles


def test_asyncapi_is_whole_and_shows_nothing_of_what_the_machines_say_to_each_other() -> None:
    """Every reference leads somewhere, every placeholder of an address is explained."""
    document = yaml.safe_load(render.asyncapi())
    assert document["asyncapi"] == "3.0.0"
    for name, channel in document["channels"].items():
        assert set(channel.get("parameters", {})) == set(re.findall(r"{(.*?)}", channel["address"])), name
        for message in channel["messages"].values():
            assert message["$ref"].rpartition("/")[2] in document["components"]["messages"]
    for operation in document["operations"].values():
        assert operation["channel"]["$ref"].removeprefix("#/channels/") in document["channels"]
        inward = operation["channel"]["$ref"].startswith("#/channels/inbox-")
        assert operation["action"] == ("receive" if inward else "send")
    assert len(document["operations"]) == len(document["channels"])
    for machine in (c.REGION_LOG, c.REGION_FACTS, c.LINKS, c.IDENTITY_LOG):
        assert machine not in document["channels"]


def test_asyncapi_names_every_message_that_a_tenant_meets() -> None:
    """Derived from the same rows as the topics."""
    document = render.asyncapi()
    for row in c.INPUTS.values():
        assert f"{row.kind.__name__}:" in document
