"""What a demo comes to: figures that anyone can count again from the dump, and the auditor's verdict."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import msgspec

from hub.audit.verify import Verdict
from hub.contracts import catalogue, codec
from hub.domain import events as e
from hub.domain import facts as f
from hub.domain.reference import Reference
from hub.domain.words import AlertKind, AlertState, AllocationStatus, FindingCode, LinkKind, ReceiptOutcome
from hub.local.simulator import truth
from hub.local.simulator.live import Measured
from hub.local.simulator.truth import DuplicateScore

NO: Final = (ReceiptOutcome.REFUSED, ReceiptOutcome.UNREADABLE, ReceiptOutcome.CONFLICT)
"""Outcomes that count as refused; a repeat or a stale version is no refusal."""


@dataclass(frozen=True, slots=True)
class Summary:
    """The figures of one run, and what does not add up. `unmet`: expectations of the truth that were not met.

    `colour_history`: by region the days on which its computed colour changed. `exposed_claims`: `<region>/<provider>`
    whose claim to be full was exposed by an alert that closed again.
    """

    inputs: int
    accepted: int
    refused: dict[str, int]
    dead_letters: int
    receipts: int
    duplicates: DuplicateScore
    allocations: int
    alerts: dict[str, int]
    region_status: dict[str, str]
    oracle: str
    lost: int
    twice: int
    events_per_s: int
    p99_ms: int
    days: int
    unmet: tuple[str, ...]
    colour_history: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    alerts_closed: dict[str, int] = field(default_factory=dict)
    exposed_claims: tuple[str, ...] = ()
    findings: dict[str, int] = field(default_factory=dict)

    @property
    def sound(self) -> bool:
        """Nothing lost, nothing twice, every fact refolded to the same bytes, every planted outcome as it must be."""
        return self.oracle == "equal" and not self.lost and not self.twice and not self.unmet

    def as_json(self) -> dict[str, Any]:
        """The object of `hub demo --json`."""
        scored = self.duplicates
        return {
            "inputs": self.inputs,
            "accepted": self.accepted,
            "refused": self.refused,
            "dead_letters": self.dead_letters,
            "receipts": self.receipts,
            "duplicates": {
                "true": scored.true,
                "found": scored.found,
                "precision": scored.precision,
                "recall": scored.recall,
            },
            "allocations": self.allocations,
            "alerts": self.alerts,
            "alerts_closed": self.alerts_closed,
            "region_status": self.region_status,
            "colour_history": {region: list(map(list, days)) for region, days in self.colour_history.items()},
            "exposed_claims": list(self.exposed_claims),
            "findings": self.findings,
            "oracle": self.oracle,
            "lost": self.lost,
            "twice": self.twice,
            "events_per_s": self.events_per_s,
            "p99_ms": self.p99_ms,
        }

    def lines(self) -> Iterator[tuple[str, str]]:
        """Name and value of each figure, for people."""
        scored = self.duplicates
        yield "simulated days", str(self.days)
        yield "inputs, receipts", f"{self.inputs}, {self.receipts} (lost {self.lost}, twice {self.twice})"
        yield "accepted", str(self.accepted)
        yield "refused", ", ".join(f"{code} {n}" for code, n in self.refused.items())
        yield "dead letters", str(self.dead_letters)
        yield (
            "duplicates",
            f"{scored.true} exact planted, {scored.found} found; precision {scored.precision}, recall {scored.recall}",
        )
        yield "clients placed", str(self.allocations)
        yield "alerts", ", ".join(f"{kind} {n}" for kind, n in self.alerts.items())
        yield "alerts closed", ", ".join(f"{kind} {n}" for kind, n in self.alerts_closed.items())
        for region, days in self.colour_history.items():
            yield f"colours of {region}", " → ".join(f"{colour} ({day})" for day, colour in days)
        yield "exposed as not full", ", ".join(self.exposed_claims) or "nobody"
        yield "findings", ", ".join(f"{code} {n}" for code, n in self.findings.items())
        yield "bulk load", f"{self.events_per_s} events/s"
        yield "append to receipt", f"p99 {self.p99_ms} ms, bulk load included"
        yield "oracle", self.oracle
        for line in self.unmet[:10]:
            yield "not as planted", line


def summarise(folder: Path, reference: Reference, verdict: Verdict, measured: Measured) -> Summary:
    """Count a dump. Repeats of a fact (a position not beyond its region's last) are dropped, as every reader does."""
    receipts: Counter[str] = Counter()
    ids: Counter[str] = Counter()
    outcomes: dict[str, tuple[str, str]] = {}
    refused: Counter[str] = Counter()
    accepted = 0
    placed: set[str] = set()
    alerts: dict[str, str] = {}
    closed: dict[str, str] = {}
    claims: dict[str, str] = {}
    history: dict[str, list[tuple[str, str]]] = {}
    findings: dict[str, tuple[str, str]] = {}
    links: set[frozenset[str]] = set()
    coordinators = {str(tenant) for tenant in reference.coordinator.values()}
    for row in _fresh(folder, catalogue.REGION_FACTS):
        headers, fact = row["headers"], row["value"]
        ids[headers["ce_id"]] += 1
        match headers["ce_type"]:
            case _Types.RECEIPT:
                source = headers["ce_hubsrc"]
                receipts[source] += 1
                outcomes[source] = fact["outcome"], fact["code"]
                accepted += fact["outcome"] == ReceiptOutcome.ACCEPTED
                if fact["outcome"] in NO:
                    refused[fact["code"]] += 1
            case _Types.ALLOCATION:
                if fact["recipient"] in coordinators and fact["status"] in (
                    AllocationStatus.ACCEPTED,
                    AllocationStatus.OVERRIDDEN,
                ):
                    placed.add(f"{fact['region']}/{fact['waiting_id']}")
            case _Types.ALERT:
                alert = f"{fact['region']}/{fact['alert_id']}"
                if fact["state"] == AlertState.OPENED:
                    alerts[alert] = fact["kind"]
                elif fact["state"] == AlertState.CLOSED:
                    closed[alert] = fact["kind"]
                    if fact["kind"] == AlertKind.FALSE_FULL_CLAIM:
                        claims[f"{fact['region']}/{fact['subject']}"] = alert
            case _Types.STATUS:
                days = history.setdefault(fact["region"], [])
                if not days or days[-1][1] != fact["computed"]:
                    days.append((fact["date"], fact["computed"]))
            case _Types.FINDING:
                findings[fact["finding_id"]] = fact["code"], fact["provider"]
            case _:
                pass
    for row in _fresh(folder, catalogue.LINKS):
        ids[row["headers"]["ce_id"]] += 1
        if row["headers"]["ce_type"] == _Types.LINK and row["value"]["kind"] == LinkKind.REGISTERED_TWICE:
            ends = (row["value"]["first"], row["value"]["second"])
            links.add(frozenset(f"{end['tenant']}/{end['record_id']}" for end in ends))
    inputs = [f"{path.stem}/{row['offset']}" for path in _inboxes(folder) for row in _rows(path)]
    dead = {
        (path.stem, row["headers"]["ce_hubsrc"])
        for path in (folder / "topics").glob("*.dlq.jsonl")
        for row in _rows(path)
    }
    told = truth.read(folder / "truth.jsonl")
    first = verdict.differences[0] if verdict.differences else None
    latency = sorted(measured.latency_ms)
    return Summary(
        inputs=len(inputs),
        accepted=accepted,
        refused=dict(sorted(refused.items())),
        dead_letters=len(dead),
        receipts=len(receipts),
        duplicates=truth.score_duplicates(told, links),
        allocations=len(placed),
        alerts=dict(sorted(Counter(alerts.values()).items())),
        region_status={region: days[-1][1] for region, days in sorted(history.items())},
        oracle="equal"
        if first is None
        else f"{first.topic} {first.position}: found {first.found}, expected {first.expected}",
        lost=len(set(inputs) - set(receipts)),
        twice=sum(n > 1 for n in receipts.values()) + sum(n > 1 for n in ids.values()),
        events_per_s=round(measured.bulk_inputs / measured.bulk_seconds) if measured.bulk_seconds else 0,
        p99_ms=latency[len(latency) * 99 // 100] if latency else 0,
        days=measured.days,
        unmet=(
            *truth.unmet(told, outcomes),
            *truth.untold(
                told,
                {region: [colour for _, colour in days] for region, days in history.items()},
                claims.keys(),
                {provider for code, provider in findings.values() if code == FindingCode.CARERS_DECLARED_TWICE},
            ),
        ),
        colour_history=dict(sorted(history.items())),
        alerts_closed=dict(sorted(Counter(closed.values()).items())),
        exposed_claims=tuple(sorted(claims)),
        findings=dict(sorted(Counter(code for code, _ in findings.values()).items())),
    )


class _Types:
    RECEIPT = codec.type_name(f.ReceiptIssued)
    ALLOCATION = codec.type_name(f.AllocationStated)
    ALERT = codec.type_name(f.AlertChanged)
    STATUS = codec.type_name(f.RegionStatusChanged)
    FINDING = codec.type_name(f.ComplianceFound)
    LINK = codec.type_name(e.LinkFound)


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    with path.open("rb") as lines:
        for line in lines:
            yield msgspec.json.decode(line)


def _inboxes(folder: Path) -> list[Path]:
    return sorted(path for path in (folder / "topics").glob("inbox.*.jsonl") if not path.stem.endswith(".dlq"))


def _fresh(folder: Path, topic: str) -> Iterator[dict[str, Any]]:
    last: dict[tuple[int, str], tuple[int, int]] = {}
    for row in _rows(folder / "topics" / f"{topic}.jsonl"):
        _, offset, index = row["headers"]["ce_hubpos"].split("/")
        key, here = (row["partition"], row["key"]), (int(offset), int(index))
        if here > last.get(key, (-1, -1)):
            last[key] = here
            yield row
