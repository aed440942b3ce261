"""The whole hub on this machine while its workers die: a simulated nation, stock clients, and the oracle at the end.

A small one in every test run; `make chaos` takes a larger nation and the sessions of a deployment.
"""

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException
from confluent_kafka.schema_registry.avro import AvroDeserializer
from confluent_kafka.serialization import MessageField, SerializationContext

from hub.contracts import catalogue
from hub.domain.identifiers import TenantId
from hub.edge import FileKey
from hub.local.simulator import national
from hub.local.simulator import truth as ground_truth
from hub.repair.desk import Desk
from tests.whole.killed_hub import KILLED, WAIT_S, Run

pytestmark = pytest.mark.kafka
ROOT = Path(__file__).parents[2]
HEAD_BYTES = 8
"""The beginnings of all secrets are searched for at once; what is found is looked at whole."""


@pytest.mark.parametrize("name", ["region", "duplicates"])
def test_a_fold_that_stands_still_is_seen_to_be_behind_until_it_has_folded_everything(run: Run, name: str) -> None:
    """What its group says does not count: it may be dead, or thrown out, or waiting for a dead member's session."""
    run.rest()
    run.stack.workers.pause(name)
    run.register(run.nation.clients[1], f"stock-{name}-1")
    deadline = time.monotonic() + WAIT_S
    while not (behind := run.look()) or not all(line.startswith(f"hub.{name}.") for line in behind):
        assert time.monotonic() < deadline, behind
    assert all(line.startswith(f"hub.{name}.") for line in run.look()), "nobody else has anything to do"
    run.stack.workers.resume(name)
    run.rest()
    assert run.look() == []


def test_a_stock_consumer_reads_receipts_and_alerts_with_its_tenants_password(run: Run) -> None:
    """Confluent's own consumer and deserialiser, the registry served by the hub, nothing of ours."""
    package = next(p.package for p in run.nation.providers)
    for tenant, topic in ((package, catalogue.out_topic("receipts", package)), (TenantId("ops"), catalogue.ALERTS)):
        settings = run.login(tenant, **{"group.id": f"{tenant}.test", "auto.offset.reset": "earliest"})
        consumer = Consumer(settings)
        consumer.subscribe([topic])
        message = consumer.poll(WAIT_S)
        assert message is not None and message.error() is None, topic
        read = AvroDeserializer(run.schemas())(message.value(), SerializationContext(topic, MessageField.VALUE))
        assert isinstance(read, dict) and ("code" in read or "alert_id" in read)
        consumer.close()


def test_the_vendors_example_registers_a_client_and_hears_so(run: Run, tmp_path: Path) -> None:
    """examples/register_one_client.py, as its own words say to run it."""
    client = run.nation.clients[0]
    package = client.provider.package
    password, key = tmp_path / "password", tmp_path / "epoch-key.json"
    password.write_text(run.stack.passwords[package] + "\n", "utf-8")
    FileKey.generate().save(key)
    said = subprocess.run(
        [
            sys.executable, str(ROOT / "examples/register_one_client.py"),
            "--bootstrap", run.stack.kafka.tenant_bootstrap, "--registry", run.stack.console_url.rstrip("/"),
            "--tenant", package, "--password-file", str(password), "--key-file", str(key),
            "--provider", client.provider.agb, "--pc4", client.pc4,
        ],
        capture_output=True, text=True, timeout=120, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    run.live.measured.inputs += 1
    assert (said.returncode, said.stdout) == (0, "accepted applied \nVerwerkt.\n"), said.stderr


def test_the_readers_example_prints_the_colour_of_every_region(run: Run, tmp_path: Path) -> None:
    """examples/read_colours.py, for a VSV with nothing but its own password."""
    program, password = str(ROOT / "examples/read_colours.py"), tmp_path / "password"
    asked = [
        "--bootstrap", run.stack.kafka.tenant_bootstrap, "--registry", run.stack.console_url.rstrip("/"),
        "--tenant", national.VSV, "--password-file", str(password),
    ]  # fmt: skip
    password.write_text(run.stack.passwords[national.VSV] + "\n", "utf-8")
    said = subprocess.run([sys.executable, program, *asked], capture_output=True, text=True, timeout=120)
    assert said.returncode == 0, said.stderr
    assert [line.split()[0] for line in said.stdout.splitlines()] == sorted(
        row.code for row in run.nation.reference.regions
    )


def test_a_stock_producer_publishes_to_its_own_inbox_and_to_no_other(run: Run) -> None:
    """The broker refuses the other tenant's inbox; the own record gets its receipt like any other."""
    client = run.nation.clients[0]
    other = next(p.package for p in run.nation.providers if p.package != client.provider.package)
    with pytest.raises(KafkaException) as refused:
        run.register(client, "stock-client-0", inbox=catalogue.inbox(other))
    assert refused.value.args[0].code() == KafkaError.TOPIC_AUTHORIZATION_FAILED
    source = run.register(client, "stock-client-1")
    run.rest()
    desk = Desk(client.provider.package, run.login(client.provider.package))
    assert {f"{desk.inbox}/{r.offset}": r.fact.outcome for r in desk.receipts()}[source] == "accepted"


def test_a_worker_of_each_role_was_killed_and_came_back(run: Run) -> None:
    """Else the tests below would show nothing."""
    assert not run.killer.left
    assert all(run.stack.workers.starts(name) >= 2 for name in KILLED)


def test_nothing_is_lost_and_nothing_takes_effect_twice(run: Run) -> None:
    """Every input has exactly one receipt, whoever died in between."""
    summary = run.end()
    assert (summary.lost, summary.twice) == (0, 0)
    assert summary.receipts == summary.inputs


def test_the_oracle_says_equal(run: Run) -> None:
    """Every fact, repeat and snapshot hash is the one that the log gives."""
    assert run.end().oracle == "equal"


def test_every_planted_outcome_is_met(run: Run) -> None:
    """What must come of a message whatever the order, stands in the ground truth."""
    assert run.end().unmet == ()


def test_every_exact_duplicate_is_found_and_none_is_invented(run: Run) -> None:
    """By the ground truth that the hub never sees."""
    found = run.end().duplicates
    assert found.true > 0 and (found.precision, found.recall) == (1.0, 1.0)


def test_no_identity_stands_anywhere_but_where_an_accident_put_it(run: Run) -> None:
    """Names, BSN, phones, mail and canaries of the truth are searched for in every file of the dump."""
    run.end()
    rows = ground_truth.read(run.folder / "truth.jsonl")
    kept = [row for row in rows if not row["accident"]]
    secrets = {str(value) for row in kept for value in (row["person"] or {}).values() if len(str(value)) >= 8}
    secrets |= {canary for row in kept for canary in row["canaries"] or ()}
    longest = max(len(secret.encode()) for secret in secrets)
    dates = {(row["person"] or {}).get("birth_date") for row in kept}
    assert len(secrets) > 100
    heads = np.array(sorted({_number(secret.encode()[:HEAD_BYTES]) for secret in secrets - dates}), dtype=np.uint64)
    assert suspects(min(secrets - dates).encode(), heads), "the search itself finds nothing"
    for path in run.folder.rglob("*"):
        if path.is_file() and path.name != "truth.jsonl":
            content = path.read_bytes()
            found = {content[at : at + longest] for at in suspects(content, heads)}
            assert not [s for s in secrets - dates if any(one.startswith(s.encode()) for one in found)], path.name


def suspects(content: bytes, heads: "np.ndarray[Any, Any]") -> list[int]:
    """Where one of the heads begins: every place of a file is looked at, all at once."""
    octets = np.frombuffer(content, dtype=np.uint8).astype(np.uint64)
    if len(octets) < HEAD_BYTES:
        return []
    last = len(octets) - HEAD_BYTES + 1
    windows = np.zeros(last, dtype=np.uint64)
    for at in range(HEAD_BYTES):
        windows = windows << np.uint64(8) | octets[at : last + at]
    near = np.minimum(np.searchsorted(heads, windows), len(heads) - 1)
    return [int(at) for at in np.flatnonzero(heads[near] == windows)]


def _number(head: bytes) -> int:
    return int.from_bytes(head, "big")
