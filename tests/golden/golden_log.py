"""A golden log: a small log of one release with every fact that this release made of it.

`make golden` writes the one of this release to tests/golden/<version>/. Until the release is out it may be written
anew; afterwards it never changes, and every later release must make the same facts of it, byte for byte. Names and BSN
are nobody's: the persons are the simulator's, encoded with a key that anyone may know.
"""

import gzip
import hashlib
import json
from base64 import b64decode, b64encode
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, NamedTuple

from hub import __version__
from hub.contracts import tables
from hub.domain import events as e
from hub.domain.identifiers import TenantId
from hub.domain.reference import Reference
from hub.edge import EdgeEncoder, FileKey
from hub.local.simulator import messages, national
from hub.local.simulator.live import rehearse
from hub.local.simulator.national import START
from hub.streams.folds import FOLDS, Fold
from hub.streams.machine import FactRecord, LogRecord, Machine
from tests.whole.one_process import OneProcess

ROOT: Final = Path(__file__).parent
SEED, CLIENTS, DAYS = 3, 500, 45
DIGEST_CHARS: Final = 16


class Refolded(NamedTuple):
    """What a log partition gives: a line for each fact, and the hash of the state at the end."""

    facts: list[str]
    state_version: int
    state_hash: str


def releases() -> list[Path]:
    """The folders of all releases, oldest first."""
    return sorted((path for path in ROOT.iterdir() if (path / "tables.json").exists()), key=lambda path: path.name)


def line_of(fact: FactRecord) -> str:
    """Position, type and digest of a fact: of its key, value and every header."""
    headers = dict(fact.headers)
    whole = hashlib.sha256()
    for part in (fact.key, fact.value, *(x for name, value in fact.headers for x in (name.encode(), value))):
        whole.update(len(part).to_bytes(4, "big"))
        whole.update(part)
    return f"{headers['ce_hubpos'].decode()} {headers['ce_type'].decode()} {whole.hexdigest()[:DIGEST_CHARS]}"


def refold(fold: Fold, reference: Reference, partition: int, log: list[LogRecord], every: int) -> Refolded:
    """Fold a log in batches of `every`, with a snapshot and a restore between them."""
    machine: Machine[Any] = fold.machine(reference, partition)
    parts: dict[bytes, bytes] = {}
    facts: list[str] = []
    for start in range(0, len(log), every):
        facts += [line_of(fact) for fact in machine.apply(log[start : start + every])]
        assert not machine.stopped, machine.stopped
        taken = machine.snapshot()
        for key, value in taken.parts.items():
            if value is None:
                parts.pop(key, None)
            else:
                parts[key] = value
        state_hash = machine.state_hash()
        machine = fold.machine(reference, partition)
        machine.restore(parts, taken.marker)
    return Refolded(facts, fold.state_version, state_hash if log else "")


def read_log(path: Path) -> list[LogRecord]:
    """The records of one partition."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    return [
        LogRecord(
            row["offset"], row["timestamp"], row["key"].encode(), b64decode(row["value"]),
            [(name, value.encode()) for name, value in row["headers"]],
        )
        for row in rows
    ]  # fmt: skip


def places(release: Path) -> Iterator[tuple[Fold, int, Path]]:
    """Fold, partition and file of each log of a release."""
    for fold in FOLDS.values():
        for path in sorted(release.glob(f"{fold.log_topic}-*.jsonl.gz")):
            yield fold, int(path.name.removeprefix(f"{fold.log_topic}-").removesuffix(".jsonl.gz")), path


def make(folder: Path) -> None:
    """Write the golden log of this release."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    hub = _a_small_nation()
    (folder / "tables.json").write_bytes(tables.render(hub.reference))
    for fold in FOLDS.values():
        for (topic, partition), log in hub.log.items():
            if topic == fold.log_topic:
                stem = folder / f"{topic}-{partition}"
                _write(stem.with_suffix(".jsonl.gz"), [_row(record) for record in log])
                told = refold(fold, hub.reference, partition, log, len(log) or 1)
                rows = [f"state {told.state_version} {told.state_hash}", *told.facts]
                _write(stem.with_suffix(".facts.gz"), rows)


def _a_small_nation() -> OneProcess:
    nation = national.build(SEED, CLIENTS)
    script, edge = rehearse(nation), EdgeEncoder(FileKey.derived("golden"), 1)
    hub = OneProcess(nation.reference)
    for packed in messages.pack(script.founding, edge):
        hub.send(packed.tenant, packed.value, packed.key)
    for day in sorted(day for day in script.days if day <= DAYS):
        sent = messages.pack(script.days[day], edge)
        if day >= 0:
            start = messages.Message(TenantId("clock"), e.DayStarted(date=START + timedelta(days=day)))
            sent = [*messages.pack([start], edge), *sent]
        for packed in sent:
            hub.send(packed.tenant, packed.value, packed.key)
    return hub


def _row(record: LogRecord) -> str:
    return json.dumps({
        "offset": record.offset, "timestamp": record.timestamp_ms, "key": record.key.decode(),
        "headers": [(name, value.decode()) for name, value in record.headers],
        "value": b64encode(record.value).decode(),
    })  # fmt: skip


def _write(path: Path, lines: list[str]) -> None:
    with path.open("wb") as raw, gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0) as out:
        out.write("".join(f"{line}\n" for line in lines).encode())


if __name__ == "__main__":
    make(ROOT / __version__)
