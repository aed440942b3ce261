"""A second generation, opened in a running hub: more partitions, nothing lost, nothing twice."""

import json
import secrets
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from hub.__main__ import app
from hub.audit.verify import verify_dump
from hub.contracts import catalogue, codec, control, tables
from hub.domain import events as e
from hub.errors import UsageError
from hub.local import generation, provision
from hub.local.dump import dump_topics
from hub.local.generation import open_generation
from hub.local.kafka import KafkaCluster
from hub.local.processes import Workers
from tests.contracts.world import REFERENCE
from tests.streams.test_activation import Hub
from tests.streams.test_intake import REGISTRATION
from tests.streams.test_worker import MANDATE, receipts

pytestmark = pytest.mark.kafka
FIRST, SECOND = REFERENCE.regions
NEXT = replace(
    REFERENCE, version=2, generation=2, log_partitions=3, regions=(replace(FIRST, partition=2), SECOND)
)  # fmt: skip
ROLES = ("intake", "region", "duplicates", "delivery")


def sequences(folder: Path, topic: str, region: str) -> list[int]:
    """`ce_sequence` of what one region told a tenant, in the order of the topic, as a recipient takes it.

    Delivery may say a thing again after a restart; its recipient drops what it has had, by `ce_id`.
    """
    rows = [json.loads(line) for line in (folder / "topics" / f"{topic}.jsonl").read_text("utf-8").splitlines()]
    told = {row["headers"]["ce_id"]: int(row["headers"]["ce_sequence"]) for row in rows if row["key"] == region}
    return list(told.values())


class CutOff(Exception):
    """What ends the command in the middle."""


def cut_off(*_: object) -> None:
    raise CutOff


async def test_a_generation_with_more_partitions_goes_on_where_the_one_before_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One receipt each, sequences without a gap, a repeat is known, and the oracle agrees with both generations.

    The command is cut off twice, when all is carried over and when only the activation is missing, and run again.
    """
    with KafkaCluster() as cluster, Workers(tmp_path / "output.jsonl") as workers:
        passwords = {name: secrets.token_hex(16) for name in catalogue.principals(REFERENCE)}
        passwords["admin"] = cluster.admin_password
        provision.apply(cluster.bootstrap, passwords, REFERENCE)
        hub = Hub(cluster, passwords, tmp_path)
        for role in ROLES:
            hub.start(workers, role)
        hub.send("office", codec.encode(MANDATE))
        hub.send("clock", codec.encode(e.DayStarted(date=date(2026, 6, 1))))
        assert len(await receipts(hub.as_principal("clock"), 1)) == 1
        hub.send("pkg-a", codec.encode(REGISTRATION))
        hub.send("pkg-a", b"poison")
        assert len(await receipts(hub.as_principal("pkg-a"), 2)) == 2

        for place, step in ((generation, "_begin_inboxes"), (provision, "activate")):
            with monkeypatch.context() as interrupted:
                interrupted.setattr(place, step, cut_off)
                with pytest.raises(CutOff):
                    open_generation(cluster.bootstrap, passwords, NEXT)
        said: list[str] = []
        opened = open_generation(cluster.bootstrap, passwords, NEXT, say=said.append)
        assert (opened.generation, opened.regions) == (2, 4), "two regions, NL, and the match fold's one state"
        assert said[-1] == "generation 2 is open"
        with pytest.raises(UsageError, match="generation 2 is in force, the tables are of 2; expected 3"):
            open_generation(cluster.bootstrap, passwords, NEXT)

        hub.send("pkg-a", codec.encode(REGISTRATION))
        hub.send("pkg-a", codec.encode(replace(REGISTRATION, version=2)))
        hub.send("clock", codec.encode(e.DayStarted(date=date(2026, 6, 2))))
        told = await receipts(hub.as_principal("pkg-a"), 4)
        assert [told[f"inbox.pkg-a/{n}"].code for n in range(4)] == [
            "applied", "not_confluent_framed", "repeated", "applied",
        ]  # fmt: skip
        assert len(await receipts(hub.as_principal("clock"), 2)) == 2
        workers.stop()

        folder = tmp_path / "dump"
        dump_topics(
            folder, {**hub.admin, "sasl.username": catalogue.AUDITOR, "sasl.password": passwords[catalogue.AUDITOR]}
        )
        verdict = verify_dump(folder)
        assert verdict.differences == []
        assert verdict.facts > 10 and verdict.snapshots >= 4
        assert sequences(folder, "out.receipts.pkg-a", REFERENCE.region_of[REGISTRATION.pc4]) == [1, 2, 3]
        assert sequences(folder, "out.receipts.clock", "NL") == [1, 2]
        named = verify_after_bending(folder)
        assert named and all(topic.endswith(".g2") for topic in named)


def verify_after_bending(folder: Path) -> set[str]:
    """Topics that the oracle names when one carried part was changed."""
    path = folder / "topics" / "region-log.g2.jsonl"
    lines = path.read_text("utf-8").splitlines()
    rows: list[dict[str, Any]] = [json.loads(line) for line in lines]
    row = next(row for row in rows if row["headers"]["ce_type"] == codec.type_name(e.StateCarried))
    rows.remove(row)
    path.write_text("".join(json.dumps(one) + "\n" for one in rows), "utf-8")
    return {difference.topic for difference in verify_dump(folder).differences}


def test_the_command_refuses_tables_that_open_nothing(tmp_path: Path) -> None:
    """Before it closes anything."""
    with KafkaCluster() as cluster:
        passwords = {name: secrets.token_hex(16) for name in catalogue.principals(REFERENCE)}
        passwords["admin"] = cluster.admin_password
        provision.apply(cluster.bootstrap, passwords, REFERENCE)
        keys, file = tmp_path / "keys.json", tmp_path / "tables.json"
        keys.write_text(json.dumps(passwords))
        file.write_bytes(tables.render(replace(NEXT, generation=1)))
        said = CliRunner(env={"KAFKA_BOOTSTRAP_SERVERS": cluster.bootstrap}).invoke(
            app, ["generation", "open", str(file), "--credentials", str(keys)]
        )
        assert isinstance(said.exception, UsageError) and "expected 2" in str(said.exception)
        now = provision.in_force_at(provision.admin_config(cluster.bootstrap, passwords, REFERENCE))
        assert now is not None and not now.closing and now.reference == REFERENCE
        assert control.closing_key(1) == "closing/1"
