"""Find the failed message, see why, mend it, send it again, and see that it went through: typed by a tenant.

On a living hub, with the tenant's own password and through the tenants' listener; nothing of the hub's is needed.
"""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer

from hub.contracts import catalogue
from hub.contracts.codec import encode
from hub.local.simulator.stories import registration
from hub.repair.written import write
from tests.whole.killed_hub import Run

pytestmark = pytest.mark.kafka


def told(run: Run, tenant: str, *words: str, expect: int = 0) -> dict[str, Any]:
    """The JSON object of a command, and its exit code as it must be."""
    done = run.hub(tenant, *words, "--json")
    assert done.returncode == expect, done.stderr + done.stdout
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def wrong(run: Run, record_id: str, **fields: Any) -> tuple[str, dict[str, Any]]:
    """A package, and a registration of it with something wrong, as it would write it down."""
    client = run.nation.clients[2]
    event = write(registration(client, client.provider, record_id))  # type: ignore[arg-type]
    return client.provider.package, {**event, "identity": None, **fields}


def put(run: Run, tenant: str, value: bytes) -> int:
    """Bytes in the tenant's inbox, as a system that knows no better sends them."""
    placed: list[int] = []
    producer = Producer(run.login(tenant))
    producer.produce(catalogue.inbox(tenant), value, b"k", on_delivery=lambda e, m: placed.append(m.offset()))  # type: ignore[arg-type]
    producer.flush(30)
    return placed[0]


def test_a_message_is_found_understood_mended_and_seen_to_go_through(run: Run, tmp_path: Path) -> None:
    """The whole way, and afterwards nothing is left to do."""
    tenant, event = wrong(run, "repair-1", pc4="9990")
    file = tmp_path / "message.json"
    file.write_text(json.dumps(event), "utf-8")
    sent = told(run, tenant, "send", str(file), "--via", "kafka", "--follow", expect=1)
    assert sent["outcomes"] == {"refused": 1}
    [case] = [c for c in told(run, tenant, "dlq", "list")["cases"] if c["record_id"] == "repair-1"]
    assert (case["code"], case["pointer"], case["state"]) == ("postcode_outside_regions", "/pc4", "open")
    shown = run.hub(tenant, "dlq", "show", str(case["number"])).stdout
    assert "Deze postcode ligt in geen enkele regio" in shown and "No region of the table holds this postcode" in shown
    assert "→ pc4: 9990" in shown
    right = run.nation.clients[2].pc4
    again = told(run, tenant, "dlq", "redrive", str(case["number"]), "--set", f"/pc4={right}")
    assert again["outcomes"] == {"accepted": 1}
    [after] = [c for c in told(run, tenant, "dlq", "list", "--all")["cases"] if c["record_id"] == "repair-1"]
    assert (after["state"], after["settled_by"]) == ("mended", again["receipts"][0]["number"])
    assert not [c for c in told(run, tenant, "dlq", "list")["cases"] if c["record_id"] == "repair-1"]
    once_more = told(run, tenant, "dlq", "redrive", str(case["number"]), "--set", f"/pc4={right}")
    assert (once_more["sent"], once_more["left_alone"]) == (0, [case["number"]])
    steps = told(run, tenant, "trace", "repair-1")["steps"]
    assert [step["what"].split(",")[0].split(" by ")[0].split(" of inbox")[0] for step in steps] == [
        "sent RegistrationSubmitted version 1",
        "kept as a dead letter",
        "receipt",
        "sent RegistrationSubmitted version 2",
        "receipt",
    ]
    assert (
        f"in place of {case['inbox']}/{case['number']}" in steps[3]["what"]
        and ": accepted, applied" in steps[4]["what"]
    )


def test_bytes_that_nobody_can_read_are_described_and_can_be_put_aside(run: Run) -> None:
    """For everybody of the tenant, without storing anything anywhere else."""
    tenant, event = wrong(run, "repair-2")
    number = put(run, tenant, json.dumps(event).encode())
    run.rest()
    shown = told(run, tenant, "dlq", "show", f"#{number}")
    assert shown["code"] == "not_confluent_framed" and "This is JSON" in shown["findings"][0]
    refused = run.hub(tenant, "dlq", "redrive", str(number))
    assert refused.returncode == 2 and "cannot be read and never will be" in refused.stderr
    assert told(run, tenant, "dlq", "drop", str(number))["dropped"] == [number]
    assert number not in [c["number"] for c in told(run, tenant, "dlq", "list")["cases"]]
    [case] = [c for c in told(run, tenant, "dlq", "list", "--all")["cases"] if c["number"] == number]
    assert case["state"] == "dropped"


def test_a_mended_message_can_be_looked_at_before_it_is_sent(run: Run, tmp_path: Path) -> None:
    """`fix` writes it, `redrive --from` sends what stands there."""
    tenant, event = wrong(run, "repair-3", indicated_minutes=49 * 60 * 60)
    client = run.nation.clients[2]
    faulty = registration(client, client.provider, "repair-3")  # type: ignore[arg-type]
    number = put(run, tenant, encode(replace(faulty, identity=None, indicated_minutes=49 * 60 * 60)))
    run.rest()
    file = tmp_path / "mended.json"
    assert (
        run.hub(tenant, "dlq", "fix", str(number), "--set", "/indicated_minutes=2940", "--out", str(file)).returncode
        == 0
    )
    held = json.loads(file.read_text("utf-8"))
    assert held == {n: v for n, v in {**event, "indicated_minutes": 2940, "version": 2}.items() if v is not None}
    assert told(run, tenant, "dlq", "redrive", str(number), "--from", str(file))["outcomes"] == {"accepted": 1}


def test_a_file_with_a_slip_is_not_sent_at_all(run: Run, tmp_path: Path) -> None:
    """All is checked before the first leaves; the message tells where."""
    tenant, good = wrong(run, "repair-4")
    file = tmp_path / "two.jsonl"
    file.write_text("\n".join(json.dumps(one) for one in (good, {**good, "pc4": "12"})), "utf-8")
    done = run.hub(tenant, "send", str(file))
    assert done.returncode == 2 and "message 2: invalid_pc4 (/pc4)" in done.stderr
    assert run.hub(tenant, "trace", "repair-4").returncode == 1


def test_another_tenants_messages_are_out_of_reach(run: Run) -> None:
    """The broker says so, whatever is typed; the error says what to look at."""
    tenant, _ = wrong(run, "repair-5")
    other = next(p.package for p in run.nation.providers if p.package != tenant)
    done = run.hub(tenant, "dlq", "list", "--tenant", other)
    assert done.returncode == 2 and f"no password for principal '{other}'" in done.stderr
    assert run.hub(tenant, "dlq", "show", f"inbox.{other}/0").returncode == 2


def test_an_auditor_follows_a_record_link_by_link_through_a_dump(run: Run) -> None:
    """From the inbox to what was delivered, by the marks that each hop leaves."""
    run.end()
    client = run.nation.clients[0]
    done = run.hub("ops", "trace", client.record_id, "--dump", str(run.folder), "--json")
    steps = json.loads(done.stdout)["steps"]
    topics = [step["place"].split("/")[0] for step in steps]
    package = client.provider.package
    for expected in (f"inbox.{package}", "region-log", "identity-log", "region-facts", f"out.receipts.{package}"):
        assert expected in topics, (expected, topics)
    copies = {step["place"]: step["because"] for step in steps}
    first = next(place for place in copies if place.startswith("region-log/"))
    assert copies[first].startswith(f"copy of inbox.{package}/")
    fact = next(step for step in steps if step["place"].startswith("region-facts/"))
    assert fact["because"] == f"follows from {first}"
